CREATE FUNCTION extractions_as_of(t timestamptz, clock text DEFAULT 'record')
RETURNS TABLE (
    extraction_id bigint,
    project_id bigint,
    document_id uuid,
    document_version_id uuid,
    model_version_id bigint,
    model_version text,
    is_live boolean,
    recorded_at timestamptz,
    seconds double precision,
    absent jsonb,
    score double precision
)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT e.id, v.project_id, v.document_id, v.id, e.model_version_id, m.name,
           coalesce(e.model_version_id = l.model_version_id, false), e.recorded_at, e.seconds, e.absent, e.score
    FROM document_versions v
    JOIN extractions e ON e.document_version_id = v.id
    JOIN model_versions m ON m.id = e.model_version_id
    LEFT JOIN live_model_as_of(t, clock) l ON l.project_id = v.project_id
    WHERE as_of_clock(clock) IS NOT NULL AND v.uploaded_at <= t AND e.recorded_at <= t
      AND NOT EXISTS (
          SELECT FROM extractions better
          WHERE better.document_version_id = v.id AND better.recorded_at <= t
            -- After a rollback the older model's extraction counts again, although a newer one exists.
            AND (coalesce(better.model_version_id = l.model_version_id, false), better.id)
              > (coalesce(e.model_version_id = l.model_version_id, false), e.id)
      )
$$;
COMMENT ON FUNCTION extractions_as_of(timestamptz, text) IS
    'What the models had read at time t: per document version the extraction of the model of live_model_as_of(t), and where that had not read it, the newest one. Extracting happens in the record itself, so both clocks say the same.';
