"""What ``fieldloop status`` says: of nothing, of an empty record, of a mirror that is not there."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from click.testing import CliRunner
from sqlalchemy import text

from db import jobs
from db.config import Settings
from db.migrate import head
from db.models import JobState
from fieldloop.commands.status import status
from fieldloop.stack.folder import StateFolder
from fieldloop.stack.probes import read_record
from fieldloop.stack.status import Code, take
from tests import factories
from tests.conftest import Database


def settings(**values: str) -> Settings:
    return Settings.from_environ(values, needs=())


def test_nothing_runs(tmp_path: Path) -> None:
    found = take(StateFolder(tmp_path / "none"), settings())
    assert found.code is Code.NOT_RUNNING
    assert not found.parts


def test_a_record_in_figures(committed_database: Database) -> None:
    with committed_database.session_factory.begin() as session:
        factories.document_version(session)
        job = jobs.enqueue(session, kind="read_document", subject="1", created_by="test")
        claimed = jobs.claim(session, job.id, worker="test", lease=timedelta(minutes=1))
        assert claimed is not None
        assert claimed.state is JobState.RUNNING
        session.execute(
            text(
                "INSERT INTO webhook_deliveries (action, payload, key, state)"
                " VALUES ('X', '{}', 'k', 'dead')"
            )
        )
    record = read_record(committed_database.url)
    assert record.revision == head()
    assert sum(record.documents.values()) == 1
    assert (record.jobs_open, record.jobs_running, record.jobs_failed) == (1, 1, 0)
    assert (record.inbox_pending, record.inbox_dead) == (0, 1)


def test_an_empty_database_is_told_to_migrate(empty_database: str, tmp_path: Path) -> None:
    found = take(StateFolder(tmp_path), settings(DATABASE_URL=empty_database))
    assert found.code is Code.WRONG
    assert "run `fieldloop migrate`" in found.problems[0]


def test_no_worker_is_a_problem(
    committed_database: Database, redis_url: str, tmp_path: Path
) -> None:
    found = take(
        StateFolder(tmp_path), settings(DATABASE_URL=committed_database.url, REDIS_URL=redis_url)
    )
    assert found.code is Code.WRONG
    assert any("No worker was heard from" in problem for problem in found.problems)


def test_json_and_exit_code(tmp_path: Path) -> None:
    environ = {
        "FIELDLOOP_HOME": str(tmp_path / "none"),
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "REDIS_URL": "",
    }
    result = CliRunner(env=environ).invoke(status, ["--json"])
    assert result.exit_code == 3
    found = json.loads(result.stdout)
    assert found["record"] is None
    assert found["problems"][0].startswith("DATABASE_URL: ")
