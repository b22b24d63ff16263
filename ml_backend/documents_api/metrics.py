"""/metrics: the state of the record in the text format of Prometheus, counted anew at every scrape."""

from __future__ import annotations

from collections.abc import Iterable

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import text
from sqlalchemy.orm import Session

from db.sync_figures import sync_figures
from ml_backend.services import Services

# name, help, labels, query: label columns first, the value last. Times become seconds at the database's clock.
_FAMILIES: tuple[tuple[str, str, tuple[str, ...], str], ...] = (
    (
        "fieldloop_jobs",
        "Background jobs by kind and state.",
        ("kind", "state"),
        "SELECT kind, state::text, count(*) FROM jobs GROUP BY 1, 2 ORDER BY 1, 2",
    ),
    (
        "fieldloop_jobs_oldest_due_seconds",
        "How long the longest waiting due job has waited, by kind.",
        ("kind",),
        "SELECT kind, extract(epoch FROM clock_timestamp() - min(run_after)) FROM jobs"
        " WHERE state = 'queued' AND run_after <= clock_timestamp() GROUP BY 1 ORDER BY 1",
    ),
    (
        "fieldloop_inbox_events",
        "Webhook events in the inbox by state.",
        ("state",),
        "SELECT s.state, count(w.id) FROM unnest(ARRAY['pending', 'dead']) AS s(state)"
        " LEFT JOIN webhook_deliveries w ON w.state::text = s.state GROUP BY 1 ORDER BY 1",
    ),
    (
        "fieldloop_inbox_oldest_pending_seconds",
        "Age of the oldest webhook event not yet in the mirror; 0 without one.",
        (),
        "SELECT coalesce(extract(epoch FROM clock_timestamp() - min(received_at)), 0)"
        " FROM webhook_deliveries WHERE state = 'pending'",
    ),
    (
        "fieldloop_documents",
        "Documents by the reading state of their newest version.",
        ("project", "state"),
        "SELECT p.title, v.state::text, count(*) FROM document_versions v JOIN projects p ON p.id = v.project_id"
        " WHERE NOT EXISTS (SELECT FROM document_versions w"
        "  WHERE w.document_id = v.document_id AND w.number > v.number) GROUP BY 1, 2 ORDER BY 1, 2",
    ),
    (
        "fieldloop_tasks",
        "Label Studio tasks by whether a reviewer has submitted them.",
        ("project", "state"),
        "SELECT project, s.state, s.n FROM review_progress r, LATERAL (VALUES ('reviewed', r.reviewed),"
        " ('skipped', r.skipped), ('waiting', r.waiting)) AS s(state, n) ORDER BY 1, 2",
    ),
    (
        "fieldloop_training_runs",
        "Training runs by state.",
        ("project", "state"),
        "SELECT p.title, r.state::text, count(*) FROM training_runs r JOIN projects p ON p.id = r.project_id"
        " GROUP BY 1, 2 ORDER BY 1, 2",
    ),
    (
        "fieldloop_live_model_f1",
        "F1 of the live model on documents it had not seen, when last measured.",
        ("project", "model_version"),
        "SELECT project, model_version, f1 FROM model_leaderboard WHERE is_live AND f1 IS NOT NULL ORDER BY 1",
    ),
    (
        "fieldloop_live_model_since_seconds",
        "For how long the live model has been live.",
        ("project", "model_version"),
        "SELECT project, model_version, extract(epoch FROM clock_timestamp() - live_since) FROM live_models"
        " ORDER BY 1",
    ),
    (
        "fieldloop_sync_lag_seconds",
        "Time since a pass of the mirror last ended well.",
        ("project", "kind"),
        "SELECT p.title, r.kind, extract(epoch FROM clock_timestamp() - max(r.finished_at)) FROM sync_runs r"
        " JOIN projects p ON p.id = r.project_id WHERE r.ok GROUP BY 1, 2 ORDER BY 1, 2",
    ),
    (
        "fieldloop_sync_cursor_age_seconds",
        "Time since a cursor of the mirror last moved.",
        ("project", "cursor"),
        "SELECT p.title, c.name, extract(epoch FROM clock_timestamp() - c.moved_at) FROM sync_cursors c"
        " JOIN projects p ON p.id = c.project_id ORDER BY 1, 2",
    ),
    (
        "fieldloop_sync_last_run_ok",
        "1 if the newest finished pass of this kind went well, else 0.",
        ("project", "kind"),
        "SELECT DISTINCT ON (p.title, r.kind) p.title, r.kind, CASE WHEN r.ok THEN 1 ELSE 0 END FROM sync_runs r"
        " JOIN projects p ON p.id = r.project_id WHERE r.finished_at IS NOT NULL"
        " ORDER BY p.title, r.kind, r.id DESC",
    ),
)


def add(views: Blueprint, services: Services) -> None:
    """Add the route to the blueprint."""

    @views.get("/metrics")
    def metrics() -> Response:
        registry = CollectorRegistry()
        with services.sessions.begin() as session:
            registry.register(_Counted(session))
            body = generate_latest(registry)
        return Response(body, content_type=CONTENT_TYPE_LATEST)


class _Counted(Collector):
    """One scrape: all families from one transaction, so that they agree with each other."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def describe(self) -> Iterable[Metric]:
        return []  # nothing is counted when it is registered

    def collect(self) -> Iterable[Metric]:
        for name, help_text, labels, query in _FAMILIES:
            family = GaugeMetricFamily(name, help_text, labels=labels)
            for *values, number in self._session.execute(text(query)):
                family.add_metric([str(value) for value in values], float(number))
            yield family
        for figure in sync_figures(self._session):
            family = GaugeMetricFamily(figure.name, figure.help, labels=figure.labels)
            for sample, number in figure.samples:
                family.add_metric(sample, number)
            yield family
