"""A document's words as columns: tokens in reading order, with line, segment and neighbours.

A token is a word or a piece of one (see `lexicon.pieces`). Tokens are sorted by page, line and x;
a segment is a run of tokens of one line without a wide gap. Indices below are token indices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_backend.extraction.fields import Box, Document, PageLike
from ml_backend.extraction.geometry import lay_out
from ml_backend.extraction.lexicon import MONTHS, SHARED, Ending, Kind, parse_date, pieces, squeeze

SEGMENT_GAP = 0.75
"""Widest blank inside a segment, in ems."""

MOST_TOKENS = 12_000
"""Tokens of one page that are looked at; a page beyond this is noise, not a form."""

Ints = NDArray[np.intp]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tokens:
    """n tokens of the pages kept. `word` and `cut` point back into page.texts: position of the
    page in `pages`, word index, first and last character."""

    pages: tuple[PageLike, ...]
    page_count: int
    texts: tuple[str, ...]
    hashes: NDArray[np.uint64]  # (5, n), see lexicon.Looks
    traits: Ints  # (4, n), likewise
    page: Ints  # position in `pages`
    word: Ints
    cut: Ints  # (n, 2)
    box: Floats  # (n, 4)
    size: Floats
    style: Ints  # hash-free style code: bold, italic
    line: Ints
    segment: Ints
    kind: Ints
    amount: Floats  # NaN where no amount
    day: Floats  # (n, 2) ordinals, month first and day first

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def norm(self) -> NDArray[np.uint64]:
        """Hashes of the words' normal forms: what a label word is compared by."""
        norm: NDArray[np.uint64] = self.hashes[0]
        return norm

    @property
    def squeezed(self) -> NDArray[np.uint64]:
        """Hashes of their letters and digits: equal for two copies of a word."""
        squeezed: NDArray[np.uint64] = self.hashes[4]
        return squeezed

    @property
    def colon(self) -> NDArray[np.bool_]:
        """Which end with one."""
        colon: NDArray[np.bool_] = self.traits[2] == Ending.COLON
        return colon

    @property
    def open_end(self) -> NDArray[np.bool_]:
        """Which end with a comma, a dash or the like."""
        open_: NDArray[np.bool_] = self.traits[2] == Ending.OPEN
        return open_

    @property
    def signs(self) -> Ints:
        """Letters + 2 × digits."""
        signs: Ints = self.traits[3]
        return signs


def kept_pages(count: int, head: int, tail: int) -> list[int]:
    """Positions of the first `head` and the last `tail` pages."""
    if count <= head + tail:
        return list(range(count))
    return [*range(head), *range(count - tail, count)]


def tokenise(document: Document, head: int, tail: int) -> Tokens:
    kept = kept_pages(len(document.pages), head, tail)
    pages = tuple(document.pages[i] for i in kept)
    texts: list[str] = []
    parts: list[tuple[Ints, Ints, Floats, Floats, Ints, Ints, Ints]] = []
    lines = segments = 0
    for page in pages:
        page_texts, word, cut, box, size, style = _page_tokens(page)
        line, segment, order = _lines(box, size)
        texts += [page_texts[i] for i in order.tolist()]
        parts.append(
            (
                word[order],
                cut[order],
                box[order],
                size[order],
                style[order],
                line + lines,
                segment + segments,
            )
        )
        if len(line):
            lines += int(line[-1]) + 1
            segments += int(segment[-1]) + 1
    counts = [len(part[0]) for part in parts]
    looks = SHARED.look(texts)

    def joined(column: int, shape: tuple[int, ...], kind: type) -> NDArray[np.generic]:
        arrays = [part[column] for part in parts]
        return np.concatenate(arrays).astype(kind) if arrays else np.zeros(shape, dtype=kind)

    tokens = Tokens(
        pages=pages,
        page_count=len(document.pages),
        texts=tuple(texts),
        hashes=looks.hashes,
        traits=looks.traits,
        page=np.repeat(np.arange(len(pages)), counts),
        word=joined(0, (0,), np.intp),  # type: ignore[arg-type]
        cut=joined(1, (0, 2), np.intp),  # type: ignore[arg-type]
        box=joined(2, (0, 4), np.float64),  # type: ignore[arg-type]
        size=joined(3, (0,), np.float64),  # type: ignore[arg-type]
        style=joined(4, (0,), np.intp),  # type: ignore[arg-type]
        line=joined(5, (0,), np.intp),  # type: ignore[arg-type]
        segment=joined(6, (0,), np.intp),  # type: ignore[arg-type]
        kind=looks.traits[0].copy(),  # a word may turn out to be part of a written day
        amount=looks.values[:, 0].copy(),
        day=looks.values[:, 1:].copy(),
    )
    _read_long_dates(tokens)
    return tokens


def _page_tokens(
    page: PageLike,
) -> tuple[list[str], Ints, Ints, Floats, Floats, Ints]:
    words = page.texts[:MOST_TOKENS]
    boxes = np.asarray(page.boxes[:MOST_TOKENS], dtype=np.float64).reshape(-1, 4)
    sizes = np.asarray(page.sizes[:MOST_TOKENS], dtype=np.float64)
    bold = np.asarray(
        [
            2 * ("bold" in name.lower() or "black" in name.lower()) + ("italic" in name.lower())
            for name in page.font_names
        ]
        or [0],
        dtype=np.intp,
    )
    fonts = np.asarray(page.fonts[:MOST_TOKENS], dtype=np.intp)
    styles = bold[np.minimum(fonts, len(bold) - 1)]
    found = [pieces(text) for text in words]
    lengths = np.asarray([len(text) for text in words], dtype=np.intp)
    whole = all(len(cuts) == 1 for cuts in found)
    if whole:
        texts = list(words)
        index = np.arange(len(words), dtype=np.intp)
        cuts = np.stack((np.zeros(len(words), dtype=np.intp), lengths), axis=1)
    else:
        texts = [text[a:b] for text, cuts in zip(words, found, strict=True) for a, b in cuts]
        index = np.repeat(np.arange(len(words)), [len(cuts) for cuts in found])
        cuts = np.asarray([piece for cuts in found for piece in cuts], dtype=np.intp).reshape(-1, 2)
    box = boxes[index]
    if not whole:
        length = np.maximum(lengths[index], 1).astype(np.float64)
        width = box[:, 2] - box[:, 0]
        box = box.copy()
        left = box[:, 0].copy()
        box[:, 0] = left + width * cuts[:, 0] / length
        box[:, 2] = left + width * cuts[:, 1] / length
    return texts, index, cuts, box, sizes[index], styles[index]


def _lines(box: Floats, size: Floats) -> tuple[Ints, Ints, Ints]:
    """Line and segment number of each token in reading order, and that order."""
    n = len(box)
    if n == 0:
        return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp)
    layout = lay_out(box.astype(np.float32), SEGMENT_GAP)
    order = np.asarray(layout.order)
    line = layout.line[order]
    tall = np.maximum(box[:, 3] - box[:, 1], 1.0)
    em = np.maximum(np.minimum(size, 2 * tall), tall)[order]
    gap = box[order[1:], 0] - box[order[:-1], 2]
    breaks = (line[1:] != line[:-1]) | (gap > SEGMENT_GAP * np.maximum(em[1:], em[:-1]))
    segment = np.concatenate(([0], np.cumsum(breaks))).astype(np.intp)
    return line.astype(np.intp), segment, order.astype(np.intp)


def _read_long_dates(tokens: Tokens) -> None:
    """Give the words of "12 March 2020" and "March 12, 2020" the day they name together."""
    for i in np.flatnonzero(tokens.kind == Kind.MONTH).tolist():
        month = tokens.texts[i].strip(".,")
        for first, number, year, month_first in (
            (i - 1, i - 1, i + 1, False),
            (i, i + 1, i + 2, True),
        ):
            if first < 0 or year >= len(tokens) or tokens.line[first] != tokens.line[year]:
                continue
            a, b = tokens.texts[number].strip(".,"), tokens.texts[year].strip(".,;")
            if not (a.isdigit() and b.isdigit() and month.lower() in MONTHS):
                continue
            day = parse_date(f"{month}{a},{b}" if month_first else f"{a}{month}{b}")
            if day[0] == day[0]:
                tokens.day[first : year + 1] = day
                tokens.kind[first : year + 1] = Kind.DATE_PART
                break


def tokens_in(tokens: Tokens, page: int, box: Box, text: str | None = None) -> Ints:
    """Tokens of the page whose centre lies in the box, in reading order.

    `text`, the label's, narrows them: of "Date:02/11/20" boxed as one word, a label "02/11/20" keeps that piece
    alone; of a box around two lines that holds other words too, only the run that says it.
    """
    numbers = [p.number for p in tokens.pages]
    if page not in numbers:
        return np.zeros(0, dtype=np.intp)
    x = (tokens.box[:, 0] + tokens.box[:, 2]) / 2
    y = (tokens.box[:, 1] + tokens.box[:, 3]) / 2
    inside = (
        (tokens.page == numbers.index(page))
        & (x >= box[0] - 0.5)
        & (x <= box[2] + 0.5)
        & (y >= box[1] - 0.5)
        & (y <= box[3] + 0.5)
    )
    found = np.flatnonzero(inside)
    return _saying(tokens, found, text) if text and len(found) > 1 else found


def _saying(tokens: Tokens, found: Ints, text: str) -> Ints:
    """Those of the tokens that make up the text, or all where none does. Marks are not compared: the sentence's dot
    in "2024." is no part of the label."""
    wanted = squeeze(text)
    own = [squeeze(tokens.texts[i]) for i in found.tolist()]
    if not wanted:
        return found
    for first, piece in enumerate(own):
        last, said = first, piece
        while wanted.startswith(said) and len(said) < len(wanted) and last + 1 < len(own):
            last += 1
            said += own[last]
        if piece and said == wanted:
            return found[first : last + 1]
    letters = set(wanted)
    kept = [k for k, piece in enumerate(own) if piece in wanted or letters >= set(piece)]
    return found[kept] if kept else found


def text_of(tokens: Tokens, chosen: Sequence[int]) -> str:
    """The tokens' text as printed: pieces of one word joined, words a blank apart."""
    out: list[str] = []
    last = (-1, -1, -1)
    for i in chosen:
        here = (int(tokens.page[i]), int(tokens.word[i]), int(tokens.cut[i, 0]))
        if out and here == last:
            out[-1] += tokens.texts[i]
        else:
            out.append(tokens.texts[i])
        last = (here[0], here[1], int(tokens.cut[i, 1]))
    return " ".join(out)


def boxes_of(tokens: Tokens, chosen: Sequence[int]) -> list[tuple[int, Box]]:
    """One box per page touched, with the page's number."""
    index = np.asarray(chosen, dtype=np.intp)
    by_page: dict[int, list[list[float]]] = {}
    for page, box in zip(tokens.page[index].tolist(), tokens.box[index].tolist(), strict=True):
        by_page.setdefault(page, []).append(box)
    found = []
    for page, boxes in sorted(by_page.items()):
        left, top, right, bottom = zip(*boxes, strict=True)
        found.append((tokens.pages[page].number, (min(left), min(top), max(right), max(bottom))))
    return found
