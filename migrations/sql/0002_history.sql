-- A frozen copy: what migration 0002 builds. Later changes go into later migrations.
CREATE FUNCTION forbid_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    -- Only erasing a document on request may take rows out, in a transaction that says so:
    -- SET LOCAL fieldloop.erase = 'on'.
    IF TG_OP = 'DELETE' AND current_setting('fieldloop.erase', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% is append-only: % is not allowed', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation',
              TABLE = TG_TABLE_NAME,
              HINT = 'Append a new row. Documents are removed with `fieldloop erase`.';
END
$$;
COMMENT ON FUNCTION forbid_change() IS
    'Refuses UPDATE, DELETE and TRUNCATE on append-only tables, to their owner too. DELETE is possible in a transaction that ran SET LOCAL fieldloop.erase = ''on'': that is how fieldloop erase removes a document.';

CREATE FUNCTION as_of_clock(clock text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF clock IN ('record', 'source') THEN
        RETURN clock;
    END IF;
    RAISE EXCEPTION 'unknown clock: %', coalesce(quote_literal(clock), 'NULL')
        USING ERRCODE = 'invalid_parameter_value',
              HINT = 'Use ''record'' (when it entered the record) or ''source'' (when it happened in Label Studio).';
END
$$;
COMMENT ON FUNCTION as_of_clock(text) IS
    'Checks the name of a clock: record (when it entered the record) or source (when it happened in Label Studio).';

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

CREATE FUNCTION annotations_as_of(t timestamptz, clock text DEFAULT 'record')
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
      AND NOT EXISTS (
          SELECT FROM annotation_events later
          WHERE later.task_id = e.task_id
            AND later.label_studio_id = e.label_studio_id
            AND CASE as_of_clock(clock) WHEN 'source' THEN later.occurred_at ELSE later.recorded_at END <= t
            -- The order of the record is the order of ids; the order of the source is that of its times.
            AND CASE as_of_clock(clock)
                    WHEN 'source' THEN (later.occurred_at, later.id) > (e.occurred_at, e.id)
                    ELSE later.id > e.id
                END
      )
$$;
COMMENT ON FUNCTION annotations_as_of(timestamptz, text) IS
    'The annotations that stood at time t, one row each, deleted ones left out. Clock record: as the record said at t; clock source: as it was in Label Studio at t, as far as we know today.';

CREATE FUNCTION field_values_as_of(t timestamptz, clock text DEFAULT 'record')
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
COMMENT ON FUNCTION field_values_as_of(timestamptz, text) IS
    'The reviewed field values that stood at time t: exactly the values of annotations_as_of(t, clock), without skipped annotations and removed values.';

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

CREATE VIEW annotation_history AS
SELECT k.project_id, v.document_id, k.document_version_id, h.task_id, h.label_studio_id, h.version, h.event_id,
       h.kind, h.source, h.reviewer, h.valid_from, h.valid_to, h.occurred_at, h.was_cancelled, h.lead_time,
       h.result, h.content_sha256, h.changes, h.gap, h.problems, h.extraction_id
FROM tasks k
LEFT JOIN document_versions v ON v.id = k.document_version_id
-- Task by task, so that a condition on task or document keeps the window small.
CROSS JOIN LATERAL (
    SELECT e.task_id, e.label_studio_id, e.id AS event_id, e.kind::text, e.source::text,
           row_number() OVER states AS version, e.actor AS reviewer,
           e.recorded_at AS valid_from, lead(e.recorded_at) OVER states AS valid_to,
           e.occurred_at, e.was_cancelled, e.lead_time, e.result, e.content_sha256, e.changes, e.gap,
           e.problems, e.extraction_id
    FROM annotation_events e
    WHERE e.task_id = k.id
    WINDOW states AS (PARTITION BY e.label_studio_id ORDER BY e.id)
) h;
COMMENT ON VIEW annotation_history IS 'Every state of every annotation with the time it held in the record; filter by task_id, document_id or document_version_id.';
COMMENT ON COLUMN annotation_history.project_id IS 'Project.';
COMMENT ON COLUMN annotation_history.document_id IS 'Document; empty for tasks made in Label Studio by hand.';
COMMENT ON COLUMN annotation_history.document_version_id IS 'Document version; empty for tasks made by hand.';
COMMENT ON COLUMN annotation_history.task_id IS 'Task, tasks.id.';
COMMENT ON COLUMN annotation_history.label_studio_id IS 'Annotation id in Label Studio.';
COMMENT ON COLUMN annotation_history.version IS 'Number of the state of this annotation, from 1.';
COMMENT ON COLUMN annotation_history.event_id IS 'The state, annotation_events.id.';
COMMENT ON COLUMN annotation_history.kind IS 'created, updated or deleted.';
COMMENT ON COLUMN annotation_history.source IS 'How we learnt it: webhook, sweep, backfill, verify or csv.';
COMMENT ON COLUMN annotation_history.reviewer IS 'E-mail of the reviewer.';
COMMENT ON COLUMN annotation_history.valid_from IS 'When the record began to say this.';
COMMENT ON COLUMN annotation_history.valid_to IS 'When the record began to say something else; empty: it still says this.';
COMMENT ON COLUMN annotation_history.occurred_at IS 'When it happened in Label Studio.';
COMMENT ON COLUMN annotation_history.was_cancelled IS 'True: skipped.';
COMMENT ON COLUMN annotation_history.lead_time IS 'Seconds the reviewer worked on it.';
COMMENT ON COLUMN annotation_history.result IS 'The full result.';
COMMENT ON COLUMN annotation_history.content_sha256 IS 'Hash of the content.';
COMMENT ON COLUMN annotation_history.changes IS 'Differences to the state before.';
COMMENT ON COLUMN annotation_history.gap IS 'True: states before this one may have gone unseen.';
COMMENT ON COLUMN annotation_history.problems IS 'What could not be understood, in sentences.';
COMMENT ON COLUMN annotation_history.extraction_id IS 'Extraction the reviewer started from.';

CREATE VIEW corrections AS
SELECT a.project_id, p.title AS project, d.id AS document_id, d.name AS document, k.document_version_id,
       a.task_id, a.label_studio_id, a.last_event_id AS event_id, v.id AS value_id, v.field, v."row",
       v.outcome::text AS outcome, m.name AS model_version, e.actor AS reviewer,
       a.source_updated_at AS reviewed_at, v.predicted_text AS predicted, v."text" AS corrected,
       v.normalised, v.confidence, v.page
FROM annotation_values v
JOIN annotations a ON a.last_event_id = v.event_id
JOIN annotation_events e ON e.id = v.event_id
JOIN projects p ON p.id = a.project_id
JOIN tasks k ON k.id = a.task_id
LEFT JOIN document_versions dv ON dv.id = k.document_version_id
LEFT JOIN documents d ON d.id = dv.document_id
LEFT JOIN extractions x ON x.id = e.extraction_id
LEFT JOIN model_versions m ON m.id = x.model_version_id
WHERE a.deleted_at IS NULL AND NOT a.was_cancelled AND v.outcome <> 'accepted';
COMMENT ON VIEW corrections IS 'Every value that a reviewer changed, added or removed, as it stands now, with what the model had said.';
COMMENT ON COLUMN corrections.project_id IS 'Project.';
COMMENT ON COLUMN corrections.project IS 'Title of the project.';
COMMENT ON COLUMN corrections.document_id IS 'Document.';
COMMENT ON COLUMN corrections.document IS 'Name of the document.';
COMMENT ON COLUMN corrections.document_version_id IS 'Document version.';
COMMENT ON COLUMN corrections.task_id IS 'Task, tasks.id.';
COMMENT ON COLUMN corrections.label_studio_id IS 'Annotation id in Label Studio.';
COMMENT ON COLUMN corrections.event_id IS 'State of the annotation, annotation_events.id.';
COMMENT ON COLUMN corrections.value_id IS 'annotation_values.id.';
COMMENT ON COLUMN corrections.field IS 'Field; a table column is table.column.';
COMMENT ON COLUMN corrections."row" IS 'Row of a table, from 0.';
COMMENT ON COLUMN corrections.outcome IS 'corrected, added or removed.';
COMMENT ON COLUMN corrections.model_version IS 'Model version whose prediction the reviewer started from.';
COMMENT ON COLUMN corrections.reviewer IS 'E-mail of the reviewer.';
COMMENT ON COLUMN corrections.reviewed_at IS 'When, by Label Studio''s clock.';
COMMENT ON COLUMN corrections.predicted IS 'What the model had said; empty for an added value.';
COMMENT ON COLUMN corrections.corrected IS 'What the reviewer made of it; empty for a removed value.';
COMMENT ON COLUMN corrections.normalised IS 'The reviewer''s value as ISO date, plain decimal, true/false.';
COMMENT ON COLUMN corrections.confidence IS 'The model''s confidence in its value.';
COMMENT ON COLUMN corrections.page IS '0-based.';

CREATE VIEW corrections_by_field AS
SELECT c.project_id, p.title AS project, c.field, m.name AS model_version, c.reviewer, c."values", c.accepted,
       c.corrected, c.added, c.removed,
       c.accepted::double precision / nullif(c.accepted + c.corrected + c.removed, 0) AS accepted_share
FROM (
    SELECT a.project_id, v.field, x.model_version_id, e.actor AS reviewer, count(*) AS "values",
           count(*) FILTER (WHERE v.outcome = 'accepted') AS accepted,
           count(*) FILTER (WHERE v.outcome = 'corrected') AS corrected,
           count(*) FILTER (WHERE v.outcome = 'added') AS added,
           count(*) FILTER (WHERE v.outcome = 'removed') AS removed
    FROM annotations a
    JOIN annotation_events e ON e.id = a.last_event_id
    JOIN annotation_values v ON v.event_id = a.last_event_id
    LEFT JOIN extractions x ON x.id = e.extraction_id
    WHERE a.deleted_at IS NULL AND NOT a.was_cancelled
    GROUP BY a.project_id, v.field, x.model_version_id, e.actor
) c
JOIN projects p ON p.id = c.project_id
LEFT JOIN model_versions m ON m.id = c.model_version_id;
COMMENT ON VIEW corrections_by_field IS 'How often reviewers accepted, corrected, added or removed values, per field, model version and reviewer; sum over what you do not need.';
COMMENT ON COLUMN corrections_by_field.project_id IS 'Project.';
COMMENT ON COLUMN corrections_by_field.project IS 'Title of the project.';
COMMENT ON COLUMN corrections_by_field.field IS 'Field; a table column is table.column.';
COMMENT ON COLUMN corrections_by_field.model_version IS 'Model version whose predictions were reviewed; empty: reviewed without one.';
COMMENT ON COLUMN corrections_by_field.reviewer IS 'E-mail of the reviewer.';
COMMENT ON COLUMN corrections_by_field."values" IS 'Values reviewed.';
COMMENT ON COLUMN corrections_by_field.accepted IS 'Left as predicted.';
COMMENT ON COLUMN corrections_by_field.corrected IS 'Text, field or place changed.';
COMMENT ON COLUMN corrections_by_field.added IS 'Not predicted.';
COMMENT ON COLUMN corrections_by_field.removed IS 'Predicted and taken away.';
COMMENT ON COLUMN corrections_by_field.accepted_share IS 'Accepted among predicted values, 0..1; empty without predictions.';

CREATE VIEW documents_overview AS
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
COMMENT ON VIEW documents_overview IS 'One row per document, with its newest version: how far it is, what the model said, who reviewed it.';
COMMENT ON COLUMN documents_overview.document_id IS 'documents.id.';
COMMENT ON COLUMN documents_overview.project_id IS 'Project.';
COMMENT ON COLUMN documents_overview.project IS 'Title of the project.';
COMMENT ON COLUMN documents_overview.document IS 'Name of the document.';
COMMENT ON COLUMN documents_overview.collection IS 'Tag of the document.';
COMMENT ON COLUMN documents_overview.document_version_id IS 'Its newest version.';
COMMENT ON COLUMN documents_overview.version IS 'Number of that version, from 1.';
COMMENT ON COLUMN documents_overview.state IS 'received, read, needs_ocr, failed or erased.';
COMMENT ON COLUMN documents_overview.error_code IS 'Kind of failure.';
COMMENT ON COLUMN documents_overview.error_message IS 'The failure in one sentence.';
COMMENT ON COLUMN documents_overview.pages IS 'Number of pages.';
COMMENT ON COLUMN documents_overview.uploaded_at IS 'When that version came.';
COMMENT ON COLUMN documents_overview.uploaded_by IS 'Who brought it.';
COMMENT ON COLUMN documents_overview.task_id IS 'Its task, tasks.id.';
COMMENT ON COLUMN documents_overview.label_studio_task_id IS 'Its task in Label Studio.';
COMMENT ON COLUMN documents_overview.model_version IS 'Model version of the newest extraction.';
COMMENT ON COLUMN documents_overview.score IS 'Lowest confidence among its values.';
COMMENT ON COLUMN documents_overview.reviewed IS 'Whether a reviewer submitted it.';
COMMENT ON COLUMN documents_overview.skipped IS 'Whether it was only ever skipped.';
COMMENT ON COLUMN documents_overview.reviewers IS 'E-mails of its reviewers.';
COMMENT ON COLUMN documents_overview.reviewed_at IS 'When it was last submitted, by Label Studio''s clock.';
COMMENT ON COLUMN documents_overview.status IS 'The last reviewer''s choice: OK, Second look, Wrong type, Unreadable.';

CREATE VIEW field_values AS
SELECT a.project_id, p.title AS project, d.id AS document_id, d.name AS document, d.collection,
       k.document_version_id, a.task_id, a.label_studio_id, a.last_event_id AS event_id,
       e.actor AS reviewer, a.source_updated_at AS reviewed_at, v.id AS value_id, v.region_id, v.field,
       v."row", v."text", v.normalised, v.problem, v.page, v.x0, v.y0, v.x1, v.y1, v.text_source,
       v.outcome::text AS outcome, v.predicted_text, v.confidence
FROM annotations a
JOIN projects p ON p.id = a.project_id
JOIN tasks k ON k.id = a.task_id
JOIN annotation_events e ON e.id = a.last_event_id
JOIN annotation_values v ON v.event_id = a.last_event_id
LEFT JOIN document_versions dv ON dv.id = k.document_version_id
LEFT JOIN documents d ON d.id = dv.document_id
WHERE a.deleted_at IS NULL AND NOT a.was_cancelled AND v.outcome <> 'removed';
COMMENT ON VIEW field_values IS 'The reviewed values as they stand now, one row per value. A document with several annotations shows the values of each; field_values_as_of(t) says the same about any moment.';
COMMENT ON COLUMN field_values.project_id IS 'Project.';
COMMENT ON COLUMN field_values.project IS 'Title of the project.';
COMMENT ON COLUMN field_values.document_id IS 'Document; empty for tasks made in Label Studio by hand.';
COMMENT ON COLUMN field_values.document IS 'Name of the document.';
COMMENT ON COLUMN field_values.collection IS 'Tag of the document.';
COMMENT ON COLUMN field_values.document_version_id IS 'Document version.';
COMMENT ON COLUMN field_values.task_id IS 'Task, tasks.id.';
COMMENT ON COLUMN field_values.label_studio_id IS 'Annotation id in Label Studio.';
COMMENT ON COLUMN field_values.event_id IS 'State of the annotation, annotation_events.id.';
COMMENT ON COLUMN field_values.reviewer IS 'E-mail of the reviewer who set this state.';
COMMENT ON COLUMN field_values.reviewed_at IS 'When, by Label Studio''s clock.';
COMMENT ON COLUMN field_values.value_id IS 'annotation_values.id.';
COMMENT ON COLUMN field_values.region_id IS 'Region id in Label Studio.';
COMMENT ON COLUMN field_values.field IS 'Field; a table column is table.column.';
COMMENT ON COLUMN field_values."row" IS 'Row of a table, from 0.';
COMMENT ON COLUMN field_values."text" IS 'The value.';
COMMENT ON COLUMN field_values.normalised IS 'ISO date, plain decimal, true/false.';
COMMENT ON COLUMN field_values.problem IS 'Why it could not be normalised.';
COMMENT ON COLUMN field_values.page IS '0-based.';
COMMENT ON COLUMN field_values.x0 IS 'Points from the left of the page as displayed.';
COMMENT ON COLUMN field_values.y0 IS 'Points from the top.';
COMMENT ON COLUMN field_values.x1 IS 'Points from the left.';
COMMENT ON COLUMN field_values.y1 IS 'Points from the top.';
COMMENT ON COLUMN field_values.text_source IS 'reviewer, page or none: where the text comes from.';
COMMENT ON COLUMN field_values.outcome IS 'accepted, corrected or added, against the prediction.';
COMMENT ON COLUMN field_values.predicted_text IS 'What the model had said.';
COMMENT ON COLUMN field_values.confidence IS 'The model''s confidence in it.';

CREATE VIEW live_models AS
SELECT l.project_id, p.title AS project, l.model_version_id, l.model_version, l.kind, l.live_since, l.set_by,
       l.notes, l.training_run_id, l.dataset_id
FROM live_model_as_of('infinity') l
JOIN projects p ON p.id = l.project_id;
COMMENT ON VIEW live_models IS 'The model version that answers now, one row per project.';
COMMENT ON COLUMN live_models.project_id IS 'Project.';
COMMENT ON COLUMN live_models.project IS 'Title of the project.';
COMMENT ON COLUMN live_models.model_version_id IS 'model_versions.id.';
COMMENT ON COLUMN live_models.model_version IS 'The model version string.';
COMMENT ON COLUMN live_models.kind IS 'zero_shot, trained or self_trained.';
COMMENT ON COLUMN live_models.live_since IS 'Since when.';
COMMENT ON COLUMN live_models.set_by IS 'gate, provisioning or a named person.';
COMMENT ON COLUMN live_models.notes IS 'Why.';
COMMENT ON COLUMN live_models.training_run_id IS 'Run that made it.';
COMMENT ON COLUMN live_models.dataset_id IS 'Dataset it learnt from.';

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

CREATE VIEW review_progress AS
SELECT p.id AS project_id, p.title AS project, d.documents, d.failed, t.tasks, r.reviewed, r.skipped,
       t.tasks - r.reviewed - r.skipped AS waiting, r.annotations, r.reviewers, r.last_reviewed_at,
       r.median_lead_time
FROM projects p
CROSS JOIN LATERAL (
    SELECT count(*) AS documents, count(*) FILTER (WHERE v.state = 'failed') AS failed
    FROM documents d
    JOIN document_versions v ON v.document_id = d.id
    WHERE d.project_id = p.id
      AND NOT EXISTS (SELECT FROM document_versions w WHERE w.document_id = d.id AND w.number > v.number)
) d
CROSS JOIN LATERAL (
    SELECT count(*) AS tasks FROM tasks k WHERE k.project_id = p.id AND k.deleted_at IS NULL
) t
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE s.reviewed) AS reviewed, count(*) FILTER (WHERE NOT s.reviewed) AS skipped,
           coalesce(sum(s.annotations), 0)::bigint AS annotations,
           (SELECT count(DISTINCT b.created_by) FROM annotations b
            WHERE b.project_id = p.id AND b.deleted_at IS NULL) AS reviewers,
           max(s.last_reviewed_at) AS last_reviewed_at,
           (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY b.lead_time) FROM annotations b
            WHERE b.project_id = p.id AND b.deleted_at IS NULL AND NOT b.was_cancelled) AS median_lead_time
    FROM (
        SELECT bool_or(NOT a.was_cancelled) AS reviewed, count(*) AS annotations,
               max(a.source_updated_at) AS last_reviewed_at
        FROM annotations a
        JOIN tasks k ON k.id = a.task_id AND k.deleted_at IS NULL
        WHERE a.project_id = p.id AND a.deleted_at IS NULL
        GROUP BY a.task_id
    ) s
) r
WHERE p.deleted_at IS NULL;
COMMENT ON VIEW review_progress IS 'How far the review of each project is.';
COMMENT ON COLUMN review_progress.project_id IS 'Project.';
COMMENT ON COLUMN review_progress.project IS 'Title of the project.';
COMMENT ON COLUMN review_progress.documents IS 'Documents.';
COMMENT ON COLUMN review_progress.failed IS 'Documents whose newest version could not be read.';
COMMENT ON COLUMN review_progress.tasks IS 'Tasks in Label Studio.';
COMMENT ON COLUMN review_progress.reviewed IS 'Tasks with a submitted annotation.';
COMMENT ON COLUMN review_progress.skipped IS 'Tasks that were only skipped.';
COMMENT ON COLUMN review_progress.waiting IS 'Tasks nobody touched.';
COMMENT ON COLUMN review_progress.annotations IS 'Annotations, skipped ones included.';
COMMENT ON COLUMN review_progress.reviewers IS 'Different reviewers.';
COMMENT ON COLUMN review_progress.last_reviewed_at IS 'Last submission, by Label Studio''s clock.';
COMMENT ON COLUMN review_progress.median_lead_time IS 'Median seconds per annotation.';

CREATE VIEW reviewer_agreement AS
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
COMMENT ON VIEW reviewer_agreement IS 'Where a task was annotated by several reviewers: how often two of them gave a field the same value. A field only one of them found counts as disagreement.';
COMMENT ON COLUMN reviewer_agreement.project_id IS 'Project.';
COMMENT ON COLUMN reviewer_agreement.project IS 'Title of the project.';
COMMENT ON COLUMN reviewer_agreement.field IS 'Field; a table column is table.column.';
COMMENT ON COLUMN reviewer_agreement.reviewer_a IS 'The reviewer whose e-mail sorts first.';
COMMENT ON COLUMN reviewer_agreement.reviewer_b IS 'The other reviewer.';
COMMENT ON COLUMN reviewer_agreement.compared IS 'Pairs of answers compared.';
COMMENT ON COLUMN reviewer_agreement.agreed IS 'Pairs with the same normalised values.';
COMMENT ON COLUMN reviewer_agreement.agreement IS 'agreed / compared, 0..1.';

CREATE VIEW sync_health AS
SELECT p.id AS project_id, p.title AS project, i.pending, i.dead, i.oldest_pending, e.last_event_at,
       c.finished_at AS last_catch_up_at, c.ok AS last_catch_up_ok, w.finished_at AS last_deletion_sweep_at,
       w.ok AS last_deletion_sweep_ok, v.finished_at AS last_verify_at, v.ok AS last_verify_ok,
       jsonb_array_length(v.differences) AS last_verify_differences,
       coalesce(v.error, w.error, c.error) AS last_error
FROM projects p
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE d.state = 'pending') AS pending, count(*) FILTER (WHERE d.state = 'dead') AS dead,
           min(d.received_at) FILTER (WHERE d.state = 'pending') AS oldest_pending
    FROM webhook_deliveries d
    WHERE d.project_label_studio_id = p.label_studio_id AND d.state IN ('pending', 'dead')
) i
LEFT JOIN LATERAL (
    SELECT a.recorded_at AS last_event_at FROM annotation_events a
    WHERE a.project_id = p.id ORDER BY a.recorded_at DESC LIMIT 1
) e ON true
LEFT JOIN LATERAL (
    SELECT * FROM sync_runs r WHERE r.project_id = p.id AND r.kind = 'catch_up' ORDER BY r.id DESC LIMIT 1
) c ON true
LEFT JOIN LATERAL (
    SELECT * FROM sync_runs r WHERE r.project_id = p.id AND r.kind = 'deletions' ORDER BY r.id DESC LIMIT 1
) w ON true
LEFT JOIN LATERAL (
    SELECT * FROM sync_runs r WHERE r.project_id = p.id AND r.kind = 'verify' ORDER BY r.id DESC LIMIT 1
) v ON true
UNION ALL
SELECT NULL, NULL, count(*) FILTER (WHERE d.state = 'pending'), count(*) FILTER (WHERE d.state = 'dead'),
       min(d.received_at) FILTER (WHERE d.state = 'pending'), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM webhook_deliveries d
WHERE d.state IN ('pending', 'dead')
  AND NOT EXISTS (SELECT FROM projects p WHERE p.label_studio_id = d.project_label_studio_id)
HAVING count(*) > 0;
COMMENT ON VIEW sync_health IS 'Whether the mirror is complete: events waiting, given up, and the last passes, per project. A row without project counts events of projects we do not know.';
COMMENT ON COLUMN sync_health.project_id IS 'Project; empty for events of unknown projects.';
COMMENT ON COLUMN sync_health.project IS 'Title of the project.';
COMMENT ON COLUMN sync_health.pending IS 'Webhook events waiting to be applied.';
COMMENT ON COLUMN sync_health.dead IS 'Webhook events given up; webhook_deliveries.last_error says why.';
COMMENT ON COLUMN sync_health.oldest_pending IS 'When the oldest waiting event came.';
COMMENT ON COLUMN sync_health.last_event_at IS 'When the record last learnt something about an annotation.';
COMMENT ON COLUMN sync_health.last_catch_up_at IS 'End of the last pass by update time; empty while it runs.';
COMMENT ON COLUMN sync_health.last_catch_up_ok IS 'Whether it went well.';
COMMENT ON COLUMN sync_health.last_deletion_sweep_at IS 'End of the last look for deletions.';
COMMENT ON COLUMN sync_health.last_deletion_sweep_ok IS 'Whether it went well.';
COMMENT ON COLUMN sync_health.last_verify_at IS 'End of the last comparison with a full export.';
COMMENT ON COLUMN sync_health.last_verify_ok IS 'Whether nothing differed.';
COMMENT ON COLUMN sync_health.last_verify_differences IS 'How many annotations differed.';
COMMENT ON COLUMN sync_health.last_error IS 'The last failure, in a sentence.';

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

CREATE TRIGGER annotation_events_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON annotation_events
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
COMMENT ON TRIGGER annotation_events_append_only ON annotation_events IS 'Rows are added, never changed.';

CREATE TRIGGER annotation_values_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON annotation_values
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
COMMENT ON TRIGGER annotation_values_append_only ON annotation_values IS 'Rows are added, never changed.';

CREATE TRIGGER dataset_members_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON dataset_members
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
COMMENT ON TRIGGER dataset_members_append_only ON dataset_members IS 'Rows are added, never changed.';

CREATE TRIGGER datasets_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON datasets
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
COMMENT ON TRIGGER datasets_append_only ON datasets IS 'Rows are added, never changed.';

CREATE TRIGGER erasures_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON erasures
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
COMMENT ON TRIGGER erasures_append_only ON erasures IS 'Rows are added, never changed.';

CREATE TRIGGER extraction_values_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON extraction_values
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
COMMENT ON TRIGGER extraction_values_append_only ON extraction_values IS 'Rows are added, never changed.';

CREATE TRIGGER extractions_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON extractions
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
COMMENT ON TRIGGER extractions_append_only ON extractions IS 'Rows are added, never changed.';

CREATE TRIGGER metrics_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON metrics
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
COMMENT ON TRIGGER metrics_append_only ON metrics IS 'Rows are added, never changed.';

CREATE TRIGGER model_aliases_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON model_aliases
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
COMMENT ON TRIGGER model_aliases_append_only ON model_aliases IS 'Rows are added, never changed.';

CREATE TRIGGER retrain_decisions_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON retrain_decisions
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
COMMENT ON TRIGGER retrain_decisions_append_only ON retrain_decisions IS 'Rows are added, never changed.';
