"""Whether a candidate goes live. Pure: two models' marks on the same documents in, a verdict with reasons out.

Both models are judged only on documents they did not learn from. A candidate passes if it is right more often
overall and loses no field that reviewers rely on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ml_backend.extraction.evaluation import Score
from ml_backend.held_out import Marks

FIELD_SUPPORT = 5
"""Labelled values below which one field alone stops nobody."""
FIELD_LOSS = 0.10
"""Largest loss of F1 in one field that a gain elsewhere may pay for."""
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
    passed, reason = True, f"Better: {figures}."
    if ours.f1 <= theirs.f1:
        passed, reason = False, f"Not better: {figures}."
    elif (sure := _sureness(candidate, live, keys)) < SURENESS:
        passed, reason = (
            False,
            f"Not surely better: {figures}, ahead on {sure:.0%} of resampled sets; {SURENESS:.0%} are needed.",
        )
    else:
        worst = _worst_field(candidate, live, keys)
        if worst is not None:
            field, before, after = worst
            passed, reason = (
                False,
                f"Worse on {field}: F1 {after:.3f} after {before:.3f}; overall {figures}.",
            )
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


def _worst_field(
    candidate: Mapping[str, Marks], live: Mapping[str, Marks], keys: list[str]
) -> tuple[str, float, float] | None:
    """The field that loses most, if one loses more than is allowed: (field, live F1, candidate F1)."""
    names = {name for key in keys for name in live[key].scores}
    losses = []
    for name in sorted(names):
        before = sum((live[key].scores.get(name, Score()) for key in keys), Score())
        after = sum((candidate[key].scores.get(name, Score()) for key in keys), Score())
        spoilt = max(before.tp - after.tp, after.fp - before.fp)
        if (
            before.support >= FIELD_SUPPORT
            and before.f1 - after.f1 > FIELD_LOSS
            and spoilt >= FIELD_VALUES
        ):
            losses.append((before.f1 - after.f1, name, before.f1, after.f1))
    if not losses:
        return None
    _, name, was, now = max(losses)
    return name, was, now
