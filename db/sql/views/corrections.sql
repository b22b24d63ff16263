CREATE VIEW corrections AS
SELECT a.project_id, p.title AS project, d.id AS document_id, d.name AS document, k.document_version_id,
       a.task_id, a.label_studio_id, a.last_event_id AS event_id, v.id AS value_id, v.field, v."row",
       v.outcome::text AS outcome, m.name AS model_version, e.actor AS reviewer,
       a.source_updated_at AS reviewed_at, v.predicted_text AS predicted, v."text" AS corrected,
       v.normalised, v.confidence, v.page
FROM annotation_values v
JOIN annotations a ON a.last_event_id = v.event_id
JOIN annotation_events e ON e.id = v.event_id
JOIN projects p ON p.id = a.project_id
JOIN tasks k ON k.id = a.task_id
LEFT JOIN document_versions dv ON dv.id = k.document_version_id
LEFT JOIN documents d ON d.id = dv.document_id
LEFT JOIN extractions x ON x.id = e.extraction_id
LEFT JOIN model_versions m ON m.id = x.model_version_id
WHERE a.deleted_at IS NULL AND NOT a.was_cancelled AND v.outcome <> 'accepted';
COMMENT ON VIEW corrections IS 'Every value that a reviewer changed, added or removed, as it stands now, with what the model had said.';
COMMENT ON COLUMN corrections.project_id IS 'Project.';
COMMENT ON COLUMN corrections.project IS 'Title of the project.';
COMMENT ON COLUMN corrections.document_id IS 'Document.';
COMMENT ON COLUMN corrections.document IS 'Name of the document.';
COMMENT ON COLUMN corrections.document_version_id IS 'Document version.';
COMMENT ON COLUMN corrections.task_id IS 'Task, tasks.id.';
COMMENT ON COLUMN corrections.label_studio_id IS 'Annotation id in Label Studio.';
COMMENT ON COLUMN corrections.event_id IS 'State of the annotation, annotation_events.id.';
COMMENT ON COLUMN corrections.value_id IS 'annotation_values.id.';
COMMENT ON COLUMN corrections.field IS 'Field; a table column is table.column.';
COMMENT ON COLUMN corrections."row" IS 'Row of a table, from 0.';
COMMENT ON COLUMN corrections.outcome IS 'corrected, added or removed.';
COMMENT ON COLUMN corrections.model_version IS 'Model version whose prediction the reviewer started from.';
COMMENT ON COLUMN corrections.reviewer IS 'E-mail of the reviewer.';
COMMENT ON COLUMN corrections.reviewed_at IS 'When, by Label Studio''s clock.';
COMMENT ON COLUMN corrections.predicted IS 'What the model had said; empty for an added value.';
COMMENT ON COLUMN corrections.corrected IS 'What the reviewer made of it; empty for a removed value.';
COMMENT ON COLUMN corrections.normalised IS 'The reviewer''s value as ISO date, plain decimal, true/false.';
COMMENT ON COLUMN corrections.confidence IS 'The model''s confidence in its value.';
COMMENT ON COLUMN corrections.page IS '0-based.';
