CREATE VIEW documents_overview AS
SELECT d.id AS document_id, d.project_id, p.title AS project, d.name AS document, d.collection,
       v.id AS document_version_id, v.number AS version, v.state::text AS state, v.error_code, v.error_message,
       v.page_count AS pages, v.uploaded_at, v.uploaded_by, k.id AS task_id,
       k.label_studio_id AS label_studio_task_id, m.name AS model_version, x.score,
       -- Asked for one document Postgres looks these up, asked for all it hashes the tasks that were reviewed.
       EXISTS (
           SELECT FROM tasks t JOIN annotations a ON a.task_id = t.id
           WHERE t.document_version_id = v.id AND t.deleted_at IS NULL AND a.deleted_at IS NULL
             AND NOT a.was_cancelled
       ) AS reviewed,
       EXISTS (
           SELECT FROM tasks t JOIN annotations a ON a.task_id = t.id
           WHERE t.document_version_id = v.id AND t.deleted_at IS NULL AND a.deleted_at IS NULL
             AND a.was_cancelled
       ) AND NOT EXISTS (
           SELECT FROM tasks t JOIN annotations a ON a.task_id = t.id
           WHERE t.document_version_id = v.id AND t.deleted_at IS NULL AND a.deleted_at IS NULL
             AND NOT a.was_cancelled
       ) AS skipped,
       r.reviewers, r.reviewed_at, r.status
FROM documents d
JOIN projects p ON p.id = d.project_id
JOIN document_versions v ON v.document_id = d.id
-- Each of these is an aggregate and thus one row: Postgres leaves out the ones whose columns nobody asks for.
LEFT JOIN LATERAL (
    SELECT max(t.id) AS id, (array_agg(t.label_studio_id ORDER BY t.id DESC))[1] AS label_studio_id
    FROM tasks t WHERE t.document_version_id = v.id AND t.deleted_at IS NULL
) k ON true
LEFT JOIN LATERAL (
    SELECT (array_agg(e.model_version_id ORDER BY e.id DESC))[1] AS model_version_id,
           (array_agg(e.score ORDER BY e.id DESC))[1] AS score
    FROM extractions e WHERE e.document_version_id = v.id
) x ON true
LEFT JOIN model_versions m ON m.id = x.model_version_id
LEFT JOIN LATERAL (
    SELECT string_agg(DISTINCT coalesce(a.updated_by, a.created_by), ', ') AS reviewers,
           max(a.source_updated_at) AS reviewed_at,
           (array_agg(a.status ORDER BY a.last_event_id DESC))[1] AS status
    FROM tasks t
    JOIN annotations a ON a.task_id = t.id
    WHERE t.document_version_id = v.id AND t.deleted_at IS NULL AND a.deleted_at IS NULL
) r ON true
WHERE NOT EXISTS (SELECT FROM document_versions w WHERE w.document_id = v.document_id AND w.number > v.number);
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
