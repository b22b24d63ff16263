CREATE FUNCTION set_last_state() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    -- Events and extractions never change, so what is copied here stays true.
    SELECT e.actor, x.model_version_id INTO NEW.last_reviewer, NEW.model_version_id
    FROM annotation_events e
    LEFT JOIN extractions x ON x.id = e.extraction_id
    WHERE e.id = NEW.last_event_id;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION set_last_state() IS
    'Copies the reviewer and the model version of the last event into an annotation, whoever writes it.';
