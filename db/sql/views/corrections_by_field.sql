CREATE VIEW corrections_by_field AS
SELECT c.project_id, p.title AS project, c.field, m.name AS model_version, c.reviewer, c."values", c.accepted,
       c.corrected, c.added, c.removed,
       c.accepted::double precision / nullif(c.accepted + c.corrected + c.removed, 0) AS accepted_share
FROM (
    -- Neither events nor extractions: what is needed of them stands in annotations.
    SELECT a.project_id, v.field, a.model_version_id, a.last_reviewer AS reviewer, count(*) AS "values",
           count(*) FILTER (WHERE v.outcome = 'accepted') AS accepted,
           count(*) FILTER (WHERE v.outcome = 'corrected') AS corrected,
           count(*) FILTER (WHERE v.outcome = 'added') AS added,
           count(*) FILTER (WHERE v.outcome = 'removed') AS removed
    FROM annotations a
    JOIN annotation_values v ON v.event_id = a.last_event_id
    WHERE a.deleted_at IS NULL AND NOT a.was_cancelled
    GROUP BY a.project_id, v.field, a.model_version_id, a.last_reviewer
) c
JOIN projects p ON p.id = c.project_id
LEFT JOIN model_versions m ON m.id = c.model_version_id;
COMMENT ON VIEW corrections_by_field IS 'How often reviewers accepted, corrected, added or removed values, per field, model version and reviewer; sum over what you do not need.';
COMMENT ON COLUMN corrections_by_field.project_id IS 'Project.';
COMMENT ON COLUMN corrections_by_field.project IS 'Title of the project.';
COMMENT ON COLUMN corrections_by_field.field IS 'Field; a table column is table.column.';
COMMENT ON COLUMN corrections_by_field.model_version IS 'Model version whose predictions were reviewed; empty: reviewed without one.';
COMMENT ON COLUMN corrections_by_field.reviewer IS 'E-mail of the reviewer.';
COMMENT ON COLUMN corrections_by_field."values" IS 'Values reviewed.';
COMMENT ON COLUMN corrections_by_field.accepted IS 'Left as predicted.';
COMMENT ON COLUMN corrections_by_field.corrected IS 'Text, field or place changed.';
COMMENT ON COLUMN corrections_by_field.added IS 'Not predicted.';
COMMENT ON COLUMN corrections_by_field.removed IS 'Predicted and taken away.';
COMMENT ON COLUMN corrections_by_field.accepted_share IS 'Accepted among predicted values, 0..1; empty without predictions.';
