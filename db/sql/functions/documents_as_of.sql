CREATE FUNCTION documents_as_of(t timestamptz, clock text DEFAULT 'record')
RETURNS TABLE (
    document_id uuid,
    project_id bigint,
    name text,
    collection text,
    document_version_id uuid,
    number integer,
    sha256 text,
    size_bytes bigint,
    media_type text,
    uploaded_at timestamptz,
    uploaded_by text
)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT d.id, d.project_id, d.name, d.collection, v.id, v.number, v.sha256, v.size_bytes, v.media_type,
           v.uploaded_at, v.uploaded_by
    FROM documents d
    JOIN document_versions v ON v.document_id = d.id
    WHERE as_of_clock(clock) IS NOT NULL
      AND v.uploaded_at <= t
      AND NOT EXISTS (
          SELECT FROM document_versions later
          WHERE later.document_id = d.id AND later.uploaded_at <= t AND later.number > v.number
      )
$$;
COMMENT ON FUNCTION documents_as_of(timestamptz, text) IS
    'The documents there were at time t, each with its newest version then. Uploads happen in the record itself, so both clocks say the same.';
