CREATE VIEW model_leaderboard AS
SELECT m.project_id, p.title AS project, m.id AS model_version_id, m.name AS model_version, m.number,
       m.kind::text AS kind, coalesce(m.id = live.model_version_id, false) AS is_live, s.f1, s.f1_low, s.f1_high,
       s."precision", s.recall, s.calibration_error, s.support, d.document_count AS documents, r.gate_passed,
       r.gate_reason, r.id AS training_run_id, m.created_at
FROM model_versions m
JOIN projects p ON p.id = m.project_id
LEFT JOIN live_model_as_of('infinity') live ON live.project_id = m.project_id
LEFT JOIN training_runs r ON r.id = m.training_run_id
LEFT JOIN datasets d ON d.id = m.dataset_id
-- The newest measurement of the model over all fields, be it as candidate or as the one to beat.
LEFT JOIN LATERAL (
    SELECT max(q.value) FILTER (WHERE q.name = 'f1') AS f1,
           max(q.low) FILTER (WHERE q.name = 'f1') AS f1_low,
           max(q.high) FILTER (WHERE q.name = 'f1') AS f1_high,
           max(q.value) FILTER (WHERE q.name = 'precision') AS "precision",
           max(q.value) FILTER (WHERE q.name = 'recall') AS recall,
           max(q.value) FILTER (WHERE q.name = 'calibration_error') AS calibration_error,
           max(q.support) FILTER (WHERE q.name = 'f1') AS support
    FROM metrics q
    WHERE q.model_version_id = m.id AND q.field IS NULL
      AND q.training_run_id = (
          SELECT newest.training_run_id FROM metrics newest
          WHERE newest.model_version_id = m.id AND newest.field IS NULL
          ORDER BY newest.id DESC LIMIT 1
      )
) s ON true;
COMMENT ON VIEW model_leaderboard IS 'Every model version with its newest measurement over all fields; order by f1 descending. Per field: metrics.';
COMMENT ON COLUMN model_leaderboard.project_id IS 'Project.';
COMMENT ON COLUMN model_leaderboard.project IS 'Title of the project.';
COMMENT ON COLUMN model_leaderboard.model_version_id IS 'model_versions.id.';
COMMENT ON COLUMN model_leaderboard.model_version IS 'The model version string.';
COMMENT ON COLUMN model_leaderboard.number IS 'Number of the version within the project.';
COMMENT ON COLUMN model_leaderboard.kind IS 'zero_shot, trained or self_trained.';
COMMENT ON COLUMN model_leaderboard.is_live IS 'Whether it answers now.';
COMMENT ON COLUMN model_leaderboard.f1 IS 'F1 on documents it had not seen, 0..1; empty if never measured.';
COMMENT ON COLUMN model_leaderboard.f1_low IS 'Lower end of the 95 % interval.';
COMMENT ON COLUMN model_leaderboard.f1_high IS 'Upper end of the 95 % interval.';
COMMENT ON COLUMN model_leaderboard."precision" IS 'Right among found values, 0..1.';
COMMENT ON COLUMN model_leaderboard.recall IS 'Found among existing values, 0..1.';
COMMENT ON COLUMN model_leaderboard.calibration_error IS 'How far confidence is from truth on average, 0..1.';
COMMENT ON COLUMN model_leaderboard.support IS 'Values it was measured on.';
COMMENT ON COLUMN model_leaderboard.documents IS 'Documents in the dataset it learnt from.';
COMMENT ON COLUMN model_leaderboard.gate_passed IS 'Whether the gate let it go live.';
COMMENT ON COLUMN model_leaderboard.gate_reason IS 'The gate''s reason.';
COMMENT ON COLUMN model_leaderboard.training_run_id IS 'Run that made it.';
COMMENT ON COLUMN model_leaderboard.created_at IS 'When it was made.';
