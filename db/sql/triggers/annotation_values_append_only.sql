CREATE TRIGGER annotation_values_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON annotation_values
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
COMMENT ON TRIGGER annotation_values_append_only ON annotation_values IS 'Rows are added, never changed.';
