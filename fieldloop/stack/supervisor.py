"""Starts the parts in the order of their needs, keeps them running, stops them in reverse.

One loop, no threads: what is to do next follows from the state of the parts alone. Everything that outlives
the loop is in the run file, so that a supervisor that was killed can be replaced by the next.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from types import FrameType
from typing import Any

from fieldloop.stack.errors import PartFailed, PortBusy
from fieldloop.stack.folder import StateFolder, rotate, size_of, tail
from fieldloop.stack.leftovers import leftovers, stop_leftovers
from fieldloop.stack.parts import Part
from fieldloop.stack.processes import (
    HOME_MARK,
    PART_MARK,
    Identity,
    identify,
    is_free,
    listener,
    marked,
    start,
    stop,
)

# A part that was ready for this many seconds starts over with short pauses when it crashes.
STEADY_SECONDS = 60.0
LONGEST_PAUSE = 60.0
# How often a service may end before it was ready, while the stack starts.
TRIES = 3
TAIL_LINES = 15
_BUSY_TICK, _IDLE_TICK, _ROTATE_EVERY = 0.05, 0.5, 60.0


class State(StrEnum):
    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    DONE = "done"
    PAUSING = "restarting"
    STOPPED = "stopped"


@dataclass
class _Running:
    """A part and how it fares; the only mutable state of the supervisor."""

    part: Part
    state: State = State.WAITING
    process: subprocess.Popen[bytes] | None = None
    identity: Identity | None = None
    adopted: bool = False
    since: float = 0.0
    """Monotonic seconds of the last change of state."""
    changed: float = 0.0
    """The same by the clock, for people."""
    crashes: int = 0
    """In a row."""
    restarts: int = 0
    resume: float = 0.0
    code: int | None = None
    log_from: int = 0
    """Where in its log the words of this process begin."""

    def enter(self, state: State) -> None:
        self.state, self.since, self.changed = state, time.monotonic(), time.time()

    @property
    def satisfied(self) -> bool:
        return self.state in {State.READY, State.DONE}


@dataclass(frozen=True)
class Event:
    """Something a person watching wants to see."""

    part: str
    state: State
    seconds: float
    text: str = ""


class Supervisor:
    """Runs a plan until it is told to stop."""

    def __init__(
        self,
        folder: StateFolder,
        parts: Sequence[Part],
        environ: Mapping[str, str],
        tell: Callable[[Event], None],
    ) -> None:
        self._folder = folder
        self._parts = {part.name: _Running(part) for part in parts}
        self._environ = environ
        self._tell = tell
        self._phase = "starting"
        self._stops = 0
        self._began = time.time()

    def run(self, *, on_ready: Callable[[], None], survivors: Mapping[str, Identity]) -> None:
        """Start everything, call ``on_ready``, watch, and stop everything in the end, whatever happens.

        ``survivors``: processes known to belong to parts although no run file says so. The folder must be
        locked. Raises PartFailed or PortBusy if the stack does not come up.
        """
        previous = {number: signal.signal(number, self._on_signal) for number in _STOPPING}
        try:
            self._take_over(survivors)
            self._check_ports()
            self._write()
            self._loop(on_ready)
        finally:
            self._phase = "stopping"
            self._stop_all()
            for number, handler in previous.items():
                signal.signal(number, handler)

    # Starting.

    def _take_over(self, survivors: Mapping[str, Identity]) -> None:
        """Adopt what an earlier supervisor left behind and is still as wanted; stop the rest."""
        left = leftovers(self._folder, survivors)
        kept = set()
        for identity, name, wanted in left:
            running = self._parts.get(name)
            if (
                running is not None
                and running.identity is None
                and running.part.adoptable
                and wanted in {None, running.part.fingerprint}
                and running.part.is_ready()
            ):
                running.identity, running.adopted = identity, True
                kept.add(name)
        # What an adopted part has started (Postgres, Label Studio) carries its mark and stays.
        stop_leftovers(self._folder, [row for row in left if row[1] not in kept])

    def _check_ports(self) -> None:
        for running in self._parts.values():
            part = running.part
            if running.adopted or part.port is None:
                continue
            if not is_free(part.host, part.port):
                raise PortBusy(part.name, part.port, part.port_setting, listener(part.port))

    def _loop(self, on_ready: Callable[[], None]) -> None:
        announced = False
        rotated = time.monotonic()
        while not self._stops:
            moved = [self._advance(running) for running in self._parts.values()]
            if any(moved):
                self._write()
            if not announced and all(running.satisfied for running in self._parts.values()):
                announced, self._phase = True, "ready"
                self._write()
                on_ready()
            if time.monotonic() - rotated > _ROTATE_EVERY:
                rotated = time.monotonic()
                for name in self._parts:
                    rotate(self._folder.log(name))
            calm = all(running.satisfied for running in self._parts.values())
            time.sleep(_IDLE_TICK if calm else _BUSY_TICK)

    def _advance(self, running: _Running) -> bool:
        """Do for one part what is due. Returns whether something changed."""
        match running.state:
            case State.WAITING:
                if all(self._parts[need].satisfied for need in running.part.needs):
                    self._start(running)
                    return True
            case State.PAUSING:
                if time.monotonic() >= running.resume:
                    self._start(running)
                    return True
            case State.STARTING:
                return self._look_after_start(running)
            case State.READY:
                if not self._is_alive(running):
                    self._crashed(running)
                    return True
            case _:
                pass
        return False

    def _start(self, running: _Running) -> None:
        part = running.part
        if running.adopted and running.identity and running.identity.is_alive():
            self._enter(running, State.READY, "was still running")
            return
        running.adopted = False
        if part.step and part.is_done():
            self._enter(running, State.DONE, "nothing to do")
            return
        part.prepare()
        if not part.command:
            self._enter(running, State.DONE)
            return
        log = self._folder.log(part.name)
        rotate(log)
        running.log_from = size_of(log)
        running.process = start(
            part.command,
            environ=self._environment_of(part),
            log=log,
            cwd=part.cwd,
            user=part.user,
        )
        running.identity = identify(running.process.pid)
        running.code = None
        self._enter(running, State.STARTING)

    def _environment_of(self, part: Part) -> dict[str, str]:
        base = dict(self._environ) if part.inherits else _bare(self._environ)
        marks = {HOME_MARK: str(self._folder.path), PART_MARK: part.name}
        return {**base, "PYTHONUNBUFFERED": "1", **part.environ, **marks}

    def _look_after_start(self, running: _Running) -> bool:
        part = running.part
        alive = self._is_alive(running)
        if part.step and not alive:
            if running.code != 0:
                raise self._failure(running, f"failed (exit code {running.code})")
            part.finish()
            self._enter(running, State.DONE)
            return True
        if not alive:
            self._crashed(running)
            return True
        seconds = time.monotonic() - running.since
        if not part.step and seconds >= part.settle_seconds and part.is_ready():
            self._enter(running, State.READY)
            return True
        if seconds > part.ready_seconds:
            if self._phase == "starting":
                raise self._failure(running, f"was not ready after {part.ready_seconds:.0f} s")
            if running.identity:  # hung after a restart: treat it as a crash
                stop([(running.identity, part.stop_signal)], seconds=part.stop_seconds)
            self._crashed(running)
            return True
        return False

    def _crashed(self, running: _Running) -> None:
        steady = running.state is State.READY and time.monotonic() - running.since > STEADY_SECONDS
        running.crashes = 1 if steady else running.crashes + 1
        if self._phase == "starting" and running.crashes >= TRIES:
            raise self._failure(running, f"ended {TRIES} times (exit code {running.code})")
        # Children of a crashed part (gunicorn's workers, a work horse) would hold its port or its work.
        self._end_family(running.part.name)
        pause = min(2.0 ** (running.crashes - 1), LONGEST_PAUSE)
        running.resume = time.monotonic() + pause
        running.restarts += 1
        running.process = running.identity = None
        running.adopted = False
        how = f" (exit code {running.code})" if running.code is not None else ""
        self._enter(running, State.PAUSING, f"ended unexpectedly{how}; again in {pause:.0f} s")

    def _is_alive(self, running: _Running) -> bool:
        if running.process is not None:
            running.code = running.process.poll()
            return running.code is None
        return running.identity is not None and running.identity.is_alive()

    def _failure(self, running: _Running, problem: str) -> PartFailed:
        log = self._folder.log(running.part.name)
        return PartFailed(
            running.part.name, problem, log, tail(log, TAIL_LINES, since=running.log_from)
        )

    # Stopping.

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._stops += 1

    def _stop_all(self) -> None:
        """Whatever needs a part stops before it. A second Ctrl-C makes it short."""
        self._write()
        remaining = {
            name: running for name, running in self._parts.items() if running.identity is not None
        }
        while remaining:
            last = [
                running
                for name, running in remaining.items()
                if not any(_needs(self._parts, other, name) for other in remaining if other != name)
            ]
            for running in last:
                running.since = time.monotonic()
                self._signal(running)
            for running in last:
                self._finish_stop(running)
                del remaining[running.part.name]
            self._write()
        for name in self._parts:
            self._end_family(name)
        self._folder.run_file.unlink(missing_ok=True)

    def _signal(self, running: _Running) -> None:
        if running.identity and self._is_alive(running):
            with suppress(ProcessLookupError):
                os.kill(running.identity.pid, running.part.stop_signal)

    def _finish_stop(self, running: _Running) -> None:
        deadline = running.since + running.part.stop_seconds
        while time.monotonic() < deadline and self._stops < 2 and self._is_alive(running):
            time.sleep(0.02)
        text = ""
        if running.identity and self._is_alive(running):
            stop([(running.identity, running.part.stop_signal)], seconds=0.5)
            text = "did not stop in time and was killed"
        if running.state in {State.STARTING, State.READY}:
            self._enter(running, State.STOPPED, text)
        running.process = running.identity = None

    def _end_family(self, name: str) -> None:
        family = [identity for identity, part in marked(self._folder.path).items() if part == name]
        stop([(identity, signal.SIGTERM) for identity in family], seconds=3)

    # Telling.

    def _enter(self, running: _Running, state: State, text: str = "") -> None:
        seconds = time.monotonic() - running.since if running.since else 0.0
        running.enter(state)
        self._tell(Event(running.part.name, state, seconds, text))

    def _write(self) -> None:
        me = identify(os.getpid())
        self._folder.write_run(
            {
                "supervisor": asdict(me) if me else {},
                "phase": self._phase,
                "began": self._began,
                "parts": {name: _row(running) for name, running in self._parts.items()},
            }
        )


_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _needs(parts: Mapping[str, _Running], name: str, wanted: str) -> bool:
    """Whether ``name`` needs ``wanted``, directly or not."""
    needs = parts[name].part.needs
    return wanted in needs or any(_needs(parts, need, wanted) for need in needs)


def _row(running: _Running) -> dict[str, Any]:
    part, identity = running.part, running.identity
    return {
        "state": running.state.value,
        "pid": identity.pid if identity else None,
        "started": identity.started if identity else None,
        "since": running.changed or None,
        "restarts": running.restarts,
        "step": part.step,
        "address": part.address,
        "fingerprint": part.fingerprint,
        "stop_signal": int(part.stop_signal),
        "stop_seconds": part.stop_seconds,
    }


def _bare(environ: Mapping[str, str]) -> dict[str, str]:
    """What any program needs, and none of our secrets."""
    wanted = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH")
    return {name: environ[name] for name in wanted if name in environ}
