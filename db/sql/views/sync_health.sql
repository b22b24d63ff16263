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
