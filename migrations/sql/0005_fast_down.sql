-- A frozen copy: what stood before migration 0005.
CREATE OR REPLACE FUNCTION annotations_as_of(t timestamptz, clock text DEFAULT 'record')
RETURNS TABLE (
    event_id bigint,
    project_id bigint,
    document_id uuid,
    document_version_id uuid,
    task_id bigint,
    label_studio_id integer,
    reviewer text,
    occurred_at timestamptz,
    recorded_at timestamptz,
    source text,
    was_cancelled boolean,
    lead_time double precision,
    result jsonb,
    content_sha256 text,
    extraction_id bigint,
    gap boolean
)
-- One plain SELECT, so that Postgres merges it into the query around it: a condition on the task or the
-- document then reaches the indexes. The same holds for the other as-of functions.
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT e.id, e.project_id, v.document_id, k.document_version_id, e.task_id, e.label_studio_id, e.actor,
           e.occurred_at, e.recorded_at, e.source::text, e.was_cancelled, e.lead_time, e.result,
           e.content_sha256, e.extraction_id, e.gap
    FROM annotation_events e
    JOIN tasks k ON k.id = e.task_id
    LEFT JOIN document_versions v ON v.id = k.document_version_id
    WHERE e.kind <> 'deleted'
      AND CASE as_of_clock(clock) WHEN 'source' THEN e.occurred_at ELSE e.recorded_at END <= t
      -- A state learnt after a later one never was what the record said.
      AND (clock = 'source' OR NOT e.late)
      AND NOT EXISTS (
          SELECT FROM annotation_events later
          WHERE later.task_id = e.task_id
            AND later.label_studio_id = e.label_studio_id
            AND CASE as_of_clock(clock) WHEN 'source' THEN later.occurred_at ELSE later.recorded_at END <= t
            AND (clock = 'source' OR NOT later.late)
            -- The order of the record is the order of ids; the order of the source is that of its times.
            AND CASE as_of_clock(clock)
                    WHEN 'source' THEN (later.occurred_at, later.id) > (e.occurred_at, e.id)
                    ELSE later.id > e.id
                END
      )
$$;
CREATE OR REPLACE FUNCTION field_values_as_of(t timestamptz, clock text DEFAULT 'record')
RETURNS TABLE (
    project_id bigint,
    document_id uuid,
    document_version_id uuid,
    task_id bigint,
    label_studio_id integer,
    event_id bigint,
    reviewer text,
    occurred_at timestamptz,
    recorded_at timestamptz,
    value_id bigint,
    region_id text,
    field text,
    "row" integer,
    "text" text,
    normalised text,
    problem text,
    page integer,
    x0 double precision,
    y0 double precision,
    x1 double precision,
    y1 double precision,
    outcome text,
    predicted_text text,
    confidence double precision
)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT a.project_id, a.document_id, a.document_version_id, a.task_id, a.label_studio_id, a.event_id,
           a.reviewer, a.occurred_at, a.recorded_at, v.id, v.region_id, v.field, v."row", v."text",
           v.normalised, v.problem, v.page, v.x0, v.y0, v.x1, v.y1, v.outcome::text, v.predicted_text,
           v.confidence
    FROM annotations_as_of(t, clock) a
    JOIN annotation_values v ON v.event_id = a.event_id
    WHERE NOT a.was_cancelled AND v.outcome <> 'removed'
$$;
CREATE OR REPLACE FUNCTION extractions_as_of(t timestamptz, clock text DEFAULT 'record')
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
CREATE OR REPLACE VIEW annotation_history AS
SELECT k.project_id, v.document_id, k.document_version_id, h.task_id, h.label_studio_id, h.version, h.event_id,
       h.kind, h.source, h.reviewer, h.valid_from, h.valid_to, h.occurred_at, h.was_cancelled, h.lead_time,
       h.result, h.content_sha256, h.changes, h.gap, h.problems, h.extraction_id, h.late
FROM tasks k
LEFT JOIN document_versions v ON v.id = k.document_version_id
-- Task by task, so that a condition on task or document keeps the window small.
CROSS JOIN LATERAL (
    SELECT e.task_id, e.label_studio_id, e.id AS event_id, e.kind::text, e.source::text,
           row_number() OVER (PARTITION BY e.label_studio_id ORDER BY e.occurred_at, e.id) AS version,
           e.actor AS reviewer, e.recorded_at AS valid_from,
           CASE WHEN e.late THEN e.recorded_at ELSE lead(e.recorded_at) OVER states END AS valid_to,
           e.occurred_at, e.was_cancelled, e.lead_time, e.result, e.content_sha256, e.changes, e.gap,
           e.problems, e.extraction_id, e.late
    FROM annotation_events e
    WHERE e.task_id = k.id
    WINDOW states AS (PARTITION BY e.label_studio_id, e.late ORDER BY e.id)
) h;
CREATE OR REPLACE VIEW documents_overview AS
SELECT d.id AS document_id, d.project_id, p.title AS project, d.name AS document, d.collection,
       v.id AS document_version_id, v.number AS version, v.state::text AS state, v.error_code, v.error_message,
       v.page_count AS pages, v.uploaded_at, v.uploaded_by, k.id AS task_id,
       k.label_studio_id AS label_studio_task_id, x.model_version, x.score, r.reviewed, r.skipped, r.reviewers,
       r.reviewed_at, r.status
FROM documents d
JOIN projects p ON p.id = d.project_id
JOIN LATERAL (
    SELECT * FROM document_versions w WHERE w.document_id = d.id ORDER BY w.number DESC LIMIT 1
) v ON true
LEFT JOIN LATERAL (
    SELECT t.id, t.label_studio_id FROM tasks t
    WHERE t.document_version_id = v.id AND t.deleted_at IS NULL ORDER BY t.id DESC LIMIT 1
) k ON true
LEFT JOIN LATERAL (
    SELECT m.name AS model_version, e.score FROM extractions e
    JOIN model_versions m ON m.id = e.model_version_id
    WHERE e.document_version_id = v.id ORDER BY e.id DESC LIMIT 1
) x ON true
CROSS JOIN LATERAL (
    SELECT coalesce(bool_or(NOT a.was_cancelled), false) AS reviewed,
           coalesce(bool_and(a.was_cancelled), false) AS skipped,
           string_agg(DISTINCT coalesce(a.updated_by, a.created_by), ', ') AS reviewers,
           max(a.source_updated_at) AS reviewed_at,
           (array_agg(a.status ORDER BY a.last_event_id DESC))[1] AS status
    FROM tasks t
    JOIN annotations a ON a.task_id = t.id
    WHERE t.document_version_id = v.id AND t.deleted_at IS NULL AND a.deleted_at IS NULL
) r;
CREATE OR REPLACE VIEW reviewer_agreement AS
WITH several AS (
    SELECT a.task_id
    FROM annotations a
    WHERE a.deleted_at IS NULL AND NOT a.was_cancelled
    GROUP BY a.task_id
    HAVING count(*) > 1
), standing AS (
    SELECT a.id, a.project_id, a.task_id, a.last_event_id, coalesce(a.created_by, e.actor, '') AS reviewer
    FROM several
    JOIN annotations a ON a.task_id = several.task_id
    JOIN annotation_events e ON e.id = a.last_event_id
    WHERE a.deleted_at IS NULL AND NOT a.was_cancelled
), answers AS (
    SELECT s.id, v.field, array_agg(coalesce(v.normalised, v."text", '') ORDER BY coalesce(v.normalised, v."text", '')) AS answer
    FROM standing s
    JOIN annotation_values v ON v.event_id = s.last_event_id
    WHERE v.outcome <> 'removed'
    GROUP BY s.id, v.field
), pairs AS (
    SELECT one.project_id, one.task_id, one.id AS one_id, two.id AS two_id,
           one.reviewer AS reviewer_a, two.reviewer AS reviewer_b
    FROM standing one
    JOIN standing two ON two.task_id = one.task_id
        AND (two.reviewer, two.id) > (one.reviewer, one.id) AND two.reviewer <> one.reviewer
)
SELECT c.project_id, p.title AS project, c.field, c.reviewer_a, c.reviewer_b, count(*) AS compared,
       count(*) FILTER (WHERE c.same) AS agreed,
       count(*) FILTER (WHERE c.same)::double precision / count(*) AS agreement
FROM (
    SELECT project_id, reviewer_a, reviewer_b, field, coalesce(a.answer = b.answer, false) AS same
    FROM (
        SELECT pairs.*, answers.field, answers.answer FROM pairs JOIN answers ON answers.id = pairs.one_id
    ) a
    FULL JOIN (
        SELECT pairs.*, answers.field, answers.answer FROM pairs JOIN answers ON answers.id = pairs.two_id
    ) b USING (project_id, task_id, reviewer_a, reviewer_b, one_id, two_id, field)
) c
JOIN projects p ON p.id = c.project_id
GROUP BY c.project_id, p.title, c.field, c.reviewer_a, c.reviewer_b;
