CREATE FUNCTION live_model_as_of(t timestamptz, clock text DEFAULT 'record')
RETURNS TABLE (
    project_id bigint,
    model_version_id bigint,
    model_version text,
    kind text,
    training_run_id uuid,
    dataset_id bigint,
    live_since timestamptz,
    set_by text,
    notes text
)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT s.project_id, m.id, m.name, m.kind::text, m.training_run_id, m.dataset_id, s.recorded_at,
           s.recorded_by, s.notes
    FROM model_aliases s
    JOIN model_versions m ON m.id = s.model_version_id
    WHERE s.alias = 'live'
      AND as_of_clock(clock) IS NOT NULL
      AND s.recorded_at <= t
      AND NOT EXISTS (
          SELECT FROM model_aliases later
          WHERE later.project_id = s.project_id AND later.alias = 'live'
            AND later.recorded_at <= t AND later.id > s.id
      )
$$;
COMMENT ON FUNCTION live_model_as_of(timestamptz, text) IS
    'The model version that was live at time t, one row per project. Going live happens in the record itself, so both clocks say the same.';
