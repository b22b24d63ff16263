CREATE TRIGGER annotation_events_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON annotation_events
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
COMMENT ON TRIGGER annotation_events_append_only ON annotation_events IS 'Rows are added, never changed.';
