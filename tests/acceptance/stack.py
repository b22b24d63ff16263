"""The whole product as `make up` starts it, in a state folder of its own and on ports of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import requests

from db.config import Settings
from db.label_studio import LabelStudio
from db.session import libpq_conninfo
from fieldloop.stack.folder import Secrets, StateFolder
from fieldloop.stack.label_studio import DEFAULT_USER, VENV_SETTING
from fieldloop.stack.settings import HOME, read_env_file
from tests.label_studio import environment

START_SECONDS = 900
PORTS = (
    "FIELDLOOP_LABEL_STUDIO_PORT",
    "FIELDLOOP_BACKEND_PORT",
    "FIELDLOOP_POSTGRES_PORT",
    "FIELDLOOP_REDIS_PORT",
)


@dataclass(frozen=True)
class Stack:
    """A running stack: its settings, and ways to look into it."""

    folder: StateFolder
    environ: Mapping[str, str]
    settings: Settings
    email: str
    password: str

    @property
    def label_studio(self) -> LabelStudio:
        return LabelStudio(self.settings.label_studio_url, self.settings.label_studio_api_key)

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A command of the program, as an operator types it."""
        answer = subprocess.run(
            [sys.executable, "-m", "fieldloop", *arguments],
            env=dict(self.environ),
            cwd=self.folder.path,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
        )
        if check and answer.returncode != 0:
            raise AssertionError(
                f"fieldloop {' '.join(arguments)}: exit code {answer.returncode}\n{answer.stdout}\n{answer.stderr}"
            )
        return answer

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """What the record says."""
        with psycopg.connect(libpq_conninfo(self.settings.database_url)) as connection:
            return connection.execute(query, values).fetchall()

    def eventually(self, query: str, *values: Any, seconds: float = 90) -> list[tuple[Any, ...]]:
        """The first rows this query finds."""
        deadline = time.monotonic() + seconds
        while True:
            found = self.rows(query, *values)
            if found:
                return found
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"nothing after {seconds:.0f} s: {query} {values}\n{self.log()}"
                )
            time.sleep(0.3)

    def upload(self, name: str, data: bytes) -> str:
        """Upload one file; the id of its version."""
        answer = requests.post(
            f"{self.settings.backend_url}/api/documents",
            files={"files": (name, data)},
            timeout=60,
        )
        assert answer.status_code < 300, answer.text
        version: str = answer.json()["files"][0]["version_id"]
        return version

    def log(self, lines: int = 15) -> str:
        """The end of every log that says something."""
        parts = sorted(self.folder.logs.glob("*.log"))
        return "\n".join(
            f"--- {part.stem}\n" + "\n".join(part.read_text(errors="replace").splitlines()[-lines:])
            for part in parts
        )


@contextmanager
def running_stack(home: Path, **settings: str) -> Iterator[Stack]:
    """`fieldloop up --detach`, and `fieldloop down` at the end."""
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FIELDLOOP_", "LABEL_STUDIO", "DATABASE_", "REDIS_", "BLOB_"))
    }
    environ |= {HOME: str(home), VENV_SETTING: str(environment()), "NO_COLOR": "1"}
    environ |= dict(zip(PORTS, map(str, _free_ports(len(PORTS))), strict=True)) | settings
    home.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "fieldloop"]
    options: dict[str, Any] = {"env": environ, "cwd": home, "capture_output": True, "text": True}
    try:
        started = subprocess.run([*command, "up", "--detach"], timeout=START_SECONDS, **options)
        folder = StateFolder(home)
        assert started.returncode == 0, f"{started.stdout}\n{started.stderr}"
        values = read_env_file(folder.env_file)
        secrets = Secrets.load_or_make(folder.secrets_file)
        yield Stack(
            folder,
            environ,
            Settings.from_environ({**environ, **values}),
            environ.get("FIELDLOOP_LABEL_STUDIO_USER", DEFAULT_USER),
            secrets.label_studio_password,
        )
    finally:
        with suppress(subprocess.TimeoutExpired):
            subprocess.run([*command, "down"], timeout=120, **options)


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()
