"""What a value is among the document's values: the largest amount, the earliest date, a date with
a later one beside it. These generalise to layouts nobody labelled, where context cannot."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml_backend.extraction.document import Floats, Ints, Tokens
from ml_backend.extraction.lexicon import Kind

DEEPEST_RANK = 6


def _rank(values: Floats, chosen: Ints) -> tuple[Ints, Ints, int]:
    """Rank among distinct values (0 = smallest), occurrences, number of distinct values."""
    distinct, inverse, counts = np.unique(values[chosen], return_inverse=True, return_counts=True)
    return inverse, counts[inverse], len(distinct)


def value_columns(tokens: Tokens, day_first: bool) -> list[NDArray[np.uint64]]:
    """Integer codes per token, 0 where the token is neither an amount nor a date."""
    n = len(tokens)
    columns: list[NDArray[np.uint64]] = [np.zeros(n, dtype=np.uint64) for _ in range(10)]
    _amounts(tokens, columns[:4])
    _dates(tokens, tokens.day[:, int(day_first)], columns[4:8])
    _repeats(tokens, columns[8:])
    return columns


def _amounts(tokens: Tokens, out: list[NDArray[np.uint64]]) -> None:
    rows = np.flatnonzero(~np.isnan(tokens.amount))
    if not len(rows):
        return
    rank, count, distinct = _rank(np.abs(tokens.amount), rows)
    top = np.minimum(distinct - 1 - rank, DEEPEST_RANK)
    count = np.minimum(count, 4)
    out[0][rows] = 1 + top
    out[1][rows] = 1 + top * 8 + count
    # The last place an amount is printed: totals close a document.
    last = np.zeros(distinct, dtype=np.intp)
    last[rank] = rows
    out[2][rows] = 1 + top * 2 + (last[rank] == rows)
    line = tokens.line[rows]
    ends = np.concatenate((line[1:] != line[:-1], [True]))
    starts = np.concatenate(([True], line[1:] != line[:-1]))
    largest = np.maximum.reduceat(np.abs(tokens.amount[rows]), np.flatnonzero(starts))
    is_largest = np.abs(tokens.amount[rows]) == largest[np.cumsum(starts) - 1]
    out[3][rows] = 1 + ends + 2 * is_largest + 4 * np.minimum(top, 2)


def _dates(tokens: Tokens, day: Floats, out: list[NDArray[np.uint64]]) -> None:
    rows = np.flatnonzero(~np.isnan(day))
    if not len(rows):
        return
    rank, count, distinct = _rank(day, rows)
    early = np.minimum(rank, 3)
    late = np.minimum(distinct - 1 - rank, 3)
    out[0][rows] = 1 + early * 4 + late
    out[1][rows] = 1 + (early * 4 + late) * 4 + np.minimum(count, 3)
    # Words of one written date share a day: neighbours are the next other date of the line.
    written = np.concatenate(
        (
            [True],
            (np.diff(rows) > 1)
            | (day[rows][1:] != day[rows][:-1])
            | (tokens.kind[rows][1:] == Kind.DATE),
        )
    )
    group = np.cumsum(written) - 1
    head = np.flatnonzero(written)
    days, line = day[rows][head], tokens.line[rows][head]
    after = np.zeros(len(head), dtype=np.intp)
    before = np.zeros(len(head), dtype=np.intp)
    weeks = np.zeros(len(head), dtype=np.intp)
    near = line[1:] == line[:-1]
    compared = 2 + np.sign(days[1:] - days[:-1]).astype(np.intp)  # 1 earlier, 2 same, 3 later
    after[:-1][near] = compared[near]
    before[1:][near] = compared[near]
    span = np.minimum(np.abs(days[1:] - days[:-1]) // 7 + 1, 9).astype(np.intp)
    weeks[:-1][near] = span[near]
    weeks[1:][near] = np.maximum(weeks[1:], span)[near]
    new = np.concatenate(([True], ~near))
    index = np.arange(len(head)) - np.maximum.accumulate(np.where(new, np.arange(len(head)), 0))
    out[2][rows] = (1 + after + 4 * before + 16 * np.minimum(index, 3))[group]
    out[3][rows] = (
        1 + after + 4 * before + 16 * weeks + 256 * (early[head] == 0) + 512 * (late[head] == 0)
    )[group]


def _repeats(tokens: Tokens, out: list[NDArray[np.uint64]]) -> None:
    """How often the word is printed, and which of its kind's distinct words it is."""
    if not len(tokens):
        return
    _, first, inverse, counts = np.unique(
        tokens.squeezed, return_index=True, return_inverse=True, return_counts=True
    )
    digits = tokens.signs >= 2
    out[0][:] = np.where(digits, 1 + np.minimum(counts[inverse], 4) * 16 + tokens.kind, 0)
    fresh = np.zeros(len(tokens), dtype=bool)
    fresh[first] = True
    for kind in (Kind.LONG_INTEGER, Kind.CODE, Kind.MIXED, Kind.DATE, Kind.MONEY):
        of_kind = tokens.kind == kind
        order = np.cumsum(of_kind & fresh)
        nth = order[first[inverse]]
        out[1][of_kind] = (1 + np.minimum(nth, 6) * 16 + int(kind))[of_kind]


def reads_day_first(samples: list[Tokens]) -> bool:
    """Whether dates written with three numbers put the day first, judged by the impossible ones."""
    month_only = day_only = 0
    for tokens in samples:
        month, day = np.isnan(tokens.day[:, 0]), np.isnan(tokens.day[:, 1])
        month_only += int((~month & day).sum())
        day_only += int((month & ~day).sum())
    return day_only > month_only
