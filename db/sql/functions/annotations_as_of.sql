CREATE FUNCTION annotations_as_of(t timestamptz, clock text DEFAULT 'record')
RETURNS TABLE (
    event_id bigint,
    project_id bigint,
    document_id uuid,
    document_version_id uuid,
    task_id bigint,
    label_studio_id integer,
    reviewer text,
    occurred_at timestamptz,
    recorded_at timestamptz,
    source text,
    was_cancelled boolean,
    lead_time double precision,
    result jsonb,
    content_sha256 text,
    extraction_id bigint,
    gap boolean
)
-- One plain SELECT, so that Postgres merges it into the query around it: a condition on the task or the
-- document then reaches the indexes. The same holds for the other as-of functions.
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT e.id, e.project_id, v.document_id, k.document_version_id, k.id, e.label_studio_id, e.actor,
           e.occurred_at, e.recorded_at, e.source::text, e.was_cancelled, e.lead_time, e.result,
           e.content_sha256, e.extraction_id, e.gap
    FROM tasks k
    LEFT JOIN document_versions v ON v.id = k.document_version_id
    -- Task by task along the index: for the whole record that is less work than asking of every state
    -- whether a later one replaced it, and its rows need not be touched.
    CROSS JOIN LATERAL (
        SELECT DISTINCT ON (s.label_studio_id) s.*
        FROM annotation_events s
        WHERE s.task_id = k.id
          -- "IS TRUE" keeps this a filter. As a condition of the index on occurred_at, Postgres would skip from
          -- annotation to annotation, which takes longer than reading the few states of a task.
          AND (CASE as_of_clock(clock) WHEN 'source' THEN s.occurred_at ELSE s.recorded_at END <= t) IS TRUE
          -- A state learnt after a later one never was what the record said.
          AND (clock = 'source' OR NOT s.late)
        -- The order of the record is the order of ids; the order of the source is that of its times.
        ORDER BY s.label_studio_id, CASE as_of_clock(clock) WHEN 'source' THEN s.occurred_at END DESC, s.id DESC
    ) e
    WHERE e.kind <> 'deleted'
$$;
COMMENT ON FUNCTION annotations_as_of(timestamptz, text) IS
    'The annotations that stood at time t, one row each, deleted ones left out. Clock record: as the record said at t; clock source: as it was in Label Studio at t, as far as we know today.';
