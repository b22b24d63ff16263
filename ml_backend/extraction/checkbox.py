"""Checkboxes: where the box is, and whether it is ticked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

import numpy as np

from ml_backend.extraction.aliases import find_phrases, tokens_of, weighted_phrases
from ml_backend.extraction.fields import (
    Box,
    Document,
    FieldSpec,
    Label,
    Labels,
    PageLike,
    Span,
    Value,
    spec_from_dict,
    spec_to_dict,
)
from ml_backend.extraction.geometry import Layout, box_of, lay_out, union, words_in
from ml_backend.extraction.ink import darkness
from ml_backend.extraction.normalize import CHECKED_SIGNS, UNCHECKED_SIGNS, normalize
from ml_backend.extraction.relative import Places, find_places, learn_places

CHECKED, UNCHECKED = "☑", "☐"

_INK_LEVEL = 0.12
_SURE_PLACE = 0.3
# Share of reviewed boxes in which a square or sign was found, from which a place without one has no box.
_MOSTLY_DRAWN = 0.8
_REACH = 60.0
# Letters that print a ticked or an empty box in fonts of signs.
_WINGDINGS_ON, _WINGDINGS_OFF = frozenset("þýüûRTSx"), frozenset("¨oqr\xa8£")
_DINGBATS_ON, _DINGBATS_OFF = frozenset("345678n"), frozenset("opqr")
_BRACKETS = {"[]": False, "()": False, "[x]": True, "(x)": True, "[v]": True, "[✓]": True}
_YES = frozenset(["yes", "sim", "true"])


@dataclass(frozen=True, slots=True)
class Tick:
    """A box that can be ticked; `on` None: only the ink can say. `word`: its word, -1 if drawn."""

    box: Box
    on: bool | None
    word: int


class CheckboxModel:
    """Learns where the field's box stands relative to printed words; reads its state.

    Unfitted it looks beside the field's own phrases. `to_state` gives JSON-able data for the
    artefact, `from_state` the model again.
    """

    def __init__(self, spec: FieldSpec, seed: int = 0) -> None:
        self.spec = spec
        self.seed = seed
        self.places_ = Places()
        self.ink_level_ = _INK_LEVEL
        self.drawn_ = False

    def fit(self, documents: Sequence[Document], labels: Sequence[Labels]) -> CheckboxModel:
        """Learn from labels of this field; without any, the model stays as it was made."""
        examples: list[tuple[Document, int, Box]] = []
        drawn: list[bool] = []
        darks: dict[bool, list[float]] = {True: [], False: []}
        for document, given in zip(documents, labels, strict=True):
            for label in given.labels:
                at = page_position(document, label)
                if label.field != self.spec.name or at is None:
                    continue
                page = document.pages[at]
                examples.append((document, at, label.box))
                tick = _nearest(find_ticks(page), label.box)
                drawn.append(tick is not None)
                # Measured where `predict` measures: without the square's own edges.
                dark = darkness(page, label.box if tick is None else _inner(tick.box))
                state = normalize(label.text or "", self.spec).value if label.text else None
                if dark is not None and state is not None:
                    darks[state == "true"].append(dark)
        if examples:
            self.places_ = learn_places(examples)
            self.drawn_ = mean(drawn) >= _MOSTLY_DRAWN
        on, off = darks[True], darks[False]
        if on and off and min(on) > max(off):
            self.ink_level_ = (min(on) + max(off)) / 2
        elif on and off and mean(on) > mean(off):
            self.ink_level_ = (mean(on) + mean(off)) / 2
        return self

    def predict(self, document: Document) -> list[Value]:
        """At most one value: "☑" or "☐" with "true" or "false"."""
        layouts = [lay_out(page.boxes) for page in document.pages]
        ticks = [find_ticks(page) for page in document.pages]
        beside = self._beside(document, layouts, ticks)
        places = find_places(self.places_, document, layouts) if self.places_.examples else []
        for place in places:
            tick = _nearest(ticks[place.page], place.box)
            # A weak memory of one layout does not outweigh the field's own words on another.
            if tick is not None and (beside is None or place.confidence >= _SURE_PLACE):
                return [self._value(document, place.page, tick, 0.55 + 0.4 * place.confidence)]
        if beside is not None:
            return [self._value(document, *beside)]
        if self.drawn_:
            return []
        for place in places:
            dark = darkness(document.pages[place.page], place.box)
            if dark is not None:
                tick = Tick(place.box, dark > self.ink_level_, -1)
                return [self._value(document, place.page, tick, 0.4 + 0.4 * place.confidence)]
        return []

    def to_state(self) -> dict[str, Any]:
        return {
            "spec": spec_to_dict(self.spec),
            "seed": self.seed,
            "places": self.places_.to_state(),
            "ink_level": self.ink_level_,
            "drawn": self.drawn_,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> CheckboxModel:
        model = cls(spec_from_dict(state["spec"]), state["seed"])
        model.places_ = Places.from_state(state["places"])
        model.ink_level_ = float(state["ink_level"])
        model.drawn_ = bool(state.get("drawn", False))
        return model

    def _value(self, document: Document, at: int, tick: Tick, sure: float) -> Value:
        page = document.pages[at]
        on = tick.on
        if on is None:
            dark = darkness(page, _inner(tick.box))
            if dark is None:
                on, sure = _marked(page, tick.box), sure - 0.2
            else:
                on = dark > self.ink_level_
                sure -= 0.2 if abs(dark - self.ink_level_) < 0.03 else 0.0
        sure = round(min(0.99, max(0.05, sure)), 4)
        text = CHECKED if on else UNCHECKED
        where = (Span(page.number, tick.box),)
        return Value(self.spec.name, text, "true" if on else "false", None, where, sure)

    def _beside(
        self, document: Document, layouts: Sequence[Layout], ticks: Sequence[list[Tick]]
    ) -> tuple[int, Tick, float] | None:
        phrases = weighted_phrases(self.spec)
        best: tuple[float, int, Tick] | None = None
        for at, page in enumerate(document.pages):
            if not ticks[at]:
                continue
            for occurrence in find_phrases(page, layouts[at], phrases):
                label = box_of(page, occurrence.words)
                for tick in ticks[at]:
                    cost = _cost(page, label, tick, occurrence.words)
                    if cost is None:
                        continue
                    score = phrases[occurrence.phrase] - cost
                    if best is None or score > best[0]:
                        best = (score, at, tick)
        return None if best is None else (best[1], best[2], min(0.7, max(0.3, best[0])))


def page_position(document: Document, label: Label) -> int | None:
    """Position in `document.pages` of the label's page; None if the page is not there."""
    for at, page in enumerate(document.pages):
        if page.number == label.page:
            return at
    return None


def find_ticks(page: PageLike) -> list[Tick]:
    """Everything on the page that can be ticked: signs, brackets, letters of sign fonts, squares."""
    found: list[Tick] = []
    for word, text in enumerate(page.texts):
        x0, y0, x1, y1 = (float(v) for v in page.boxes[word])
        state, length = _sign(
            text, page.font_names[int(page.fonts[word])] if page.font_names else ""
        )
        if state is not None:
            share = (x1 - x0) * length / max(1, len(text))
            found.append(Tick((x0, y0, x0 + share, y1), state, word))
        elif text in {"[", "("} and word + 1 < len(page.texts):
            end = next(
                (k for k in (word + 1, word + 2) if k < len(page.texts) and page.texts[k] in "])"),
                None,
            )
            if end is not None:
                box = box_of(page, range(word, end + 1))
                if box[2] - box[0] < 4 * (y1 - y0) and box[3] - box[1] < 2 * (y1 - y0):
                    found.append(Tick(box, end == word + 2, word))
    found.extend(Tick(box, None, -1) for box in _squares(page.rulings))
    return found


def _sign(text: str, font: str) -> tuple[bool | None, int]:
    """State a word prints, and the number of its characters that print the box."""
    if not text:
        return None, 0
    if text[0] in CHECKED_SIGNS:
        return True, 1
    if text[0] in UNCHECKED_SIGNS:
        return False, 1
    name = font.lower()
    if len(text) <= 2 and "wingding" in name:
        if text[0] in _WINGDINGS_ON:
            return True, 1
        return (False, 1) if text[0] in _WINGDINGS_OFF else (None, 0)
    if len(text) <= 2 and "dingbat" in name:
        if text[0] in _DINGBATS_ON:
            return True, 1
        return (False, 1) if text[0] in _DINGBATS_OFF else (None, 0)
    compact = text[:3].lower()
    if compact in _BRACKETS:
        return _BRACKETS[compact], 3
    if text[:2] in {"[]", "()"}:
        return False, 2
    return None, 0


def _squares(rulings: np.ndarray[Any, Any]) -> list[Box]:
    """Squares of 5 to 24 points whose four edges are drawn."""
    lines = np.asarray(rulings, dtype=np.float64).reshape(-1, 4)
    width, height = lines[:, 2] - lines[:, 0], lines[:, 3] - lines[:, 1]
    flat = lines[(height <= 2) & (width >= 5) & (width <= 24)][:400]
    squares: list[Box] = []
    upright = lines[(width <= 2) & (height >= 5) & (height <= 24)]
    for i, top in enumerate(flat):
        size = top[2] - top[0]
        for bottom in flat[i + 1 :]:
            x0, x1 = min(top[0], bottom[0]), max(top[2], bottom[2])
            y0, y1 = min(top[1], bottom[1]), max(top[3], bottom[3])
            if abs(top[0] - bottom[0]) > 1.5 or abs(top[2] - bottom[2]) > 1.5:
                continue
            if not 0.7 * size <= y1 - y0 <= 1.4 * size:
                continue
            sides = upright[(upright[:, 1] < y0 + 2.5) & (upright[:, 3] > y1 - 2.5)]
            left = bool((np.abs(sides[:, 0] - x0) < 2).any())
            right = bool((np.abs(sides[:, 2] - x1) < 2).any())
            if left and right:
                squares.append((float(x0), float(y0), float(x1), float(y1)))
    return squares


def _inner(box: Box) -> Box:
    """The box without its own frame."""
    edge = min(2.0, 0.25 * min(box[2] - box[0], box[3] - box[1]))
    return (box[0] + edge, box[1] + edge, box[2] - edge, box[3] - edge)


def _marked(page: PageLike, box: Box) -> bool:
    """Without a rendered page: whether a word that means a tick stands in the box."""
    return any(
        page.texts[i].strip().lower() in {"x", "v", "4", "8"} or page.texts[i] in CHECKED_SIGNS
        for i in words_in(page, box)
    )


def _nearest(ticks: Sequence[Tick], box: Box) -> Tick | None:
    """The tick box whose centre lies within about a line of the expected place's."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    best: tuple[float, Tick] | None = None
    for tick in ticks:
        dx = abs((tick.box[0] + tick.box[2]) / 2 - x)
        dy = abs((tick.box[1] + tick.box[3]) / 2 - y)
        reach = max(10.0, (box[2] - box[0]) / 2 + 4)
        if dx <= reach and dy <= 8 and (best is None or dx + 2 * dy < best[0]):
            best = (dx + 2 * dy, tick)
    return None if best is None else best[1]


def _cost(page: PageLike, label: Box, tick: Tick, words: Sequence[int]) -> float | None:
    """What it costs to believe that the tick box belongs to the label; None: it does not."""
    middle = (tick.box[1] + tick.box[3]) / 2
    if not label[1] - 3 <= middle <= label[3] + 3:
        return None
    if tick.word in words:
        return 0.0
    before = label[0] - tick.box[2]
    after = tick.box[0] - label[2]
    if -2 <= before <= _REACH:
        return 0.02 + before / 200
    if -2 <= after <= 4 * _REACH:
        # "Label: [ ] Yes [x] No" is answered by the box of the yes.
        line = union([label, tick.box])
        near = (tick.box[2], line[1], tick.box[2] + _REACH, line[3])
        following = [i for i in words_in(page, near) if page.boxes[i][0] >= tick.box[2] - 2]
        said = tokens_of(page.texts[following[0]]) if following else ()
        return (0.05 if said and said[0] in _YES else 0.15) + after / 600
    return None
