CREATE TRIGGER annotations_last_state
    BEFORE INSERT OR UPDATE OF last_event_id, last_reviewer, model_version_id ON annotations
    FOR EACH ROW EXECUTE FUNCTION set_last_state();
COMMENT ON TRIGGER annotations_last_state ON annotations IS 'Reviewer and model version are those of the last event.';
