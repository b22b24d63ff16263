"""A real Label Studio for one test session, in its own environment, on a database of the test Postgres.

Its first start runs hundreds of migrations. The migrated database is kept as a dump beside the environment,
under the hash of its lock file, so that later sessions start from there in seconds.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import requests

from db.label_studio import LabelStudio
from fieldloop.stack.folder import Secrets, StateFolder
from fieldloop.stack.label_studio import VENV_SETTING, LocalLabelStudio, install, lock_file
from tests.local_servers import binaries

CHECKOUT = Path(__file__).parents[1]
EMAIL = "reviewer@example.com"
# One set for all sessions: the dump holds the user they belong to.
PASSWORD = "label-studio-pass"
TOKEN = "0123456789abcdef0123456789abcdef01234567"
START_SECONDS = 600


@dataclass(frozen=True)
class LabelStudioServer:
    """Where it is, and its only user."""

    url: str
    token: str = TOKEN
    email: str = EMAIL
    password: str = PASSWORD
    files: Path | None = None
    """The folder it serves at its own address: FIELDLOOP_LABEL_STUDIO_FILES."""

    @property
    def client(self) -> LabelStudio:
        return LabelStudio(self.url, self.token)


def environment() -> Path:
    """The virtual environment of Label Studio, installed from its lock if it is not there."""
    given = os.environ.get(VENV_SETTING)
    venv = Path(given).absolute() if given else CHECKOUT / ".venv-label-studio"
    if not given:
        install(venv, lock_file())
    return venv


@contextmanager
def running_label_studio(postgres: str) -> Iterator[LabelStudioServer]:
    """Start it on a free port with a database of its own on the server at ``postgres``."""
    venv = environment()
    folder = StateFolder(Path(tempfile.mkdtemp(prefix="fieldloop-test-label-studio-")))
    folder.create()
    name = f"label_studio_{uuid.uuid4().hex[:8]}"
    dump = _dump(venv)
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    database = urlsplit(postgres)._replace(path=f"/{name}").geturl()
    if dump.exists():
        _program("pg_restore", "--no-owner", "--dbname", database, str(dump))
    log = folder.label_studio / "log"
    server: subprocess.Popen[bytes] | None = None
    try:
        local = _local(folder, venv, database)
        local.place_page()
        with log.open("wb") as output:
            server = subprocess.Popen(
                local.parts(needs=())[1].command,
                env={"PATH": os.environ["PATH"], "HOME": str(folder.path), **local.environ()},
                cwd=folder.label_studio,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _wait(server, local.url, log)
        if not dump.exists():
            draft = dump.with_suffix(f".{os.getpid()}")
            _program("pg_dump", "-Fc", "--no-owner", "--file", str(draft), database)
            draft.replace(dump)
        yield LabelStudioServer(local.url, files=local.served)
    finally:
        if server is not None:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(timeout=30)
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        shutil.rmtree(folder.path, ignore_errors=True)


def _local(folder: StateFolder, venv: Path, database: str) -> LocalLabelStudio:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    secrets = Secrets(
        **{name: f"test-{name}" for name in Secrets.__dataclass_fields__}
        | {"label_studio_password": PASSWORD, "label_studio_token": TOKEN}
    )
    return LocalLabelStudio(
        folder=folder,
        secrets=secrets,
        port=port,
        host="127.0.0.1",
        public_url=f"http://127.0.0.1:{port}",
        user=EMAIL,
        database_url=database,
        venv=venv,
        installs=False,
    )


def _dump(venv: Path) -> Path:
    stamp = venv / "installed-from"
    kept = stamp.read_bytes() if stamp.exists() else str(venv).encode()
    return venv / f"test-database-{hashlib.sha256(kept).hexdigest()[:12]}.dump"


def _program(name: str, *arguments: str) -> None:
    subprocess.run([binaries() / name, *arguments], check=True, capture_output=True)


def _wait(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            if requests.get(f"{url}/health", timeout=2).status_code == 200:
                return
        except requests.RequestException:
            pass
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(
                f"Label Studio did not start:\n{log.read_text(errors='replace')[-4000:]}"
            )
        time.sleep(0.2)
