"""Processes by identity: a process id alone may be somebody else's by now, so its start time goes with it."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

# Every process of a stack, and whatever it starts, carries these in its environment: a supervisor that
# was killed between starting a part and writing it down still leaves a trace.
HOME_MARK = "FIELDLOOP_STACK"
PART_MARK = "FIELDLOOP_STACK_PART"


@dataclass(frozen=True, slots=True)
class Identity:
    """One process for all time, not a number that is used again."""

    pid: int
    started: float
    """Seconds since 1970, as the operating system gives it."""

    def is_alive(self) -> bool:
        """Whether this very process runs; one that ended and was not yet waited for does not."""
        try:
            process = psutil.Process(self.pid)
            # The boot time behind it moves with the clock, so a second either way is the same process.
            return (
                abs(process.create_time() - self.started) < 1.0
                and process.status() != psutil.STATUS_ZOMBIE
            )
        except psutil.NoSuchProcess:
            return False


def identify(pid: int) -> Identity | None:
    """The process that has this id now; None if there is none."""
    try:
        return Identity(pid, psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


@dataclass(frozen=True)
class AsUser:
    """Whom a program runs as. Empty: as whoever runs us."""

    prefix: tuple[str, ...] = ()
    """A program that changes the identity and then becomes the one named after it."""
    uid: int | None = None
    gid: int | None = None

    def options(self) -> dict[str, int | list[int]]:
        """Keyword arguments of subprocess."""
        if self.uid is None or self.gid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def start(
    command: Sequence[str],
    *,
    environ: Mapping[str, str],
    log: Path,
    cwd: Path,
    user: AsUser,
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, so that Ctrl-C in the terminal reaches the supervisor alone."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        process: subprocess.Popen[bytes] = subprocess.Popen(
            [*user.prefix, *command],
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=subprocess.STDOUT,
            env=dict(environ),
            cwd=cwd,
            start_new_session=True,
            **user.options(),  # type: ignore[call-overload]
        )
        return process
    finally:
        os.close(descriptor)


def stop(
    processes: Iterable[tuple[Identity, signal.Signals]],
    *,
    seconds: float,
) -> list[Identity]:
    """Ask each to end, wait together, then kill what is left with its process group. Returns those killed."""
    waiting = []
    for identity, how in processes:
        if identity.is_alive():
            with suppress(ProcessLookupError):
                os.kill(identity.pid, how)
            waiting.append(identity)
    deadline = time.monotonic() + seconds
    while waiting and time.monotonic() < deadline:
        for identity in waiting:
            _reap(identity.pid)
        waiting = [identity for identity in waiting if identity.is_alive()]
        time.sleep(0.02)
    for identity in waiting:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(identity.pid, signal.SIGKILL)
        with suppress(ProcessLookupError):
            os.kill(identity.pid, signal.SIGKILL)
        _reap(identity.pid)
    return waiting


def marked(home: Path) -> dict[Identity, str]:
    """Living processes of the stack in ``home``, and the part each belongs to; not this one or its parents."""
    ours = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = {}
    for process in psutil.process_iter():
        if process.pid in ours:
            continue
        with suppress(psutil.Error, OSError):
            environ = process.environ()
            if environ.get(HOME_MARK) == str(home) and process.status() != psutil.STATUS_ZOMBIE:
                found[Identity(process.pid, process.create_time())] = environ.get(PART_MARK, "")
    return found


def fingerprint(command: Sequence[str], environ: Mapping[str, str]) -> str:
    """Changes when a part would be started differently: such a survivor is stopped, not adopted."""
    text = repr((tuple(command), sorted(environ.items())))
    return hashlib.sha256(text.encode()).hexdigest()


def is_free(host: str, port: int) -> bool:
    """Whether a server may listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def listener(port: int) -> str | None:
    """Who listens on the port, for people; None where the system does not tell."""
    with suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if (
                connection.status == psutil.CONN_LISTEN
                and connection.laddr
                and connection.laddr.port == port
                and connection.pid
            ):
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    return None


def _reap(pid: int) -> None:
    # A child of ours stays a zombie until waited for; somebody else's is none of our business.
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
