"""Several workers from one program: forked after the imports, so that they share those pages; kept up."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import NoReturn

log = logging.getLogger(__name__)

_TICK = 0.1
_LONGEST_PAUSE = 30.0
_STOPPING = (signal.SIGTERM, signal.SIGINT)


class Herd:
    """``count`` processes that each run ``body``; one that dies is replaced, after a growing pause."""

    def __init__(self, count: int, body: Callable[[], None]) -> None:
        self._count = count
        self._body = body
        self._running: dict[int, float] = {}
        self._stops = 0

    def run(self) -> None:
        """Until SIGTERM or SIGINT; then pass it on and wait for all to end."""
        for number in _STOPPING:
            signal.signal(number, self._on_signal)
        crashes, resume = 0, 0.0
        while not self._stops:
            for lasted in self._reap():
                crashes = 1 if lasted > 60 else crashes + 1
                resume = time.monotonic() + min(2.0 ** (crashes - 1), _LONGEST_PAUSE)
                log.warning("a worker process ended after %.0f s and is replaced", lasted)
            if time.monotonic() >= resume:
                while len(self._running) < self._count and not self._stops:
                    self._fork()
            time.sleep(_TICK)
        while self._running:
            self._reap()
            time.sleep(_TICK)

    def _fork(self) -> None:
        # A signal in between would be passed on to all but the new one, or be taken by the new one for its parent's.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
        try:
            pid = os.fork()
            if pid == 0:
                self._be_a_worker()
            self._running[pid] = time.monotonic()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)

    def _be_a_worker(self) -> NoReturn:
        code = 1
        for number in _STOPPING:  # not the parent's any more
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
        try:
            self._body()
            code = 0
        except BaseException:
            log.exception("a worker process failed")
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _reap(self) -> list[float]:
        """How long those lasted that have ended."""
        lasted = []
        for pid, since in list(self._running.items()):
            if os.waitpid(pid, os.WNOHANG)[0]:
                lasted.append(time.monotonic() - since)
                del self._running[pid]
        return lasted

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del frame
        self._stops += 1
        for pid in self._running:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.Signals(number))
