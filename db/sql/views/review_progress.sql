CREATE VIEW review_progress AS
SELECT p.id AS project_id, p.title AS project, d.documents, d.failed, t.tasks, r.reviewed, r.skipped,
       t.tasks - r.reviewed - r.skipped AS waiting, r.annotations, r.reviewers, r.last_reviewed_at,
       r.median_lead_time
FROM projects p
CROSS JOIN LATERAL (
    SELECT count(*) AS documents, count(*) FILTER (WHERE v.state = 'failed') AS failed
    FROM documents d
    JOIN document_versions v ON v.document_id = d.id
    WHERE d.project_id = p.id
      AND NOT EXISTS (SELECT FROM document_versions w WHERE w.document_id = d.id AND w.number > v.number)
) d
CROSS JOIN LATERAL (
    SELECT count(*) AS tasks FROM tasks k WHERE k.project_id = p.id AND k.deleted_at IS NULL
) t
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE s.reviewed) AS reviewed, count(*) FILTER (WHERE NOT s.reviewed) AS skipped,
           coalesce(sum(s.annotations), 0)::bigint AS annotations,
           (SELECT count(DISTINCT b.created_by) FROM annotations b
            WHERE b.project_id = p.id AND b.deleted_at IS NULL) AS reviewers,
           max(s.last_reviewed_at) AS last_reviewed_at,
           (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY b.lead_time) FROM annotations b
            WHERE b.project_id = p.id AND b.deleted_at IS NULL AND NOT b.was_cancelled) AS median_lead_time
    FROM (
        SELECT bool_or(NOT a.was_cancelled) AS reviewed, count(*) AS annotations,
               max(a.source_updated_at) AS last_reviewed_at
        FROM annotations a
        JOIN tasks k ON k.id = a.task_id AND k.deleted_at IS NULL
        WHERE a.project_id = p.id AND a.deleted_at IS NULL
        GROUP BY a.task_id
    ) s
) r
WHERE p.deleted_at IS NULL;
COMMENT ON VIEW review_progress IS 'How far the review of each project is.';
COMMENT ON COLUMN review_progress.project_id IS 'Project.';
COMMENT ON COLUMN review_progress.project IS 'Title of the project.';
COMMENT ON COLUMN review_progress.documents IS 'Documents.';
COMMENT ON COLUMN review_progress.failed IS 'Documents whose newest version could not be read.';
COMMENT ON COLUMN review_progress.tasks IS 'Tasks in Label Studio.';
COMMENT ON COLUMN review_progress.reviewed IS 'Tasks with a submitted annotation.';
COMMENT ON COLUMN review_progress.skipped IS 'Tasks that were only skipped.';
COMMENT ON COLUMN review_progress.waiting IS 'Tasks nobody touched.';
COMMENT ON COLUMN review_progress.annotations IS 'Annotations, skipped ones included.';
COMMENT ON COLUMN review_progress.reviewers IS 'Different reviewers.';
COMMENT ON COLUMN review_progress.last_reviewed_at IS 'Last submission, by Label Studio''s clock.';
COMMENT ON COLUMN review_progress.median_lead_time IS 'Median seconds per annotation.';
