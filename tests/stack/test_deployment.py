"""The compose file and the image's installation, as far as they can be proved without a container engine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from db.config import REQUIRED
from fieldloop.stack.postgres import TUNING
from tests.conftest import new_database

CHECKOUT = Path(__file__).parents[2]
COMPOSE = CHECKOUT / "docker-compose.yml"
VARIABLE = re.compile(r"(?<!\$)\$\{([A-Z0-9_]+)(:[-?]?)?([^}]*)\}")
SECRET = re.compile(r"PASSWORD|SECRET|_KEY$|TOKEN")
# Without these something is merely not there: no reading role that can log in, no S3.
OPTIONAL = {"FIELDLOOP_READER_PASSWORD", "AWS_SECRET_ACCESS_KEY"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return loaded


def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose["services"]
    return found


def test_the_file_is_what_the_specification_says() -> None:
    answer = subprocess.run(
        [
            *(sys.executable, "-m", "check_jsonschema"),
            *("--builtin-schema", "vendor.compose-spec", str(COMPOSE)),
        ],
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stdout


def test_postgres_is_tuned_as_the_local_one(compose: dict[str, Any], postgres_url: str) -> None:
    program, *options = services(compose)["postgres"]["command"]
    assert program == "postgres"
    assert options == [f"-c{name}={value}" for name, value in TUNING.items()]
    with psycopg.connect(postgres_url) as connection:
        known = {name for (name,) in connection.execute("SELECT name FROM pg_settings")}
    assert TUNING.keys() <= known


def test_whoever_is_waited_for_is_there_and_can_become_what_is_waited_for(
    compose: dict[str, Any],
) -> None:
    waits = 0
    for name, service in services(compose).items():
        for other, wait in service.get("depends_on", {}).items():
            waits += 1
            assert other in services(compose), f"{name} waits for {other}"
            if wait["condition"] == "service_healthy":
                assert "healthcheck" in services(compose)[other], f"{other} never becomes healthy"
            else:
                assert wait["condition"] == "service_completed_successfully"
                assert services(compose)[other]["restart"] == "on-failure", f"{other} never ends"
    assert waits > 8


def test_volumes_are_declared_used_and_their_files_are_there(compose: dict[str, Any]) -> None:
    used = set()
    for service in services(compose).values():
        for volume in service.get("volumes", []):
            source = VARIABLE.sub(lambda match: match.group(3), volume).split(":")[0]
            if source.startswith("."):
                assert (CHECKOUT / source).is_file(), source
            else:
                used.add(source)
    assert used == set(compose["volumes"])


def test_secrets_have_no_default() -> None:
    text = COMPOSE.read_text()
    for name, operator, rest in VARIABLE.findall(text):
        assert operator in {":-", ":?"}, f"{name} may silently be empty"
        if SECRET.search(name) and name not in OPTIONAL:
            assert operator == ":?", f"{name} has the default {rest!r}"
    literals = re.findall(r"^\s+([A-Z_]+): (?!\$)(\S.*)$", text, re.MULTILINE)
    written = [name for name, value in literals if SECRET.search(name) and value != '"true"']
    assert not written


def test_every_process_of_ours_has_every_setting_it_needs(compose: dict[str, Any]) -> None:
    ours = [
        service
        for service in services(compose).values()
        if str(service["image"]).startswith("${FIELDLOOP_IMAGE")
    ]
    assert len(ours) == 5
    for service in ours:
        assert set(REQUIRED) <= set(service["environment"])


def test_only_the_two_web_servers_are_published_and_only_here(compose: dict[str, Any]) -> None:
    published = {name: s["ports"] for name, s in services(compose).items() if "ports" in s}
    assert set(published) == {"backend", "label-studio"}
    for ports in published.values():
        assert all(port.startswith("${BIND_ADDRESS:-127.0.0.1}:") for port in ports)


def test_the_databases_of_the_image_are_closed_to_each_other(postgres_url: str) -> None:
    """The SQL of the script, with its variables put in as psql does."""
    script = (CHECKOUT / "docker" / "databases.sh").read_text()
    commands = script.split("<<'SQL'\n")[1].split("SQL\n")[0]
    names = ("compose_one", "compose_two")
    try:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            for name in names:
                for command in commands.strip().splitlines():
                    filled = command.replace(':"name"', f'"{name}"').replace(
                        ":rights", "CREATEROLE"
                    )
                    connection.execute(filled.replace(":'password'", "'it''s'"))
            row = connection.execute(
                "SELECT has_database_privilege('compose_one', 'compose_one', 'CONNECT'),"
                " has_database_privilege('compose_one', 'compose_two', 'CONNECT')"
            ).fetchone()
            assert row == (True, False)
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            for name in names:
                connection.execute(f"DROP DATABASE IF EXISTS {name}")
                connection.execute(f"DROP ROLE IF EXISTS {name}")


def test_what_the_image_installs_migrates_a_database(postgres_url: str, tmp_path: Path) -> None:
    """The steps of the Dockerfile into a fresh environment; nothing of the checkout is used after."""
    target = tmp_path / "installed"
    outside = {name: value for name, value in _bare().items() if name != "PYTHONPATH"}
    built = subprocess.run(
        [CHECKOUT / "docker" / "install.sh", target],
        capture_output=True,
        text=True,
        env={**outside, "PYTHON": sys.executable, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert built.returncode == 0, built.stdout + built.stderr
    # Who runs it may not be able to keep what Python compiles: that lies there from the start.
    for package in ("sklearn", "flask", "rq", "ml_backend"):
        assert list(target.rglob(f"site-packages/{package}/__pycache__/*.pyc")), package
    program = target / "bin" / "fieldloop"
    with new_database(postgres_url) as url:
        answer = subprocess.run(
            [program, "migrate"],
            cwd=tmp_path,
            env={**outside, "DATABASE_URL": url},
            capture_output=True,
            text=True,
        )
    assert answer.returncode == 0, answer.stderr
    assert "The database is at revision" in answer.stdout
    helped = subprocess.run([program, "--help"], cwd=tmp_path, capture_output=True, text=True)
    for command in ("serve", "worker", "migrate", "init", "sync", "doctor"):
        assert re.search(rf"^  {command} ", helped.stdout, re.MULTILINE), helped.stdout


def _bare() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FIELDLOOP_", "LABEL_STUDIO", "DATABASE_", "REDIS_", "BLOB_"))
    }
