"""Guesses of zero-shot for fields no printed label announces: a period, the largest amount, the letterhead.

What is looked for and what is found is named here too, since `zero_shot` builds on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ml_backend.extraction.aliases import Phrase, phrase
from ml_backend.extraction.fields import Box, FieldSpec
from ml_backend.extraction.shapes import PageView

WEAKEST = 0.45
"""Score below which a candidate is not offered."""
ENDS = frozenset(["start_date", "end_date"])
IN_COLUMN = 0.25
"""What it costs a day to stand in a column of days: those belong to the rows of a table."""
_BARE_PERIOD = 0.85
_MOST_PERIODS = 8
_TITLES = frozenset(
    phrase(
        "invoice order purchase sales contract agreement service services receipt statement quote estimate bill tax of for "
        "fatura nota fiscal pedido compra venda contrato prestação serviços serviço recibo orçamento ordem de"
    )
)
"""What a document is called, and the small words between."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A span that may be a field's value, with its score (about 0..1.6, higher is better)."""

    field: str
    page: int
    text: str
    box: Box
    score: float


@dataclass(frozen=True)
class Target:
    spec: FieldSpec
    concept: str | None
    phrases: Mapping[Phrase, float]


def bare_periods(views: Sequence[PageView], target: Target) -> list[Candidate]:
    """The periods of the first page, whatever stands beside them; in a column they count less."""
    at = 0 if target.concept == "start_date" else 1
    return [
        Candidate(
            target.spec.name,
            page.page.number,
            days[at].text,
            days[at].box,
            _BARE_PERIOD - 0.01 * place - (IN_COLUMN if days[at] in page.in_column else 0.0),
        )
        for page in views[:1]
        for place, days in enumerate(page.periods[:_MOST_PERIODS])
    ]


def without_label(
    views: Sequence[PageView],
    targets: Sequence[Target],
    found: Sequence[Candidate],
    largest: float | None,
) -> list[Candidate]:
    """Guesses for fields whose label is printed nowhere: always below the level that fills."""
    seen = {candidate.field for candidate in found if candidate.score >= WEAKEST}
    guesses: list[Candidate] = []
    for target in targets:
        name = target.spec.name
        if name in seen:
            continue
        if target.concept == "total" and largest is not None:
            guesses.extend(
                Candidate(name, v.page.number, n.text, n.box, 0.5)
                for v in views
                for n in v.numbers
                if n.decimals and n.amount == largest
            )
        elif target.concept == "invoice_date":
            guesses.extend(
                Candidate(name, v.page.number, d.text, d.box, 0.5 - 0.01 * i)
                for v in views[:1]
                for i, d in enumerate(v.dates[:2])
            )
        elif target.concept == "vendor":
            guesses.extend(_letterhead(views[0], name))
    return guesses


def _letterhead(page: PageView, name: str) -> list[Candidate]:
    """The largest run of words in the top fifth of the first page."""
    best: tuple[float, Candidate] | None = None
    at = 0
    while at < len(page.texts):
        end = at
        while end + 1 < len(page.texts) and page.segment[end + 1] == page.segment[at]:
            end += 1
        box = page.box(at, end)
        text = " ".join(page.texts[at : end + 1])
        if box[1] < page.page.height / 5 and sum(c.isalpha() for c in text) > 3:
            size = box[3] - box[1] - 0.01 * box[1]
            title = {*phrase(text)} <= _TITLES
            if not title and (best is None or size > best[0]):
                best = (size, Candidate(name, page.page.number, text, box, 0.48))
        at = end + 1
    return [best[1]] if best else []
