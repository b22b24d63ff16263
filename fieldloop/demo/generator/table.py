"""Tables of items that go on over as many pages as they need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from fieldloop.demo.generator.facts import Facts
from fieldloop.demo.generator.sheet import Sheet, Value, shown, wrap
from fieldloop.demo.generator.values import cell
from fieldloop.demo.generator.wording import Words

GRID, LINES, NONE = "grid", "lines", "none"
_RIGHT = ("quantity", "unit_price", "amount")


@dataclass(frozen=True)
class Look:
    """``rules``: every cell ruled, a line under each row, or nothing. ``pad``: above and below a row's text."""

    rules: str = LINES
    font: str = "Helvetica"
    bold: str = "Helvetica-Bold"
    size: float = 9
    pad: float = 4
    header_fill: float | None = None
    banded: bool = False
    carries: bool = False
    """Whether a page ends and begins with the sum so far."""


@dataclass(frozen=True)
class Column:
    key: str
    x0: float
    x1: float


def columns(keys: Sequence[tuple[str, float]], x0: float, x1: float) -> list[Column]:
    """Columns side by side from ``x0`` to ``x1``; the figures are their shares of the width."""
    unit = (x1 - x0) / sum(share for _, share in keys)
    made = []
    for key, share in keys:
        made.append(Column(key, x0, x0 + share * unit))
        x0 += share * unit
    return made


def draw_table(
    sheet: Sheet,
    facts: Facts,
    words: Words,
    cols: Sequence[Column],
    look: Look,
    top: float,
    bottom: float,
    next_page: Callable[[], float],
) -> float:
    """Draw all items from ``top``; ``next_page`` begins a page and returns the top there. Returns the last row's foot."""
    table = _Table(sheet, facts, words, cols, look, bottom)
    y = table.header(top)
    so_far = Decimal(0)
    for row, item in enumerate(facts.items):
        height = table.height(row)
        if y + height + (table.line_height if look.carries else 0) > bottom:
            if look.carries:
                y = table.sum_row(y, words["carried"], so_far)
            table.rule_columns(y)
            y = table.header(next_page())
            if look.carries:
                y = table.sum_row(y, words["brought"], so_far)
        y = table.row(y, row, height)
        so_far += item.amount
    table.rule_columns(y)
    return y


class _Table:
    def __init__(
        self,
        sheet: Sheet,
        facts: Facts,
        words: Words,
        cols: Sequence[Column],
        look: Look,
        bottom: float,
    ) -> None:
        self.sheet, self.facts, self.words = sheet, facts, words
        self.cols, self.look, self.bottom = cols, look, bottom
        self.line_height = look.size * 1.2 + 2 * look.pad
        self._top = 0.0

    def header(self, top: float) -> float:
        look, x0, x1 = self.look, self.cols[0].x0, self.cols[-1].x1
        titles = [self._lines(self.words[col.key], col, look.bold) for col in self.cols]
        high = max(len(lines) for lines in titles) * look.size * 1.2 + 2 * look.pad
        if look.header_fill is not None:
            self.sheet.rect((x0, top, x1, top + high), fill=look.header_fill, stroke=None)
        for col, lines in zip(self.cols, titles, strict=True):
            for number, line in enumerate(lines):
                self._put(col, top + look.pad + look.size * (0.9 + 1.2 * number), line, look.bold)
        if look.rules != NONE:
            self.sheet.line(x0, top, x1, top)
            self.sheet.line(x0, top + high, x1, top + high)
        self._top = top
        return top + high

    def height(self, row: int) -> float:
        col = next(col for col in self.cols if col.key == "description")
        lines = self._lines(self.facts.items[row].description, col, self.look.font)
        return len(lines) * self.look.size * 1.2 + 2 * self.look.pad

    def row(self, top: float, row: int, height: float) -> float:
        look = self.look
        x0, x1 = self.cols[0].x0, self.cols[-1].x1
        if look.banded and row % 2:
            self.sheet.rect((x0, top, x1, top + height), fill=0.94, stroke=None)
        base = top + look.pad + look.size * 0.9
        for col in self.cols:
            piece = cell(self.facts, self.facts.items[row], row, col.key)
            if col.key == "description":
                width = col.x1 - col.x0 - 2 * self._inset()
                self.sheet.block(
                    col.x0 + self._inset(), base, piece, width, look.font, look.size, leading=1.2
                )
            elif isinstance(piece, Value) or shown(piece):
                x = col.x1 - self._inset() if col.key in _RIGHT else col.x0 + self._inset()
                align = "right" if col.key in _RIGHT else "left"
                self.sheet.text(x, base, piece, look.font, look.size, align=align)
        if look.rules != NONE:
            self.sheet.line(x0, top + height, x1, top + height, 0.4)
        return top + height

    def sum_row(self, top: float, label: str, amount: Decimal) -> float:
        look = self.look
        base = top + look.pad + look.size * 0.9
        last = self.cols[-1]
        text = self.facts.style.number(amount)
        self.sheet.text(last.x1 - self._inset(), base, text, look.bold, look.size, align="right")
        self.sheet.text(last.x0 - 4, base, label, look.bold, look.size, align="right")
        if look.rules != NONE:
            self.sheet.line(
                self.cols[0].x0, top + self.line_height, last.x1, top + self.line_height
            )
        return top + self.line_height

    def rule_columns(self, foot: float) -> None:
        if self.look.rules != GRID:
            return
        for x in (*(col.x0 for col in self.cols), self.cols[-1].x1):
            self.sheet.line(x, self._top, x, foot)

    def _put(self, col: Column, base: float, text: str, font: str) -> None:
        if col.key in _RIGHT:
            self.sheet.text(col.x1 - self._inset(), base, text, font, self.look.size, align="right")
        else:
            self.sheet.text(col.x0 + self._inset(), base, text, font, self.look.size)

    def _lines(self, text: str, col: Column, font: str) -> list[str]:
        return wrap(text, col.x1 - col.x0 - 2 * self._inset(), font, self.look.size)

    def _inset(self) -> float:
        return 3.0
