"""Sample invoices, purchase orders and contracts with the truth about them. The interface for tests and benchmarks:

    from fieldloop.demo.generator import FIELDS, LAYOUTS, LANGUAGES, generate

    for sample in generate(seed=1, count=20):
        sample.name        # "0001-label_left-pt.pdf", unlike any other of this seed
        sample.pdf         # the file's bytes
        sample.truth       # Truth: kind, layout, language, form, pages, values (TruthValue), absent
        sample.truth.labels()      # the same as ml_backend.extraction.fields.Labels
        sample.truth.to_dict()     # the same as JSON values; Truth.from_dict reads them

The same arguments give the same bytes, and document n of a seed does not depend on ``count``. Values are
boxed in points of the page as displayed (origin top left, after rotation and crop box), pages from 0; every
cell of the item table carries its row. Fields: see ``FIELDS``; their schema is fieldloop/demo/fields.yaml.

Each layout is one supplier's template in each language: its words, columns and places stay, its contents
change. Documents have one to five pages. About one in eight is stored with a page rotation, as many with a
crop box; neither changes what is displayed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fieldloop.demo.generator.facts import Facts, make_facts
from fieldloop.demo.generator.layouts import LAYOUTS as _LAYOUTS
from fieldloop.demo.generator.layouts import Layout
from fieldloop.demo.generator.scan import scan
from fieldloop.demo.generator.sheet import CROPPED, PLAIN, ROTATED, Sheet
from fieldloop.demo.generator.truth import Truth, TruthValue
from fieldloop.demo.generator.values import FIELDS
from fieldloop.demo.generator.wording import Words

__all__ = [
    "FIELDS",
    "LANGUAGES",
    "LAYOUTS",
    "MOST_PAGES",
    "Sample",
    "Truth",
    "TruthValue",
    "generate",
]

LAYOUTS: tuple[str, ...] = tuple(_LAYOUTS)
LANGUAGES: tuple[str, ...] = ("en", "pt")
MOST_PAGES = 5
_LENGTHS = (75, 18, 7)
"""Per cent of short, long and very long documents."""


@dataclass(frozen=True)
class Sample:
    """A document and what is true of it."""

    name: str
    pdf: bytes
    truth: Truth


def generate(
    seed: int,
    count: int,
    layouts: Sequence[str] | None = None,
    languages: Sequence[str] | None = None,
    scanned_share: float = 0.0,
) -> Iterator[Sample]:
    """``count`` documents, taking turns through the layouts and, within each, through the languages.

    ``layouts`` and ``languages``: which ones, by default all. ``scanned_share``: how many of the documents
    are pictures of pages. Raises ValueError for a name that is not in LAYOUTS or LANGUAGES.
    """
    chosen, spoken = tuple(layouts or LAYOUTS), tuple(languages or LANGUAGES)
    for given, known, what in ((chosen, LAYOUTS, "layout"), (spoken, LANGUAGES, "language")):
        for name in given:
            if name not in known:
                raise ValueError(f"{name!r} is no {what}; known are {', '.join(known)}.")
    for number in range(count):
        layout = chosen[number % len(chosen)]
        language = spoken[number // len(chosen) % len(spoken)]
        rng = random.Random(f"{seed}/{number}/{layout}/{language}")  # noqa: S311
        yield _sample(rng, number, layout, language, scanned_share)


def _sample(
    rng: random.Random, number: int, name: str, language: str, scanned_share: float
) -> Sample:
    layout = _LAYOUTS[name]
    kind = rng.choice(layout.kinds)
    items = rng.choices(layout.items, _LENGTHS)[0]
    facts = make_facts(
        rng,
        kind,
        language,
        items,
        signed_share=layout.signed_share,
        euro_sign=layout.euro_sign,
    )
    form = rng.choices((PLAIN, ROTATED, CROPPED), (6, 1, 1))[0]
    scanned = rng.random() < scanned_share
    words = Words(name, language, kind)
    ink = rng.randrange(2**32)
    title = f"{words['title'].capitalize()} {facts.number}"
    # Twice: only the first drawing tells how many pages the second one must speak of.
    pages = _draw(layout, facts, words, ink, title, form, 0).page + 1
    sheet = _draw(layout, facts, words, ink, title, form, pages)
    pdf, values = sheet.finish(), sheet.values
    if scanned:
        pdf, values = scan(pdf, values, ink)
    present = {value.field for value in values}
    truth = Truth(
        name=f"{number + 1:04d}-{name}-{language}{'-scan' if scanned else ''}.pdf",
        kind=kind,
        layout=name,
        language=language,
        form=form,
        scanned=scanned,
        pages=((sheet.width, sheet.height),) * pages,
        values=tuple(values),
        absent=tuple(field for field in FIELDS if field not in present),
    )
    return Sample(truth.name, pdf, truth)


def _draw(
    layout: Layout, facts: Facts, words: Words, ink: int, title: str, form: str, pages: int
) -> Sheet:
    sheet = Sheet(title, layout.size, form, pages)
    layout.draw(sheet, facts, words, random.Random(ink))  # noqa: S311
    return sheet
