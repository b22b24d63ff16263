"""Drawing on pages and remembering where each value was put.

Coordinates are points with the origin at the top left of the page as displayed, y is a baseline for text.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from reportlab.lib.colors import Color
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfgen.canvas import Canvas

from fieldloop.demo.generator.truth import TruthValue
from ml_backend.extraction.fields import Box

A4 = (595.28, 841.89)
LETTER = (612.0, 792.0)
PLAIN, ROTATED, CROPPED = "plain", "rotated", "cropped"
FORMS = (PLAIN, ROTATED, CROPPED)
_ASCENT, _DESCENT = 0.76, 0.24
_CROP = (36.0, 48.0, 30.0, 42.0)  # left, bottom, right, top: what the crop box cuts off


@dataclass(frozen=True)
class Value:
    """A text that is the value of a field."""

    text: str
    field: str
    normalised: str
    row: int | None = None


Piece = str | Value


def shown(piece: Piece) -> str:
    return piece if isinstance(piece, str) else piece.text


def width_of(text: str, font: str, size: float) -> float:
    return float(pdfmetrics.stringWidth(text, font, size))


class Sheet:
    """A document being drawn. ``form``: how its pages are stored, which must not change what is seen.

    rotated: drawn lying down with a page rotation; cropped: on larger paper with marks outside the crop box.
    """

    def __init__(
        self, title: str, size: tuple[float, float] = A4, form: str = PLAIN, total_pages: int = 0
    ) -> None:
        self.width, self.height = size
        self.total_pages = total_pages
        self.values: list[TruthValue] = []
        self.page = 0
        self._form = form
        self._buffer = io.BytesIO()
        # invariant: no date and no random id in the file, so that a seed gives the same bytes for ever.
        self._canvas = Canvas(self._buffer, pagesize=self._paper(), invariant=1, pageCompression=1)
        self._canvas.setTitle(title)
        self._begin_page()

    def new_page(self) -> None:
        self._canvas.showPage()
        self.page += 1
        self._begin_page()

    def finish(self) -> bytes:
        """The file's bytes; nothing can be drawn afterwards."""
        self._canvas.showPage()
        self._canvas.save()
        return self._buffer.getvalue()

    def text(
        self,
        x: float,
        y: float,
        piece: Piece,
        font: str = "Helvetica",
        size: float = 9,
        *,
        align: str = "left",
        grey: float = 0.0,
    ) -> Box:
        """One line of text; ``align``: which part of it ``x`` is (left, right, center). Returns its box."""
        width = width_of(shown(piece), font, size)
        x -= {"left": 0.0, "right": width, "center": width / 2}[align]
        self._draw(x, y, shown(piece), font, size, grey)
        box = (x, y - _ASCENT * size, x + width, y + _DESCENT * size)
        if isinstance(piece, Value):
            self.remember(piece, box)
        return box

    def run(
        self, x: float, y: float, pieces: Sequence[Piece], font: str = "Helvetica", size: float = 9
    ) -> None:
        """Texts and values printed as one string."""
        self._draw(x, y, "".join(shown(piece) for piece in pieces), font, size, 0.0)
        before = ""
        for piece in pieces:
            if isinstance(piece, Value):
                start = x + width_of(before, font, size)
                end = start + width_of(piece.text, font, size)
                self.remember(piece, (start, y - _ASCENT * size, end, y + _DESCENT * size))
            before += shown(piece)

    def block(
        self,
        x: float,
        y: float,
        piece: Piece,
        width: float,
        font: str = "Helvetica",
        size: float = 9,
        *,
        leading: float = 1.25,
    ) -> float:
        """Text broken into lines of at most ``width``, as one value. Returns the baseline after the last line."""
        lines = wrap(shown(piece), width, font, size)
        boxes = [
            self.text(x, y + number * leading * size, line, font, size)
            for number, line in enumerate(lines)
        ]
        if isinstance(piece, Value):
            box = (x, boxes[0][1], max(box[2] for box in boxes), boxes[-1][3])
            self.remember(piece, box)
        return y + len(lines) * leading * size

    def remember(self, value: Value, box: Box) -> None:
        rounded = tuple(round(number, 2) for number in box)
        self.values.append(
            TruthValue(
                value.field,
                value.text,
                value.normalised,
                self.page,
                (rounded[0], rounded[1], rounded[2], rounded[3]),
                value.row,
            )
        )

    def line(
        self, x0: float, y0: float, x1: float, y1: float, width: float = 0.6, grey: float = 0.0
    ) -> None:
        self._canvas.setStrokeColor(_grey(grey))
        self._canvas.setLineWidth(width)
        self._canvas.line(x0, self.height - y0, x1, self.height - y1)

    def rect(
        self, box: Box, *, width: float = 0.6, fill: float | None = None, stroke: float | None = 0.0
    ) -> None:
        x0, y0, x1, y1 = box
        if fill is not None:
            self._canvas.setFillColor(_grey(fill))
        if stroke is not None:
            self._canvas.setStrokeColor(_grey(stroke))
            self._canvas.setLineWidth(width)
        self._canvas.rect(
            x0,
            self.height - y1,
            x1 - x0,
            y1 - y0,
            stroke=int(stroke is not None),
            fill=int(fill is not None),
        )

    def curve(self, points: Sequence[tuple[float, float]], width: float = 1.1) -> None:
        """A smooth stroke of ink through points, four at a time sharing their ends."""
        self._canvas.setStrokeColor(Color(0.07, 0.1, 0.45))
        self._canvas.setLineWidth(width)
        for start in range(0, len(points) - 3, 3):
            (ax, ay), (bx, by), (cx, cy), (dx, dy) = points[start : start + 4]
            h = self.height
            self._canvas.bezier(ax, h - ay, bx, h - by, cx, h - cy, dx, h - dy)

    def _draw(self, x: float, y: float, text: str, font: str, size: float, grey: float) -> None:
        self._canvas.setFillColor(_grey(grey))
        self._canvas.setFont(font, size)
        self._canvas.drawString(x, self.height - y, text)

    def _paper(self) -> tuple[float, float]:
        # reportlab itself turns the paper of a page with a rotation.
        if self._form == CROPPED:
            left, bottom, right, top = _CROP
            return self.width + left + right, self.height + bottom + top
        return self.width, self.height

    def _begin_page(self) -> None:
        if self._form == ROTATED:
            # Turned clockwise when displayed: what is drawn here lies on its side.
            self._canvas.setPageRotation(90)
            self._canvas.transform(0, 1, -1, 0, self.height, 0)
        elif self._form == CROPPED:
            left, bottom, _, _ = _CROP
            self._canvas.setCropBox((left, bottom, left + self.width, bottom + self.height))
            self._canvas.setFont("Helvetica", 7)
            self._canvas.drawString(
                left, 14, f"Proof 3  job 48213  2023-11-30  sheet {self.page + 1}"
            )
            self._canvas.translate(left, bottom)


def wrap(text: str, width: float, font: str, size: float) -> list[str]:
    """The text in lines no wider than ``width``, broken at blanks; a word that is wider stands alone."""
    lines: list[str] = []
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width_of(longer, font, size) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _grey(level: float) -> Color:
    return Color(level, level, level)
