CREATE VIEW live_models AS
SELECT l.project_id, p.title AS project, l.model_version_id, l.model_version, l.kind, l.live_since, l.set_by,
       l.notes, l.training_run_id, l.dataset_id
FROM live_model_as_of('infinity') l
JOIN projects p ON p.id = l.project_id;
COMMENT ON VIEW live_models IS 'The model version that answers now, one row per project.';
COMMENT ON COLUMN live_models.project_id IS 'Project.';
COMMENT ON COLUMN live_models.project IS 'Title of the project.';
COMMENT ON COLUMN live_models.model_version_id IS 'model_versions.id.';
COMMENT ON COLUMN live_models.model_version IS 'The model version string.';
COMMENT ON COLUMN live_models.kind IS 'zero_shot, trained or self_trained.';
COMMENT ON COLUMN live_models.live_since IS 'Since when.';
COMMENT ON COLUMN live_models.set_by IS 'gate, provisioning or a named person.';
COMMENT ON COLUMN live_models.notes IS 'Why.';
COMMENT ON COLUMN live_models.training_run_id IS 'Run that made it.';
COMMENT ON COLUMN live_models.dataset_id IS 'Dataset it learnt from.';
