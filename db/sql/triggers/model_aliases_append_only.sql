CREATE TRIGGER model_aliases_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON model_aliases
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
COMMENT ON TRIGGER model_aliases_append_only ON model_aliases IS 'Rows are added, never changed.';
