"""Which samples a demo shows: eight suppliers, each with one layout in one language."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

from fieldloop.demo.generator import Sample, generate

SUPPLIERS: Final = {
    "en": ("label_left", "boxed_form", "contract", "landscape"),
    "pt": ("label_above", "letterhead", "dense", "dot_matrix"),
}
LEAST_DOCUMENTS: Final = 12
PREFIX: Final = "demo"


@dataclass(frozen=True)
class DemoSet:
    """The documents of one demo. The first ``reviewed`` of them are reviewed, the others never."""

    seed: int
    samples: tuple[Sample, ...]
    reviewed: int

    @property
    def to_review(self) -> tuple[Sample, ...]:
        return self.samples[: self.reviewed]

    @property
    def unseen(self) -> tuple[Sample, ...]:
        return self.samples[self.reviewed :]


def demo_set(seed: int, documents: int, reviewed: int) -> DemoSet:
    """The same arguments give the same bytes; suppliers take turns, so that each is reviewed about as often."""
    english, portuguese = (
        generate(
            seed, documents // 2 + (documents % 2 if language == "en" else 0), layouts, [language]
        )
        for language, layouts in SUPPLIERS.items()
    )
    odd = tuple(english)
    turns = chain.from_iterable(zip(odd, portuguese, strict=False))
    made = (*turns, *odd[documents // 2 :])
    named = tuple(_named(sample, f"{name_prefix(seed)}{sample.name}") for sample in made)
    return DemoSet(seed, named, reviewed)


def name_prefix(seed: int) -> str:
    """What the names of a demo's documents begin with: other seeds are other documents, not new versions."""
    return f"{PREFIX}-{seed}-"


def seed_of(name: str) -> int | None:
    """The seed in a document's name; None where the document is none of a demo's."""
    parts = name.split("-", 2)
    if len(parts) == 3 and parts[0] == PREFIX and parts[1].isdecimal():
        return int(parts[1])
    return None


def _named(sample: Sample, name: str) -> Sample:
    return replace(sample, name=name, truth=replace(sample.truth, name=name))
