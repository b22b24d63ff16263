"""A scanned page: from a picture to words, and what to say when that cannot be done here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from db.words import WordSource
from ml_backend.reading import ocr
from ml_backend.reading.limits import Limits
from ml_backend.reading.word_table import WordTable, from_ocr, table

_CLOCKWISE = {
    1: Image.Transpose.ROTATE_270,
    2: Image.Transpose.ROTATE_180,
    3: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class Scanned:
    """Words in points of the upright page, and how many quarter turns clockwise made it upright."""

    words: WordTable
    quarter_turns: int = 0
    needs_ocr: bool = False
    problems: tuple[tuple[str, str], ...] = ()
    """Code and end of the sentence ``Page 3 …``."""
    tools: tuple[str, ...] = ()


_NOTHING = table([], np.zeros((0, 4)), WordSource.OCR)


def turned(picture: Image.Image, quarter_turns: int) -> Image.Image:
    """A picture turned clockwise."""
    return picture.transpose(_CLOCKWISE[quarter_turns]) if quarter_turns % 4 else picture


def read_scan(
    render: Callable[[], Image.Image], dpi: float, languages: str, limits: Limits
) -> Scanned:
    """OCR of a page; ``render`` gives its grey picture at ``dpi`` and is not called without an engine."""
    engine = ocr.engine()
    usable, missing = ocr.usable_languages(languages) if engine else ("", [])
    if engine is None or not usable:
        return Scanned(
            _NOTHING,
            needs_ocr=True,
            problems=(
                (
                    "needs_ocr",
                    "is a scan; install tesseract with its language data, then read the document again.",
                ),
            ),
        )
    problems: list[tuple[str, str]] = []
    if missing:
        problems.append(
            (
                "ocr_language_missing",
                f"was read as {usable}: tesseract has no data for {', '.join(missing)}; install it, "
                "then read the document again.",
            )
        )
    picture = render()
    turns = 0
    try:
        words = ocr.read_picture(picture, usable, dpi, limits.ocr_seconds)
        # Letters that lie on their side are read as something else, without conviction.
        if not ocr.is_convincing(words):
            turns = ocr.quarter_turns(picture, limits.ocr_seconds)
            if turns:
                upright = turned(picture, turns)
                words = ocr.read_picture(upright, usable, dpi, limits.ocr_seconds)
    except ocr.OcrFailed as error:
        problems.append(("ocr_failed", f"could not be read: {error}"))
        return Scanned(_NOTHING, problems=tuple(problems), tools=(engine,))
    points = 72 / dpi
    return Scanned(
        from_ocr(words, (points, points)), turns, problems=tuple(problems), tools=(engine,)
    )
