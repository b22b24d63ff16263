CREATE TRIGGER erasures_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON erasures
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
COMMENT ON TRIGGER erasures_append_only ON erasures IS 'Rows are added, never changed.';
