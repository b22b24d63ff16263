"""Absent values, made: the value's words are taken off the page and the model is asked again.

Reviewed documents rarely lack a field, so this is how the level above which values are filled in
learns what an invented answer looks like.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np

from ml_backend.extraction.calibration import Outcome
from ml_backend.extraction.decoding import decode, margin_of
from ml_backend.extraction.document import Tokens
from ml_backend.extraction.encoding import encode, sheet_of
from ml_backend.extraction.fields import Document, PageLike
from ml_backend.extraction.lexicon import squeeze
from ml_backend.extraction.targets import Target
from ml_backend.extraction.token_model import TokenModel

if TYPE_CHECKING:
    from ml_backend.extraction.learning import Lessons, State

FEWEST_MASKED, MOST_MASKED = 24, 80


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


def mask_value(document: Document, tokens: Tokens, target: Target, field: int) -> Document:
    """The document without any word of the field's values."""
    gone = set()
    for span in target.spans[field]:
        for i in span.tolist():
            page = tokens.pages[int(tokens.page[i])]
            gone |= {squeeze(tokens.texts[i]), squeeze(page.texts[int(tokens.word[i])])}
    words = frozenset(word for word in gone if word)
    return Document(document.id, tuple(without_words(page, words) for page in document.pages))


def masked_outcomes(
    state: State,
    lessons: Lessons,
    targets: list[Target],
    held: Mapping[int, TokenModel],
    seed: int,
) -> list[Outcome]:
    """What held-out models answer for fields that are no longer there."""
    cases = [
        (i, f) for i in sorted(held) for f in range(len(lessons.fields)) if targets[i].spans[f]
    ]
    count = min(max(len(held), FEWEST_MASKED), MOST_MASKED)
    order = np.random.default_rng(seed + 13).permutation(len(cases))[:count]
    found = []
    for at in order.tolist():
        i, f = cases[at]
        sheet = lessons.sheets[i]
        masked = mask_value(sheet.document, sheet.tokens, targets[i], f)
        head = tail = len(masked.pages)
        kept = {page.number for page in sheet.tokens.pages}
        masked = Document(masked.id, tuple(p for p in masked.pages if p.number in kept))
        blank = sheet_of(masked, head, tail, lessons.day_first)
        if blank.context is None:
            continue
        e = encode(blank, lessons.reference, i, lessons.hints(blank))
        best = decode(e, held[i].log_odds(e), state.shapes, state.pairs, state.spans)[f]
        if best.candidates:
            found.append(Outcome(f, best.certainty, margin_of(best), False, masked=True))
    return found
