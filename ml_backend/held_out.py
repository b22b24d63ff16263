"""How right a model is, document by document, on documents it did not learn from. Pure.

Counts and confidences, never values: what is kept of an evaluation survives the erasure of a document's contents.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from db.registry import Figure
from ml_backend.extraction.calibration import expected_calibration_error
from ml_backend.extraction.evaluation import Score, evaluate
from ml_backend.extraction.fields import Document, Extraction, FieldSpec, Labels

FEW = 15
"""Below this many documents each is held out by itself: a fifth of them would teach too little."""
SLOW_FOLDS = 5
RESAMPLES = 400


@dataclass(frozen=True)
class Example:
    """A reviewed document: ``key`` names its annotation state, ``fold`` its held-out fold."""

    key: str
    fold: int
    document: Document
    labels: Labels


@dataclass(frozen=True)
class Marks:
    """One document's counts per field, and of each answered value its field, confidence and whether it is right."""

    scores: Mapping[str, Score]
    answers: tuple[tuple[str, float, bool], ...] = ()

    def total(self) -> Score:
        return sum(self.scores.values(), Score())

    def only(self, fields: Collection[str]) -> Marks:
        """What is said of these fields alone."""
        return Marks(
            {name: score for name, score in self.scores.items() if name in fields},
            tuple(answer for answer in self.answers if answer[0] in fields),
        )


def folds_of(examples: Sequence[Example], *, slow: bool = False) -> list[list[int]]:
    """Positions held out together. By the fold each document keeps for ever, or one by one where they are few.

    ``slow``: a fit takes long, so that few documents too are held out in five groups.
    """
    if len(examples) < FEW:
        groups_wanted = min(SLOW_FOLDS if slow else len(examples), len(examples))
        return [list(range(start, len(examples), groups_wanted)) for start in range(groups_wanted)]
    groups: dict[int, list[int]] = {}
    for position, example in enumerate(examples):
        groups.setdefault(example.fold, []).append(position)
    if len(groups) < 2:  # every hash fell into one fold
        return [list(range(start, len(examples), 5)) for start in range(5)]
    return [groups[fold] for fold in sorted(groups)]


def mark(example: Example, extraction: Extraction, specs: Sequence[FieldSpec]) -> Marks:
    """Compare one document's extraction with its labels."""
    evaluation = evaluate([example.labels], [example.document], [extraction], specs)
    best: dict[str, list[float]] = {}
    for value in sorted(extraction.values, key=lambda v: -v.confidence):
        best.setdefault(value.field, []).append(value.confidence)
    answers = [(f, round(best[f].pop(0), 4), right) for _, f, right in evaluation.outcomes]
    used = {name: score for name, score in evaluation.fields.items() if score != Score()}
    return Marks(used, tuple(answers))


def figures(marks: Sequence[Marks], specs: Sequence[FieldSpec]) -> list[Figure]:
    """Precision, recall, F1 per field and over all, with 95 % intervals from resampled documents."""
    names = sorted({name for one in marks for name in one.scores})
    found: list[Figure] = []
    for name in [None, *names]:
        counts = _counts(marks, name)
        total = counts.sum(axis=0)
        support, tp, fp, fn, invented, absences = (int(number) for number in total)
        low, high = _interval(counts)
        found += [
            Figure(name, "f1", _f1(tp, fp, fn), support, low, high),
            Figure(
                name,
                "precision",
                tp / (tp + fp) if tp + fp else 0.0,
                tp + fp,
                *_wilson(tp, tp + fp),
            ),
            Figure(
                name, "recall", tp / support if support else 0.0, support, *_wilson(tp, support)
            ),
        ]
        if absences:
            found.append(
                Figure(
                    name,
                    "invented_share",
                    invented / absences,
                    absences,
                    *_wilson(invented, absences),
                )
            )
    answers = [answer for one in marks for answer in one.answers]
    if answers:
        _, confidences, rights = zip(*answers, strict=True)
        error = expected_calibration_error(confidences, rights)
        found.append(Figure(None, "calibration_error", float(error), len(rights)))
    found.append(Figure(None, "documents", float(len(marks)), len(marks)))
    return found


def to_plain(marks: Mapping[str, Marks]) -> dict[str, Any]:
    """JSON values; ``from_plain`` reads them back."""
    return {
        key: {
            "fields": {
                name: [s.support, s.tp, s.fp, s.fn, s.invented, s.absences]
                for name, s in one.scores.items()
            },
            "answers": [list(answer) for answer in one.answers],
        }
        for key, one in marks.items()
    }


def from_plain(plain: Mapping[str, Any]) -> dict[str, Marks]:
    """Marks of the first releases are the counts alone."""
    found = {}
    for key, own in plain.items():
        whole = isinstance(own.get("fields"), Mapping)
        counts = own["fields"] if whole else own
        answers = tuple((f, c, r) for f, c, r in own["answers"]) if whole else ()
        found[key] = Marks({name: Score(*figures) for name, figures in counts.items()}, answers)
    return found


def _counts(marks: Sequence[Marks], name: str | None) -> np.ndarray[Any, np.dtype[np.float64]]:
    rows = []
    for one in marks:
        score = one.total() if name is None else one.scores.get(name, Score())
        rows.append([score.support, score.tp, score.fp, score.fn, score.invented, score.absences])
    return np.array(rows, float).reshape(-1, 6)


def _f1(tp: float, fp: float, fn: float) -> float:
    total = 2 * tp + fp + fn
    return 2 * tp / total if total else 0.0


def _interval(
    counts: np.ndarray[Any, np.dtype[np.float64]],
) -> tuple[float | None, float | None]:
    if len(counts) < 2:
        return None, None
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(counts), (RESAMPLES, len(counts)))
    sums = counts[drawn].sum(axis=1)
    total = 2 * sums[:, 1] + sums[:, 2] + sums[:, 3]
    f1 = np.divide(2 * sums[:, 1], total, out=np.zeros(RESAMPLES), where=total > 0)
    low, high = np.quantile(f1, [0.025, 0.975])
    return float(low), float(high)


def _wilson(right: int, total: int) -> tuple[float | None, float | None]:
    """Wilson's score interval, 95 %."""
    if total == 0:
        return None, None
    z = 1.959964
    share = right / total
    middle = share + z * z / (2 * total)
    spread = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)
