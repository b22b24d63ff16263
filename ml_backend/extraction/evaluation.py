"""Predictions against a reviewer's labels, as plain numbers.

A value is right when it normalises to the same value as the label, or has the same letters and
digits; place does not count. Without a label's text the words under its box stand for it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ml_backend.extraction.calibration import expected_calibration_error
from ml_backend.extraction.errors import ExtractionError
from ml_backend.extraction.fields import Document, Extraction, FieldSpec, FieldType, Label, Labels
from ml_backend.extraction.geometry import words_in
from ml_backend.extraction.lexicon import squeeze
from ml_backend.extraction.normalize import normalize
from ml_backend.extraction.signature import SIGNED


@dataclass(frozen=True)
class Score:
    """`support`: labelled values. `invented`: documents where the field is absent and was answered;
    `absences`: documents where it is absent."""

    support: int = 0
    tp: int = 0
    fp: int = 0
    fn: int = 0
    invented: int = 0
    absences: int = 0

    @property
    def precision(self) -> float:
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else 0.0

    @property
    def recall(self) -> float:
        return self.tp / self.support if self.support else 0.0

    @property
    def f1(self) -> float:
        total = 2 * self.tp + self.fp + self.fn
        return 2 * self.tp / total if total else 0.0

    def __add__(self, other: Score) -> Score:
        return Score(*(a + b for a, b in zip(self._counts(), other._counts(), strict=True)))

    def _counts(self) -> tuple[int, ...]:
        return (self.support, self.tp, self.fp, self.fn, self.invented, self.absences)

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "precision": self.precision, "recall": self.recall, "f1": self.f1}


@dataclass(frozen=True)
class Evaluation:
    """`fields` keyed by field, a table's column as "table.column"; `micro` counts all values alike.

    `ece` is the expected calibration error of all answered values, `invented_share` the part of
    absent fields that got a value.
    """

    documents: int
    fields: Mapping[str, Score]
    micro: Score
    macro_f1: float
    ece: float
    invented_share: float | None
    rows_right: int = 0
    rows_total: int = 0
    outcomes: tuple[tuple[str, str, bool], ...] = field(default=(), repr=False)
    """(document id, field, right) of every answered single value: what two models are compared on."""

    def to_dict(self) -> dict[str, Any]:
        return {
            "documents": self.documents,
            "fields": {name: score.to_dict() for name, score in self.fields.items()},
            "micro": self.micro.to_dict(),
            "macro_f1": self.macro_f1,
            "ece": self.ece,
            "invented_share": self.invented_share,
            "rows_right": self.rows_right,
            "rows_total": self.rows_total,
        }


def evaluate(
    gold: Sequence[Labels],
    documents: Sequence[Document],
    predicted: Sequence[Extraction],
    fields: Sequence[FieldSpec],
) -> Evaluation:
    """All values count, suggestions too. Fields of partly labelled documents that have no label
    are left out."""
    if not len(gold) == len(documents) == len(predicted):
        raise ExtractionError(
            f"evaluate needs one entry per document: {len(gold)} labels, {len(documents)} documents, "
            f"{len(predicted)} predictions"
        )
    scores: dict[str, Score] = {name: Score() for name, _ in _named(fields)}
    confidences: list[float] = []
    rights: list[bool] = []
    outcomes: list[tuple[str, str, bool]] = []
    rows_right = rows_total = 0
    for labels, document, extraction in zip(gold, documents, predicted, strict=True):
        for name, spec in _named(fields):
            wanted = [_text(label, document) for label in labels.labels if label.field == name]
            given = sorted(
                (v for v in extraction.values if v.field == name), key=lambda v: -v.confidence
            )
            if spec.type is FieldType.SIGNATURE:
                # "Nobody signed here" is what a field declared absent says too; a box without text is a signature.
                wanted = [
                    SIGNED
                    for label in labels.labels
                    if label.field == name
                    and normalize(SIGNED if label.text is None else label.text, spec).value
                    == "true"
                ]
                given = [value for value in given if value.normalised == "true"]
            in_table = "." in name
            known = wanted or name in labels.absent or labels.complete
            if not known:
                continue
            if not spec.multiple and not in_table:
                # A value boxed in several places is one value, any copy of which may be answered.
                given = given[:1]
                hits = [bool(given) and any(same_value(given[0].text, w, spec) for w in wanted)]
                support = 1 if wanted else 0
                tp = int(hits[0])
            else:
                hits = _matched([v.text for v in given], wanted, spec)
                support, tp = len(wanted), sum(hits)
            scores[name] += Score(
                support,
                tp,
                len(given) - tp,
                support - tp,
                int(bool(given) and not wanted),
                int(not wanted),
            )
            for value, hit in zip(given, hits, strict=False):
                confidences.append(value.confidence)
                rights.append(hit)
                outcomes.append((document.id, name, hit))
        for spec in fields:
            if spec.type == FieldType.TABLE:
                right, total = _rows(spec, labels, document, extraction)
                rows_right += right
                rows_total += total
    micro = sum(scores.values(), Score())
    used = [score.f1 for score in scores.values() if score.support]
    return Evaluation(
        documents=len(documents),
        fields=scores,
        micro=micro,
        macro_f1=sum(used) / len(used) if used else 0.0,
        ece=expected_calibration_error(confidences, rights),
        invented_share=micro.invented / micro.absences if micro.absences else None,
        rows_right=rows_right,
        rows_total=rows_total,
        outcomes=tuple(outcomes),
    )


def same_value(a: str, b: str, spec: FieldSpec) -> bool:
    if squeeze(a) == squeeze(b):
        return True
    if spec.type in (FieldType.TEXT, FieldType.IDENTIFIER):
        return False
    first, second = normalize(a, spec).value, normalize(b, spec).value
    return first is not None and first == second


def _named(fields: Sequence[FieldSpec]) -> list[tuple[str, FieldSpec]]:
    named: list[tuple[str, FieldSpec]] = []
    for spec in fields:
        if spec.type == FieldType.TABLE:
            named += [(f"{spec.name}.{column.name}", column) for column in spec.columns]
        else:
            named.append((spec.name, spec))
    return named


def _text(label: Label, document: Document) -> str:
    if label.text is not None:
        return label.text
    for page in document.pages:
        if page.number == label.page:
            return " ".join(page.texts[i] for i in words_in(page, label.box).tolist())
    return ""


def _matched(given: Sequence[str], wanted: Sequence[str], spec: FieldSpec) -> list[bool]:
    """Which of the given values are right, each label used once."""
    free = list(wanted)
    hits = []
    for text in given:
        hit = next((w for w in free if same_value(text, w, spec)), None)
        if hit is not None:
            free.remove(hit)
        hits.append(hit is not None)
    return hits


def _rows(
    spec: FieldSpec, labels: Labels, document: Document, extraction: Extraction
) -> tuple[int, int]:
    """Whole rows right and rows labelled, in order of appearance; only labels with a row count."""
    columns = {f"{spec.name}.{column.name}": column for column in spec.columns}
    wanted: dict[int, dict[str, str]] = defaultdict(dict)
    for label in labels.labels:
        if label.field in columns and label.row is not None:
            wanted[label.row][label.field] = _text(label, document)
    given: dict[int, dict[str, str]] = defaultdict(dict)
    for value in extraction.values:
        if value.field in columns and value.row is not None:
            given[value.row][value.field] = value.text
    free = [given[row] for row in sorted(given)]
    right = 0
    for row in sorted(wanted):
        match = next((g for g in free if _same_row(g, wanted[row], columns)), None)
        if match is not None:
            free.remove(match)
            right += 1
    return right, len(wanted)


def _same_row(a: Mapping[str, str], b: Mapping[str, str], columns: Mapping[str, FieldSpec]) -> bool:
    return a.keys() == b.keys() and all(same_value(a[k], b[k], columns[k]) for k in a)
