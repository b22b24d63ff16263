"""Microsoft's sample documents for AI Builder, with labels made by hand.

The labels hold texts; a label's box is that of the words that spell the text, so they stay right
whichever reader finds the words.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml_backend.extraction.fields import (
    Box,
    Document,
    FieldSpec,
    FieldType,
    Label,
    Labels,
    PageLike,
)
from ml_backend.extraction.geometry import box_of, iou, lay_out, union
from ml_backend.extraction.normalize import fold

HERE = Path(__file__).parent
ARCHIVE = (
    Path(__file__).parents[4]
    / "shared"
    / "bench"
    / "ai_builder"
    / "document-processing-sample-data.zip"
)


@dataclass(frozen=True)
class Sample:
    """One document's truth: field → text (None: not in the document), rows column → text."""

    file: str
    test: bool
    fields: dict[str, str | None]
    rows: tuple[dict[str, str], ...]


def load(name: str) -> tuple[tuple[FieldSpec, ...], list[Sample]]:
    """The fields and documents of labels/`name`.json."""
    state = json.loads((HERE / "labels" / f"{name}.json").read_text(encoding="utf-8"))
    samples = [
        Sample(d["file"], d["test"], d["fields"], tuple(d["rows"])) for d in state["documents"]
    ]
    return tuple(_spec(row) for row in state["fields"]), samples


def documents(samples: list[Sample], read: Callable[[bytes], list[PageLike]]) -> list[Document]:
    """The samples' pages, read from the archive."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        names = {
            name.split("/", 1)[-1] if name.count("/") > 2 else name: name
            for name in archive.namelist()
        }
        found = []
        for sample in samples:
            name = next(n for n in names.values() if n.endswith(sample.file))
            found.append(Document(sample.file, read(archive.read(name))))
    return found


def labels(document: Document, sample: Sample, table: str = "item") -> Labels:
    """Labels around the words that spell the truth; a text printed twice is taken in order."""
    page = document.pages[0]
    found: list[Label] = []
    missing = 0
    used: list[Box] = []
    for name, text in sample.fields.items():
        box = None if text is None else locate(page, text, used)
        if box is not None:
            used.append(box)
            found.append(Label(name, 0, box, text))
        missing += text is not None and box is None
    top = 150.0
    for number, row in enumerate(sample.rows):
        for name, text in row.items():
            pieces = [locate(page, part, used, top) for part in re.split(r" (?=Rate:)", text)]
            boxes = [piece for piece in pieces if piece is not None]
            if len(boxes) == len(pieces):
                used.extend(boxes)
                found.append(Label(f"{table}.{name}", 0, union(boxes), text, number))
            else:
                missing += 1
        ends = [label.box[3] for label in found if label.row == number]
        top = max(ends) - 6 if ends else top
    absent = frozenset(name for name, text in sample.fields.items() if text is None)
    return Labels(tuple(found), absent, complete=missing == 0)


def locate(page: PageLike, text: str, used: list[Box], below: float = 0.0) -> Box | None:
    """The first place under y = `below`, not used yet, whose words spell `text`."""
    wanted = _letters(text)
    order = lay_out(page.boxes).order.tolist()
    for start in range(len(order)):
        spelled = ""
        for end in range(start, min(start + 14, len(order))):
            spelled += _letters(page.texts[order[end]])
            if not wanted.startswith(spelled) or not spelled:
                break
            if spelled == wanted:
                box = box_of(page, order[start : end + 1])
                if (
                    box[1] >= below
                    and box[3] - box[1] < 40
                    and all(iou(box, u) < 0.3 for u in used)
                ):
                    return box
                break
    return None


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", fold(text))


def _spec(row: dict[str, Any]) -> FieldSpec:
    return FieldSpec(
        row["name"],
        FieldType(row["type"]),
        label_en=row.get("label_en", ""),
        aliases=tuple(row.get("aliases", ())),
        format=row.get("format"),
        columns=tuple(_spec(column) for column in row.get("columns", ())),
    )
