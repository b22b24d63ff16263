"""What the reading process and its caller say to each other: length-prefixed frames over a socket."""

from __future__ import annotations

import json
import socket
import struct
from dataclasses import asdict, dataclass
from typing import Any

from ml_backend.reading.limits import Limits

REQUEST, BYTES = b"R", b"B"
OPENED, STAGE, PAGE, FAILED, DONE, ENDED = b"O", b"S", b"P", b"F", b"D", b"E"
"""From the reading process, in this order: the document is open; a page's step begins; a page; an error; all
pages were sent. ENDED comes from its keeper, last: how the process ended."""

_HEAD = struct.Struct("<cQ")
MAX_FRAME = 1 << 30


@dataclass(frozen=True, slots=True)
class Request:
    """One document to read, from page ``first`` on."""

    media_type: str
    languages: str
    limits: Limits
    pictures: bool = True
    """False: nobody wants the page pictures."""
    first: int = 0
    undrawn: int = -1
    """A page whose picture is left white, because drawing it had to be stopped."""


class Closed(Exception):
    """The other side went away."""


def send(channel: socket.socket, kind: bytes, payload: bytes) -> None:
    try:
        channel.sendall(_HEAD.pack(kind, len(payload)))
        channel.sendall(payload)
    except (BrokenPipeError, ConnectionResetError) as error:
        raise Closed from error


def send_json(channel: socket.socket, kind: bytes, value: Any) -> None:
    send(channel, kind, json.dumps(value).encode())


def receive(channel: socket.socket) -> tuple[bytes, bytes]:
    """The next frame. Raises Closed at the end, also in the middle of a frame."""
    kind, size = _HEAD.unpack(_exactly(channel, _HEAD.size))
    if size > MAX_FRAME:
        raise Closed
    return kind, _exactly(channel, size)


def _exactly(channel: socket.socket, size: int) -> bytes:
    # Grown as bytes arrive: a length is not believed before its bytes are there.
    parts = bytearray()
    while len(parts) < size:
        try:
            part = channel.recv(min(size - len(parts), 1 << 20))
        except ConnectionResetError as error:
            raise Closed from error
        if not part:
            raise Closed
        parts += part
    return bytes(parts)


def to_json(request: Request) -> bytes:
    return json.dumps(asdict(request)).encode()


def from_json(data: bytes) -> Request:
    values = json.loads(data)
    return Request(**{**values, "limits": Limits(**values["limits"])})
