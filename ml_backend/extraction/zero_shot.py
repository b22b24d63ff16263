"""Fields found before anyone reviewed a document: by printed labels, types and common usage.

Each field brings phrases that may announce it; around every place where one is printed, spans of
the field's type to the right and below are scored. Nothing is learnt, so the confidences are
deliberately modest.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ml_backend.extraction.aliases import (
    TOO_WEAK,
    Occurrence,
    PhraseBook,
    all_concept_phrases,
    concept_of,
    find_phrases,
    weighted_phrases,
)
from ml_backend.extraction.checkbox import CheckboxModel
from ml_backend.extraction.fields import (
    Alternative,
    Box,
    Document,
    Extraction,
    FieldSpec,
    FieldType,
    Span,
    Value,
)
from ml_backend.extraction.geometry import iou
from ml_backend.extraction.normalize import collapse, normalize
from ml_backend.extraction.shapes import PageView, Shaped, view
from ml_backend.extraction.signature import SignatureModel
from ml_backend.extraction.tables import TableModel
from ml_backend.extraction.upright import extraction_put_back, upright
from ml_backend.extraction.zero_shot_guesses import (
    ENDS,
    IN_COLUMN,
    WEAKEST,
    Candidate,
    Target,
    bare_periods,
    without_label,
)

_MONEY = frozenset(["total", "subtotal", "tax", "discount", "shipping", "deposit", "rent"])
_BLOCKS = frozenset(["address", "ship_to"])
_PARTIES = frozenset(["vendor", "customer", "tenant", "landlord", "ship_to", "contact"])
_SHORT_RUN = 6
_MOST_WORDS_TO_THE_RIGHT = 10
_MOST_LINES_BELOW = 3
_FILL_FROM = 0.5
_HOLDS_A_LABEL = 0.2
_PERIOD, _OTHER_END = 0.2, 0.3


@dataclass(frozen=True, slots=True)
class _Mark:
    """A phrase found, in reading-order positions."""

    occurrence: Occurrence
    first: int
    last: int
    boundary: bool
    leading: int
    alone: bool
    """Whether nothing else stands in its run of words, or only a value after its colon."""


class ZeroShotExtractor:
    """Answers from the schema alone; the same interface as a fitted extractor."""

    def __init__(self, fields: Sequence[FieldSpec]) -> None:
        self.fields = tuple(fields)
        self._targets = tuple(
            Target(spec, concept_of(spec), weighted_phrases(spec))
            for spec in self.fields
            if spec.type in (FieldType.TEXT, FieldType.NUMBER, FieldType.DATE, FieldType.IDENTIFIER)
        )
        self._known = PhraseBook(
            {*all_concept_phrases(), *(p for target in self._targets for p in target.phrases)}
        )
        self._regions: tuple[TableModel | CheckboxModel | SignatureModel, ...] = tuple(
            _region_model(spec)
            for spec in self.fields
            if spec.type in (FieldType.TABLE, FieldType.CHECKBOX, FieldType.SIGNATURE)
        )

    def predict(self, documents: Iterable[Document]) -> list[Extraction]:
        """One extraction per document, in order."""
        return [self._predict(document) for document in documents]

    def candidates(self, document: Document) -> list[Candidate]:
        """Every scored span of the text-like fields, best first; the evidence behind `predict`."""
        views = [view(page, index) for index, page in enumerate(document.pages)]
        largest = max(
            (n.amount for v in views for n in v.numbers if n.decimals and not n.percent),
            default=None,
        )
        found: list[Candidate] = []
        for page in views:
            marks = _marks(page, self._known)
            starts = {mark.first: mark for mark in marks if mark.boundary}
            labelled = frozenset(at for mark in marks for at in range(mark.first, mark.last + 1))
            for target in self._targets:
                for mark in marks:
                    weight = target.phrases.get(mark.occurrence.phrase)
                    if mark.occurrence.phrase in TOO_WEAK and not mark.alone:
                        continue
                    if weight is not None:
                        found.extend(_around(page, mark, weight, target, starts, labelled, largest))
        if not any(page.texts for page in views):
            return []
        for target in self._targets:
            if target.concept in ENDS:
                found.extend(bare_periods(views, target))
        found.extend(without_label(views, self._targets, found, largest))
        found.sort(key=lambda c: (-c.score, c.page, c.box[1], c.box[0], c.field))
        return found

    def chosen(self, ranked: Sequence[Candidate]) -> dict[str, list[Candidate]]:
        """Of the candidates, best first, each field's values: no place is the value of two fields."""
        chosen: dict[str, list[Candidate]] = {}
        for candidate in ranked:
            spec = self._spec(candidate.field)
            own = chosen.setdefault(candidate.field, [])
            if candidate.score < WEAKEST or (own and not spec.multiple):
                continue
            if own and candidate.score < own[0].score - 0.15:
                continue
            if not any(
                _same_place(candidate, other) for others in chosen.values() for other in others
            ):
                own.append(candidate)
        return chosen

    def _predict(self, given: Document) -> Extraction:
        document = upright(given)
        ranked = self.candidates(document)
        chosen = self.chosen(ranked)
        values: list[Value] = []
        absent: dict[str, float] = {}
        for target in self._targets:
            picked = chosen.get(target.spec.name, [])
            offered = [c for c in ranked if c.field == target.spec.name]
            values.extend(_value(target.spec, c, offered) for c in picked)
            if not picked:
                absent[target.spec.name] = 0.8 if not offered else 0.5
        for model in self._regions:
            found = model.predict(document)
            values.extend(replace(v, confidence=min(v.confidence, 0.7)) for v in found)
            if not found:
                absent[model.spec.name] = 0.6
        return extraction_put_back(document, Extraction(document.id, tuple(values), absent))

    def _spec(self, name: str) -> FieldSpec:
        return next(spec for spec in self.fields if spec.name == name)


def _region_model(spec: FieldSpec) -> TableModel | CheckboxModel | SignatureModel:
    if spec.type is FieldType.TABLE:
        return TableModel(spec)
    if spec.type is FieldType.CHECKBOX:
        return CheckboxModel(spec)
    return SignatureModel(spec)


def _same_place(a: Candidate, b: Candidate) -> bool:
    return a.page == b.page and iou(a.box, b.box) > 0.3


def _value(spec: FieldSpec, candidate: Candidate, offered: list[Candidate]) -> Value:
    normal = normalize(candidate.text, spec)
    confidence = _confidence(candidate.score)
    if normal.problem is not None:
        confidence *= 0.5
    others: list[Alternative] = []
    for other in offered:
        if len(others) == 3:
            break
        if not _same_place(other, candidate) and other.text not in {o.text for o in others}:
            others.append(
                Alternative(
                    other.text, (Span(other.page, other.box),), _confidence(other.score) * 0.5
                )
            )
    return Value(
        spec.name,
        candidate.text,
        normal.value,
        normal.problem,
        (Span(candidate.page, candidate.box),),
        confidence,
        alternatives=tuple(others),
        filled=confidence >= _FILL_FROM,
    )


def _confidence(score: float) -> float:
    return round(0.9 / (1.0 + math.exp(-5.0 * (score - 0.8))), 4)


def _marks(page: PageView, known: PhraseBook) -> list[_Mark]:
    position = {word: at for at, word in enumerate(page.layout.order.tolist())}
    marks: list[_Mark] = []
    found = find_phrases(page.page, page.layout, known)
    begins = {position[occurrence.words[0]] for occurrence in found}
    for occurrence in found:
        first, last = position[occurrence.words[0]], position[occurrence.words[-1]]
        follows = last + 1 in begins and page.segment[last + 1] == page.segment[last]
        if follows and not occurrence.colon:
            continue  # "Customer" in "Customer tax ID" says whose, and announces nobody
        leading = 0
        while first - leading > 0 and page.segment[first - leading - 1] == page.segment[first]:
            leading += 1
        ends = last + 1 == len(page.texts) or page.segment[last + 1] != page.segment[last]
        alone = not leading and (ends or occurrence.colon)
        starts = (not leading or occurrence.colon) and (alone or occurrence.phrase not in TOO_WEAK)
        marks.append(_Mark(occurrence, first, last, starts, leading, alone))
    return marks


def _around(
    page: PageView,
    mark: _Mark,
    weight: float,
    target: Target,
    starts: Mapping[int, _Mark],
    labelled: frozenset[int],
    largest: float | None,
) -> list[Candidate]:
    base = weight + 0.06 * (len(mark.occurrence.phrase) - 1)
    base += 0.12 if mark.occurrence.colon else 0.0
    # A phrase in the middle of a sentence announces nothing.
    if mark.leading:
        base -= min(0.3, 0.08 * mark.leading)
    base -= 0.03 * page.index if target.concept not in _MONEY else 0.0
    right = _right(page, mark, target, starts)
    below = _below(page, mark, target, starts)
    found: list[Candidate] = []
    for shaped, penalty in right + below:
        score = base - penalty + _fit(shaped, target, largest)
        if target.spec.type is FieldType.TEXT and labelled & {
            *range(shaped.first, shaped.last + 1)
        }:
            score -= _HOLDS_A_LABEL
        elif target.concept in ENDS:
            score += _in_period(page, shaped, target.concept)
        found.append(Candidate(target.spec.name, page.page.number, shaped.text, shaped.box, score))
    return found


def _right(
    page: PageView, mark: _Mark, target: Target, starts: Mapping[int, _Mark]
) -> list[tuple[Shaped, float]]:
    """Spans to the right in the label's line, with what their distance costs."""
    line = page.line[mark.last]
    stop = mark.last + 1
    while (
        stop < len(page.texts)
        and page.line[stop] == line
        and stop - mark.last <= _MOST_WORDS_TO_THE_RIGHT
        and stop not in starts
    ):
        stop += 1
    if mark.occurrence.rest:
        box = page.boxes[mark.last]
        return _rest(mark, box, target)
    found: list[tuple[Shaped, float]] = []
    kind = target.spec.type
    if kind in (FieldType.DATE, FieldType.NUMBER):
        spans = page.dates if kind is FieldType.DATE else page.numbers
        inside = [s for s in spans if mark.last < s.first and s.last < stop]
        for rank, span in enumerate(inside):
            crossed = page.segment[span.first] - page.segment[mark.last]
            skipped = span.first - mark.last - 1
            cost = 0.03 * skipped + 0.04 * max(0, crossed - 1)
            found.append((span, cost + _pair_cost(rank, len(inside), target.concept)))
        return found
    at = mark.last + 1
    while at < stop and not any(c.isalnum() for c in page.texts[at]):
        at += 1
    if at >= stop:
        return []
    if kind is FieldType.IDENTIFIER:
        for word in range(at, min(stop, at + 4)):
            if _identifier(page, word):
                crossed = page.segment[word] - page.segment[mark.last]
                cost = 0.05 * (word - at) + 0.05 * max(0, crossed - 1)
                found.append((_words(page, word, word), cost))
                break
        return found
    last = at
    while last + 1 < stop and page.segment[last + 1] == page.segment[at]:
        last += 1
    crossed = page.segment[at] - page.segment[mark.last]
    gap = max(0.0, page.boxes[at][0] - page.boxes[mark.last][2])
    cost = 0.0008 * gap + 0.05 * max(0, crossed - 1)
    if not mark.occurrence.colon and crossed == 0:
        # "Total due by bank transfer": words of the same run after a label without a colon.
        short = not mark.leading and last - at < _SHORT_RUN
        cost += 0.1 if short else 0.25
    found.append((_words(page, at, last), cost))
    return found


def _in_period(page: PageView, shaped: Shaped, concept: str | None) -> float:
    """What a place tells of the first or last day of something: the same end of a printed period, and not one
    of a column of days, which belong to the rows of a table."""
    at = 0 if concept == "start_date" else 1
    score = -IN_COLUMN if shaped in page.in_column else 0.0
    role = page.in_period.get(shaped)
    if role is None:
        return score
    return score + _PERIOD if role == at else score - _OTHER_END


def _rest(mark: _Mark, box: Box, target: Target) -> list[tuple[Shaped, float]]:
    """The value printed in the label's own word, "Total:12.50"."""
    text = mark.occurrence.rest
    shaped = Shaped(mark.last, mark.last, text, box)
    if target.spec.type in (FieldType.DATE, FieldType.NUMBER):
        normal = normalize(text, replace(target.spec, format=target.spec.format or "DMY"))
        return [(shaped, 0.0)] if normal.value else []
    return [(shaped, 0.0)]


def _pair_cost(rank: int, count: int, concept: str | None) -> float:
    """A period is printed as two dates: the first starts it, the second ends it."""
    if count == 2 and concept == "end_date":
        return 0.0 if rank == 1 else 0.12
    return 0.06 * rank


def _below(
    page: PageView, mark: _Mark, target: Target, starts: Mapping[int, _Mark]
) -> list[tuple[Shaped, float]]:
    """Spans under the label within a few lines, with what their distance costs."""
    label = page.box(mark.first, mark.last)
    height = max(label[3] - label[1], 4.0)
    found: list[tuple[Shaped, float]] = []
    lines = 0
    own_line = previous = page.line[mark.last]
    for at, end, box in page.runs[page.segment[mark.last] + 1 :]:
        if page.line[at] == own_line:
            continue
        if page.boxes[at][1] - label[3] > 3.5 * height:
            break
        overlap = min(box[2], label[2] + height) - max(box[0], label[0] - height)
        if overlap <= 0:
            continue
        if page.line[at] != previous:
            lines, previous = lines + 1, page.line[at]
        if (at in starts and starts[at].last == end) or lines > _MOST_LINES_BELOW:
            break
        gap = max(0.0, box[1] - label[3]) / height
        cost = 0.12 + 0.05 * gap + 0.12 * (lines - 1)
        found.extend(_under(page, at, end, label, height, target, cost))
        if target.spec.type is FieldType.TEXT:
            break
    return found


def _under(
    page: PageView,
    at: int,
    end: int,
    label: Box,
    height: float,
    target: Target,
    cost: float,
) -> list[tuple[Shaped, float]]:
    kind = target.spec.type
    if kind in (FieldType.DATE, FieldType.NUMBER):
        spans = page.dates if kind is FieldType.DATE else page.numbers
        return [
            (s, cost + _aside(s.box, label))
            for s in spans
            if at <= s.first
            and s.last <= end
            and min(s.box[2], label[2] + height) > max(s.box[0], label[0] - height)
        ]
    if kind is FieldType.IDENTIFIER:
        for word in range(at, end + 1):
            box = page.boxes[word]
            beside = min(box[2], label[2] + height) > max(box[0], label[0] - height)
            if beside and _identifier(page, word):
                return [(_words(page, word, word), cost + _aside(box, label))]
        return []
    shaped = _words(page, at, end)
    if target.concept in _BLOCKS:
        shaped = _block(page, shaped, at, end)
    return [(shaped, cost + _aside(page.box(at, end), label))]


def _block(page: PageView, shaped: Shaped, at: int, end: int) -> Shaped:
    """The lines under `shaped` that keep its left edge: an address goes on."""
    x0, y0, x1, y1 = shaped.box
    texts = [shaped.text]
    height = y1 - y0
    following = end + 1
    while following < len(page.texts) and len(texts) < 4:
        last = following
        while last + 1 < len(page.texts) and page.segment[last + 1] == page.segment[following]:
            last += 1
        box = page.box(following, last)
        if box[1] - y1 > 0.9 * height:
            break
        if abs(box[0] - x0) < 4 and page.line[following] != page.line[at]:
            texts.append(" ".join(page.texts[following : last + 1]))
            x1, y1 = max(x1, box[2]), box[3]
        following = last + 1
    return Shaped(at, end, " ".join(texts), (x0, y0, x1, y1))


def _aside(box: Box, label: Box) -> float:
    """What it costs to share neither the left nor the right edge nor the middle with the label."""
    off = min(
        abs(box[0] - label[0]),
        abs(box[2] - label[2]),
        abs((box[0] + box[2]) - (label[0] + label[2])) / 2,
    )
    return min(0.2, 0.006 * off)


def _words(page: PageView, first: int, last: int) -> Shaped:
    text = collapse(" ".join(page.texts[first : last + 1])).strip(" :")
    return Shaped(first, last, text, page.box(first, last))


def _identifier(page: PageView, at: int) -> bool:
    """Whether a word may be a number somebody issued; a day is none."""
    plain = page.texts[at].strip(".,;:#()")
    if not any(c.isdigit() for c in plain) or any(c in "$€£%" for c in plain):
        return False
    return not any(date.first <= at <= date.last for date in page.dates)


def _fit(shaped: Shaped, target: Target, largest: float | None) -> float:
    """How well the span's own look suits the field."""
    kind, concept = target.spec.type, target.concept
    text = shaped.text
    if kind is FieldType.NUMBER:
        if concept not in _MONEY:
            return 0.0
        fit = 0.1 if shaped.decimals or shaped.currency else -0.2
        fit -= 0.3 if shaped.percent else 0.0
        if concept == "total" and largest is not None:
            fit += 0.25 if abs(shaped.amount - largest) < 0.005 else -0.1
        return fit
    if kind is FieldType.TEXT:
        fit = 0.0 if any(map(str.isalpha, text)) else -0.3
        fit -= 0.5 if text.endswith(":") or not text else 0.0
        if len(text) > 80 and concept not in _BLOCKS:
            fit -= 0.2
        if concept in _PARTIES and any(map(str.isdigit, text[:3])):
            fit -= 0.25
        return fit
    if kind is FieldType.IDENTIFIER:
        digits = sum(map(str.isdigit, text))
        return 0.05 if digits >= 3 else -0.05
    return 0.0
