CREATE TRIGGER datasets_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON datasets
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
COMMENT ON TRIGGER datasets_append_only ON datasets IS 'Rows are added, never changed.';
