-- A frozen copy: what stood before migration 0006.
CREATE OR REPLACE FUNCTION annotations_as_of(t timestamptz, clock text DEFAULT 'record')
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
          AND CASE as_of_clock(clock) WHEN 'source' THEN s.occurred_at ELSE s.recorded_at END <= t
          -- A state learnt after a later one never was what the record said.
          AND (clock = 'source' OR NOT s.late)
        -- The order of the record is the order of ids; the order of the source is that of its times.
        ORDER BY s.label_studio_id, CASE as_of_clock(clock) WHEN 'source' THEN s.occurred_at END DESC, s.id DESC
    ) e
    WHERE e.kind <> 'deleted'
$$;
CREATE OR REPLACE VIEW corrections_by_field AS
SELECT c.project_id, p.title AS project, c.field, m.name AS model_version, c.reviewer, c."values", c.accepted,
       c.corrected, c.added, c.removed,
       c.accepted::double precision / nullif(c.accepted + c.corrected + c.removed, 0) AS accepted_share
FROM (
    SELECT a.project_id, v.field, x.model_version_id, e.actor AS reviewer, count(*) AS "values",
           count(*) FILTER (WHERE v.outcome = 'accepted') AS accepted,
           count(*) FILTER (WHERE v.outcome = 'corrected') AS corrected,
           count(*) FILTER (WHERE v.outcome = 'added') AS added,
           count(*) FILTER (WHERE v.outcome = 'removed') AS removed
    FROM annotations a
    JOIN annotation_events e ON e.id = a.last_event_id
    JOIN annotation_values v ON v.event_id = a.last_event_id
    LEFT JOIN extractions x ON x.id = e.extraction_id
    WHERE a.deleted_at IS NULL AND NOT a.was_cancelled
    GROUP BY a.project_id, v.field, x.model_version_id, e.actor
) c
JOIN projects p ON p.id = c.project_id
LEFT JOIN model_versions m ON m.id = c.model_version_id;
