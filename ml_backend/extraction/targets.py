"""Labels → what each token teaches about each field: yes, no, or nothing.

A reviewer boxes one of several copies of a value. The other copies are therefore not negatives;
those printed after the same word are positives as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_backend.extraction.document import Ints, Tokens, tokens_in
from ml_backend.extraction.fields import FieldSpec, Labels
from ml_backend.extraction.lexicon import Kind

UNKNOWN, NO, YES = -1, 0, 1
TELLING_KINDS = (Kind.DATE, Kind.DATE_PART, Kind.MONEY, Kind.LONG_INTEGER, Kind.CODE)
BORDER = 4
"""Tokens on each side of a value that always count: they teach where it ends."""


@dataclass(frozen=True, slots=True)
class Target:
    """`state` (tokens, fields) of YES, NO and UNKNOWN; `spans[field]` the token runs boxed."""

    state: NDArray[np.int8]
    spans: tuple[tuple[Ints, ...], ...]
    absent: tuple[bool, ...]
    empty_boxes: int


def target_of(tokens: Tokens, labels: Labels, fields: Sequence[FieldSpec]) -> Target:
    n = len(tokens)
    state = np.zeros((n, len(fields)), dtype=np.int8)
    spans: list[tuple[Ints, ...]] = []
    absent: list[bool] = []
    empty = 0
    for f, spec in enumerate(fields):
        own = [label for label in labels.labels if label.field == spec.name]
        found: list[Ints] = []
        for label in own:
            chosen = tokens_in(tokens, label.page, label.box, label.text)
            if len(chosen):
                found.append(chosen)
            else:
                empty += 1
        spans.append(tuple(found))
        declared = spec.name in labels.absent and not own
        absent.append(declared or (labels.complete and not own))
        if not found:
            # A box without words says the value is there, not where: nothing to learn.
            if own or not (declared or labels.complete):
                state[:, f] = UNKNOWN
            continue
        for chosen in found:
            mark_copies(tokens, chosen, state[:, f])
        if not labels.complete and spec.multiple:
            state[:, f] = np.where(state[:, f] == NO, UNKNOWN, state[:, f])
        for chosen in found:
            state[chosen, f] = YES
    return Target(state, tuple(spans), tuple(absent), empty)


def mark_copies(tokens: Tokens, chosen: Ints, state: NDArray[np.int8]) -> None:
    """Mark the other places where the same text stands."""
    length = len(chosen)
    squeezed = tokens.squeezed
    first = int(chosen[0])
    run = squeezed[chosen]
    starts = np.flatnonzero(squeezed == run[0])
    starts = starts[starts + length <= len(tokens)]
    norm = tokens.norm
    for start in starts.tolist():
        if start == first or not np.array_equal(squeezed[start : start + length], run):
            continue
        if tokens.line[start] != tokens.line[start + length - 1] and length > 1:
            continue
        same = (
            start > 0
            and first > 0
            and norm[start - 1] == norm[first - 1]
            and tokens.line[start - 1] == tokens.line[start]
            and tokens.line[first - 1] == tokens.line[first]
        )
        state[start : start + length] = YES if same else UNKNOWN
    _same_value(tokens, chosen, state)


def _same_value(tokens: Tokens, chosen: Ints, state: NDArray[np.int8]) -> None:
    """Copies written another way: "$1,200.00" and "1200.00", "3/1/20" and "03/01/2020"."""
    if len(chosen) != 1:
        return
    i = int(chosen[0])
    if not np.isnan(tokens.amount[i]):
        alike = tokens.amount == tokens.amount[i]
    elif not np.isnan(tokens.day[i, 0]):
        alike = tokens.day[:, 0] == tokens.day[i, 0]
    else:
        return
    state[alike & (state == NO)] = UNKNOWN


def rows_to_learn(
    tokens: Tokens, target: Target, share: float, telling: float, rng: np.random.Generator
) -> Ints:
    """Tokens worth a row: positives and their borders, and a random part of the rest: `telling` of
    the tokens that look like values, `share` of the others."""
    n = len(tokens)
    wanted = np.where(np.isin(tokens.kind, TELLING_KINDS), telling, share)
    keep = rng.random(n) < wanted
    positive = np.flatnonzero((target.state == YES).any(axis=1))
    for shift in range(-BORDER, BORDER + 1):
        near = positive + shift
        near = near[(near >= 0) & (near < n)]
        keep[near] = True
    return np.flatnonzero(keep)
