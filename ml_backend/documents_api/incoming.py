"""Files as they arrive over HTTP: onto disk, never beyond the limit, whatever the request claims to hold."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Any, Self, cast

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from ml_backend.errors import BadRequest

MEMORY_BYTES = 1024 * 1024
"""A file is kept in memory up to this size, on disk beyond it."""
MOST_PARTS = 1000
MOST_FORM_BYTES = 512 * 1024
"""Bytes of one text field; the parser also reads files in pieces of no more."""
MOST_FILES_AT_LIMIT = 20
"""A request may be as large as this many files of the largest size."""
HEAD_BYTES = 4096


class IncomingFile:
    """A file being received. What goes beyond the limit is counted and dropped."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=MEMORY_BYTES, mode="w+b")  # noqa: SIM115
        self.size = 0

    def write(self, data: bytes) -> int:
        self.size += len(data)
        if self.too_large:
            self._file.seek(0)
            self._file.truncate()
        else:
            self._file.write(data)
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)

    def close(self) -> None:
        self._file.close()

    @property
    def too_large(self) -> bool:
        return self.size > self._limit

    def head(self) -> bytes:
        """Its first bytes, enough to tell what it is."""
        self.seek(0)
        return self.read(HEAD_BYTES)

    def content(self) -> bytes:
        """All its bytes, in memory."""
        self.seek(0)
        return self.read()


@dataclass(frozen=True)
class Part:
    """A file of a form and the name it was sent under, as it came."""

    name: str
    file: IncomingFile


@dataclass(frozen=True)
class Form:
    """A multipart form: its files, closed at the end of the ``with`` block, and its other fields."""

    files: list[Part]
    values: dict[str, str]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for part in self.files:
            part.file.close()


def receive(request: Request, *, max_file_bytes: int) -> Form:
    """Read a multipart form to its end. Raises BadRequest if it is none, or too large."""
    if request.mimetype != "multipart/form-data":
        raise BadRequest(
            "not_multipart", "Send the files as multipart/form-data, in fields named 'files'.", 415
        )
    request.max_content_length = MOST_FILES_AT_LIMIT * max_file_bytes
    length = request.content_length
    if length is not None and length > request.max_content_length:
        raise BadRequest(
            "request_too_large",
            f"The request holds {megabytes(length)}; send at most {megabytes(request.max_content_length)} at once, "
            "in several requests if need be.",
            413,
        )
    received: list[IncomingFile] = []

    def file(**_: Any) -> Any:
        received.append(IncomingFile(max_file_bytes))
        return received[-1]

    parser = FormDataParser(
        stream_factory=cast(Any, file),
        max_form_memory_size=MOST_FORM_BYTES,
        max_form_parts=MOST_PARTS,
        silent=False,
    )
    try:
        _, values, files = parser.parse(
            request.stream, request.mimetype, length, request.mimetype_params
        )
    except BaseException as error:
        for one in received:
            one.close()
        if isinstance(error, ValueError):
            raise BadRequest(
                "malformed_form", "The multipart form is broken or cut short."
            ) from None
        if isinstance(error, RequestEntityTooLarge):
            raise BadRequest(
                "request_too_large",
                f"The request is larger than {megabytes(request.max_content_length)}, has more than {MOST_PARTS} parts, "
                f"or a text of more than {megabytes(MOST_FORM_BYTES)}; send fewer files at once.",
                413,
            ) from None
        raise
    parts: list[Part] = []
    for storage in (one for several in files.listvalues() for one in several):
        part = Part(storage.filename or "", cast(IncomingFile, storage.stream))
        # An empty file field of a browser's form still sends a part, without name and content.
        if part.name or part.file.size:
            parts.append(part)
        else:
            part.file.close()
    return Form(parts, {name: value for name, value in values.items() if value.strip()})


def megabytes(size: int) -> str:
    """A size for people: "12.3 MB"."""
    return f"{size / 1024 / 1024:.4g} MB"
