CREATE VIEW reviewer_agreement AS
WITH several AS (
    SELECT a.task_id
    FROM annotations a
    WHERE a.deleted_at IS NULL AND NOT a.was_cancelled
    GROUP BY a.task_id
    HAVING count(*) > 1
), standing AS (
    SELECT a.id, a.project_id, a.task_id, a.last_event_id, coalesce(a.created_by, e.actor, '') AS reviewer
    FROM several
    JOIN annotations a ON a.task_id = several.task_id
    JOIN annotation_events e ON e.id = a.last_event_id
    WHERE a.deleted_at IS NULL AND NOT a.was_cancelled
), answers AS (
    SELECT s.id, v.field, array_agg(coalesce(v.normalised, v."text", '') ORDER BY coalesce(v.normalised, v."text", '')) AS answer
    FROM standing s
    JOIN annotation_values v ON v.event_id = s.last_event_id
    WHERE v.outcome <> 'removed'
    GROUP BY s.id, v.field
), pairs AS (
    SELECT one.project_id, one.task_id, one.id AS one_id, two.id AS two_id,
           one.reviewer AS reviewer_a, two.reviewer AS reviewer_b
    FROM standing one
    JOIN standing two ON two.task_id = one.task_id
        AND (two.reviewer, two.id) > (one.reviewer, one.id) AND two.reviewer <> one.reviewer
)
SELECT c.project_id, p.title AS project, c.field, c.reviewer_a, c.reviewer_b, count(*) AS compared,
       count(*) FILTER (WHERE c.same) AS agreed,
       count(*) FILTER (WHERE c.same)::double precision / count(*) AS agreement
FROM (
    SELECT project_id, reviewer_a, reviewer_b, field, coalesce(a.answer = b.answer, false) AS same
    FROM (
        SELECT pairs.*, answers.field, answers.answer FROM pairs JOIN answers ON answers.id = pairs.one_id
    ) a
    FULL JOIN (
        SELECT pairs.*, answers.field, answers.answer FROM pairs JOIN answers ON answers.id = pairs.two_id
    ) b USING (project_id, task_id, reviewer_a, reviewer_b, one_id, two_id, field)
) c
JOIN projects p ON p.id = c.project_id
GROUP BY c.project_id, p.title, c.field, c.reviewer_a, c.reviewer_b;
COMMENT ON VIEW reviewer_agreement IS 'Where a task was annotated by several reviewers: how often two of them gave a field the same value. A field only one of them found counts as disagreement.';
COMMENT ON COLUMN reviewer_agreement.project_id IS 'Project.';
COMMENT ON COLUMN reviewer_agreement.project IS 'Title of the project.';
COMMENT ON COLUMN reviewer_agreement.field IS 'Field; a table column is table.column.';
COMMENT ON COLUMN reviewer_agreement.reviewer_a IS 'The reviewer whose e-mail sorts first.';
COMMENT ON COLUMN reviewer_agreement.reviewer_b IS 'The other reviewer.';
COMMENT ON COLUMN reviewer_agreement.compared IS 'Pairs of answers compared.';
COMMENT ON COLUMN reviewer_agreement.agreed IS 'Pairs with the same normalised values.';
COMMENT ON COLUMN reviewer_agreement.agreement IS 'agreed / compared, 0..1.';
