"""Signatures: whether somebody signed in the place meant for it. Who signed is not asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ml_backend.extraction.aliases import find_phrases, weighted_phrases
from ml_backend.extraction.checkbox import page_position
from ml_backend.extraction.fields import (
    Box,
    Document,
    FieldSpec,
    Labels,
    PageLike,
    Span,
    Value,
    spec_from_dict,
    spec_to_dict,
)
from ml_backend.extraction.geometry import Layout, box_of, lay_out, words_in
from ml_backend.extraction.ink import darkness
from ml_backend.extraction.normalize import normalize
from ml_backend.extraction.relative import Place, Places, find_places, learn_places

SIGNED = "signed"

_INK_LEVEL = 0.015
_SURE_WORD = 0.6
_AREA = (180.0, 34.0)  # points; where nobody showed how large the place is


class SignatureModel:
    """Learns where the signature stands relative to printed words, and how dark a signed place is.

    Unfitted it looks beside and above the field's own phrases. `to_state` gives JSON-able data for
    the artefact, `from_state` the model again.
    """

    def __init__(self, spec: FieldSpec, seed: int = 0) -> None:
        self.spec = spec
        self.seed = seed
        self.places_ = Places()
        self.ink_level_ = _INK_LEVEL

    def fit(self, documents: Sequence[Document], labels: Sequence[Labels]) -> SignatureModel:
        """Learn from labels of this field; without any, the model stays as it was made.

        A label whose text says false ("", "no") is a place nobody signed; so is the learnt place
        in documents that declare the field absent.
        """
        examples: list[tuple[Document, int, Box]] = []
        signed: list[float] = []
        unsigned: list[float] = []
        for document, given in zip(documents, labels, strict=True):
            for label in given.labels:
                at = page_position(document, label)
                if label.field != self.spec.name or at is None:
                    continue
                examples.append((document, at, label.box))
                dark = _darkness(document.pages[at], label.box)
                empty = label.text is not None and (
                    normalize(label.text, self.spec).value == "false"
                )
                if dark is not None:
                    (unsigned if empty else signed).append(dark)
        if not examples:
            return self
        self.places_ = learn_places(examples)
        for document, given in zip(documents, labels, strict=True):
            if self.spec.name in given.absent:
                found = find_places(self.places_, document, _layouts(document))[:1]
                darks = [_darkness(document.pages[p.page], p.box) for p in found]
                unsigned.extend(d for d in darks if d is not None)
        if signed and unsigned and min(signed) > max(unsigned):
            self.ink_level_ = (min(signed) + max(unsigned)) / 2
        elif signed:
            self.ink_level_ = max(0.004, min(_INK_LEVEL, 0.35 * min(signed)))
        return self

    def predict(self, document: Document) -> list[Value]:
        """At most one value: "signed" or "" with "true" or "false"."""
        layouts = _layouts(document)
        learnt = find_places(self.places_, document, layouts) if self.places_.examples else []
        announced = self._by_label(document, layouts)
        empty: Value | None = None
        # Where reviewers signed last time first; then wherever the field's own words announce a signature.
        for place in (*learnt[:1], *announced):
            value = self._look(document, place)
            if value is None:
                continue
            if value.normalised == "true":
                return [value]
            empty = empty or value
        return [empty] if empty else []

    def _look(self, document: Document, place: Place) -> Value | None:
        """What the place says; None where nothing can be said of it."""
        page = document.pages[place.page]
        sure = 0.5 + 0.45 * place.confidence
        dark = _darkness(page, place.box)
        if dark is None:
            if not _typed(page, place.box):
                return None
            on = True
        else:
            on = dark > self.ink_level_ or _typed(page, place.box)
            sure -= 0.15 if 0.5 < dark / self.ink_level_ < 1.6 else 0.0
        return Value(
            self.spec.name,
            SIGNED if on else "",
            "true" if on else "false",
            None,
            (Span(page.number, place.box),),
            round(max(0.05, sure), 4),
        )

    def to_state(self) -> dict[str, Any]:
        return {
            "spec": spec_to_dict(self.spec),
            "seed": self.seed,
            "places": self.places_.to_state(),
            "ink_level": self.ink_level_,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> SignatureModel:
        model = cls(spec_from_dict(state["spec"]), state["seed"])
        model.places_ = Places.from_state(state["places"])
        model.ink_level_ = float(state["ink_level"])
        return model

    def _by_label(self, document: Document, layouts: Sequence[Layout]) -> list[Place]:
        """Areas over, and to the right of, the field's phrases, where there is room."""
        phrases = weighted_phrases(self.spec)
        found: list[Place] = []
        width, height = _AREA
        for at, page in enumerate(document.pages):
            for occurrence in find_phrases(page, layouts[at], phrases):
                label = box_of(page, occurrence.words)
                sure = 0.4 * phrases[occurrence.phrase]
                if occurrence.colon:
                    right = min(page.width, label[2] + width)
                    area = (label[2] + 3, label[3] - height, right, label[3] + 4)
                else:
                    area = (label[0], label[1] - height - 2, label[0] + width, label[1] - 2)
                found.append(Place(at, area, sure))
        # The last place is the one at the foot of the document.
        found.sort(key=lambda p: (-p.confidence, -p.page, -p.box[1], p.box[0]))
        return found


def _layouts(document: Document) -> list[Layout]:
    return [lay_out(page.boxes) for page in document.pages]


def _darkness(page: PageLike, box: Box) -> float | None:
    """Ink in the place, without rulings and without words that were read for certain.

    A signature on a scan is often read as a word of no sense, with little confidence: it stays.
    """
    hidden: list[Box] = []
    for i in words_in(page, box, share=0.1):
        if float(page.confidences[i]) >= _SURE_WORD:
            x0, y0, x1, y1 = (float(v) for v in page.boxes[i])
            hidden.append((x0, y0, x1, y1))
    for x0, y0, x1, y1 in page.rulings.reshape(-1, 4).astype(float).tolist():
        if x0 < box[2] and x1 > box[0] and y0 < box[3] and y1 > box[1]:
            hidden.append((x0 - 1, y0 - 1, x1 + 1, y1 + 1))
    return darkness(page, box, hidden)


def _typed(page: PageLike, box: Box) -> bool:
    """Whether a typed signature, "/s/ Ana Lima", stands in the place."""
    return any(page.texts[i].lower().startswith("/s") for i in words_in(page, box))
