"""Fields whose printed label leads to the value more surely than what was learnt.

With few reviewed documents a field can be found on every form by its name alone, while the words around it were seen
too seldom to learn from. Where held-out documents show that, the place the label points at is answered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ml_backend.extraction.decoding import GROWTH, Candidate, Ranked
from ml_backend.extraction.document import Floats
from ml_backend.extraction.encoding import Encoded
from ml_backend.extraction.hints import COLUMNS

FEWEST_VALUES = 5
LEAST_GAIN = 1
"""Held-out documents a label must serve better than what was learnt, and …"""
GAIN_SHARE = 0.04
"""… the share of all that these must be: between two good guides the learnt one learns on."""
MOST_INVENTED = 0.1
"""Share of blanks with an answer up to which the value is filled in."""


@dataclass(frozen=True, slots=True)
class Lead:
    """A field is answered by its label. `confidence`: share of the held-out values it points at that are right;
    `absent`: share of the held-out documents without a label that lack the value; `fills`: whether it seldom answers
    where nothing is; `alone`: whether without a label nothing is answered."""

    confidence: float
    absent: float
    fills: bool
    alone: bool


@dataclass(frozen=True, slots=True)
class Told:
    """What one guide says of a field in a document: anything at all, and the right thing."""

    answers: bool
    right: bool = False


@dataclass(frozen=True, slots=True)
class Trial:
    """A field of a held-out document: `there`, declared absent, or taken off the page (`masked`)."""

    field: int
    there: bool
    label: Told
    learnt: Told
    masked: bool = False

    @property
    def label_first(self) -> Told:
        return self.label if self.label.answers else self.learnt


def announced(encoded: Encoded, odds: Floats, f: int) -> Candidate | None:
    """What stands where the label of field number `f` points, unless the model is sure that it is not the value."""
    dense = encoded.dense
    if not dense.shape[1]:
        return None
    tokens = np.flatnonzero(dense[:, COLUMNS * f] > 0)
    if not len(tokens) or odds[tokens, f].max() < -GROWTH:
        return None
    return Candidate(tuple(tokens.tolist()), 1.0)


def leads(trials: Iterable[Trial], fields: int) -> tuple[Lead | None, ...]:
    """Per field its lead, None where what was learnt answers."""
    own: list[list[Trial]] = [[] for _ in range(fields)]
    for trial in trials:
        own[trial.field].append(trial)
    return tuple(_lead(t) for t in own)


def _lead(trials: Sequence[Trial]) -> Lead | None:
    seen = [t for t in trials if not t.masked]
    there = [t for t in seen if t.there]
    if len(there) < FEWEST_VALUES:
        return None
    learnt = _worth((t.learnt, t.there) for t in seen)
    first = _worth((t.label_first, t.there) for t in seen)
    alone = _worth((t.label, t.there) for t in seen)
    if max(first, alone) - learnt < max(LEAST_GAIN, GAIN_SHARE * len(seen)):
        return None
    pointed = [t.label.right for t in there if t.label.answers]
    silent = [not t.there for t in seen if not t.label.answers]
    blank = [t for t in trials if t.masked]
    invented = sum(t.label.answers for t in blank)
    return Lead(
        _careful_share(pointed),
        _careful_share(silent),
        invented <= MOST_INVENTED * len(blank),
        alone > first,
    )


def _careful_share(cases: Sequence[bool]) -> float:
    """One right and one wrong are added: the label was chosen on these very documents."""
    return (sum(cases) + 1) / (len(cases) + 2)


def _worth(told: Iterable[tuple[Told, bool]]) -> int:
    """Right values less answers where nothing is."""
    return sum(t.right if there else -t.answers for t, there in told)


def led(
    encoded: Encoded, odds: Floats, ranked: Sequence[Ranked], lead: Sequence[Lead | None]
) -> Mapping[int, Ranked]:
    """The rankings of the fields their labels lead to, with the learnt candidates as alternatives; an empty one
    where a label that leads alone is not printed."""
    found: dict[int, Ranked] = {}
    for f, own in enumerate(lead):
        if own is None:
            continue
        best = announced(encoded, odds, f)
        if best is not None:
            others = [c for c in ranked[f].candidates if not {*c.tokens} & {*best.tokens}]
            found[f] = Ranked((best, *others), 1.0)
        elif own.alone:
            found[f] = Ranked()
    return found
