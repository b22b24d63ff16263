"""What is known to be true of a sample document, apart from the document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ml_backend.extraction.fields import Box, Label, Labels


@dataclass(frozen=True)
class TruthValue:
    """One value as printed. ``box`` in points of the page as displayed, origin top left; pages from 0.

    ``normalised``: ISO date, plain decimal, true or false, else the text. ``row`` counts a table's rows
    through the whole document. A ticked or empty box reads ☑ or ☐, a signature "signed".
    """

    field: str
    text: str
    normalised: str
    page: int
    box: Box
    row: int | None = None


@dataclass(frozen=True)
class Truth:
    """The answers of one document. ``pages``: width and height in points as displayed.

    ``absent``: fields of the demo's schema that this document does not have.
    """

    name: str
    kind: str
    layout: str
    language: str
    form: str
    scanned: bool
    pages: tuple[tuple[float, float], ...]
    values: tuple[TruthValue, ...]
    absent: tuple[str, ...]

    def labels(self) -> Labels:
        """The same as a reviewer's answer."""
        return Labels(
            tuple(Label(v.field, v.page, v.box, v.text, v.row) for v in self.values),
            frozenset(self.absent),
            complete=True,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; ``from_dict`` is its inverse."""
        return {
            "name": self.name,
            "kind": self.kind,
            "layout": self.layout,
            "language": self.language,
            "form": self.form,
            "scanned": self.scanned,
            "pages": [list(size) for size in self.pages],
            "values": [
                {
                    "field": value.field,
                    "text": value.text,
                    "normalised": value.normalised,
                    "page": value.page,
                    "box": list(value.box),
                    "row": value.row,
                }
                for value in self.values
            ],
            "absent": list(self.absent),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Truth:
        return cls(
            name=data["name"],
            kind=data["kind"],
            layout=data["layout"],
            language=data["language"],
            form=data["form"],
            scanned=data["scanned"],
            pages=tuple((size[0], size[1]) for size in data["pages"]),
            values=tuple(
                TruthValue(
                    value["field"],
                    value["text"],
                    value["normalised"],
                    value["page"],
                    (value["box"][0], value["box"][1], value["box"][2], value["box"][3]),
                    value["row"],
                )
                for value in data["values"]
            ),
            absent=tuple(data["absent"]),
        )
