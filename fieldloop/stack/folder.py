"""The state folder: everything the local stack keeps, in one place that can be moved or deleted as a whole."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldloop.stack.errors import AlreadyRunning, StackError
from fieldloop.stack.settings import ENV_FILE, HOME, write_private

# A log beyond this many bytes is moved aside to NAME.log.1, which is replaced.
LOG_LIMIT = 20 * 1024 * 1024


@dataclass(frozen=True)
class StateFolder:
    """Paths below the state folder."""

    path: Path

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def env_file(self) -> Path:
        return self.path / ENV_FILE

    @property
    def secrets_file(self) -> Path:
        return self.path / "secrets.json"

    @property
    def run_file(self) -> Path:
        """What runs now; there while a supervisor lives, or after it died without stopping its parts."""
        return self.path / "run.json"

    @property
    def lock_file(self) -> Path:
        return self.path / "lock"

    @property
    def blobs(self) -> Path:
        return self.path / "blobs"

    @property
    def postgres(self) -> Path:
        return self.path / "postgres"

    @property
    def redis(self) -> Path:
        return self.path / "redis"

    @property
    def label_studio(self) -> Path:
        return self.path / "label-studio"

    def log(self, part: str) -> Path:
        return self.logs / f"{part}.log"

    def create(self) -> None:
        """Make the folder, private; for root others may pass through it, since Postgres never runs as root."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.path.chmod(0o711 if os.geteuid() == 0 else 0o700)
            for folder in (self.logs, self.blobs, self.redis, self.label_studio):
                folder.mkdir(exist_ok=True)
                folder.chmod(0o700)
        except OSError as error:
            raise StackError(
                f"The state folder {self.path} cannot be used: {error.strerror}. "
                f"Set {HOME} to a folder you may write to."
            ) from error

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder as its only supervisor. Raises AlreadyRunning; a dead holder's lock is gone with it."""
        descriptor = os.open(self.lock_file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AlreadyRunning(self.path, self.supervisor()) from None
            yield
        finally:
            os.close(descriptor)

    def is_locked(self) -> bool:
        """Whether a supervisor lives."""
        if not self.lock_file.exists():
            return False
        try:
            with self.lock():
                return False
        except AlreadyRunning:
            return True

    def supervisor(self) -> int | None:
        """The process id of the supervisor, from the run file."""
        pid = self.read_run().get("supervisor", {}).get("pid")
        return int(pid) if pid else None

    def read_run(self) -> dict[str, Any]:
        """The run file; empty if nothing runs, or if the file cannot be read."""
        try:
            run = json.loads(self.run_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return run if isinstance(run, dict) else {}

    def write_run(self, run: Mapping[str, Any]) -> None:
        write_private(self.run_file, json.dumps(run, indent=1))


@dataclass(frozen=True)
class Secrets:
    """Made on the first start and kept; whoever has them has everything."""

    postgres_password: str
    database_password: str
    label_studio_database_password: str
    redis_password: str
    reader_password: str
    webhook_secret: str
    signing_key: str
    label_studio_password: str
    label_studio_token: str
    label_studio_secret_key: str

    @classmethod
    def load_or_make(cls, path: Path) -> Secrets:
        """Read the file, complete what it lacks, and keep it mode 600."""
        kept: dict[str, str] = {}
        if path.exists():
            try:
                kept = json.loads(path.read_text(encoding="utf-8"))
            except ValueError:
                raise StackError(
                    f"{path} is damaged: restore it from a backup. Without it the databases beside it cannot be opened."
                ) from None
        lengths = {"label_studio_token": 20, "label_studio_password": 8}
        values = {
            name: kept.get(name) or secrets.token_hex(lengths.get(name, 24))
            for name in cls.__dataclass_fields__
        }
        if values != kept:
            write_private(path, json.dumps(values, indent=1))
        path.chmod(0o600)
        return cls(**values)


def tail(path: Path, lines: int, *, since: int = 0) -> str:
    """The last lines of a log, of those written after its first ``since`` bytes; empty if there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(since, path.stat().st_size - 256 * lines - 4096))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def rotate(path: Path, limit: int = LOG_LIMIT) -> bool:
    """Move a long log aside. Writers keep their open file, so it is copied and then emptied."""
    try:
        size = path.stat().st_size
        if size <= limit:
            return False
        aside = path.with_name(f"{path.name}.1")
        with path.open("rb") as source, aside.open("wb") as target:
            aside.chmod(0o600)
            source.seek(size - limit)
            target.write(source.read())
        os.truncate(path, 0)
    except FileNotFoundError:
        return False
    return True


def size_of(path: Path) -> int:
    """Bytes in a file; 0 if there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
