"""Tables: columns learnt from labelled rows, or found by their header words alone."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from ml_backend.extraction.aliases import LONGEST_PHRASE, Phrase, tokens_of, weighted_phrases
from ml_backend.extraction.checkbox import page_position
from ml_backend.extraction.fields import (
    Box,
    Document,
    FieldSpec,
    FieldType,
    Label,
    Labels,
    PageLike,
    Span,
    Value,
    spec_from_dict,
    spec_to_dict,
    split_column,
)
from ml_backend.extraction.geometry import Layout, box_of, union, words_in, y_overlap
from ml_backend.extraction.normalize import collapse, normalize
from ml_backend.extraction.table_rows import (
    OTHER,
    Column,
    Habits,
    Header,
    Row,
    RowReader,
    columns_of_header,
    find_header,
    lay_out_pages,
    runs,
)

_STEADY = 2.5  # points an edge may stray and still be one the column keeps
_HEADER_REACH = 70.0
_KNOWN, _BY_ALIAS = 0.95, 0.7


@dataclass(frozen=True)
class TableLayout:
    """One way the table is printed.

    `heads`: column → header phrase. `columns` are in points of the page the layout was learnt on;
    `origins` the left edges of the header cells there, to follow a table that moved sideways.
    """

    heads: Mapping[str, Phrase]
    others: tuple[Phrase, ...]
    columns: tuple[Column, ...]
    origins: Mapping[str, float]
    habits: Habits
    documents: int


@dataclass(frozen=True)
class _Cell:
    column: str
    page: int
    words: tuple[int, ...]
    box: Box
    row: int


class TableModel:
    """Learns how a table is printed; `fit`, `predict`, and JSON-able `to_state`/`from_state`.

    Several layouts may be learnt; a document is read with the one whose header words it shows, and
    with header aliases where it shows none of them.
    """

    def __init__(self, spec: FieldSpec, seed: int = 0) -> None:
        self.spec = spec
        self.seed = seed
        self.layouts_: tuple[TableLayout, ...] = ()
        names = {column.name: column for column in spec.columns}
        self._columns = names
        self._phrases: dict[Phrase, list[tuple[str, float]]] = defaultdict(list)
        for column in spec.columns:
            for found, weight in weighted_phrases(column, column=True).items():
                self._phrases[found].append((column.name, weight))

    def fit(self, documents: Sequence[Document], labels: Sequence[Labels]) -> TableModel:
        """Learn every layout among the labelled documents; without labels nothing changes."""
        groups: dict[tuple[tuple[str, Phrase], ...], list[_Example]] = defaultdict(list)
        for document, given in zip(documents, labels, strict=True):
            cells = _cells_of(document, given, self.spec)
            if cells:
                example = _example(document, cells, self.spec)
                groups[tuple(sorted(example.heads.items()))].append(example)
        if groups:
            self.layouts_ = tuple(
                _layout(examples, self.spec)
                for _, examples in sorted(groups.items(), key=lambda g: (-len(g[1]), g[0]))
            )
        return self

    def predict(self, document: Document) -> list[Value]:
        """Values of all rows, `row` counted from 0 through the document."""
        pages = document.pages
        layouts = lay_out_pages(pages)
        chosen = self._choose(document, layouts)
        habits = chosen.habits if chosen else Habits()
        reader = RowReader(self.spec, habits)
        columns: Sequence[Column] = ()
        for at, page in enumerate(pages):
            header = self._header(page, layouts[at], chosen)
            if header is not None:
                columns = columns_of_header(header) if chosen is None else _moved(chosen, header)
                below = header.box[3]
            elif columns and reader.open:
                below = 0.0
            elif chosen is not None and not chosen.heads:
                columns, below = chosen.columns, 0.0
            else:
                continue
            reader.read(page, at, layouts[at], columns, below)
        trust = _KNOWN if chosen else _BY_ALIAS
        values: list[Value] = []
        for number, row in enumerate(reader.rows):
            values.extend(self._values(document, row, number, trust))
        return values

    def to_state(self) -> dict[str, Any]:
        return {
            "spec": spec_to_dict(self.spec),
            "seed": self.seed,
            "layouts": [_layout_to_dict(layout) for layout in self.layouts_],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> TableModel:
        model = cls(spec_from_dict(state["spec"]), state["seed"])
        model.layouts_ = tuple(_layout_from_dict(row) for row in state["layouts"])
        return model

    def _choose(self, document: Document, layouts: Sequence[Layout]) -> TableLayout | None:
        """The learnt layout whose header the document shows best, if it shows most of one.

        None where common header words name more of the columns: then it is a layout nobody taught.
        """
        pages = list(zip(document.pages[:3], layouts, strict=False))
        by_alias = self._seen(pages, self._phrases, len(self.spec.columns))
        best: tuple[float, int, TableLayout] | None = None
        for number, candidate in enumerate(self.layouts_):
            book = _book(candidate)
            wanted = len(candidate.heads)
            score = 0.0
            if self._seen(pages, book, wanted) < by_alias:
                continue
            for page, layout in pages:
                header = find_header(page, layout, book, wanted) if book else None
                if header is not None:
                    seen = len([n for n in header.cells if n != OTHER]) / wanted
                    drift = _drift(candidate, header)
                    score = max(score, seen - min(0.2, drift / 200))
            if not candidate.heads:
                score = 0.45
            key = (score, -number, candidate)
            if score > 0.4 and (best is None or key[:2] > best[:2]):
                best = key
        return None if best is None else best[2]

    @staticmethod
    def _seen(
        pages: Sequence[tuple[PageLike, Layout]],
        book: Mapping[Phrase, Sequence[tuple[str, float]]],
        wanted: int,
    ) -> int:
        """The most columns that one line of these pages names."""
        headers = [find_header(page, layout, book, wanted) for page, layout in pages if book]
        return max((sum(n != OTHER for n in h.cells) for h in headers if h), default=0)

    def _header(self, page: Any, layout: Layout, chosen: TableLayout | None) -> Header | None:
        if chosen is None:
            return find_header(page, layout, self._phrases, len(self.spec.columns))
        if not chosen.heads:
            return None
        header = find_header(page, layout, _book(chosen), len(chosen.heads))
        if header is None or header.matched < 0.5:
            return None
        return header

    def _values(self, document: Document, row: Row, number: int, trust: float) -> list[Value]:
        found: list[Value] = []
        for column in self.spec.columns:
            pieces = row.cells.get(column.name)
            if not pieces:
                continue
            texts: list[str] = []
            spans: list[Span] = []
            for at, words in pieces:
                page = document.pages[at]
                texts.extend(page.texts[i] for i in words)
                spans.append(Span(page.number, box_of(page, words)))
            text = collapse(" ".join(texts))
            normal = normalize(text, column)
            confidence = trust if normal.problem is None else trust * 0.5
            found.append(
                Value(
                    f"{self.spec.name}.{column.name}",
                    text,
                    normal.value,
                    normal.problem,
                    tuple(spans),
                    confidence,
                    row=number,
                    filled=confidence >= 0.5,
                )
            )
        return found


@dataclass(frozen=True)
class _Example:
    """A labelled document: header cells of its first table page and the cells under it."""

    heads: Mapping[str, Phrase]
    origins: Mapping[str, float]
    others: tuple[Phrase, ...]
    other_boxes: tuple[Box, ...]
    cells: tuple[_Cell, ...]
    document: Document


def _cells_of(document: Document, given: Labels, spec: FieldSpec) -> list[_Cell]:
    """The table's labels with the words under them, rows numbered through the document."""
    known = {column.name for column in spec.columns}
    rows = _rows_of(
        document, [s for s in given.labels if split_column(s.field)[0] == spec.name], spec
    )
    cells: list[_Cell] = []
    for label, row in rows:
        column = split_column(label.field)[1]
        at = page_position(document, label)
        if column not in known or at is None:
            continue
        page = document.pages[at]
        words = tuple(int(i) for i in words_in(page, label.box))
        if words:
            cells.append(_Cell(str(column), at, words, box_of(page, words), row))
    return cells


def _rows_of(
    document: Document, labels: Sequence[Label], spec: FieldSpec
) -> list[tuple[Label, int]]:
    """Each label with its row: as given, else by height on the page beside the best column's."""
    if labels and all(label.row is not None for label in labels):
        return [(label, label.row or 0) for label in labels]
    types = {f"{spec.name}.{c.name}": c.type for c in spec.columns}
    placed: list[tuple[Label, int]] = []
    start = 0
    for number in sorted({label.page for label in labels}):
        here = [label for label in labels if label.page == number]
        count: dict[str, int] = defaultdict(int)
        for label in here:
            count[label.field] += 1
        anchor = max(
            count, key=lambda n: (count[n], types.get(n) in (FieldType.NUMBER, FieldType.DATE), n)
        )
        tops = sorted((s.box for s in here if s.field == anchor), key=lambda b: b[1])
        for label in here:
            fits = [
                (-max(0.0, y_overlap(label.box, top)), abs(label.box[1] - top[1]), i)
                for i, top in enumerate(tops)
            ]
            placed.append((label, start + min(fits)[2]))
        start += len(tops)
    return placed


def _example(document: Document, cells: Sequence[_Cell], spec: FieldSpec) -> _Example:
    """Find the header over the first labelled row."""
    first = min(c.page for c in cells)
    here = [c for c in cells if c.page == first]
    page = document.pages[first]
    layout = lay_out_pages([page])[0]
    top = min(c.box[1] for c in here)
    extents = {
        name: union([c.box for c in here if c.column == name]) for name in {c.column for c in here}
    }
    best: (
        tuple[float, float, dict[str, tuple[Box, list[int]]], list[tuple[Box, list[int]]]] | None
    ) = None
    for line in layout.lines:
        box = box_of(page, line)
        if not top - _HEADER_REACH <= box[1] or box[3] > top + 2:
            continue
        found, rest = _heads_in(page, line, extents)
        score = len(found) / len(extents) - 0.003 * (top - box[3])
        if len(found) >= min(2, len(extents)) and (best is None or score > best[0]):
            best = (score, box[3], found, rest)
    heads: dict[str, Phrase] = {}
    origins: dict[str, float] = {}
    others: list[Phrase] = []
    other_boxes: list[Box] = []
    if best is not None and best[0] > 0.3:
        for name, (box, words) in best[2].items():
            heads[name] = _phrase_of(page.texts, words)
            origins[name] = box[0]
        for box, words in best[3]:
            others.append(_phrase_of(page.texts, words))
            other_boxes.append(box)
    return _Example(heads, origins, tuple(others), tuple(other_boxes), tuple(cells), document)


def _heads_in(
    page: Any, line: Any, extents: Mapping[str, Box]
) -> tuple[dict[str, tuple[Box, list[int]]], list[tuple[Box, list[int]]]]:
    """Which run of a line heads which column, and the runs that head none."""
    pairs: list[tuple[float, str, int]] = []
    cut = [run for run in runs(page, line) if _phrase_of(page.texts, run[1])]
    for number, (box, words) in enumerate(cut):
        if any(any(c.isdigit() for c in page.texts[i]) for i in words):
            continue
        for name, extent in extents.items():
            shared = min(box[2], extent[2]) - max(box[0], extent[0])
            edge = min(
                abs(box[0] - extent[0]),
                abs(box[2] - extent[2]),
                abs(box[0] + box[2] - extent[0] - extent[2]) / 2,
            )
            if shared > 0 or edge < 6:
                pairs.append((edge - 0.1 * max(0.0, shared), name, number))
    found: dict[str, tuple[Box, list[int]]] = {}
    used: set[int] = set()
    for _, name, number in sorted(pairs):
        if name not in found and number not in used:
            found[name] = cut[number]
            used.add(number)
    return found, [run for number, run in enumerate(cut) if number not in used]


def _phrase_of(texts: Sequence[str], words: Sequence[int]) -> Phrase:
    tokens = [token for word in words for token in tokens_of(texts[word])]
    kept = [token for token in tokens if token not in {"da", "do", "das", "dos", "the"}]
    return tuple((kept or tokens)[:LONGEST_PHRASE])


def _layout(examples: Sequence[_Example], spec: FieldSpec) -> TableLayout:
    """Column places and row habits over all examples of one layout."""
    base = examples[0]
    boxes: dict[str, list[Box]] = defaultdict(list)
    rows = 0
    present: dict[str, int] = defaultdict(int)
    for example in examples:
        shift = _shift(base.origins, example.origins)
        for cell in example.cells:
            x0, y0, x1, y1 = cell.box
            boxes[cell.column].append((x0 - shift, y0, x1 - shift, y1))
            present[cell.column] += 1
        rows += len({cell.row for cell in example.cells})
    columns = [
        _column(name, found, min(1.0, present[name] / max(1, rows)))
        for name, found in boxes.items()
    ]
    columns += [
        Column(OTHER, box[0], box[2], box[0] - 4, box[2] + 4, middle=(box[0] + box[2]) / 2)
        for box in base.other_boxes
    ]
    columns.sort(key=lambda c: (c.low + c.high, c.name))
    anchors = frozenset(
        c.name
        for c in spec.columns
        if c.type in (FieldType.NUMBER, FieldType.DATE)
        and c.name in present
        and present[c.name] >= 0.9 * rows
    )
    return TableLayout(
        dict(base.heads), base.others, tuple(columns), dict(base.origins),
        _habits(examples, anchors), len(examples),
    )  # fmt: skip


def _column(name: str, boxes: Sequence[Box], share: float) -> Column:
    lefts, rights = [b[0] for b in boxes], [b[2] for b in boxes]
    middles = [(b[0] + b[2]) / 2 for b in boxes]
    left, right, middle = median(lefts), median(rights), median(middles)
    return Column(
        name,
        left if _steady(lefts, left) else None,
        right if _steady(rights, right) else None,
        min(lefts),
        max(rights),
        share,
        middle if _steady(middles, middle) else None,
    )


def _steady(values: Sequence[float], middle: float) -> bool:
    return sum(abs(v - middle) <= _STEADY for v in values) >= 0.8 * len(values)


def _habits(examples: Sequence[_Example], anchors: frozenset[str]) -> Habits:
    """Whether wrapped cells begin above their row's numbers, and how far their lines lie apart."""
    above = wrapped = 0
    leading = 0.5
    for example in examples:
        rows: dict[int, list[_Cell]] = defaultdict(list)
        for cell in example.cells:
            rows[cell.row].append(cell)
        for cells in rows.values():
            tops = [c.box[1] for c in cells if c.column in anchors]
            for cell in cells:
                page = example.document.pages[cell.page]
                lines = _line_boxes(page, cell.words)
                if cell.column in anchors or len(lines) < 2 or not tops:
                    continue
                wrapped += 1
                height = lines[0][3] - lines[0][1]
                above += cell.box[1] < min(tops) - 0.4 * height
                for upper, lower in itertools.pairwise(lines):
                    leading = max(leading, (lower[1] - upper[3]) / max(1.0, height))
    share = above / wrapped if wrapped else 0.0
    return Habits(share, min(1.5, leading + 0.25) if wrapped else 0.9, anchors)


def _line_boxes(page: Any, words: Sequence[int]) -> list[Box]:
    lines: list[list[int]] = []
    for word in sorted(words, key=lambda i: (float(page.boxes[i][1]), float(page.boxes[i][0]))):
        if lines and y_overlap(box_of(page, lines[-1]), box_of(page, [word])) > 1:
            lines[-1].append(word)
        else:
            lines.append([word])
    return [box_of(page, line) for line in lines]


def _book(layout: TableLayout) -> dict[Phrase, list[tuple[str, float]]]:
    book: dict[Phrase, list[tuple[str, float]]] = defaultdict(list)
    for name, head in layout.heads.items():
        book[head].append((name, 1.0))
    for head in layout.others:
        if head and head not in book:
            book[head].append((OTHER, 0.5))
    return book


def _shift(base: Mapping[str, float], other: Mapping[str, float]) -> float:
    moves = [other[name] - base[name] for name in base if name in other]
    return median(moves) if moves else 0.0


def _drift(layout: TableLayout, header: Header) -> float:
    """Mean distance of the header cells from where the layout has them, after one shift."""
    found = {name: box[0] for name, box in header.cells.items() if name != OTHER}
    shift = _shift(layout.origins, found)
    apart = [abs(found[n] - layout.origins[n] - shift) for n in layout.origins if n in found]
    return sum(apart) / len(apart) if apart else 0.0


def _moved(layout: TableLayout, header: Header) -> list[Column]:
    """The layout's columns where this page has them."""
    found = {name: box[0] for name, box in header.cells.items() if name != OTHER}
    shift = _shift(layout.origins, found)

    def move(x: float | None) -> float | None:
        return None if x is None else x + shift

    return [
        Column(
            c.name, move(c.left), move(c.right), c.low + shift, c.high + shift, c.share,
            move(c.middle),
        )
        for c in layout.columns
    ]  # fmt: skip


def _layout_to_dict(layout: TableLayout) -> dict[str, Any]:
    return {
        "heads": {name: list(head) for name, head in layout.heads.items()},
        "others": [list(head) for head in layout.others],
        "columns": [
            [c.name, c.left, c.right, c.low, c.high, c.share, c.middle] for c in layout.columns
        ],
        "origins": dict(layout.origins),
        "above": layout.habits.above,
        "leading": layout.habits.leading,
        "anchors": sorted(layout.habits.anchors),
        "documents": layout.documents,
    }


def _layout_from_dict(state: Mapping[str, Any]) -> TableLayout:
    return TableLayout(
        {name: tuple(head) for name, head in state["heads"].items()},
        tuple(tuple(head) for head in state["others"]),
        tuple(Column(*row) for row in state["columns"]),
        dict(state["origins"]),
        Habits(state["above"], state["leading"], frozenset(state["anchors"])),
        state["documents"],
    )
