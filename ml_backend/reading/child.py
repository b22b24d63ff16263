"""The reading process: one document, under limits the kernel enforces, sent page by page."""

from __future__ import annotations

import contextlib
import resource
import signal
import socket

from ml_backend.reading import fallback, frames
from ml_backend.reading.errors import DocumentError
from ml_backend.reading.frames import Request
from ml_backend.reading.image_source import ImageSource
from ml_backend.reading.limits import Limits
from ml_backend.reading.media import PDF
from ml_backend.reading.page_read import to_bytes
from ml_backend.reading.pdf_pages import PdfRefused
from ml_backend.reading.pdf_source import PdfSource
from ml_backend.reading.plumber_source import PlumberSource
from ml_backend.reading.source import Source

OUT_OF_MEMORY = 86
"""Exit code of a process whose Python ran out of memory; pdfium's own way is SIGABRT."""


def run(channel: socket.socket, request: Request, data: bytes) -> int:
    """Read ``data`` and send what is found; the exit code of the process."""
    _limit(request.limits)
    try:
        _read(channel, request, data)
    except DocumentError as error:
        frames.send_json(channel, frames.FAILED, {"code": error.code, "message": error.message})
    except MemoryError:
        return OUT_OF_MEMORY
    except frames.Closed:
        return 0
    return 0


def _read(channel: socket.socket, request: Request, data: bytes) -> None:
    limits = request.limits
    _allow(limits.open_cpu_seconds)
    frames.send_json(channel, frames.STAGE, {"page": -1, "step": "open"})
    source = open_source(data, request.media_type, request.languages, limits)
    pages = len(source)
    if pages == 0:
        raise DocumentError("no_pages", "The document has no pages; export it again.")
    if pages > limits.pages:
        raise DocumentError(
            "too_many_pages",
            f"The document has {pages} pages; the limit is {limits.pages} (FIELDLOOP_MAX_PAGES). "
            "Split it, or raise the limit.",
        )
    frames.send_json(
        channel,
        frames.OPENED,
        {
            "pages": pages,
            "reader": source.reader,
            "warnings": [[w.code, w.page, w.message] for w in source.warnings()],
        },
    )
    for number in range(request.first, pages):
        _allow(limits.page_cpu_seconds)
        width, height = source.size(number)
        if max(width, height) > limits.page_side_points:
            raise DocumentError(
                "page_too_large",
                f"Page {number + 1} is {width:.0f} × {height:.0f} points; the limit is "
                f"{limits.page_side_points:.0f} a side. Print it to a smaller paper size.",
            )
        draw = number != request.undrawn
        frames.send_json(
            channel,
            frames.STAGE,
            {"page": number, "width": width, "height": height, "draw": draw},
        )
        page = source.read(number, draw=draw, picture=request.pictures)
        frames.send(channel, frames.PAGE, to_bytes(page))
    frames.send(channel, frames.DONE, b"")


def open_source(data: bytes, media_type: str, languages: str, limits: Limits) -> Source:
    """The pages of a file. Raises DocumentError."""
    if media_type != PDF:
        return ImageSource(data, languages, limits)
    try:
        return PdfSource(data, languages, limits)
    except PdfRefused:
        problem = DocumentError(
            "damaged", "The file is damaged and cannot be opened as a PDF; export or scan it again."
        )
    except DocumentError as error:
        problem = error  # pdfium also asks for a password where a damaged file only seems encrypted
    try:
        return PlumberSource(data, limits)
    except fallback.FallbackFailed:
        raise problem from None


def _limit(limits: Limits) -> None:
    """Memory, files and core dumps for good; the address space holds what pdfium allocates as well."""
    _lower(resource.RLIMIT_AS, limits.memory_bytes)
    _lower(resource.RLIMIT_FSIZE, limits.scratch_bytes)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_CPU, int(limits.cpu_seconds))
    for number in (signal.SIGPROF, signal.SIGXCPU, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)


def _lower(what: int, value: int) -> None:
    _, hard = resource.getrlimit(what)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(what, (value, value))


def _allow(seconds: float) -> None:
    """CPU seconds until SIGPROF ends the process: in the midst of pdfium no Python would notice a deadline."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
