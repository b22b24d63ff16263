CREATE VIEW reviewer_agreement AS
WITH shared AS (
    -- The submitted annotations of tasks with several, in one pass along ix_annotations_open. The event is only
    -- asked where the annotation does not say who made it.
    SELECT s.project_id, s.task_id, s.last_event_id,
           coalesce(s.created_by, (SELECT e.actor FROM annotation_events e WHERE e.id = s.last_event_id), '')
               AS reviewer
    FROM (
        SELECT a.project_id, a.task_id, a.last_event_id, a.created_by,
               count(*) OVER (PARTITION BY a.project_id, a.task_id) AS standing
        FROM annotations a
        WHERE a.deleted_at IS NULL AND NOT a.was_cancelled
    ) s
    WHERE s.standing > 1
), pairs AS (
    SELECT one.project_id, one.last_event_id AS event_a, two.last_event_id AS event_b,
           one.reviewer AS reviewer_a, two.reviewer AS reviewer_b
    FROM shared one
    JOIN shared two ON two.task_id = one.task_id AND two.reviewer > one.reviewer
), compared AS (
    SELECT p.project_id, p.reviewer_a, p.reviewer_b, f.field, f.same
    FROM pairs p
    -- Equal answers are equal hashes in any order, therefore equal sums. The index alone has all of it. A field
    -- only one of them found has no sum on the other side; a removed value has no hash.
    CROSS JOIN LATERAL (
        SELECT v.field, coalesce(sum(v.value_hash) FILTER (WHERE v.event_id = p.event_a)
                               = sum(v.value_hash) FILTER (WHERE v.event_id = p.event_b), false) AS same
        FROM annotation_values v
        WHERE v.event_id IN (p.event_a, p.event_b) AND v.value_hash IS NOT NULL
        GROUP BY v.field
    ) f
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
