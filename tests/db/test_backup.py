"""A backup comes back as it was, and a damaged one is refused before anything changes."""

from __future__ import annotations

import stat
import tarfile

import psycopg
import pytest
from click.testing import CliRunner
from sqlalchemy.engine import make_url

from db.backup import BackupError, verify
from db.blobs import open_blobs
from db.session import libpq_conninfo
from fieldloop.commands.backup import backup
from fieldloop.commands.restore import restore
from tests import factories
from tests.db.test_erase import fill
from tests.migrations.snapshot import snapshot


def contents(url):
    """Every row of every table, as JSON."""
    with psycopg.connect(libpq_conninfo(url)) as connection:
        tables = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        ).fetchall()
        return {
            table: sorted(
                row[0] for row in connection.execute(f"SELECT to_jsonb(t)::text FROM {table} t")
            )
            for (table,) in tables
        }


@pytest.fixture
def saved(committed_database, tmp_path, monkeypatch):
    blobs = open_blobs((tmp_path / "blobs").as_uri())
    with committed_database.session_factory.begin() as session:
        project = factories.project(session, label_studio_id=7)
        fill(session, blobs, project, "Ação nº 1", 1)
        fill(session, blobs, project, "100 %", 2)
    monkeypatch.setenv("DATABASE_URL", committed_database.url)
    monkeypatch.setenv("BLOB_URL", (tmp_path / "blobs").as_uri())
    file = tmp_path / "record.tar"
    result = CliRunner().invoke(backup, [str(file)])
    assert result.exit_code == 0, result.output
    return file


def test_round_trip(saved, committed_database, empty_database, tmp_path, monkeypatch):
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    monkeypatch.setenv("DATABASE_URL", empty_database)
    monkeypatch.setenv("BLOB_URL", (tmp_path / "other").as_uri())
    result = CliRunner().invoke(restore, [str(saved)])
    assert result.exit_code == 0, result.output
    assert contents(empty_database) == contents(committed_database.url)
    # Postgres spells the expressions of a restored schema in its own way; names and comments are ours.
    names = [
        {(row[0], row[1], row[3]) for row in snapshot(url) if row[0] != "function"}
        for url in (empty_database, committed_database.url)
    ]
    assert names[0] == names[1]
    old, new = open_blobs((tmp_path / "blobs").as_uri()), open_blobs((tmp_path / "other").as_uri())
    assert set(new.iterate()) == set(old.iterate()) == set(verify(saved).blobs)
    assert all(new.get(key) == old.get(key) for key in old.iterate())
    # The history goes on where it was: numbers are not used twice.
    with psycopg.connect(libpq_conninfo(empty_database)) as connection:
        with pytest.raises(psycopg.errors.RestrictViolation), connection.transaction():
            connection.execute("DELETE FROM annotation_events")
        row = connection.execute(
            "INSERT INTO projects (title, created_by) VALUES ('new', 't')"
            " RETURNING id > (SELECT max(id) FROM projects)"
        ).fetchone()
        assert row == (True,)


def test_a_database_in_use_is_not_overwritten(saved, committed_database):
    before = contents(committed_database.url)
    result = CliRunner().invoke(restore, [str(saved)])
    assert result.exit_code == 1
    assert "not empty" in result.output
    assert contents(committed_database.url) == before


@pytest.mark.parametrize("damage", ["cut", "flipped", "blob removed", "not a tar"])
def test_damage_is_found_before_anything_changes(
    saved, tmp_path, damage, empty_database, monkeypatch
):
    data = bytearray(saved.read_bytes())
    with tarfile.open(saved) as archive:
        blob = next(member for member in archive if member.name.startswith("blobs/"))
    if damage == "cut":
        data = data[: blob.offset_data + 5]
    elif damage == "flipped":
        data[blob.offset_data] ^= 1
    elif damage == "blob removed":
        del data[blob.offset : blob.offset + 1024]
    else:
        data = bytearray(b"hello" * 1000)
    saved.write_bytes(bytes(data))
    with pytest.raises(BackupError, match=r"record\.tar"):
        verify(saved)
    monkeypatch.setenv("DATABASE_URL", empty_database)
    result = CliRunner().invoke(restore, [str(saved)])
    assert result.exit_code == 1
    assert snapshot(empty_database) == set()


def test_a_wrong_address_is_a_sentence(tmp_path, postgres_url, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", str(make_url(postgres_url)))
    monkeypatch.setenv("BLOB_URL", tmp_path.as_uri())
    result = CliRunner().invoke(backup, [str(tmp_path / "x.tar")])
    assert "holds no record" in result.output
    assert list(tmp_path.iterdir()) == []
