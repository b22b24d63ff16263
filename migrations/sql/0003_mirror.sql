-- A frozen copy: what migration 0003 changes. Later changes go into later migrations.
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
    SELECT e.id, e.project_id, v.document_id, k.document_version_id, e.task_id, e.label_studio_id, e.actor,
           e.occurred_at, e.recorded_at, e.source::text, e.was_cancelled, e.lead_time, e.result,
           e.content_sha256, e.extraction_id, e.gap
    FROM annotation_events e
    JOIN tasks k ON k.id = e.task_id
    LEFT JOIN document_versions v ON v.id = k.document_version_id
    WHERE e.kind <> 'deleted'
      AND CASE as_of_clock(clock) WHEN 'source' THEN e.occurred_at ELSE e.recorded_at END <= t
      -- A state learnt after a later one never was what the record said.
      AND (clock = 'source' OR NOT e.late)
      AND NOT EXISTS (
          SELECT FROM annotation_events later
          WHERE later.task_id = e.task_id
            AND later.label_studio_id = e.label_studio_id
            AND CASE as_of_clock(clock) WHEN 'source' THEN later.occurred_at ELSE later.recorded_at END <= t
            AND (clock = 'source' OR NOT later.late)
            -- The order of the record is the order of ids; the order of the source is that of its times.
            AND CASE as_of_clock(clock)
                    WHEN 'source' THEN (later.occurred_at, later.id) > (e.occurred_at, e.id)
                    ELSE later.id > e.id
                END
      )
$$;
COMMENT ON FUNCTION annotations_as_of(timestamptz, text) IS
    'The annotations that stood at time t, one row each, deleted ones left out. Clock record: as the record said at t; clock source: as it was in Label Studio at t, as far as we know today.';

CREATE OR REPLACE VIEW annotation_history AS
SELECT k.project_id, v.document_id, k.document_version_id, h.task_id, h.label_studio_id, h.version, h.event_id,
       h.kind, h.source, h.reviewer, h.valid_from, h.valid_to, h.occurred_at, h.was_cancelled, h.lead_time,
       h.result, h.content_sha256, h.changes, h.gap, h.problems, h.extraction_id, h.late
FROM tasks k
LEFT JOIN document_versions v ON v.id = k.document_version_id
-- Task by task, so that a condition on task or document keeps the window small.
CROSS JOIN LATERAL (
    SELECT e.task_id, e.label_studio_id, e.id AS event_id, e.kind::text, e.source::text,
           row_number() OVER (PARTITION BY e.label_studio_id ORDER BY e.occurred_at, e.id) AS version,
           e.actor AS reviewer, e.recorded_at AS valid_from,
           CASE WHEN e.late THEN e.recorded_at ELSE lead(e.recorded_at) OVER states END AS valid_to,
           e.occurred_at, e.was_cancelled, e.lead_time, e.result, e.content_sha256, e.changes, e.gap,
           e.problems, e.extraction_id, e.late
    FROM annotation_events e
    WHERE e.task_id = k.id
    WINDOW states AS (PARTITION BY e.label_studio_id, e.late ORDER BY e.id)
) h;
COMMENT ON VIEW annotation_history IS 'Every state of every annotation with the time it held in the record; filter by task_id, document_id or document_version_id.';
COMMENT ON COLUMN annotation_history.project_id IS 'Project.';
COMMENT ON COLUMN annotation_history.document_id IS 'Document; empty for tasks made in Label Studio by hand.';
COMMENT ON COLUMN annotation_history.document_version_id IS 'Document version; empty for tasks made by hand.';
COMMENT ON COLUMN annotation_history.task_id IS 'Task, tasks.id.';
COMMENT ON COLUMN annotation_history.label_studio_id IS 'Annotation id in Label Studio.';
COMMENT ON COLUMN annotation_history.version IS 'Number of the state of this annotation in the order of Label Studio, from 1.';
COMMENT ON COLUMN annotation_history.event_id IS 'The state, annotation_events.id.';
COMMENT ON COLUMN annotation_history.kind IS 'created, updated, deleted or restored.';
COMMENT ON COLUMN annotation_history.source IS 'How we learnt it: webhook, sweep, backfill, verify or csv.';
COMMENT ON COLUMN annotation_history.reviewer IS 'E-mail of the reviewer.';
COMMENT ON COLUMN annotation_history.valid_from IS 'When the record began to say this.';
COMMENT ON COLUMN annotation_history.valid_to IS 'When the record began to say something else; empty: it still says this; the same as valid_from: a late state, never the current one.';
COMMENT ON COLUMN annotation_history.occurred_at IS 'When it happened in Label Studio.';
COMMENT ON COLUMN annotation_history.was_cancelled IS 'True: skipped.';
COMMENT ON COLUMN annotation_history.lead_time IS 'Seconds the reviewer worked on it.';
COMMENT ON COLUMN annotation_history.result IS 'The full result.';
COMMENT ON COLUMN annotation_history.content_sha256 IS 'Hash of the content.';
COMMENT ON COLUMN annotation_history.changes IS 'Differences to the state before.';
COMMENT ON COLUMN annotation_history.gap IS 'True: states before this one may have gone unseen.';
COMMENT ON COLUMN annotation_history.problems IS 'What could not be understood, in sentences.';
COMMENT ON COLUMN annotation_history.extraction_id IS 'Extraction the reviewer started from.';
COMMENT ON COLUMN annotation_history.late IS 'True: learnt only after a later state.';
