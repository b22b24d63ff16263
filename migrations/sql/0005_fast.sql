-- A frozen copy: what migration 0005 changes. Later changes go into later migrations.
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
    SELECT e.id, e.project_id, v.document_id, k.document_version_id, k.id, e.label_studio_id, e.actor,
           e.occurred_at, e.recorded_at, e.source::text, e.was_cancelled, e.lead_time, e.result,
           e.content_sha256, e.extraction_id, e.gap
    FROM tasks k
    LEFT JOIN document_versions v ON v.id = k.document_version_id
    -- Task by task along the index: for the whole record that is less work than asking of every state
    -- whether a later one replaced it, and its rows need not be touched.
    CROSS JOIN LATERAL (
        SELECT DISTINCT ON (s.label_studio_id) s.*
        FROM annotation_events s
        WHERE s.task_id = k.id
          AND CASE as_of_clock(clock) WHEN 'source' THEN s.occurred_at ELSE s.recorded_at END <= t
          -- A state learnt after a later one never was what the record said.
          AND (clock = 'source' OR NOT s.late)
        -- The order of the record is the order of ids; the order of the source is that of its times.
        ORDER BY s.label_studio_id, CASE as_of_clock(clock) WHEN 'source' THEN s.occurred_at END DESC, s.id DESC
    ) e
    WHERE e.kind <> 'deleted'
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
        -- Always true. Without it Postgres takes the few states of one task for all there are, and remembers
        -- the values of every state of the record to look them up again, which never happens.
        AND (v.event_id = a.event_id) IS NOT UNKNOWN
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
CREATE OR REPLACE VIEW annotation_history AS
SELECT k.project_id, v.document_id, k.document_version_id, k.id AS task_id, h.label_studio_id, h.version, h.event_id,
       h.kind, h.source, h.reviewer, h.valid_from, h.valid_to, h.occurred_at, h.was_cancelled, h.lead_time,
       h.result, h.content_sha256, h.changes, h.gap, h.problems, h.extraction_id, h.late
FROM tasks k
LEFT JOIN document_versions v ON v.id = k.document_version_id
-- Task by task, so that a condition on task or document keeps the window small.
CROSS JOIN LATERAL (
    SELECT e.label_studio_id, e.id AS event_id, e.kind::text, e.source::text,
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
       k.label_studio_id AS label_studio_task_id, m.name AS model_version, x.score,
       -- Asked for one document Postgres looks these up, asked for all it hashes the tasks that were reviewed.
       EXISTS (
           SELECT FROM tasks t JOIN annotations a ON a.task_id = t.id
           WHERE t.document_version_id = v.id AND t.deleted_at IS NULL AND a.deleted_at IS NULL
             AND NOT a.was_cancelled
       ) AS reviewed,
       EXISTS (
           SELECT FROM tasks t JOIN annotations a ON a.task_id = t.id
           WHERE t.document_version_id = v.id AND t.deleted_at IS NULL AND a.deleted_at IS NULL
             AND a.was_cancelled
       ) AND NOT EXISTS (
           SELECT FROM tasks t JOIN annotations a ON a.task_id = t.id
           WHERE t.document_version_id = v.id AND t.deleted_at IS NULL AND a.deleted_at IS NULL
             AND NOT a.was_cancelled
       ) AS skipped,
       r.reviewers, r.reviewed_at, r.status
FROM documents d
JOIN projects p ON p.id = d.project_id
JOIN document_versions v ON v.document_id = d.id
-- Each of these is an aggregate and thus one row: Postgres leaves out the ones whose columns nobody asks for.
LEFT JOIN LATERAL (
    SELECT max(t.id) AS id, (array_agg(t.label_studio_id ORDER BY t.id DESC))[1] AS label_studio_id
    FROM tasks t WHERE t.document_version_id = v.id AND t.deleted_at IS NULL
) k ON true
LEFT JOIN LATERAL (
    SELECT (array_agg(e.model_version_id ORDER BY e.id DESC))[1] AS model_version_id,
           (array_agg(e.score ORDER BY e.id DESC))[1] AS score
    FROM extractions e WHERE e.document_version_id = v.id
) x ON true
LEFT JOIN model_versions m ON m.id = x.model_version_id
LEFT JOIN LATERAL (
    SELECT string_agg(DISTINCT coalesce(a.updated_by, a.created_by), ', ') AS reviewers,
           max(a.source_updated_at) AS reviewed_at,
           (array_agg(a.status ORDER BY a.last_event_id DESC))[1] AS status
    FROM tasks t
    JOIN annotations a ON a.task_id = t.id
    WHERE t.document_version_id = v.id AND t.deleted_at IS NULL AND a.deleted_at IS NULL
) r ON true
WHERE NOT EXISTS (SELECT FROM document_versions w WHERE w.document_id = v.document_id AND w.number > v.number);
CREATE OR REPLACE VIEW reviewer_agreement AS
WITH standing AS (
    -- The submitted annotations of tasks with several. The event is only asked where the annotation does
    -- not say who made it.
    SELECT a.id, a.project_id, a.task_id, a.last_event_id,
           coalesce(a.created_by, (SELECT e.actor FROM annotation_events e WHERE e.id = a.last_event_id), '')
               AS reviewer
    FROM (
        SELECT b.task_id
        FROM annotations b
        WHERE b.deleted_at IS NULL AND NOT b.was_cancelled
        GROUP BY b.task_id
        HAVING count(*) > 1
    ) several
    JOIN annotations a ON a.task_id = several.task_id
    WHERE a.deleted_at IS NULL AND NOT a.was_cancelled
), found AS MATERIALIZED (
    SELECT s.id, v.field, coalesce(v.normalised, v."text", '') COLLATE "C" AS value
    FROM standing s
    JOIN annotation_values v ON v.event_id = s.last_event_id
    WHERE v.outcome <> 'removed'
), pairs AS (
    SELECT one.project_id, one.id AS one_id, two.id AS two_id, one.reviewer AS reviewer_a,
           two.reviewer AS reviewer_b
    FROM standing one
    JOIN standing two ON two.task_id = one.task_id AND two.reviewer > one.reviewer
), sides AS (
    SELECT one_id, two_id, one_id AS id, true AS is_one FROM pairs
    UNION ALL
    SELECT one_id, two_id, two_id, false FROM pairs
), compared AS (
    -- Sorted only so that equal answers are equal arrays, therefore in "C", the cheapest order. A field only one
    -- of them found has no array on the other side.
    SELECT s.one_id, s.two_id, f.field,
           coalesce(array_agg(f.value ORDER BY f.value) FILTER (WHERE s.is_one)
                  = array_agg(f.value ORDER BY f.value) FILTER (WHERE NOT s.is_one), false) AS same
    FROM sides s
    JOIN found f ON f.id = s.id
    GROUP BY s.one_id, s.two_id, f.field
)
SELECT pairs.project_id, p.title AS project, c.field, pairs.reviewer_a, pairs.reviewer_b, count(*) AS compared,
       count(*) FILTER (WHERE c.same) AS agreed,
       count(*) FILTER (WHERE c.same)::double precision / count(*) AS agreement
FROM compared c
JOIN pairs USING (one_id, two_id)
JOIN projects p ON p.id = pairs.project_id
GROUP BY pairs.project_id, p.title, c.field, pairs.reviewer_a, pairs.reviewer_b;
