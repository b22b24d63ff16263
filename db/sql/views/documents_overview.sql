CREATE VIEW documents_overview AS
SELECT d.id AS document_id, d.project_id, p.title AS project, d.name AS document, d.collection,
       v.id AS document_version_id, v.number AS version, v.state::text AS state, v.error_code, v.error_message,
       v.page_count AS pages, v.uploaded_at, v.uploaded_by, k.id AS task_id,
       k.label_studio_id AS label_studio_task_id, x.model_version, x.score, r.reviewed, r.skipped, r.reviewers,
       r.reviewed_at, r.status
FROM documents d
JOIN projects p ON p.id = d.project_id
JOIN LATERAL (
    SELECT * FROM document_versions w WHERE w.document_id = d.id ORDER BY w.number DESC LIMIT 1
) v ON true
LEFT JOIN LATERAL (
    SELECT t.id, t.label_studio_id FROM tasks t
    WHERE t.document_version_id = v.id AND t.deleted_at IS NULL ORDER BY t.id DESC LIMIT 1
) k ON true
LEFT JOIN LATERAL (
    SELECT m.name AS model_version, e.score FROM extractions e
    JOIN model_versions m ON m.id = e.model_version_id
    WHERE e.document_version_id = v.id ORDER BY e.id DESC LIMIT 1
) x ON true
CROSS JOIN LATERAL (
    SELECT coalesce(bool_or(NOT a.was_cancelled), false) AS reviewed,
           coalesce(bool_and(a.was_cancelled), false) AS skipped,
           string_agg(DISTINCT coalesce(a.updated_by, a.created_by), ', ') AS reviewers,
           max(a.source_updated_at) AS reviewed_at,
           (array_agg(a.status ORDER BY a.last_event_id DESC))[1] AS status
    FROM tasks t
    JOIN annotations a ON a.task_id = t.id
    WHERE t.document_version_id = v.id AND t.deleted_at IS NULL AND a.deleted_at IS NULL
) r;
COMMENT ON VIEW documents_overview IS 'One row per document, with its newest version: how far it is, what the model said, who reviewed it.';
COMMENT ON COLUMN documents_overview.document_id IS 'documents.id.';
COMMENT ON COLUMN documents_overview.project_id IS 'Project.';
COMMENT ON COLUMN documents_overview.project IS 'Title of the project.';
COMMENT ON COLUMN documents_overview.document IS 'Name of the document.';
COMMENT ON COLUMN documents_overview.collection IS 'Tag of the document.';
COMMENT ON COLUMN documents_overview.document_version_id IS 'Its newest version.';
COMMENT ON COLUMN documents_overview.version IS 'Number of that version, from 1.';
COMMENT ON COLUMN documents_overview.state IS 'received, read, needs_ocr, failed or erased.';
COMMENT ON COLUMN documents_overview.error_code IS 'Kind of failure.';
COMMENT ON COLUMN documents_overview.error_message IS 'The failure in one sentence.';
COMMENT ON COLUMN documents_overview.pages IS 'Number of pages.';
COMMENT ON COLUMN documents_overview.uploaded_at IS 'When that version came.';
COMMENT ON COLUMN documents_overview.uploaded_by IS 'Who brought it.';
COMMENT ON COLUMN documents_overview.task_id IS 'Its task, tasks.id.';
COMMENT ON COLUMN documents_overview.label_studio_task_id IS 'Its task in Label Studio.';
COMMENT ON COLUMN documents_overview.model_version IS 'Model version of the newest extraction.';
COMMENT ON COLUMN documents_overview.score IS 'Lowest confidence among its values.';
COMMENT ON COLUMN documents_overview.reviewed IS 'Whether a reviewer submitted it.';
COMMENT ON COLUMN documents_overview.skipped IS 'Whether it was only ever skipped.';
COMMENT ON COLUMN documents_overview.reviewers IS 'E-mails of its reviewers.';
COMMENT ON COLUMN documents_overview.reviewed_at IS 'When it was last submitted, by Label Studio''s clock.';
COMMENT ON COLUMN documents_overview.status IS 'The last reviewer''s choice: OK, Second look, Wrong type, Unreadable.';
