CREATE TRIGGER extraction_values_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON extraction_values
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
COMMENT ON TRIGGER extraction_values_append_only ON extraction_values IS 'Rows are added, never changed.';
