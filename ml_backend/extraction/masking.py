"""Absent values, made: a value's words are taken off the page.

Reviewed documents rarely lack a field, so a model that saw only them answers with the next best: the net
amount where there is no gross one. Documents without some of their values teach it that nothing is an answer
too, and the levels above which values are filled in learn from held-out ones what an invented value looks like.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np

from ml_backend.extraction.announced import Told, Trial, announced
from ml_backend.extraction.calibration import Outcome
from ml_backend.extraction.decoding import SUGGEST, decode, margin_of
from ml_backend.extraction.document import Tokens, tokenise
from ml_backend.extraction.encoding import Encoded, Sheet, encode, sheet_of
from ml_backend.extraction.extents import Extents
from ml_backend.extraction.fields import Document, PageLike
from ml_backend.extraction.lexicon import squeeze
from ml_backend.extraction.targets import NO, TELLING_KINDS, UNKNOWN, Target
from ml_backend.extraction.token_model import Rows, TokenModel, take_rows

if TYPE_CHECKING:
    from ml_backend.extraction.learning import Lessons, State

MOST_BLANKS = 100
PLAIN_SHARE = 0.1
BLANK_WEIGHT = 2.0
ENOUGH = 50
"""Reviewed documents from which blanks weigh in full; of few values they would hide more than they teach."""


def without_words(page: PageLike, gone: frozenset[str]) -> PageLike:
    """The page without the words whose squeezed text is in `gone`."""
    keep = np.asarray([squeeze(text) not in gone for text in page.texts], dtype=bool)
    return cast(
        "PageLike",
        SimpleNamespace(
            number=page.number,
            width=page.width,
            height=page.height,
            texts=tuple(t for t, k in zip(page.texts, keep, strict=True) if k),
            boxes=np.asarray(page.boxes).reshape(-1, 4)[keep],
            font_names=page.font_names,
            fonts=np.asarray(page.fonts)[keep],
            sizes=np.asarray(page.sizes)[keep],
            sources=np.asarray(page.sources)[keep],
            confidences=np.asarray(page.confidences)[keep],
            rulings=page.rulings,
            image_cover=page.image_cover,
            ink=page.ink,
        ),
    )


def words_of_values(tokens: Tokens, target: Target, fields: Sequence[int]) -> frozenset[str]:
    """The fields' values as squeezed words; where a value is part of a word, the word too."""
    words = set()
    for span in (span for f in fields for span in target.spans[f]):
        for i in span.tolist():
            page = tokens.pages[int(tokens.page[i])]
            words |= {squeeze(tokens.texts[i]), squeeze(page.texts[int(tokens.word[i])])}
    return frozenset(word for word in words if word)


@dataclass(frozen=True, slots=True)
class Blank:
    """Document number `document` of the lessons without the values of `fields`."""

    document: int
    fields: tuple[int, ...]
    encoded: Encoded


def blanks(
    lessons: Lessons, targets: Sequence[Target], documents: Sequence[int], seed: int
) -> list[Blank]:
    """Reviewed documents, each once without one half of its values and once without the other.

    Which documents and which halves hangs on the documents' own words, not on how many there are: a retrain
    meets blanks it knows.
    """
    dice = {i: _dice(lessons.sheets[i].tokens, seed) for i in documents}
    chosen = sorted(documents, key=lambda i: (dice[i].random(), i))[: MOST_BLANKS // 2]
    found = []
    for i in sorted(chosen):
        there = [f for f in range(len(lessons.fields)) if targets[i].spans[f]]
        for half in np.array_split(dice[i].permutation(there), 2):
            fields = tuple(sorted(int(f) for f in half))
            if fields:
                found += _blank(lessons, targets[i], i, fields)
    return found


def _dice(tokens: Tokens, seed: int) -> np.random.Generator:
    return np.random.default_rng((seed + 13, int(tokens.squeezed.sum(dtype=np.uint64))))


def _blank(lessons: Lessons, target: Target, i: int, fields: tuple[int, ...]) -> list[Blank]:
    sheet = lessons.sheets[i]
    gone = words_of_values(sheet.tokens, target, fields)
    blank = lessons.cache.masked(sheet, gone, lambda: _without(sheet, gone, lessons.day_first))
    if blank.context is None:
        return []
    return [Blank(i, fields, encode(blank, lessons.reference, i, lessons.hints(blank)))]


def _without(sheet: Sheet, gone: frozenset[str], day_first: bool) -> Sheet:
    pages = tuple(without_words(page, gone) for page in sheet.tokens.pages)
    document = Document(sheet.document.id, pages)
    return sheet_of(document, tokenise(document, len(pages), 0), day_first)


def rows_of(
    blank: Blank, target: Target, sheet: Sheet, documents: int, rng: np.random.Generator
) -> Rows:
    """Nothing there is the value of a field, least of all what looks like one. `documents`: how many were reviewed."""
    tokens = blank.encoded.tokens
    state = np.full((len(tokens), target.state.shape[1]), UNKNOWN, dtype=np.int8)
    for f in blank.fields:
        state[:, f] = NO
        for span in target.spans[f]:
            if len(span) == 1:  # the same value may still stand there, written another way
                i = int(span[0])
                alike = tokens.amount == sheet.tokens.amount[i]
                alike |= tokens.day[:, 0] == sheet.tokens.day[i, 0]
                state[alike, f] = UNKNOWN
    share = np.where(np.isin(tokens.kind, TELLING_KINDS), 1.0, PLAIN_SHARE)
    chosen = np.flatnonzero(rng.random(len(tokens)) < share)
    weight = BLANK_WEIGHT * min(documents / ENOUGH, 1.0)
    return take_rows(blank.encoded, state, chosen, weight, blank.document)


def masked_outcomes(
    state: State, found: Sequence[Blank], held: Mapping[int, TokenModel]
) -> tuple[list[Outcome], list[Trial]]:
    """What held-out models, and labels, answer for fields that are no longer there."""
    outcomes: list[Outcome] = []
    trials: list[Trial] = []
    for blank in found:
        if blank.document not in held:
            continue
        extents = Extents(blank.encoded, state.shapes, state.spans.lengths)
        odds = held[blank.document].log_odds(blank.encoded)
        ranked = decode(extents, odds, state.pairs, state.spans, best_only=True)
        for f in blank.fields:
            best = ranked[f]
            if best.candidates:
                outcomes.append(Outcome(f, best.certainty, margin_of(best), False, masked=True))
            told = Told(announced(blank.encoded, odds, f) is not None)
            trials.append(Trial(f, False, told, Told(best.score >= SUGGEST), masked=True))
    return outcomes, trials
