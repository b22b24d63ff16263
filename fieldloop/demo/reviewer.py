"""A reviewer played from the truth: opens a task, corrects what the prediction got wrong, submits.

It goes through Label Studio's API and leaves what Label Studio's editor leaves: untouched regions keep their
id, score and ``origin: prediction``, also where only the text was corrected; what was moved or relabelled becomes
``prediction-changed``; what was drawn is ``manual``.
"""

from __future__ import annotations

import copy
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests
from PIL import Image

from db.errors import RecordError
from db.label_studio import LabelStudio
from db.regions import (
    ABSENT,
    IMAGE,
    STATUS,
    Box,
    PageSize,
    Region,
    read_result,
    to_percent,
    write_region,
)
from fieldloop.demo.generator import Truth, TruthValue
from ml_backend.extraction.geometry import iou

SAME_PLACE = 0.45
"""Overlap from which a reviewer finds a box well enough placed."""
TOUCHING = 0.1
"""Overlap from which a reviewer pulls a box into place instead of drawing it anew."""
SECONDS_TO_LOOK, SECONDS_PER_CHANGE, SECONDS_PER_TEXT = 4.0, 3.5, 2.0
_IMAGE_SECONDS = 30.0


class ReviewFailed(RecordError):
    """The task cannot be reviewed; the message says why."""


@dataclass
class Changes:
    """What a reviewer did to a prediction, counted in regions."""

    kept: int = 0
    retyped: int = 0
    moved: int = 0
    relabelled: int = 0
    removed: int = 0
    drawn: int = 0

    @property
    def seconds(self) -> float:
        """How long a person might need for it."""
        boxes = self.moved + self.relabelled + self.removed + self.drawn
        return SECONDS_TO_LOOK + SECONDS_PER_CHANGE * boxes + SECONDS_PER_TEXT * self.retyped

    def __add__(self, other: Changes) -> Changes:
        return Changes(
            *(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__)
        )


@dataclass(frozen=True)
class Submitted:
    """An annotation Label Studio has taken."""

    task: int
    annotation: int
    model_version: str | None
    changes: Changes


class Reviewer:
    """Reviews tasks as the user of the token."""

    def __init__(self, label_studio: LabelStudio) -> None:
        self._studio = label_studio
        self._http = requests.Session()
        self._http.trust_env = False

    def review(self, task_id: int, truth: Truth, choices: Iterable[str]) -> Submitted:
        """Correct the newest prediction and submit. ``choices``: the labels of the project.

        Raises ReviewFailed, LabelStudioError.
        """
        task = self._studio.task(task_id)
        pages = self._pixels(task, truth)
        predictions = [one for one in task.get("predictions") or [] if isinstance(one, dict)]
        newest = max(predictions, key=lambda one: int(one["id"]), default=None)
        result = [] if newest is None else newest.get("result") or []
        known = set(choices)
        corrected, changes = correct(result, truth, pages, known, seed=f"{task_id}")
        annotation = self._studio.create_annotation(
            task_id,
            {
                "result": corrected,
                "was_cancelled": False,
                "lead_time": round(changes.seconds, 3),
                "parent_prediction": None if newest is None else newest["id"],
            },
        )
        model = None if newest is None else newest.get("model_version")
        return Submitted(task_id, int(annotation["id"]), model, changes)

    def _pixels(self, task: Mapping[str, Any], truth: Truth) -> list[tuple[int, int]]:
        """The size of each page's picture, from the picture itself, as a browser learns it."""
        urls = task.get("data", {}).get("pages")
        if not isinstance(urls, list) or len(urls) != len(truth.pages):
            shown = len(urls) if isinstance(urls, list) else 0
            raise ReviewFailed(
                f"Task {task.get('id')} shows {shown} pages; {truth.name} has {len(truth.pages)}."
            )
        return [self._size(str(url)) for url in urls]

    def _size(self, url: str) -> tuple[int, int]:
        try:
            answer = self._http.get(url, timeout=_IMAGE_SECONDS)
            answer.raise_for_status()
            with Image.open(io.BytesIO(answer.content)) as image:
                return image.size
        except (requests.RequestException, OSError) as error:
            raise ReviewFailed(
                f"A page image does not come from the backend ({type(error).__name__}); reviewers would see an "
                "empty page. Is FIELDLOOP_PUBLIC_URL reachable? See `fieldloop logs backend`."
            ) from error


@dataclass
class _Work:
    """A region of the prediction and what becomes of it; ``goal`` None: it goes."""

    region: Region
    entries: list[dict[str, Any]]
    goal: TruthValue | None = None
    changes: Changes = field(default_factory=Changes)


def correct(
    predicted: Sequence[Mapping[str, Any]],
    truth: Truth,
    pixels: Sequence[tuple[int, int]],
    known: set[str],
    *,
    seed: str,
) -> tuple[list[dict[str, Any]], Changes]:
    """The result a careful reviewer submits, and what it took. Pure.

    ``pixels``: size of each page's picture; ``known``: labels that can be chosen; ``seed`` makes the ids of
    drawn regions.
    """
    sizes = [PageSize(*size) for size in truth.pages]
    values = [value for value in truth.values if value.field in known]
    works = _match(_works(predicted, sizes), values)
    result: list[dict[str, Any]] = []
    changes = Changes()
    for work in works:
        if work.goal is None:
            changes.removed += 1
            continue
        result += _edited(work, work.goal, sizes[work.goal.page], pixels[work.goal.page])
        changes += work.changes
    done = {id(work.goal) for work in works}
    for position, value in enumerate(values):
        if id(value) not in done:
            region_id = hashlib.sha256(f"{seed}/{position}".encode()).hexdigest()[:10]
            result += _drawn(value, region_id, sizes[value.page], pixels[value.page])
            changes.drawn += 1
    result += _choices(truth, known)
    return result, changes


def _works(predicted: Sequence[Mapping[str, Any]], sizes: Sequence[PageSize]) -> list[_Work]:
    entries: dict[str, list[dict[str, Any]]] = {}
    for entry in predicted:
        entries.setdefault(str(entry.get("id")), []).append(copy.deepcopy(dict(entry)))
    regions = read_result([dict(entry) for entry in predicted], sizes).regions
    return [_Work(region, entries[region.id]) for region in regions if region.id in entries]


def _match(works: list[_Work], values: Sequence[TruthValue]) -> list[_Work]:
    """Give each region the value it stands on: of its own field first, then of another, nearest first."""
    free = list(values)

    def settle(at_least: float, *, same_field: bool) -> None:
        pairs = [
            (iou(work.region.box, value.box), number, value)
            for number, work in enumerate(works)
            if work.goal is None
            for value in free
            if value.page == work.region.page and (value.field == work.region.field) == same_field
        ]
        for overlap, number, value in sorted(pairs, key=lambda pair: -pair[0]):
            if overlap < at_least:
                return
            if works[number].goal is None and any(value is one for one in free):
                works[number].goal = value
                free[:] = [one for one in free if one is not value]

    settle(TOUCHING, same_field=True)
    settle(SAME_PLACE, same_field=False)
    # A value that stands elsewhere: of a field that occurs once, the box is dragged to the right place.
    for work in works:
        if work.goal is None and "." not in str(work.region.field):
            work.goal = next(
                (v for v in free if v.field == work.region.field and v.page == work.region.page),
                None,
            )
            free = [one for one in free if one is not work.goal]
    return works


def _edited(
    work: _Work, goal: TruthValue, size: PageSize, pixels: tuple[int, int]
) -> list[dict[str, Any]]:
    relabelled = work.region.field != goal.field
    moved = iou(work.region.box, goal.box) < SAME_PLACE
    retyped = " ".join((work.region.text or "").split()) != goal.text
    origin = "prediction-changed" if moved or relabelled else "prediction"
    work.changes = Changes(
        kept=int(not (moved or relabelled or retyped)),
        retyped=int(retyped),
        moved=int(moved),
        relabelled=int(relabelled),
    )
    place = to_percent(_drawn_box(goal, size), size) if moved else {}
    if work.region.text is None:
        template = write_region(
            Region(work.region.id, goal.field, goal.page, work.region.box, goal.text, "textarea"),
            size,
            pixels,
        )
        work.entries.append(template[-1])
    for entry in work.entries:
        entry["origin"] = origin
        entry["value"].update(place)
        if entry["type"] == "rectanglelabels":
            entry["value"]["rectanglelabels"] = [goal.field]
        elif retyped:
            entry["value"]["text"] = [goal.text]
    return work.entries


def _drawn(
    value: TruthValue, region_id: str, size: PageSize, pixels: tuple[int, int]
) -> list[dict[str, Any]]:
    region = Region(
        id=region_id,
        field=value.field,
        page=value.page,
        box=_drawn_box(value, size),
        text=value.text,
        kind="rectanglelabels",
    )
    return [{**entry, "origin": "manual"} for entry in write_region(region, size, pixels)]


def _drawn_box(value: TruthValue, size: PageSize) -> Box:
    """A hand draws a little around what it means."""
    x0, y0, x1, y1 = value.box
    return (
        max(0.0, x0 - 0.8),
        max(0.0, y0 - 0.4),
        min(size.width, x1 + 0.8),
        min(size.height, y1 + 0.4),
    )


def _choices(truth: Truth, known: set[str]) -> list[dict[str, Any]]:
    """What is said of the whole document: its status, and the fields it does not have."""
    said = [(STATUS, ["OK"])]
    absent = [name for name in truth.absent if name in known and "." not in name]
    if absent:
        said.append((ABSENT, absent))
    return [
        {
            "id": f"{name}-choice",
            "from_name": name,
            "to_name": IMAGE,
            "type": "choices",
            "origin": "manual",
            "value": {"choices": names},
        }
        for name, names in said
    ]
