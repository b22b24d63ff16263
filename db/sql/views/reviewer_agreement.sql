CREATE VIEW reviewer_agreement AS
WITH standing AS (
    -- The submitted annotations of tasks with several. The event is only asked where the annotation does
    -- not say who made it.
    SELECT a.id, a.project_id, a.task_id, a.last_event_id,
           coalesce(a.created_by, (SELECT e.actor FROM annotation_events e WHERE e.id = a.last_event_id), '')
               AS reviewer
    FROM (
        SELECT b.task_id
        FROM annotations b
        WHERE b.deleted_at IS NULL AND NOT b.was_cancelled
        GROUP BY b.task_id
        HAVING count(*) > 1
    ) several
    JOIN annotations a ON a.task_id = several.task_id
    WHERE a.deleted_at IS NULL AND NOT a.was_cancelled
), answers AS (
    -- Sorted only so that equal answers are equal arrays; "C" is the cheapest order there is.
    SELECT s.id, v.field,
           array_agg(coalesce(v.normalised, v."text", '')
                     ORDER BY coalesce(v.normalised, v."text", '') COLLATE "C") AS answer
    FROM standing s
    JOIN annotation_values v ON v.event_id = s.last_event_id
    WHERE v.outcome <> 'removed'
    GROUP BY s.id, v.field
), pairs AS (
    SELECT one.project_id, one.id AS one_id, two.id AS two_id, one.reviewer AS reviewer_a,
           two.reviewer AS reviewer_b
    FROM standing one
    JOIN standing two ON two.task_id = one.task_id AND two.reviewer > one.reviewer
), compared AS (
    SELECT pairs.project_id, pairs.reviewer_a, pairs.reviewer_b, a.field,
           coalesce(a.answer = b.answer, false) AS same
    FROM pairs
    JOIN answers a ON a.id = pairs.one_id
    LEFT JOIN answers b ON b.id = pairs.two_id AND b.field = a.field
    UNION ALL
    -- What only the other one found.
    SELECT pairs.project_id, pairs.reviewer_a, pairs.reviewer_b, b.field, false
    FROM pairs
    JOIN answers b ON b.id = pairs.two_id
    WHERE NOT EXISTS (SELECT FROM answers a WHERE a.id = pairs.one_id AND a.field = b.field)
)
SELECT c.project_id, p.title AS project, c.field, c.reviewer_a, c.reviewer_b, count(*) AS compared,
       count(*) FILTER (WHERE c.same) AS agreed,
       count(*) FILTER (WHERE c.same)::double precision / count(*) AS agreement
FROM compared c
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
