CREATE VIEW field_values AS
SELECT a.project_id, p.title AS project, d.id AS document_id, d.name AS document, d.collection,
       k.document_version_id, a.task_id, a.label_studio_id, a.last_event_id AS event_id,
       e.actor AS reviewer, a.source_updated_at AS reviewed_at, v.id AS value_id, v.region_id, v.field,
       v."row", v."text", v.normalised, v.problem, v.page, v.x0, v.y0, v.x1, v.y1, v.text_source,
       v.outcome::text AS outcome, v.predicted_text, v.confidence
FROM annotations a
JOIN projects p ON p.id = a.project_id
JOIN tasks k ON k.id = a.task_id
JOIN annotation_events e ON e.id = a.last_event_id
JOIN annotation_values v ON v.event_id = a.last_event_id
LEFT JOIN document_versions dv ON dv.id = k.document_version_id
LEFT JOIN documents d ON d.id = dv.document_id
WHERE a.deleted_at IS NULL AND NOT a.was_cancelled AND v.outcome <> 'removed';
COMMENT ON VIEW field_values IS 'The reviewed values as they stand now, one row per value. A document with several annotations shows the values of each; field_values_as_of(t) says the same about any moment.';
COMMENT ON COLUMN field_values.project_id IS 'Project.';
COMMENT ON COLUMN field_values.project IS 'Title of the project.';
COMMENT ON COLUMN field_values.document_id IS 'Document; empty for tasks made in Label Studio by hand.';
COMMENT ON COLUMN field_values.document IS 'Name of the document.';
COMMENT ON COLUMN field_values.collection IS 'Tag of the document.';
COMMENT ON COLUMN field_values.document_version_id IS 'Document version.';
COMMENT ON COLUMN field_values.task_id IS 'Task, tasks.id.';
COMMENT ON COLUMN field_values.label_studio_id IS 'Annotation id in Label Studio.';
COMMENT ON COLUMN field_values.event_id IS 'State of the annotation, annotation_events.id.';
COMMENT ON COLUMN field_values.reviewer IS 'E-mail of the reviewer who set this state.';
COMMENT ON COLUMN field_values.reviewed_at IS 'When, by Label Studio''s clock.';
COMMENT ON COLUMN field_values.value_id IS 'annotation_values.id.';
COMMENT ON COLUMN field_values.region_id IS 'Region id in Label Studio.';
COMMENT ON COLUMN field_values.field IS 'Field; a table column is table.column.';
COMMENT ON COLUMN field_values."row" IS 'Row of a table, from 0.';
COMMENT ON COLUMN field_values."text" IS 'The value.';
COMMENT ON COLUMN field_values.normalised IS 'ISO date, plain decimal, true/false.';
COMMENT ON COLUMN field_values.problem IS 'Why it could not be normalised.';
COMMENT ON COLUMN field_values.page IS '0-based.';
COMMENT ON COLUMN field_values.x0 IS 'Points from the left of the page as displayed.';
COMMENT ON COLUMN field_values.y0 IS 'Points from the top.';
COMMENT ON COLUMN field_values.x1 IS 'Points from the left.';
COMMENT ON COLUMN field_values.y1 IS 'Points from the top.';
COMMENT ON COLUMN field_values.text_source IS 'reviewer, page or none: where the text comes from.';
COMMENT ON COLUMN field_values.outcome IS 'accepted, corrected or added, against the prediction.';
COMMENT ON COLUMN field_values.predicted_text IS 'What the model had said.';
COMMENT ON COLUMN field_values.confidence IS 'The model''s confidence in it.';
