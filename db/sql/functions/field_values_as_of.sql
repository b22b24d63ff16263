CREATE FUNCTION field_values_as_of(t timestamptz, clock text DEFAULT 'record')
RETURNS TABLE (
    project_id bigint,
    document_id uuid,
    document_version_id uuid,
    task_id bigint,
    label_studio_id integer,
    event_id bigint,
    reviewer text,
    occurred_at timestamptz,
    recorded_at timestamptz,
    value_id bigint,
    region_id text,
    field text,
    "row" integer,
    "text" text,
    normalised text,
    problem text,
    page integer,
    x0 double precision,
    y0 double precision,
    x1 double precision,
    y1 double precision,
    outcome text,
    predicted_text text,
    confidence double precision
)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT a.project_id, a.document_id, a.document_version_id, a.task_id, a.label_studio_id, a.event_id,
           a.reviewer, a.occurred_at, a.recorded_at, v.id, v.region_id, v.field, v."row", v."text",
           v.normalised, v.problem, v.page, v.x0, v.y0, v.x1, v.y1, v.outcome::text, v.predicted_text,
           v.confidence
    FROM annotations_as_of(t, clock) a
    JOIN annotation_values v ON v.event_id = a.event_id
        -- Always true. Without it Postgres takes the few states of one task for all there are, and remembers
        -- the values of every state of the record to look them up again, which never happens.
        AND (v.event_id = a.event_id) IS NOT UNKNOWN
    WHERE NOT a.was_cancelled AND v.outcome <> 'removed'
$$;
COMMENT ON FUNCTION field_values_as_of(timestamptz, text) IS
    'The reviewed field values that stood at time t: exactly the values of annotations_as_of(t, clock), without skipped annotations and removed values.';
