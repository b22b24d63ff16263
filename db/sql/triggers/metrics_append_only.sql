CREATE TRIGGER metrics_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON metrics
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
COMMENT ON TRIGGER metrics_append_only ON metrics IS 'Rows are added, never changed.';
