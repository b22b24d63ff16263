CREATE VIEW annotation_history AS
SELECT k.project_id, v.document_id, k.document_version_id, k.id AS task_id, h.label_studio_id, h.version, h.event_id,
       h.kind, h.source, h.reviewer, h.valid_from, h.valid_to, h.occurred_at, h.was_cancelled, h.lead_time,
       h.result, h.content_sha256, h.changes, h.gap, h.problems, h.extraction_id, h.late
FROM tasks k
LEFT JOIN document_versions v ON v.id = k.document_version_id
-- Task by task, so that a condition on task or document keeps the window small.
CROSS JOIN LATERAL (
    SELECT e.label_studio_id, e.id AS event_id, e.kind::text, e.source::text,
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
