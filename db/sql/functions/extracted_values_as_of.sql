CREATE FUNCTION extracted_values_as_of(t timestamptz, clock text DEFAULT 'record')
RETURNS TABLE (
    project_id bigint,
    document_id uuid,
    document_version_id uuid,
    extraction_id bigint,
    model_version text,
    is_live boolean,
    recorded_at timestamptz,
    value_id bigint,
    region_id text,
    field text,
    "row" integer,
    "text" text,
    normalised text,
    problem text,
    page integer,
    spans jsonb,
    confidence double precision,
    filled boolean
)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT x.project_id, x.document_id, x.document_version_id, x.extraction_id, x.model_version, x.is_live,
           x.recorded_at, v.id, v.region_id, v.field, v."row", v."text", v.normalised, v.problem, v.page,
           v.spans, v.confidence, v.filled
    FROM extractions_as_of(t, clock) x
    JOIN extraction_values v ON v.extraction_id = x.extraction_id
$$;
COMMENT ON FUNCTION extracted_values_as_of(timestamptz, text) IS
    'The values the models had read at time t: exactly those of extractions_as_of(t, clock).';
