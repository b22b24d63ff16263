"""Reading processes from the caller's side: one nursery per program, one limited process per document."""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ml_backend.reading import frames
from ml_backend.reading.frames import Request


@dataclass
class _Nursery:
    """Where the nursery listens. Whoever is forked from us uses the same; it lives until all of us are gone."""

    owner: int
    folder: Path
    address: str
    process: subprocess.Popen[bytes]
    alive: int


_lock = threading.Lock()
_nursery: _Nursery | None = None


def warm_up() -> None:
    """Start the nursery now, so that the first document does not wait for it; safe to call again."""
    _address()


def converse(request: Request, data: bytes) -> Generator[tuple[bytes, bytes], None, None]:
    """Frames of a new reading process, ENDED last. Closing the iterator ends the process."""
    with closing(_connected()) as channel:
        try:
            frames.send(channel, frames.REQUEST, frames.to_json(request))
            frames.send(channel, frames.BYTES, data)
            while True:
                kind, payload = frames.receive(channel)
                yield kind, payload
                if kind == frames.ENDED:
                    return
        except frames.Closed as error:
            raise RuntimeError(
                "The reading process and its keeper were ended from outside; read the document again."
            ) from error


def _connected() -> socket.socket:
    for attempt in (1, 2):
        channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            channel.connect(_address())
        except OSError:
            channel.close()
            if attempt == 2:
                raise
            shut_down()
        else:
            return channel
    raise AssertionError("unreachable")


def _address() -> str:
    global _nursery
    with _lock:
        if _nursery is None:
            _nursery = _started()
        return _nursery.address


def shut_down() -> None:
    """End the nursery; the next document starts another one. A fork of its owner only forgets it."""
    global _nursery
    with _lock:
        nursery, _nursery = _nursery, None
    if nursery is None:
        return
    os.close(nursery.alive)
    if nursery.owner == os.getpid():
        nursery.process.terminate()
        nursery.process.wait()
        shutil.rmtree(nursery.folder, ignore_errors=True)


def _started() -> _Nursery:
    folder = Path(tempfile.mkdtemp(prefix="fieldloop-read-"))
    address = str(folder / "socket")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(address)
    # Listening before it runs: a caller may connect at once and waits for the first accept.
    listener.listen(64)
    watched, alive = os.pipe()
    environment = {
        **{name: os.environ[name] for name in _KEPT if name in os.environ},
        # numpy's threads would each reserve address space that the limit counts.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }
    with closing(listener):
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "ml_backend.reading.nursery",
                str(listener.fileno()),
                str(watched),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=(listener.fileno(), watched),
            env=environment,
            cwd=folder,
            start_new_session=True,
        )
    os.close(watched)
    return _Nursery(os.getpid(), folder, address, process, alive)


_KEPT = (
    "PATH",
    "PYTHONPATH",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "HOME",
    "TESSDATA_PREFIX",
    "TMPDIR",
)
"""What the reading process sees of our environment: no secret."""


atexit.register(shut_down)
