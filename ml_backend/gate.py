"""Whether a candidate goes live. Pure: two models' marks on the same documents in, a verdict with reasons out.

Both models are judged only on documents they did not learn from. A candidate passes if it is right more often
overall and loses no field that reviewers rely on; a loss that other fields outweigh several times is named, not fatal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ml_backend.extraction.evaluation import Score
from ml_backend.held_out import Marks

FIELD_SUPPORT = 5
"""Labelled values below which one field alone stops nobody."""
FIELD_LOSS = 0.10
"""Loss of F1 in one field up to which being better overall is enough."""
FIELD_RUIN = 0.25
"""Loss of F1 in one field that nothing outweighs."""
OUTWEIGHED = 3.0
"""Times the losses of all fields that the gains of the others must add up to, where one loses more than FIELD_LOSS."""
FIELD_VALUES = 2
"""… and the fewest values it must have got wrong that were right: one document is no reason."""
RESAMPLES = 2000
SURENESS = 0.6
"""Share of resampled document sets on which the candidate must be ahead: luck with one document is no reason."""


@dataclass(frozen=True)
class Verdict:
    passed: bool
    reason: str
    candidate_f1: float
    live_f1: float | None
    documents: int


def judge(candidate: Mapping[str, Marks], live: Mapping[str, Marks] | None) -> Verdict:
    """``live``: the marks of the model that is live, None if there is none. Only documents in both count."""
    if not candidate:
        return Verdict(False, "No document was left to measure the candidate on.", 0.0, None, 0)
    if live is None:
        score = _total(candidate, list(candidate))
        return Verdict(
            score.tp > 0,
            f"First model: F1 {score.f1:.3f} on {len(candidate)} documents."
            if score.tp
            else "The candidate got no value right.",
            score.f1,
            None,
            len(candidate),
        )
    keys = sorted(set(candidate) & set(live))
    if not keys:
        return Verdict(
            False,
            "The candidate and the live model have no document in common that neither learnt from.",
            _total(candidate, list(candidate)).f1,
            None,
            0,
        )
    ours, theirs = _total(candidate, keys), _total(live, keys)
    figures = f"F1 {ours.f1:.3f} against {theirs.f1:.3f} on {len(keys)} documents"
    if ours.f1 <= theirs.f1:
        passed, reason = False, f"Not better: {figures}."
    elif (sure := _sureness(candidate, live, keys)) < SURENESS:
        passed, reason = (
            False,
            f"Not surely better: {figures}, ahead on {sure:.0%} of resampled sets; {SURENESS:.0%} are needed.",
        )
    else:
        passed, reason = _by_field(_changes(candidate, live, keys), figures)
    return Verdict(passed, reason, ours.f1, theirs.f1, len(keys))


def _total(marks: Mapping[str, Marks], keys: list[str]) -> Score:
    return sum((marks[key].total() for key in keys), Score())


def _sureness(candidate: Mapping[str, Marks], live: Mapping[str, Marks], keys: list[str]) -> float:
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(keys), (RESAMPLES, len(keys)))
    ours, theirs = (
        np.array([[t.tp, t.fp + t.fn] for t in (marks[key].total() for key in keys)], float)
        for marks in (candidate, live)
    )
    first, second = ours[drawn].sum(axis=1), theirs[drawn].sum(axis=1)
    ahead = _f1(first) > _f1(second)
    return float(ahead.mean())


def _f1(
    sums: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    total = 2 * sums[:, 0] + sums[:, 1]
    return np.divide(2 * sums[:, 0], total, out=np.zeros(len(sums)), where=total > 0)


@dataclass(frozen=True)
class _Change:
    """A field's F1 with both models; `spoilt`: values that were right, or right to leave empty, and are not."""

    name: str
    before: float
    after: float
    spoilt: int

    @property
    def loss(self) -> float:
        return self.before - self.after


def _changes(
    candidate: Mapping[str, Marks], live: Mapping[str, Marks], keys: list[str]
) -> list[_Change]:
    """Of the fields with enough labelled values to say something."""
    found = []
    for name in sorted({name for key in keys for name in live[key].scores}):
        before = sum((live[key].scores.get(name, Score()) for key in keys), Score())
        after = sum((candidate[key].scores.get(name, Score()) for key in keys), Score())
        spoilt = max(before.tp - after.tp, after.fp - before.fp)
        if before.support >= FIELD_SUPPORT:
            found.append(_Change(name, before.f1, after.f1, spoilt))
    return found


def _by_field(changes: Sequence[_Change], figures: str) -> tuple[bool, str]:
    """The verdict on a candidate that is better overall."""
    worst = _worst(changes)
    if worst is None:
        return True, f"Better: {figures}."
    told = f"{worst.name}: F1 {worst.after:.3f} after {worst.before:.3f}"
    if worst.loss <= FIELD_RUIN and _outweighed(changes):
        return True, f"Better: {figures}. Worse on {told}; other fields outweigh it."
    return False, f"Worse on {told}; overall {figures}."


def _worst(changes: Sequence[_Change]) -> _Change | None:
    """The field that loses most, if one loses more than is allowed."""
    losses = [c for c in changes if c.loss > FIELD_LOSS and c.spoilt >= FIELD_VALUES]
    return max(losses, key=lambda c: (c.loss, c.name), default=None)


def _outweighed(changes: Sequence[_Change]) -> bool:
    lost = sum(c.loss for c in changes if c.loss > 0)
    return sum(-c.loss for c in changes if c.loss < 0) >= OUTWEIGHED * lost
