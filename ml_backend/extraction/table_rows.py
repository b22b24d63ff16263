"""Rows of a printed table: header line, runs of words under its columns, lines gathered to rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from ml_backend.extraction.aliases import CONCEPTS, Phrase, find_phrases
from ml_backend.extraction.fields import Box, FieldSpec, FieldType, PageLike
from ml_backend.extraction.geometry import IntArray, Layout, box_of, lay_out
from ml_backend.extraction.normalize import normalize
from ml_backend.extraction.shapes import reads_as_number

OTHER = ""  # a printed column the schema does not have
_RUN_GAP = 0.55  # line heights; a wider gap may separate columns
_STOP = frozenset(
    p for c in ("total", "subtotal", "tax", "discount", "shipping", "deposit") for p in CONCEPTS[c]
)
_SUMS = frozenset(p for c in ("total", "subtotal") for p in CONCEPTS[c])
_CARRIED = frozenset(
    tuple(text.split())
    for text in (
        "carried forward", "brought forward", "balance forward", "continued", "page total",
        "continua", "continuacao", "transporte", "a transportar", "total pagina", "subtotal pagina",
        "continued on next page", "total parcial",
    )
)  # fmt: skip
_ANCHORING = (FieldType.NUMBER, FieldType.DATE)


@dataclass(frozen=True, slots=True)
class Column:
    """Where a column's values stand, in points of the page.

    `name` is OTHER for one the schema lacks. `left`/`right` are edges the values keep, None for a
    ragged edge; `low`..`high` is the width they were seen to take. `share` of the rows have it.
    """

    name: str
    left: float | None
    right: float | None
    low: float
    high: float
    share: float = 1.0
    middle: float | None = None

    def cost(self, box: Box) -> float:
        """Points by which a run of words misses the column; 0 for a perfect fit."""
        edges = [
            abs(a - b)
            for a, b in (
                (box[0], self.left),
                (box[2], self.right),
                ((box[0] + box[2]) / 2, self.middle),
            )
            if b is not None
        ]
        centre = (box[0] + box[2]) / 2
        outside = max(0.0, self.low - centre, centre - self.high)
        shared = min(box[2], self.high) - max(box[0], self.low)
        share = max(0.0, shared) / max(1.0, box[2] - box[0])
        return 2.0 * outside + min([*edges, 60.0]) + 20.0 * (1.0 - share)


@dataclass(frozen=True, slots=True)
class Header:
    """A header line: position of its line in the layout, its box, each column's header box.

    `matched` is the share of the wanted columns found in it.
    """

    line: int
    box: Box
    cells: Mapping[str, Box]
    others: tuple[Box, ...]
    matched: float


@dataclass(slots=True)
class Row:
    """One row under way: column → (page position, words) pieces; `bottom` of what it holds."""

    cells: dict[str, list[tuple[int, list[int]]]] = field(default_factory=dict)
    page: int = 0
    top: float = 0.0
    bottom: float = 0.0


@dataclass(frozen=True)
class Habits:
    """How rows of a layout are set: `above` share of wrapped cells that begin above the row's
    numbers; `leading` the widest gap between two lines of one cell, in line heights; `anchors`
    the columns every row has."""

    above: float = 0.0
    leading: float = 0.9
    anchors: frozenset[str] = frozenset()


def find_header(
    page: PageLike,
    layout: Layout,
    phrases: Mapping[Phrase, Sequence[tuple[str, float]]],
    wanted: int,
) -> Header | None:
    """The line that announces most columns; None where fewer than two (or all of one) stand."""
    by_line: dict[int, list[tuple[float, str, int, Box]]] = {}
    for number, occurrence in enumerate(find_phrases(page, layout, phrases)):
        where = box_of(page, occurrence.words)
        line = int(layout.line[occurrence.words[0]])
        for name, weight in phrases[occurrence.phrase]:
            rank = weight + 0.05 * len(occurrence.phrase)
            by_line.setdefault(line, []).append((rank, name, number, where))
    best: tuple[float, Header] | None = None
    for line, rows in by_line.items():
        cells: dict[str, Box] = {}
        used: set[int] = set()
        strength = 0.0
        for rank, name, number, where in sorted(rows, key=lambda r: (-r[0], r[3], r[1])):
            if name not in cells and number not in used:
                cells[name] = where
                used.add(number)
                strength += rank
        named = [n for n in cells if n != OTHER]
        if len(named) < min(2, wanted) or not named:
            continue
        words = [int(i) for i in layout.lines[line]]
        # Sentences and totals name one or two columns among many other words.
        strength -= 0.05 * max(0, len(words) - 3 * len(cells))
        strength -= 0.3 * sum(any(c.isdigit() for c in page.texts[i]) for i in words)
        if best is None or strength > best[0]:
            others = _other_cells(page, layout, line, cells)
            header = Header(line, box_of(page, words), cells, others, len(named) / max(1, wanted))
            best = (strength, header)
    return best[1] if best and best[0] > 0.5 else None


def _other_cells(
    page: PageLike, layout: Layout, line: int, cells: Mapping[str, Box]
) -> tuple[Box, ...]:
    """Runs of the header line that belong to no column found."""
    taken = list(cells.values())
    return tuple(
        box
        for box, _ in runs(page, layout.lines[line])
        if not any(box[0] < t[2] - 1 and box[2] > t[0] + 1 for t in taken)
    )


def runs(page: PageLike, line: Sequence[int] | IntArray) -> list[tuple[Box, list[int]]]:
    """Words of a line joined where only an ordinary blank lies between them."""
    words = [int(i) for i in line]
    if not words:
        return []
    boxes = page.boxes
    groups: list[list[int]] = [[words[0]]]
    for before, word in pairwise(words):
        height = min(boxes[before][3] - boxes[before][1], boxes[word][3] - boxes[word][1])
        if boxes[word][0] - boxes[before][2] > _RUN_GAP * float(height):
            groups.append([word])
        else:
            groups[-1].append(word)
    return [(box_of(page, group), group) for group in groups]


def columns_of_header(header: Header) -> list[Column]:
    """Columns where nothing but the header is known: values keep one of its edges or its middle."""
    cells = [(box, name) for name, box in header.cells.items()]
    cells += [(box, OTHER) for box in header.others]
    cells.sort(key=lambda c: c[0][0])
    found: list[Column] = []
    for i, (box, name) in enumerate(cells):
        low = cells[i - 1][0][2] if i else box[0] - 30
        high = cells[i + 1][0][0] if i + 1 < len(cells) else box[2] + 30
        found.append(Column(name, box[0], box[2], low, high, middle=(box[0] + box[2]) / 2))
    return found


def split_run(
    page: PageLike, words: Sequence[int], columns: Sequence[Column]
) -> list[tuple[int, list[int]]]:
    """(column number, words): one piece, or two where the run fits two columns better."""
    whole = box_of(page, words)
    at, cost = _best(whole, columns)
    best = [(at, list(words))]
    if cost > 4.0 and len(words) > 1:
        for cut in range(1, len(words)):
            left, right = box_of(page, words[:cut]), box_of(page, words[cut:])
            (a, cost_a), (b, cost_b) = _best(left, columns), _best(right, columns)
            together = cost_a + cost_b + 3.0
            if a != b and together < cost:
                cost, best = together, [(a, list(words[:cut])), (b, list(words[cut:]))]
    return best


def _best(box: Box, columns: Sequence[Column]) -> tuple[int, float]:
    costs = [column.cost(box) for column in columns]
    at = int(np.argmin(costs))
    return at, costs[at]


class RowReader:
    """Reads a document's rows page by page; a row may go on on the next page."""

    def __init__(self, spec: FieldSpec, habits: Habits) -> None:
        self._specs = {column.name: column for column in spec.columns}
        self._habits = habits
        self.rows: list[Row] = []
        self.open = False

    def read(
        self, page: PageLike, at: int, layout: Layout, columns: Sequence[Column], below: float
    ) -> None:
        """Add the rows printed under y = `below` of the document's `at`-th page."""
        anchors = self._anchors(columns)
        stops = _stop_lines(page, layout)
        pending: list[tuple[float, float, dict[str, list[int]]]] = []
        current: Row | None = self.rows[-1] if self.open and self.rows else None
        # Without a repeated header, what stands above the first row is the page's own heading.
        carried = current is not None and below > 0
        started = False
        self.open = True
        for number, line in enumerate(layout.lines):
            box = box_of(page, line)
            if (box[1] + box[3]) / 2 <= below:
                continue
            cells = self._cells(page, line, columns)
            present = {n for n in anchors if n in cells and self._reads(page, n, cells[n])}
            enough = len(present) >= max(1, round(0.6 * len(anchors)))
            full = len(present) == len(anchors) and len(anchors) >= 2
            kind = stops.get(number)
            if kind == "total" or (kind is not None and not (full and self._described(cells))):
                if kind != "skip":
                    self.open = False
                    break
                continue
            if anchors and not enough:
                height = box[3] - box[1]
                if self._goes_on(cells):
                    text = {n: w for n, w in cells.items() if n != OTHER}
                    if self._habits.above > 0.3:
                        pending.append((box[1], box[3], text))
                    elif current is not None and (
                        (carried and not started)
                        or (
                            box[1] - current.bottom <= self._habits.leading * height
                            and current.page == at
                        )
                    ):
                        _add(current, at, text, box[3])
                        started = True
                elif started and box[1] - (current.bottom if current else below) > 4 * height:
                    break
                continue
            if not anchors and not self._described(cells):
                continue
            row = Row(page=at, top=box[1], bottom=box[3])
            named = {n: w for n, w in cells.items() if n != OTHER}
            current = self._place_pending(pending, current, row, at, named, box)
            pending = []
            self.rows.append(row)
            current, carried, started = row, False, True
        for top, bottom, text in pending:
            if (
                current is not None
                and top - current.bottom <= (bottom - top) * self._habits.leading
            ):
                _add(current, at, text, bottom)

    def _place_pending(
        self,
        pending: list[tuple[float, float, dict[str, list[int]]]],
        before: Row | None,
        row: Row,
        at: int,
        named: dict[str, list[int]],
        box: Box,
    ) -> Row:
        """Share the lines between two rows' numbers by the widest gap among them."""
        tops = [(top, bottom) for top, bottom, _ in pending] + [(box[1], box[3])]
        start = before.bottom if before is not None and before.page == at else None
        edges = ([start] if start is not None else []) + [b for _, b in tops[:-1]]
        gaps = (
            [t - e for (t, _), e in zip(tops[-len(edges) :], edges, strict=True)] if edges else []
        )
        cut = int(np.argmax(gaps)) if gaps and start is not None else 0
        for top, bottom, text in pending[:cut]:
            if before is not None and top >= before.top:
                _add(before, at, text, bottom)
        for top, bottom, text in pending[cut:]:
            _add(row, at, text, bottom)
            row.top = min(row.top, top)
        _add(row, at, named, box[3])
        return row

    def _anchors(self, columns: Sequence[Column]) -> list[str]:
        names = [c.name for c in columns if c.name != OTHER]
        chosen = [n for n in names if n in self._habits.anchors]
        if chosen:
            return chosen
        return [n for n in names if self._specs[n].type in _ANCHORING]

    def _cells(
        self,
        page: PageLike,
        line: Sequence[int] | IntArray,
        columns: Sequence[Column],
    ) -> dict[str, list[int]]:
        cells: dict[str, list[int]] = {}
        for _, words in runs(page, line):
            for number, part in split_run(page, words, columns):
                cells.setdefault(columns[number].name, []).extend(part)
        return cells

    def _reads(self, page: PageLike, name: str, words: Sequence[int]) -> bool:
        spec = self._specs[name]
        text = " ".join(page.texts[i] for i in words)
        if spec.type is FieldType.DATE:
            return any(c.isdigit() for c in text)
        return normalize(text, spec).problem is None

    def _described(self, cells: Mapping[str, list[int]]) -> bool:
        return any(
            n in cells
            for n, s in self._specs.items()
            if s.type in (FieldType.TEXT, FieldType.IDENTIFIER)
        )

    def _goes_on(self, cells: Mapping[str, list[int]]) -> bool:
        """Whether a line holds nothing but text of text columns: a cell that goes on."""
        return bool(cells) and all(
            n != OTHER and self._specs[n].type in (FieldType.TEXT, FieldType.IDENTIFIER)
            for n in cells
        )


def _add(row: Row, at: int, cells: Mapping[str, list[int]], bottom: float) -> None:
    for name, words in cells.items():
        pieces = row.cells.setdefault(name, [])
        if pieces and pieces[-1][0] == at:
            pieces[-1][1].extend(words)
        else:
            pieces.append((at, list(words)))
    row.bottom, row.page = bottom, at


def _stop_lines(page: PageLike, layout: Layout) -> dict[int, str]:
    """Line → "stop" where totals begin ("total" if beyond doubt), "skip" for lines about the page, not the table."""
    found: dict[int, str] = {}
    known = _STOP | _CARRIED
    for occurrence in find_phrases(page, layout, known):
        first = occurrence.words[0]
        line = int(layout.line[first])
        segment = layout.segments[int(layout.segment[first])]
        if int(segment[0]) != first:
            continue
        if occurrence.phrase in _CARRIED:
            found[line] = "skip"
            continue
        # A cell of an item may begin with such a word; a total has its amount beside it.
        others = [int(i) for i in layout.lines[line] if int(i) not in occurrence.words]
        amount = any(reads_as_number(page.texts[i]) for i in others)
        if (amount or occurrence.rest) and found.get(line) != "skip":
            alone = len(segment) == len(occurrence.words) and occurrence.phrase in _SUMS
            found[line] = "total" if alone else found.get(line, "stop")
    return found


def lay_out_pages(pages: Sequence[PageLike]) -> list[Layout]:
    return [lay_out(page.boxes) for page in pages]
