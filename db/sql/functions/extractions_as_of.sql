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
    SELECT x.id, v.project_id, v.document_id, v.id, x.model_version_id, m.name, x.is_live, x.recorded_at,
           x.seconds, x.absent, x.score
    FROM document_versions v
    LEFT JOIN live_model_as_of(t, clock) l ON l.project_id = v.project_id
    CROSS JOIN LATERAL (
        SELECT e.*, coalesce(e.model_version_id = l.model_version_id, false) AS is_live
        FROM extractions e
        WHERE e.document_version_id = v.id AND e.recorded_at <= t
        -- After a rollback the older model's extraction counts again, although a newer one exists.
        ORDER BY coalesce(e.model_version_id = l.model_version_id, false) DESC, e.id DESC
        LIMIT 1
    ) x
    JOIN model_versions m ON m.id = x.model_version_id
    WHERE as_of_clock(clock) IS NOT NULL AND v.uploaded_at <= t
$$;
COMMENT ON FUNCTION extractions_as_of(timestamptz, text) IS
    'What the models had read at time t: per document version the extraction of the model of live_model_as_of(t), and where that had not read it, the newest one. Extracting happens in the record itself, so both clocks say the same.';
