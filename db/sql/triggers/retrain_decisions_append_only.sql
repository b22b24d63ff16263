CREATE TRIGGER retrain_decisions_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON retrain_decisions
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
COMMENT ON TRIGGER retrain_decisions_append_only ON retrain_decisions IS 'Rows are added, never changed.';
