CREATE VIEW training_history AS
SELECT r.project_id, p.title AS project, r.requested_at AS at, true AS trained, r.reason, r.requested_by AS decided_by,
       r.state::text AS state, r.id AS training_run_id, r.started_at, r.finished_at,
       extract(epoch FROM r.finished_at - r.started_at)::double precision AS seconds, d.document_count AS documents,
       m.name AS model_version, r.gate_passed, r.gate_reason, r.error, NULL::jsonb AS figures
FROM training_runs r
JOIN projects p ON p.id = r.project_id
LEFT JOIN datasets d ON d.id = r.dataset_id
LEFT JOIN model_versions m ON m.training_run_id = r.id
UNION ALL
SELECT n.project_id, p.title, n.recorded_at, false, n.reason, 'policy', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
       NULL, NULL, n.figures
FROM retrain_decisions n
JOIN projects p ON p.id = n.project_id
WHERE n.training_run_id IS NULL;
COMMENT ON VIEW training_history IS 'Every training and every decision not to train, with its reason; order by at descending.';
COMMENT ON COLUMN training_history.project_id IS 'Project.';
COMMENT ON COLUMN training_history.project IS 'Title of the project.';
COMMENT ON COLUMN training_history.at IS 'When it was decided.';
COMMENT ON COLUMN training_history.trained IS 'True: a run; false: the policy decided not to train.';
COMMENT ON COLUMN training_history.reason IS 'Why, in a sentence.';
COMMENT ON COLUMN training_history.decided_by IS 'policy, label_studio or a user.';
COMMENT ON COLUMN training_history.state IS 'queued, running, succeeded or failed; empty for a non-run.';
COMMENT ON COLUMN training_history.training_run_id IS 'training_runs.id; empty for a non-run.';
COMMENT ON COLUMN training_history.started_at IS 'When a worker took it up.';
COMMENT ON COLUMN training_history.finished_at IS 'When it ended.';
COMMENT ON COLUMN training_history.seconds IS 'How long it ran.';
COMMENT ON COLUMN training_history.documents IS 'Documents in its dataset.';
COMMENT ON COLUMN training_history.model_version IS 'Model version it made.';
COMMENT ON COLUMN training_history.gate_passed IS 'Whether that went live.';
COMMENT ON COLUMN training_history.gate_reason IS 'The gate''s reason, with figures.';
COMMENT ON COLUMN training_history.error IS 'Why it failed.';
COMMENT ON COLUMN training_history.figures IS 'What the policy saw when it decided not to train.';
