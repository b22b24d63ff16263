-- A frozen copy: what stood before migration 0007.
CREATE OR REPLACE VIEW reviewer_agreement AS
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
), found AS MATERIALIZED (
    SELECT s.id, v.field, coalesce(v.normalised, v."text", '') COLLATE "C" AS value
    FROM standing s
    JOIN annotation_values v ON v.event_id = s.last_event_id
    WHERE v.outcome <> 'removed'
), pairs AS (
    SELECT one.project_id, one.id AS one_id, two.id AS two_id, one.reviewer AS reviewer_a,
           two.reviewer AS reviewer_b
    FROM standing one
    JOIN standing two ON two.task_id = one.task_id AND two.reviewer > one.reviewer
), sides AS (
    SELECT one_id, two_id, one_id AS id, true AS is_one FROM pairs
    UNION ALL
    SELECT one_id, two_id, two_id, false FROM pairs
), compared AS (
    -- Sorted only so that equal answers are equal arrays, therefore in "C", the cheapest order. A field only one
    -- of them found has no array on the other side.
    SELECT s.one_id, s.two_id, f.field,
           coalesce(array_agg(f.value ORDER BY f.value) FILTER (WHERE s.is_one)
                  = array_agg(f.value ORDER BY f.value) FILTER (WHERE NOT s.is_one), false) AS same
    FROM sides s
    JOIN found f ON f.id = s.id
    GROUP BY s.one_id, s.two_id, f.field
)
SELECT pairs.project_id, p.title AS project, c.field, pairs.reviewer_a, pairs.reviewer_b, count(*) AS compared,
       count(*) FILTER (WHERE c.same) AS agreed,
       count(*) FILTER (WHERE c.same)::double precision / count(*) AS agreement
FROM compared c
JOIN pairs USING (one_id, two_id)
JOIN projects p ON p.id = pairs.project_id
GROUP BY pairs.project_id, p.title, c.field, pairs.reviewer_a, pairs.reviewer_b;
