"""A document's bytes to its words and page pictures; the only way in for the rest of the product."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from db.words import PageWords, make_page
from ml_backend.reading import frames, guard
from ml_backend.reading.child import OUT_OF_MEMORY
from ml_backend.reading.errors import DocumentError
from ml_backend.reading.frames import Request
from ml_backend.reading.limits import MIB, Limits
from ml_backend.reading.media import MEDIA_TYPES, sniff
from ml_backend.reading.page_image import blank
from ml_backend.reading.page_read import PageRead, Warned, from_bytes

__all__ = ["DocumentError", "ReadResult", "read_document", "read_file"]


@dataclass(frozen=True)
class ReadResult:
    """All of a document but its pictures: those went to ``on_page``, one by one."""

    pages: list[PageWords]
    reader: str
    """What read it, with versions."""
    warnings: list[Warned]
    needs_ocr: bool
    """Some page is a scan and no OCR engine was at hand."""


def read_document(
    data: bytes,
    *,
    media_type: str,
    ocr_languages: str = "por+eng",
    on_page: Callable[[PageRead], None] = lambda page: None,
    limits: Limits | None = None,
    pictures: bool = True,
) -> ReadResult:
    """Read a PDF, PNG, JPEG or TIFF in a process of its own; ``on_page`` is called in page order as pages arrive.

    Raises DocumentError for whatever is wrong with the document. A page that has to be stopped is left without
    words and said so in a warning; the others are kept. Without ``pictures`` the page pictures are white, which
    saves most of the time.
    """
    limits = limits or Limits()
    _check_size(len(data), limits)
    _check_type(data, media_type)
    request = Request(media_type, ocr_languages, limits, pictures)
    return _Reading(data, request, on_page).run()


def read_file(
    path: Path,
    *,
    ocr_languages: str = "por+eng",
    on_page: Callable[[PageRead], None] = lambda page: None,
    limits: Limits | None = None,
    pictures: bool = True,
) -> ReadResult:
    """``read_document`` of a file, whose first bytes say what it is."""
    limits = limits or Limits()
    try:
        # A file that is too large is not even loaded.
        _check_size(path.stat().st_size, limits)
        data = path.read_bytes()
    except OSError as error:
        raise DocumentError(
            "not_opened", f"The file cannot be opened ({error.strerror or 'no reason given'})."
        ) from error
    return read_document(
        data,
        media_type=sniff(data) or "",
        ocr_languages=ocr_languages,
        on_page=on_page,
        limits=limits,
        pictures=pictures,
    )


def _check_size(size: int, limits: Limits) -> None:
    if size == 0:
        raise DocumentError("empty", "The file is empty; upload it again.")
    if size > limits.file_bytes:
        raise DocumentError(
            "too_large",
            f"The file has {size / MIB:.1f} MB; the limit is {limits.file_bytes / MIB:g} MB "
            "(FIELDLOOP_MAX_FILE_MB). Split it or scan it at 300 dpi, or raise the limit.",
        )


def _check_type(data: bytes, media_type: str) -> None:
    found = sniff(data)
    if found is None or media_type not in MEDIA_TYPES:
        raise DocumentError(
            "unknown_type",
            "The file is neither PDF, PNG, JPEG nor TIFF; convert it to one of these.",
        )
    if found != media_type:
        raise DocumentError(
            "wrong_type",
            f"The file is said to be {media_type}, but it is {found}; upload it as what it is.",
        )


@dataclass(frozen=True, slots=True)
class _Stop:
    """Why a reading process ended before its time: a code and the end of a sentence."""

    code: str
    reason: str


class _Reading:
    """The state of one document across the processes that read it."""

    def __init__(self, data: bytes, request: Request, on_page: Callable[[PageRead], None]) -> None:
        self._data = data
        self._request = request
        self._limits = request.limits
        self._on_page = on_page
        self._pages: list[PageWords] = []
        self._warnings: list[Warned] = []
        self._tools: dict[str, None] = {}
        self._needs_ocr = False
        self._reader = ""
        self._page_count: int | None = None
        self._stage: dict[str, Any] = {}
        self._first_stop = _Stop("", "")

    def run(self) -> ReadResult:
        undrawn = -1
        stops = 0
        while True:
            stop = self._converse(undrawn)
            if stop is None:
                break
            number = len(self._pages)
            if self._page_count is None:
                raise DocumentError(stop.code, f"The document {stop.reason}")
            stops += 1
            if self._stage.get("page") == number and self._stage.get("draw") and undrawn != number:
                # Often it is only the picture that costs so much: the words may still be had.
                undrawn = number
                self._first_stop = stop
                continue
            self._skip(number, stop)
            if stops > 2 * self._limits.page_restarts and number + 1 < self._page_count:
                self._give_up(stop)
                break
            if len(self._pages) == self._page_count:
                break
        return self._result()

    def _converse(self, undrawn: int) -> _Stop | None:
        """One reading process, from the first page that is missing; None if it came to the end."""
        request = replace(self._request, first=len(self._pages), undrawn=undrawn)
        done = False
        with closing(guard.converse(request, self._data)) as conversation:
            for kind, payload in conversation:
                if kind == frames.OPENED:
                    self._opened(json.loads(payload))
                elif kind == frames.STAGE:
                    self._stage = json.loads(payload)
                elif kind == frames.PAGE:
                    self._add(from_bytes(payload), undrawn)
                elif kind == frames.FAILED:
                    raise DocumentError(**json.loads(payload))
                elif kind == frames.DONE:
                    done = True
                elif kind == frames.ENDED and not done:
                    return _why(json.loads(payload), self._limits, opening=self._page_count is None)
        return None

    def _opened(self, about: dict[str, Any]) -> None:
        if self._page_count is None:
            self._page_count = int(about["pages"])
            self._reader = str(about["reader"])
            self._warnings.extend(Warned(*warning) for warning in about["warnings"])

    def _add(self, page: PageRead, undrawn: int) -> None:
        if page.words.number == undrawn:
            warning = Warned(
                "not_drawn",
                undrawn,
                f"Page {undrawn + 1} is shown white: drawing it {self._first_stop.reason}",
            )
            page = PageRead(
                page.words, page.image, (*page.warnings, warning), page.needs_ocr, page.tools
            )
        self._pages.append(page.words)
        self._warnings.extend(page.warnings)
        self._tools.update(dict.fromkeys(page.tools))
        self._needs_ocr |= page.needs_ocr
        self._on_page(page)

    def _skip(self, number: int, stop: _Stop) -> None:
        """A page without words in place of one that had to be stopped."""
        if self._page_count == 1:
            raise DocumentError(stop.code, f"The page {stop.reason}")
        known = self._stage.get("page") == number
        width = float(self._stage.get("width") or 612.0) if known else 612.0
        height = float(self._stage.get("height") or 792.0) if known else 792.0
        self._add(
            PageRead(
                words=make_page(number, width, height),
                image=blank(number, width, height, self._limits.page_pixels),
                warnings=(
                    Warned(stop.code, number, f"Page {number + 1} was not read: it {stop.reason}"),
                ),
            ),
            -1,
        )

    def _give_up(self, stop: _Stop) -> None:
        raise DocumentError(
            stop.code,
            f"The document {stop.reason} More than {self._limits.page_restarts} of its pages did.",
        )

    def _result(self) -> ReadResult:
        return ReadResult(
            pages=self._pages,
            reader=", ".join(dict.fromkeys([self._reader, *self._tools])),
            warnings=self._warnings,
            needs_ocr=self._needs_ocr,
        )


_MEMORY_SIGNALS = (signal.SIGABRT, signal.SIGTRAP, signal.SIGILL)
"""How pdfium ends a process that cannot allocate."""


def _why(ended: dict[str, Any], limits: Limits, *, opening: bool) -> _Stop:
    number, code = ended["signal"], ended["code"]
    if ended["late"]:
        return _Stop(
            "timed_out",
            f"took longer than {limits.step_wall_seconds:.0f} s; try again when the machine is less busy.",
        )
    if number in (signal.SIGPROF, signal.SIGXCPU):
        seconds = limits.open_cpu_seconds if opening else limits.page_cpu_seconds
        return _Stop(
            "timed_out",
            f"needs more than {seconds:.0f} s of computing (FIELDLOOP_PAGE_SECONDS); "
            "print it to a new PDF, or raise the limit.",
        )
    if number in _MEMORY_SIGNALS or code == OUT_OF_MEMORY:
        return _Stop(
            "out_of_memory",
            f"needs more than {limits.memory_bytes // MIB} MB of memory (FIELDLOOP_READ_MEMORY_MB); "
            "print it to a new PDF, or raise the limit.",
        )
    if number == signal.SIGKILL:
        return _Stop(
            "out_of_memory",
            "was stopped by the system, most likely because the machine ran out of memory.",
        )
    return _Stop("reader_crashed", "makes the reader fail; print it to a new PDF.")
