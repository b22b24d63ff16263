"""Where something stands relative to words that are always printed: learnt from a few examples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from ml_backend.extraction.aliases import LONGEST_PHRASE, Phrase, find_phrases, tokens_of
from ml_backend.extraction.fields import Box, Document, PageLike
from ml_backend.extraction.geometry import Layout, box_of, lay_out, y_overlap

_REACH = 220.0
_ANCHORS_KEPT = 8
_AGREE = 12.0


@dataclass(frozen=True, slots=True)
class Anchor:
    """A printed phrase and the place's corner and size relative to its top left, in points.

    `support` is the number of examples the phrase stood by; `spread` the mean deviation of the
    place from the median one.
    """

    phrase: Phrase
    dx: float
    dy: float
    width: float
    height: float
    support: int
    spread: float


@dataclass(frozen=True, slots=True)
class Place:
    """A place found: page position in the document, box, share of the evidence (0..1)."""

    page: int
    box: Box
    confidence: float


@dataclass(frozen=True)
class Places:
    """What was learnt: anchors best first, and the usual place as shares of the page."""

    anchors: tuple[Anchor, ...] = ()
    usual: Box | None = None
    usual_page: int = 0
    examples: int = 0

    def to_state(self) -> dict[str, Any]:
        return {
            "anchors": [
                [list(a.phrase), a.dx, a.dy, a.width, a.height, a.support, a.spread]
                for a in self.anchors
            ],
            "usual": None if self.usual is None else list(self.usual),
            "usual_page": self.usual_page,
            "examples": self.examples,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Places:
        usual = state["usual"]
        return cls(
            tuple(Anchor(tuple(row[0]), *row[1:]) for row in state["anchors"]),
            None if usual is None else (usual[0], usual[1], usual[2], usual[3]),
            state["usual_page"],
            state["examples"],
        )


def learn_places(examples: Sequence[tuple[Document, int, Box]]) -> Places:
    """From (document, page position, box): the phrases that keep their distance to the box."""
    offsets: dict[Phrase, list[tuple[int, float, float, float]]] = defaultdict(list)
    shares: list[Box] = []
    for number, (document, at, box) in enumerate(examples):
        page = document.pages[at]
        shares.append(
            (
                box[0] / page.width,
                box[1] / page.height,
                box[2] / page.width,
                box[3] / page.height,
            )
        )
        for found, where, unique in _phrases_near(page, box):
            penalty = _distance(where, box) + (0.0 if unique else 60.0)
            penalty += 25.0 * (4 - min(4, len(found)))
            offsets[found].append((number, box[0] - where[0], box[1] - where[1], penalty))
    width = median([b[2] - b[0] for _, _, b in examples])
    height = median([b[3] - b[1] for _, _, b in examples])
    rated: list[tuple[float, Anchor]] = []
    for found, rows in offsets.items():
        dx, dy = median([r[1] for r in rows]), median([r[2] for r in rows])
        spread = sum(abs(r[1] - dx) + abs(r[2] - dy) for r in rows) / len(rows)
        support = len({r[0] for r in rows})
        rank = support / len(examples) - 0.01 * spread - 0.002 * median([r[3] for r in rows])
        rated.append((rank, Anchor(found, dx, dy, width, height, support, spread)))
    rated.sort(key=lambda row: (-row[0], row[1].phrase))
    usual = tuple(median([s[i] for s in shares]) for i in range(4))
    return Places(
        tuple(anchor for _, anchor in rated[:_ANCHORS_KEPT]),
        (usual[0], usual[1], usual[2], usual[3]),
        int(median([at for _, at, _ in examples])),
        len(examples),
    )


def find_places(places: Places, document: Document, layouts: Sequence[Layout]) -> list[Place]:
    """Likely places in `document`, best first. The usual place, weakly, if no printed words keep their
    distance to it; where such words are known and not there, it is another layout."""
    votes: list[tuple[int, Box, float]] = []
    book = {a.phrase: a for a in places.anchors}
    total = sum(_weight(a) for a in places.anchors) or 1.0
    for at, page in enumerate(document.pages):
        for occurrence in find_phrases(page, layouts[at], book):
            anchor = book[occurrence.phrase]
            where = box_of(page, occurrence.words)
            x0, y0 = where[0] + anchor.dx, where[1] + anchor.dy
            box = (x0, y0, x0 + anchor.width, y0 + anchor.height)
            votes.append((at, box, _weight(anchor)))
    found: list[Place] = []
    for at, box, weight in sorted(votes, key=lambda v: (-v[2], v[0], v[1])):
        if any(p.page == at and _near(p.box, box) for p in found):
            continue
        agreeing = [w for p, b, w in votes if p == at and _near(b, box)]
        share = min(1.0, sum(agreeing) / total)
        found.append(Place(at, box, max(share, weight / total)))
    found.sort(key=lambda p: (-p.confidence, p.page, p.box))
    anchored = bool(found or places.anchors)
    if not anchored and places.usual is not None and places.usual_page < len(document.pages):
        page, usual = document.pages[places.usual_page], places.usual
        box = (
            usual[0] * page.width,
            usual[1] * page.height,
            usual[2] * page.width,
            usual[3] * page.height,
        )
        found.append(Place(places.usual_page, box, 0.2))
    return found


def _weight(anchor: Anchor) -> float:
    return anchor.support / (1.0 + anchor.spread / 10.0)


def _near(a: Box, b: Box) -> bool:
    return abs(a[0] - b[0]) <= _AGREE and abs(a[1] - b[1]) <= _AGREE


def _distance(where: Box, box: Box) -> float:
    across = max(0.0, max(where[0], box[0]) - min(where[2], box[2]))
    down = max(0.0, max(where[1], box[1]) - min(where[3], box[3]))
    # Words of the place's own line name it more often than the line above.
    return across + (0.0 if y_overlap(where, box) > 0 else 20.0 + 2.0 * down)


def _phrases_near(page: PageLike, box: Box) -> list[tuple[Phrase, Box, bool]]:
    """Phrases of one to five words around the box, not under it: phrase, place, stands once."""
    layout = lay_out(page.boxes)
    gathered: list[tuple[Phrase, Box]] = []
    count: dict[Phrase, int] = defaultdict(int)
    for segment in layout.segments:
        words = [int(i) for i in segment]
        tokens = [tokens_of(page.texts[i]) for i in words]
        for start in range(len(words)):
            joined: Phrase = ()
            for end in range(start, min(len(words), start + LONGEST_PHRASE)):
                joined = joined + tokens[end]
                if not tokens[start] or not tokens[end] or not _wordy(joined):
                    continue
                count[joined] += 1
                where = box_of(page, words[start : end + 1])
                apart = _distance(where, box)
                inside = where[0] < box[2] - 1 and where[2] > box[0] + 1
                inside = inside and where[1] < box[3] - 1 and where[3] > box[1] + 1
                if apart < _REACH and not inside:
                    gathered.append((joined, where))
    return [(found, where, count[found] == 1) for found, where in gathered]


def _wordy(found: Phrase) -> bool:
    """Letters enough to be printed text, no digits: a value would not be there next time."""
    text = "".join(found)
    return len(text) >= 3 and not any(c.isdigit() for c in text)
