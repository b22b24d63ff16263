"""Which parts run here, by what the operator brings; nothing is started."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path

import psycopg
import pytest

from db.errors import ConfigError
from fieldloop.stack import label_studio
from fieldloop.stack.errors import StackError
from fieldloop.stack.folder import StateFolder
from fieldloop.stack.plan import Plan, make_plan
from fieldloop.stack.settings import given_environment, read_env_file, write_env_file
from tests.conftest import new_database

OURS = ["migrate", "backend", "worker", "sync", "init"]
STUDIO = ["label-studio-install", "label-studio"]
POSTGRES = ["postgres-data", "postgres", "databases"]
THEIRS = {"LABEL_STUDIO_URL": "http://labels.test", "LABEL_STUDIO_API_KEY": "a-token"}


def plan(folder: Path, **environ: str) -> Plan:
    return make_plan(StateFolder(folder), environ)


def names(found: Plan) -> list[str]:
    return [part.name for part in found.parts]


def test_everything_is_started_where_nothing_is_given(tmp_path: Path) -> None:
    found = plan(tmp_path / "state")
    assert names(found) == [*POSTGRES, "redis", *STUDIO, *OURS]
    assert found.login is not None
    assert found.settings.public_url == "http://127.0.0.1:9090"


def test_whoever_needs_a_part_waits_for_it(tmp_path: Path) -> None:
    found = plan(tmp_path / "state")
    there = set(names(found))
    needs = {part.name: set(part.needs) for part in found.parts}
    assert all(wanted <= there for wanted in needs.values())
    assert needs["init"] == {"backend", "label-studio"}


def test_a_redis_of_ones_own(tmp_path: Path) -> None:
    found = plan(tmp_path / "state", REDIS_URL="redis://elsewhere:6379/0")
    assert names(found) == [*POSTGRES, *STUDIO, *OURS]
    assert found.environ["REDIS_URL"] == "redis://elsewhere:6379/0"


def test_a_blob_store_of_ones_own(tmp_path: Path) -> None:
    found = plan(tmp_path / "state", BLOB_URL="s3://bucket/prefix", AWS_REGION="eu-1")
    assert found.settings.blob_url == "s3://bucket/prefix"
    assert found.given["AWS_REGION"] == "eu-1"


def test_a_label_studio_of_ones_own(tmp_path: Path) -> None:
    found = plan(tmp_path / "state", **THEIRS)
    assert names(found) == [*POSTGRES, "redis", *OURS]
    assert found.login is None
    assert found.settings.label_studio_url == "http://labels.test"
    by_name = {part.name: part for part in found.parts}
    assert "label-studio" not in by_name["init"].needs


def test_a_postgres_of_ones_own_gets_a_database_for_label_studio(
    tmp_path: Path, postgres_url: str
) -> None:
    with new_database(postgres_url) as url:
        found = plan(tmp_path / "state", DATABASE_URL=url)
        assert names(found) == ["redis", *STUDIO, *OURS]
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            made = connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = 'label_studio'"
            ).fetchone()
            connection.execute("DROP DATABASE label_studio")
        assert made


def test_a_postgres_whose_user_may_not_make_one_says_what_to_ask_for(
    tmp_path: Path, postgres_url: str
) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE ROLE modest LOGIN PASSWORD 'x'")
        try:
            url = postgres_url.replace("fieldloop@", "modest:x@")
            with pytest.raises(StackError, match="FIELDLOOP_LABEL_STUDIO_DATABASE_URL"):
                plan(tmp_path / "state", DATABASE_URL=url)
            own = "postgresql://studio:secret@db.test:6432/labels"
            found = plan(
                tmp_path / "state", DATABASE_URL=url, FIELDLOOP_LABEL_STUDIO_DATABASE_URL=own
            )
        finally:
            connection.execute("DROP ROLE modest")
    by_name = {part.name: part for part in found.parts}
    environ = by_name["label-studio"].environ
    assert (environ["POSTGRE_HOST"], environ["POSTGRE_PORT"]) == ("db.test", "6432")
    assert (environ["POSTGRE_USER"], environ["POSTGRE_NAME"]) == ("studio", "labels")


def test_everything_of_ones_own_leaves_our_programs(tmp_path: Path) -> None:
    found = plan(
        tmp_path / "state",
        DATABASE_URL="postgresql://u:p@db.test/x",
        REDIS_URL="redis://redis.test/0",
        BLOB_URL="s3://bucket",
        **THEIRS,
    )
    assert names(found) == OURS


@pytest.mark.parametrize("missing", ["LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY"])
def test_half_a_label_studio_is_refused(tmp_path: Path, missing: str) -> None:
    given = {name: value for name, value in THEIRS.items() if name != missing}
    with pytest.raises(StackError, match=f"{missing} is not"):
        plan(tmp_path / "state", **given)


@pytest.mark.parametrize(
    ("environ", "what"),
    [
        ({"FIELDLOOP_BACKEND_PORT": "ninety"}, "FIELDLOOP_BACKEND_PORT: must be a port"),
        ({"FIELDLOOP_BACKEND_PORT": "70000"}, "FIELDLOOP_BACKEND_PORT: must be a port"),
        (
            {"FIELDLOOP_BACKEND_PORT": "8080"},
            "FIELDLOOP_LABEL_STUDIO_PORT and FIELDLOOP_BACKEND_PORT",
        ),
        ({"REDIS_URL": "http://x"}, "REDIS_URL: must be an address"),
        ({"FIELDLOOP_LABEL_STUDIO_VENV": "/nowhere"}, "FIELDLOOP_LABEL_STUDIO_VENV: there is no"),
    ],
)
def test_settings_that_cannot_be(tmp_path: Path, environ: dict[str, str], what: str) -> None:
    with pytest.raises((StackError, ConfigError), match=what):
        plan(tmp_path / "state", **environ)


def test_ports_and_addresses_go_together(tmp_path: Path) -> None:
    found = plan(
        tmp_path / "state",
        FIELDLOOP_HOST="0.0.0.0",  # noqa: S104 - what is tested
        FIELDLOOP_BACKEND_PORT="19090",
        FIELDLOOP_LABEL_STUDIO_PORT="18080",
        LABEL_STUDIO_PUBLIC_URL="https://labels.test",
    )
    assert found.settings.backend_url == "http://127.0.0.1:19090"
    assert found.settings.label_studio_url == "http://127.0.0.1:18080"
    by_name = {part.name: part for part in found.parts}
    assert by_name["backend"].environ["FIELDLOOP_BIND"] == "0.0.0.0:19090"
    assert by_name["label-studio"].environ["LABEL_STUDIO_HOST"] == "https://labels.test"


def test_secrets_are_made_once_and_only_we_can_read_them(tmp_path: Path) -> None:
    first = plan(tmp_path / "state")
    second = plan(tmp_path / "state")
    assert first.made == second.made
    folder = first.folder
    write_env_file(folder.env_file, first.made, first.given)
    for path in (folder.secrets_file, folder.env_file):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for path in (folder.logs, folder.blobs, folder.redis, folder.label_studio):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    # For root others may pass through: Postgres runs as nobody.
    assert stat.S_IMODE(folder.path.stat().st_mode) & 0o066 == 0


def test_third_parties_see_none_of_our_secrets(tmp_path: Path) -> None:
    found = plan(tmp_path / "state")
    ours = {found.settings.webhook_secret, found.settings.signing_key}
    for part in found.parts:
        if not part.inherits:
            assert not ours & set(part.environ.values())
            assert not ours & set(part.command)


def test_the_next_start_does_not_take_its_own_parts_for_the_operators(tmp_path: Path) -> None:
    first = plan(tmp_path / "state")
    write_env_file(first.folder.env_file, first.made, first.given)
    sourced: Mapping[str, str] = {
        "FIELDLOOP_HOME": str(first.folder.path),
        **read_env_file(first.folder.env_file),
    }
    again = make_plan(first.folder, given_environment(sourced))
    assert names(again) == names(first)


def test_label_studios_environment_is_beside_ours_in_a_checkout(tmp_path: Path) -> None:
    venv = label_studio.default_venv(StateFolder(tmp_path))
    assert venv == Path(__file__).parents[2] / ".venv-label-studio"
