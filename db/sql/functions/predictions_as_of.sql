CREATE FUNCTION predictions_as_of(t timestamptz, clock text DEFAULT 'record')
RETURNS TABLE (
    prediction_id bigint,
    project_id bigint,
    document_id uuid,
    document_version_id uuid,
    task_id bigint,
    extraction_id bigint,
    label_studio_id integer,
    model_version text,
    result_sha256 text,
    pushed_at timestamptz
)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT p.id, k.project_id, v.document_id, k.document_version_id, p.task_id, p.extraction_id,
           p.label_studio_id, p.model_version, p.result_sha256, p.pushed_at
    FROM predictions p
    JOIN tasks k ON k.id = p.task_id
    LEFT JOIN document_versions v ON v.id = k.document_version_id
    WHERE as_of_clock(clock) IS NOT NULL
      AND p.pushed_at <= t
      AND NOT EXISTS (
          SELECT FROM predictions later
          WHERE later.task_id = p.task_id AND later.pushed_at <= t
            AND (later.pushed_at, later.id) > (p.pushed_at, p.id)
      )
$$;
COMMENT ON FUNCTION predictions_as_of(timestamptz, text) IS
    'The prediction each task showed in Label Studio at time t: the last one pushed by then. We push and record it in one step, so both clocks say the same.';
