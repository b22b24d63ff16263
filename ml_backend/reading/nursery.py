"""The process that makes reading processes: loaded once, forked for every document.

``python -m ml_backend.reading.nursery SOCKET_FD ALIVE_FD`` listens on the socket it is given. A connection is
one document: a keeper is forked for it, and the keeper forks the process that reads. The keeper watches the
clock and the caller, passes on whole frames only, and says in the end how the reading process ended. The
nursery itself has one thread and never touches a document, so that a fork of it is always sound. It ends when
the other end of ALIVE_FD is closed by all who hold it.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import socket
import sys
import time
from typing import NoReturn

from ml_backend.reading import child, frames
from ml_backend.reading.frames import Request


def serve(listener: socket.socket, alive: int) -> None:
    """Fork a keeper for every connection until ``alive`` is closed."""
    # Who forked us may ignore or block signals that the limits rely on.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # keepers are not waited for
    gc.freeze()
    while True:
        ready = select.select([listener.fileno(), alive], [], [])[0]
        if alive in ready:
            return
        channel, _ = listener.accept()
        if os.fork() == 0:
            _leave(listener, alive, channel)
        channel.close()


def _leave(listener: socket.socket, alive: int, channel: socket.socket) -> NoReturn:
    code = 1
    try:
        listener.close()
        os.close(alive)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _keep(channel)
        code = 0
    finally:
        os._exit(code)


def _keep(channel: socket.socket) -> None:
    try:
        _, asked = frames.receive(channel)
        request = frames.from_json(asked)
        _, data = frames.receive(channel)
    except frames.Closed:
        return
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            ours.close()
            channel.close()
            code = child.run(theirs, request, data)
        finally:
            with contextlib.suppress(Exception):
                sys.stderr.flush()
            os._exit(code)
    theirs.close()
    del data
    late = _pass_on(ours, channel, request)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    _, status, used = os.wait4(pid, 0)
    with contextlib.suppress(frames.Closed):
        frames.send_json(
            channel,
            frames.ENDED,
            {
                "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
                "code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else 0,
                "late": late,
                "peak_kib": used.ru_maxrss // (1 if sys.platform == "linux" else 1024),
                "cpu_seconds": used.ru_utime + used.ru_stime,
            },
        )


def _pass_on(reader: socket.socket, caller: socket.socket, request: Request) -> bool:
    """Hand frames over until the reader closes its end or the caller is gone; True if it took too long."""
    limits = request.limits
    end = time.monotonic() + limits.wall_seconds
    while True:
        left = min(end - time.monotonic(), limits.step_wall_seconds)
        ready, _, _ = select.select([reader, caller], [], [], max(left, 0.0))
        if not ready:
            return True
        if caller in ready:
            return False  # it never speaks again: readable means closed
        try:
            kind, payload = frames.receive(reader)
            frames.send(caller, kind, payload)
        except frames.Closed:
            return False


def main() -> None:
    listener = socket.socket(fileno=int(sys.argv[1]))
    serve(listener, int(sys.argv[2]))


if __name__ == "__main__":
    main()
