"""``fieldloop sync``: what it says and how it ends."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from db.sync_figures import health_of, sync_figures
from db.sync_runs import beat
from fieldloop.cli import main
from sync.once import once
from tests.sync.fake_label_studio import TOKEN
from tests.sync.mirroring import deliver, region, standing, truth
from tests.sync.proxy import Fault

DATA = {"data": {"pages": ["http://pages/1.png"]}}


@pytest.fixture
def command(committed_database, redis_url, proxy, project, monkeypatch, tmp_path):
    """Run a command against the studio in memory; the result of click's runner."""
    monkeypatch.setenv("FIELDLOOP_HOME", str(tmp_path))
    for name, value in {
        "DATABASE_URL": committed_database.url,
        "REDIS_URL": redis_url,
        "LABEL_STUDIO_URL": proxy.url,
        "LABEL_STUDIO_API_KEY": TOKEN,
    }.items():
        monkeypatch.setenv(name, value)
    return lambda *arguments: CliRunner().invoke(main, ["sync", *arguments])


def test_once_and_verify(command, services, studio):
    (task,) = studio.import_tasks(1, [DATA])
    studio.annotate(task, region("r1"))
    done = command("once", "--json")
    assert done.exit_code == 0, done.output
    (told,) = json.loads(done.output)["projects"]
    assert told["backfilled"]["added"] == 1
    assert standing(services) == truth(studio)
    equal = command("verify", "--json")
    assert equal.exit_code == 0
    assert json.loads(equal.output)["projects"][0]["equal"] is True
    assert "says what Label Studio says" in command("verify").output


def test_verify_tells_by_its_exit_code_how_it_ended(command, services, project, studio):
    (task,) = studio.import_tasks(1, [DATA])
    studio.annotate(task, region("r1"))
    once(services, project)
    damage = text("UPDATE annotations SET result = '[]'")
    with services.sessions.begin() as session:
        session.execute(damage)
    left = command("verify", "--no-repair", "--json")
    assert left.exit_code == 2
    assert json.loads(left.output)["projects"][0]["remaining"][0]["what"] == "damaged"
    repaired = command("verify")
    assert repaired.exit_code == 1
    assert "Repaired by 1 new state" in repaired.output
    assert command("verify").exit_code == 0


@pytest.mark.parametrize("name", ["once", "verify"])
def test_without_label_studio_nothing_is_claimed(command, proxy, studio, name):
    proxy.plan = lambda request: Fault(status=401)
    done = command(name)
    assert done.exit_code == 3
    assert "LABEL_STUDIO_API_KEY" in done.output


def test_an_unknown_project_is_named(command):
    done = command("once", "--project", "No such")
    assert done.exit_code == 1
    assert "'No such'" in done.output
    assert "fieldloop init" in done.output


def test_replay(command, services, project, studio):
    (task,) = studio.import_tasks(1, [DATA])
    studio.annotate(task, region("r1"))
    deliver(services, studio.outbox)
    with services.sessions.begin() as session:
        session.execute(
            text("UPDATE webhook_deliveries SET state = 'dead', attempts = 8, last_error = 'no'")
        )
    assert "2 events would be read" in command("replay", "--dead", "--dry-run").output
    done = command("replay", "--dead", "--json")
    assert json.loads(done.output)["replayed"] == [1, 2]
    once(services, project)
    again = command("replay", "1")
    assert again.exit_code == 0
    assert command("replay", "99").exit_code == 1
    assert command("replay").exit_code == 2
    once(services, project)
    with services.sessions.begin() as session:
        states = session.execute(text("SELECT DISTINCT state FROM webhook_deliveries")).scalars()
        assert states.all() == ["done"]


def test_status_tells_what_needs_a_look(command, services, project, studio):
    once(services, project)
    nobody = command("status")
    assert nobody.exit_code == 1
    assert "Nobody mirrors" in nobody.output
    with services.sessions.begin() as session:
        beat(session, "host:1", "mirroring", None)
    well = command("status", "--json")
    assert well.exit_code == 0, well.output
    told = json.loads(well.output)
    assert told["leader"]["alive"] is True
    assert told["problems"] == []
    with services.sessions.begin() as session:
        beat(session, "host:1", "waiting", "Label Studio cannot be reached.")
        session.execute(
            text(
                "INSERT INTO webhook_deliveries (action, project_label_studio_id, payload, key, state)"
                " VALUES ('X', 1, '{}', 'k', 'dead')"
            )
        )
    ill = command("status")
    assert ill.exit_code == 1
    assert "cannot be reached" in ill.output
    assert "replay --dead" in ill.output


def test_the_leader_keeps_its_times(services, project):
    with services.sessions.begin() as session:
        beat(session, "host:1", "mirroring", None)
    with services.sessions.begin() as session:
        first = health_of(session).leader
        beat(session, "host:1", "mirroring", None)
    with services.sessions.begin() as session:
        again = health_of(session).leader
        beat(session, "host:2", "mirroring", None)
    with services.sessions.begin() as session:
        other = health_of(session).leader
    assert first.since == again.since
    assert first.state_since == again.state_since
    assert other.since > first.since


def test_figures_are_what_prometheus_reads(services, project, studio):
    (task,) = studio.import_tasks(1, [DATA])
    studio.annotate(task, region("r1"))
    once(services, project)
    with services.sessions.begin() as session:
        figures = sync_figures(session)
    lines = []
    for figure in figures:
        lines.append(f"# HELP {figure.name} {figure.help}\n# TYPE {figure.name} gauge")
        for values, number in figure.samples:
            labels = ",".join(f'{n}="{v}"' for n, v in zip(figure.labels, values, strict=True))
            lines.append(f"{figure.name}{{{labels}}} {number}")
    families = {f.name: f for f in text_string_to_metric_families("\n".join(lines) + "\n")}
    assert len(families) == len(figures)
    assert families["fieldloop_sync_annotations"].samples[0].value == 1
    assert families["fieldloop_sync_leader_up"].samples[0].value == 0
