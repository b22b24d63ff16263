"""Spans of a page that look like a value of some type, before anything is learnt."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np

from ml_backend.extraction.fields import Box, FieldSpec, FieldType, PageLike
from ml_backend.extraction.geometry import IntArray, Layout, lay_out
from ml_backend.extraction.normalize import fold, normalize

_DAY = r"\d{1,2}"
_NUMERIC_DATE = re.compile(
    rf"(?<![\d./-])(?:\d{{4}}[-/.]{_DAY}[-/.]{_DAY}|{_DAY}[-/.]{_DAY}[-/.](?:\d{{4}}|\d{{2}}))(?!\d|[-/]\d)"
)
_WORD_DATE = re.compile(r"(?<!\w)\d{1,2}[-/. ]?[A-Za-zç]{3,9}\.?[-/. ]?(?:\d{4}|\d{2})(?!\w)")
_NUMBER = re.compile(
    r"^[(\-−+]?\s*(?:[A-Z]{1,3})?[$€£¥₹]?\s*[(\-−+]?(?:\d{1,3}(?:[.,'’]\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d+)?|[.,]\d+)[)\-−]?\s?[%€]?[)]?[*]?$"
)
_DECIMALS = re.compile(r"[.,]\d{2}[)\-−%€]?$")
_CURRENCY_WORD = re.compile(r"^(?:[A-Z]{0,2}[$]|[€£¥₹]|USD|EUR|BRL|GBP|CAD)$")
_BETWEEN_DAYS = frozenset(
    ["", "-", "–", "—", "to", "thru", "through", "until", "a", "à", "até", "ate", "ao"]
)
_ALIGNED, _NEAR_ROWS, _ROWS = 3.0, 12.0, 2
"""Points, text heights, and other days: what makes a column of days."""
_DATE_SPEC = FieldSpec("", FieldType.DATE, format="DMY")


@dataclass(frozen=True, slots=True)
class Shaped:
    """A span of consecutive words of one line.

    `first` and `last` are positions in the page's reading order (`Layout.order`); `text` may be a
    part of a single word. `decimals`, `percent` and `currency` describe numbers.
    """

    first: int
    last: int
    text: str
    box: Box
    amount: float = 0.0
    decimals: bool = False
    percent: bool = False
    currency: bool = False


@dataclass(frozen=True)
class PageView:
    """A page in reading order: `texts` and `boxes` follow `layout.order`, as do `line` and
    `segment`; `dates` and `numbers` are the typed spans by their first position."""

    index: int
    page: PageLike
    layout: Layout
    texts: list[str]
    boxes: list[Box]
    line: list[int]
    segment: list[int]
    dates: tuple[Shaped, ...]
    numbers: tuple[Shaped, ...]

    @cached_property
    def runs(self) -> tuple[tuple[int, int, Box], ...]:
        """First and last position of each segment, and its box."""
        if not self.texts:
            return ()
        own = self.layout.segment[self.layout.order]
        firsts = np.flatnonzero(np.concatenate(([True], own[1:] != own[:-1])))
        lasts = np.concatenate((firsts[1:], [len(own)])) - 1
        boxes = np.asarray(self.page.boxes, dtype=np.float64).reshape(-1, 4)[self.layout.order]
        edges = (
            boxes[firsts, 0],
            np.minimum.reduceat(boxes[:, 1], firsts),
            np.maximum.reduceat(boxes[:, 2], firsts),
            np.maximum.reduceat(boxes[:, 3], firsts),
        )
        around: list[Box] = list(zip(*(edge.tolist() for edge in edges), strict=True))
        return tuple(zip(firsts.tolist(), lasts.tolist(), around, strict=True))

    @cached_property
    def in_period(self) -> Mapping[Shaped, int]:
        """The days of printed periods: 0 for a first one, 1 for a last one."""
        roles: dict[Shaped, int] = {}
        for period in self.periods:
            for role, day in enumerate(period):
                roles.setdefault(day, role)
        return roles

    @cached_property
    def periods(self) -> tuple[tuple[Shaped, Shaped], ...]:
        """Pairs of days printed as one period, "1 Jan 2026 – 31 Jan 2026"."""
        return tuple(
            (one, two)
            for one, two in pairwise(self.dates)
            if self.line[one.last] == self.line[two.first]
            and all(
                text.strip(" .").lower() in _BETWEEN_DAYS
                for text in self.texts[one.last + 1 : two.first]
            )
        )

    @cached_property
    def in_column(self) -> frozenset[Shaped]:
        """The days that stand in a column of days."""
        boxes = np.asarray([day.box for day in self.dates]).reshape(-1, 4)
        left, top, height = boxes[:, 0], boxes[:, 1], boxes[:, 3] - boxes[:, 1]
        found = [
            day
            for k, day in enumerate(self.dates)
            if np.count_nonzero(
                (np.abs(left - left[k]) < _ALIGNED)
                & (np.abs(top - top[k]) < _NEAR_ROWS * height[k])
            )
            > _ROWS
        ]
        return frozenset(found)

    def box(self, first: int, last: int) -> Box:
        """Box around the positions first..last of one line."""
        if first == last:
            return self.boxes[first]
        part = self.boxes[first : last + 1]
        return (
            part[0][0],
            min(b[1] for b in part),
            max(b[2] for b in part),
            max(b[3] for b in part),
        )


def view(page: PageLike, index: int) -> PageView:
    """`page`, the document's `index`-th, ready for looking things up in reading order."""
    layout = lay_out(page.boxes)
    order: IntArray = layout.order
    texts = [page.texts[i] for i in order.tolist()]
    boxes: list[Box] = list(map(tuple, page.boxes[order].astype(float).tolist()))
    line = layout.line[order].tolist()
    segment = layout.segment[order].tolist()
    looks = [(at, look) for at, look in enumerate(map(_look, texts)) if look is not None]
    dates = _dates(texts, boxes, line, dict(looks))
    taken = {at for span in dates for at in range(span.first, span.last + 1)}
    numbers = _numbers(texts, boxes, line, [own for own in looks if own[0] not in taken])
    return PageView(index, page, layout, texts, boxes, line, segment, dates, numbers)


@lru_cache(maxsize=100_000)
def _dates_in_word(word: str) -> tuple[tuple[int, int], ...]:
    if len(word) < 6 or not any(c.isdigit() for c in word):
        return ()
    found = [m.span() for m in _NUMERIC_DATE.finditer(word)]
    if not found:
        found = [m.span() for m in _WORD_DATE.finditer(word)]
    return tuple(s for s in found if normalize(word[s[0] : s[1]], _DATE_SPEC).value)


@lru_cache(maxsize=100_000)
def _part_of_date(word: str) -> str:
    """ "m" a month's name, "d" one or two digits, "y" four, "de" glue, "" anything else."""
    plain = fold(word).strip(".,;:()")
    if plain in {"de", "of"}:
        return "de"
    digits = re.sub(r"(?:st|nd|rd|th|o)$", "", plain)
    if digits.isdigit():
        return "d" if len(digits) <= 2 else "y" if len(digits) == 4 else ""
    if plain.isalpha() and 3 <= len(plain) <= 9:
        return "m" if normalize(f"7 {plain} 2024", _DATE_SPEC).value else ""
    return ""


_SPELLED = {
    ("d", "m", "y"), ("d", "m", "d"), ("m", "d", "y"), ("d", "de", "m", "de", "y"), ("y", "m", "d"),
    ("d", "m", "de", "y"),
}  # fmt: skip
_LONGEST_DAY = 5


_Number = tuple[float, bool, bool, bool]
"""Amount, has decimals, is a percentage, has a currency."""


@lru_cache(maxsize=100_000)
def _number_in_word(word: str) -> _Number | None:
    """None for no number. A closing mark is no part of it."""
    word = word.rstrip(".,;:")
    if len(word) > 24 or not _NUMBER.match(word):
        return None
    value = normalize(word, FieldSpec("", FieldType.NUMBER)).value
    if value is None:
        return None
    currency = any(c in "$€£¥₹" for c in word)
    return (float(value), bool(_DECIMALS.search(word)), "%" in word, currency)


@dataclass(frozen=True, slots=True)
class _Look:
    """What a word may be: the days within it, its part in a spelled-out day, a number."""

    days: tuple[tuple[int, int], ...]
    part: str
    number: _Number | None


@lru_cache(maxsize=100_000)
def _look(word: str) -> _Look | None:
    """None for the many words that are nothing of the kind."""
    days, part, number = _dates_in_word(word), _part_of_date(word), _number_in_word(word)
    return _Look(days, part, number) if days or part or number else None


def _dates(
    texts: list[str], boxes: list[Box], line: list[int], looks: Mapping[int, _Look]
) -> tuple[Shaped, ...]:
    found: list[Shaped] = []
    taken = -1
    for at, look in looks.items():
        if at <= taken:
            continue
        text = texts[at]
        for start, end in look.days:
            x0, y0, x1, y1 = boxes[at]
            width = (x1 - x0) / max(1, len(text))
            box = (x0 + start * width, y0, x0 + end * width, y1)
            found.append(Shaped(at, at, text[start:end], box))
            taken = at
        if taken == at or look.part not in {"d", "m", "y"}:
            continue
        # Every part of a spelled-out day is one, so they stand one after the other.
        parts = [look.part]
        while len(parts) < _LONGEST_DAY and at + len(parts) in looks:
            following = looks[at + len(parts)]
            if not following.part or line[at + len(parts)] != line[at]:
                break
            parts.append(following.part)
        for length in range(len(parts), 2, -1):
            last = at + length - 1
            if tuple(parts[:length]) not in _SPELLED:
                continue
            joined = " ".join(texts[at : last + 1]).rstrip(".,;:")
            if normalize(joined, _DATE_SPEC).value:
                part = boxes[at : last + 1]
                box = (part[0][0], min(b[1] for b in part), part[-1][2], max(b[3] for b in part))
                found.append(Shaped(at, last, joined, box))
                taken = last
                break
    return tuple(found)


def reads_as_number(word: str) -> bool:
    """Whether a printed word is an amount or a count, currency and sign included."""
    return _number_in_word(word) is not None


def _numbers(
    texts: list[str], boxes: list[Box], line: list[int], looks: list[tuple[int, _Look]]
) -> tuple[Shaped, ...]:
    found: list[Shaped] = []
    for at, look in looks:
        if look.number is None:
            continue
        amount, decimals, percent, currency = look.number
        before = at > 0 and line[at - 1] == line[at] and bool(_CURRENCY_WORD.match(texts[at - 1]))
        found.append(
            Shaped(at, at, texts[at], boxes[at], amount, decimals, percent, currency or before)
        )
    return tuple(found)
