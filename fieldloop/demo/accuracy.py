"""How right two models are on the same documents, field by field. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fieldloop.demo.generator import Truth
from ml_backend.extraction.evaluation import Evaluation, Score, evaluate
from ml_backend.extraction.fields import Document, Extraction, FieldSpec


@dataclass(frozen=True)
class Accuracy:
    """Right answers out of those wanted or given: of a field that occurs once one per document, "not in this
    document" counting as an answer; of a table's column one per cell."""

    right: int
    out_of: int

    @property
    def share(self) -> float | None:
        return self.right / self.out_of if self.out_of else None


@dataclass(frozen=True)
class Line:
    """One line of the comparison; ``field`` "" is all values together."""

    field: str
    before: Accuracy
    after: Accuracy


@dataclass(frozen=True)
class Comparison:
    """``f1``: of all values, as the gate counts them; ``rows``: table rows right in every cell."""

    documents: int
    lines: tuple[Line, ...]
    f1_before: float
    f1_after: float
    rows: Line

    @property
    def gained(self) -> bool:
        return self.f1_after > self.f1_before


def measure(
    truths: Sequence[Truth], extractions: Mapping[str, Extraction], specs: Sequence[FieldSpec]
) -> Evaluation:
    """``extractions`` by document name; a document without one was answered nothing."""
    documents = [Document(truth.name, ()) for truth in truths]
    answers = [extractions.get(t.name, Extraction(t.name, (), {})) for t in truths]
    return evaluate([truth.labels() for truth in truths], documents, answers, specs)


def compare(before: Evaluation, after: Evaluation) -> Comparison:
    """Both must be of the same documents."""
    lines = tuple(
        Line(name, _accuracy(name, before, score), _accuracy(name, after, after.fields[name]))
        for name, score in before.fields.items()
    )
    return Comparison(
        documents=before.documents,
        lines=lines,
        f1_before=before.micro.f1,
        f1_after=after.micro.f1,
        rows=Line(
            "",
            Accuracy(before.rows_right, before.rows_total),
            Accuracy(after.rows_right, after.rows_total),
        ),
    )


def _accuracy(name: str, evaluation: Evaluation, score: Score) -> Accuracy:
    if "." in name:
        return Accuracy(score.tp, score.support + score.fp)
    return Accuracy(score.tp + score.absences - score.invented, evaluation.documents)
