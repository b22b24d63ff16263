"""What a part of the stack is: a program, what it waits for, and how one knows that it is ready."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import psycopg
import redis
import requests

from db.session import libpq_conninfo
from fieldloop.stack.processes import AsUser, fingerprint

# Local answers come in milliseconds; one that takes longer is asked again.
PROBE_SECONDS = 1.0
# RQ's set of the workers of our queue. RQ itself is slow to import, and asks for more.
_WORKERS = "rq:workers:fieldloop"


def nothing() -> None:
    """Where a part needs no preparation."""


def always() -> bool:
    return True


def never() -> bool:
    return False


@dataclass(frozen=True)
class Part:
    """One program of the stack. A service runs on; a step ends, and its success is its readiness."""

    name: str
    command: tuple[str, ...]
    """Empty for a step that is nothing but its ``prepare``."""
    cwd: Path
    needs: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    """Beyond the environment all parts share."""
    inherits: bool = True
    """Whether it sees the environment and settings of the stack; third parties get their own only."""
    step: bool = False
    is_done: Callable[[], bool] = never
    """Asked before a step starts: True if there is nothing to do."""
    prepare: Callable[[], None] = nothing
    """Called right before the program starts; milliseconds, for it holds everything up."""
    finish: Callable[[], None] = nothing
    """Called when a step has ended well."""
    is_ready: Callable[[], bool] = always
    settle_seconds: float = 0.0
    """For a program that nobody can ask: how long it must have run to count as ready."""
    ready_seconds: float = 60.0
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 15.0
    adoptable: bool = False
    """Whether a survivor of a killed supervisor is taken over. Not our own programs: their code may have changed."""
    host: str = "127.0.0.1"
    port: int | None = None
    port_setting: str = ""
    address: str = ""
    """For people; holds no secret."""
    user: AsUser = field(default_factory=AsUser)

    @property
    def fingerprint(self) -> str:
        return fingerprint((*self.user.prefix, *self.command), self.environ)


def postgres_answers(url: str) -> bool:
    """Whether a connection can be made."""
    try:
        psycopg.connect(libpq_conninfo(url), connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def redis_answers(url: str) -> bool:
    """Whether it answers PING; not while it still loads its file."""
    try:
        with redis.Redis.from_url(
            url, socket_timeout=PROBE_SECONDS, socket_connect_timeout=PROBE_SECONDS
        ) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


@dataclass
class WorkerHeard:
    """Whether a worker that was started after ``begin`` on this machine has said in Redis that it is there."""

    url: str
    since: float = 0.0

    def begin(self) -> None:
        self.since = time.time()

    def __call__(self) -> bool:
        try:
            with redis.Redis.from_url(
                self.url, socket_timeout=PROBE_SECONDS, socket_connect_timeout=PROBE_SECONDS
            ) as client:
                rows = [client.hmget(key, "hostname", "birth") for key in client.smembers(_WORKERS)]
        except redis.RedisError:
            return False
        return any(
            host.decode() == socket.gethostname()
            and datetime.fromisoformat(birth.decode()).timestamp() >= self.since - 1
            for host, birth in rows
            if host and birth
        )


def http_answers(url: str) -> bool:
    """Whether GET says 200."""
    try:
        return requests.get(url, timeout=PROBE_SECONDS).status_code == 200
    except requests.RequestException:
        return False


def reachable(host: str) -> str:
    """Where a server that listens on ``host`` is reached from this machine."""
    return "127.0.0.1" if host in {"", "0.0.0.0", "::", "localhost"} else host  # noqa: S104


def port_is_open(host: str, port: int) -> bool:
    """Whether somebody accepts connections there."""
    try:
        socket.create_connection((host, port), timeout=PROBE_SECONDS).close()
    except OSError:
        return False
    return True
