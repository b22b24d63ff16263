"""What the demo asks of the stack and the record before and after its turn."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import click.testing
import pytest
from rich.console import Console
from sqlalchemy.orm import Session

from db.blobs import BlobStore
from db.extractions import ValueRow, record_prediction
from db.extractions import record as keep_extraction
from db.label_studio import LabelStudio
from db.models import ModelKind, Project, RunState
from db.projects import FieldRow, set_settings
from db.registry import NewModel, register_model
from db.session import SessionFactory
from db.training_runs import finish_run, request_run, start_run
from fieldloop.commands.demo import demo as demo_command
from fieldloop.commands.init import DEMO_FIELDS
from fieldloop.demo import record, report
from fieldloop.demo.accuracy import compare, measure
from fieldloop.demo.backend import Backend, BackendDown, UploadRefused
from fieldloop.demo.loop import CannotDemo, Loop, Turn
from fieldloop.demo.reviewer import Changes
from fieldloop.demo.samples import DemoSet, demo_set
from fieldloop.demo.waiting import Screen
from ml_backend.extraction.fields import Labels
from ml_backend.field_specs import to_specs
from ml_backend.schema import load
from ml_backend.services import Services
from tests import factories
from tests.ml_backend import world
from tests.ml_backend.conftest import make_settings

SCHEMA = load(DEMO_FIELDS)


class _Backend:
    """A backend that is healthy and answers uploads with what the test wants."""

    def __init__(self) -> None:
        self.answer: tuple[int, dict[str, Any]] = (201, {"files": []})
        self.seen: list[tuple[str, bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._send(200, {"status": "UP", "id": 12})

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                outer.seen.append((self.path, self.rfile.read(length)))
                self._send(*outer.answer)

            def _send(self, status: int, body: dict[str, Any]) -> None:
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def backend() -> Iterator[_Backend]:
    made = _Backend()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


@pytest.fixture
def services(
    session_factory: SessionFactory, blobs: BlobStore, redis: Any, backend: _Backend
) -> Services:
    return Services(
        settings=make_settings(backend_url=backend.url),
        sessions=session_factory,
        blobs=blobs,
        redis=redis,
        label_studio=LabelStudio(backend.url, "an-api-key-of-tests", attempts=1),
    )


def loop(services: Services) -> Loop:
    return Loop(services, SCHEMA, Screen(Console(quiet=True)), patience=1)


def live(session: Session, rows: tuple[FieldRow, ...] = SCHEMA.rows) -> Project:
    return world.project(session, rows=rows, title=SCHEMA.title)


def test_without_a_stack_it_says_how_to_start_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DATABASE_URL", "LABEL_STUDIO_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FIELDLOOP_HOME", str(tmp_path / "home"))
    result = click.testing.CliRunner().invoke(demo_command, [])
    assert isinstance(result.exception, CannotDemo)
    assert "Run `fieldloop up` first" in str(result.exception)


def test_a_backend_that_is_away_is_named() -> None:
    away = Backend(make_settings(backend_url="http://127.0.0.1:1"))
    with pytest.raises(BackendDown, match=r"127\.0\.0\.1:1 \(FIELDLOOP_BACKEND_URL\)"):
        away.check()


def test_the_live_project_is_found(services: Services, session: Session) -> None:
    project = live(session)
    assert loop(services).project().id == project.id


def test_a_stack_of_other_fields_is_left_alone(services: Services, session: Session) -> None:
    with pytest.raises(CannotDemo, match="no project"):
        loop(services).project()
    live(session, SCHEMA.rows[:-1])
    with pytest.raises(CannotDemo, match="other fields than the demo"):
        loop(services).project()


def test_a_project_label_studio_does_not_have_yet(services: Services, session: Session) -> None:
    world.project(session, rows=SCHEMA.rows, title=SCHEMA.title, label_studio_id=None)
    with pytest.raises(CannotDemo, match="fieldloop init"):
        loop(services).project()


def test_too_few_reviews_are_refused_before_anything_is_done(
    services: Services, session: Session
) -> None:
    project = live(session)
    set_settings(session, project, dict(SCHEMA.settings))
    loop(services).check_size(project, 1, 5)
    with pytest.raises(CannotDemo, match="at least 5"):
        loop(services).check_size(project, 1, 4)


def test_fewer_documents_than_reviews_are_a_wrong_option() -> None:
    result = click.testing.CliRunner().invoke(
        demo_command, ["--documents", "12", "--reviewed", "10"]
    )
    assert result.exit_code == 2
    assert "leave at least 4" in result.output


def test_uploads_name_their_project_and_tell_versions(backend: _Backend) -> None:
    first, second = demo_set(1, 12, 6).samples[:2]
    ids = [uuid4(), uuid4()]
    backend.answer = (
        207,
        {
            "files": [
                {"name": one.name, "outcome": outcome, "version_id": str(key), "error": None}
                for one, outcome, key in zip(
                    (first, second), ("new", "unchanged"), ids, strict=True
                )
            ]
        },
    )
    taken = Backend(make_settings(backend_url=backend.url)).upload("Some title", [first, second])
    assert [(t.name, t.outcome, t.version_id) for t in taken] == [
        (first.name, "new", ids[0]),
        (second.name, "unchanged", ids[1]),
    ]
    ((path, body),) = backend.seen
    assert path == "/api/documents"
    assert b"Some title" in body
    assert first.pdf in body


def test_a_refused_upload_says_why(backend: _Backend) -> None:
    (sample,) = demo_set(1, 12, 6).samples[:1]
    error = {"code": "too_large", "message": "The limit is 1 MB (FIELDLOOP_MAX_FILE_MB)."}
    backend.answer = (413, {"files": [{"name": sample.name, "error": error}], "error": error})
    with pytest.raises(UploadRefused, match="FIELDLOOP_MAX_FILE_MB"):
        Backend(make_settings(backend_url=backend.url)).upload("Some title", [sample])


def version(session: Session, project: Project, name: str) -> UUID:
    return world.read_version(session, project, [], name=name).id


def test_the_next_seed_comes_after_a_finished_one_and_an_unfinished_one_goes_on(
    session: Session,
) -> None:
    project = live(session)
    assert record.unfinished_seed(session, project.id, 2) == 1
    versions = [
        world.read_version(session, project, [], name=f"demo-1-000{n}-dense-pt.pdf") for n in (1, 2)
    ]
    assert record.unfinished_seed(session, project.id, 2) == 1
    world.review(session, versions[0], Labels(()))
    assert record.unfinished_seed(session, project.id, 2) == 1
    world.review(session, versions[1], Labels(()))
    assert record.unfinished_seed(session, project.id, 2) == 2
    assert record.reviewed_of(session, project.id, 1) == 2
    assert record.others(session, project.id) == 0
    version(session, project, "mine.pdf")
    assert record.others(session, project.id) == 1


def test_what_each_model_read_is_told_apart(session: Session) -> None:
    project = live(session)
    key = version(session, project, "demo-1-0001-dense-pt.pdf")
    old = factories.model_version(session, project, 0)
    new = factories.model_version(session, project, 1)
    for model, text in ((old, "1.00"), (new, "9.00")):
        span = {"page": 0, "box": [1.0, 2.0, 3.0, 4.0]}
        row = ValueRow("r", "total", None, text, text, None, 0, [span], 0.5, True, [])
        keep_extraction(session, key, model.id, [row], {"tax": 0.9})
    names = {key: "one"}
    assert record.first_models(session, [key])[key].id == old.id
    for model, text in ((old, "1.00"), (new, "9.00")):
        found = record.answers(session, names, {key: model.id})["one"]
        assert [(v.field, v.text, v.spans[0].box) for v in found.values] == [
            ("total", text, (1.0, 2.0, 3.0, 4.0))
        ]
        assert found.absent == {"tax": 0.9}


def test_how_far_documents_are(session: Session) -> None:
    project = live(session)
    waiting = version(session, project, "demo-1-0001-dense-pt.pdf")
    reviewed = world.read_version(session, project, [], name="demo-1-0002-dense-pt.pdf")
    world.review(session, reviewed, Labels(()))
    shown = record.shown(session, [waiting, reviewed.id])
    assert shown[waiting].task is None
    assert not shown[waiting].reviewed
    assert shown[reviewed.id].task is not None
    assert shown[reviewed.id].reviewed


def test_runs_and_refreshed_predictions_are_seen(session: Session) -> None:
    project = live(session)
    since = record.now(session)
    run = request_run(session, project.id, reason="3 new answers.", requested_by="policy")
    start_run(session, run.id)
    (seen,) = record.runs_since(session, project.id, since)
    assert (seen.state, seen.model, seen.seconds) == (RunState.RUNNING, None, None)
    made = register_model(
        session,
        project.id,
        "orders",
        NewModel(ModelKind.TRAINED, project.schema_version, "worker", training_run_id=run.id),
    )
    finish_run(session, run.id, gate_passed=True, gate_reason="Better: F1 0.9 against 0.8.")
    session.expire_all()
    (seen,) = record.runs_since(session, project.id, since)
    assert (seen.state, seen.model, seen.gate_passed) == (RunState.SUCCEEDED, made.name, True)
    shown = world.read_version(session, project, [], name="demo-1-0001-dense-pt.pdf")
    task = world.open_task(session, shown, 5)
    assert record.refreshed(session, [shown.id], made.id) == 0
    extraction = keep_extraction(session, shown.id, made.id, [], {})
    record_prediction(
        session,
        task_id=task.id,
        extraction_id=extraction.id,
        model_version=made.name,
        result_sha256="0" * 64,
        label_studio_id=None,
    )
    assert record.refreshed(session, [shown.id], made.id) == 1


@pytest.fixture
def turn(session: Session) -> tuple[Turn, DemoSet]:
    """A turn after which a trained model is live that answers everything."""
    project = live(session)
    made = demo_set(1, 12, 8)
    truths = [one.truth for one in made.unseen]
    specs = to_specs(SCHEMA.rows)
    before = factories.model_version(session, project, 0, kind=ModelKind.ZERO_SHOT)
    after = factories.model_version(session, project, 1, kind=ModelKind.TRAINED)
    run = record.Run(
        uuid4(),
        RunState.SUCCEEDED,
        "8 new answers.",
        "",
        None,
        True,
        "Better: [F1 0.9 against 0.8].",
        after.name,
        "trained",
        7.0,
    )
    right = measure(truths, {}, specs)
    comparison = compare(right, replace(right, micro=replace(right.micro, tp=5, fn=0)))
    changes = Changes(kept=3, drawn=1)
    return Turn(project, 0, 0, changes, (run,), before, after, comparison), made


def test_a_better_trained_model_is_a_turn_and_anything_less_is_none(
    turn: tuple[Turn, DemoSet],
) -> None:
    done, _ = turn
    assert done.turned
    worse = replace(done.comparison, f1_after=done.comparison.f1_before)
    assert not replace(done, comparison=worse).turned
    assert not replace(done, after=done.before).turned
    again = replace(done, before=done.after, comparison=worse)
    assert again.turned
    assert not replace(again, runs=()).turned
    assert replace(again, runs=(), changes=Changes()).turned


def test_the_report_says_what_happened_to_people_and_to_programs(
    turn: tuple[Turn, DemoSet],
) -> None:
    done, made = turn
    settings = make_settings()
    printed = io.StringIO()
    console = Console(width=100, file=printed)
    report.show(console, done, made, settings, {"train": 7.2})
    said = " ".join(printed.getvalue().split())
    assert "documents nobody reviewed" in said
    assert "8 documents: 3 values kept as predicted, 0 corrected, 1 drawn." in said
    assert (
        f"{done.after.name} was trained in 7 s and went live: Better: [F1 0.9 against 0.8]." in said
    )
    assert "train 7 s" in said
    plain = json.loads(json.dumps(report.as_json(done, made, settings, {"train": 7.2})))
    assert plain["turned"] is True
    assert (plain["documents"], plain["reviewed"], plain["never_reviewed"]) == (12, 8, 4)
    assert plain["models"]["after"] == {"name": done.after.name, "kind": "trained"}
    assert plain["runs"][0]["gate_passed"] is True
    assert {line["field"] for line in plain["fields"]} >= {"total", "item.amount"}
    assert plain["addresses"]["label_studio"].startswith("http://label-studio.test/projects/12")
