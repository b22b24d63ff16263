"""Documents and labels from files: what the commands without a database work on.

One JSON object per line: {"pdf": path, "labels": [{"field", "page", "bbox": [x0, y0, x1, y1], "text"}]}.
Pages are 0-based, boxes points from the top left of the page as displayed. Optional: "row" in a label of a
table, "absent" (names of fields that are not in the document) and "complete" (true: a field without a label is
absent; else it is unknown). A path may also name stored words, NAME.json or NAME.json.gz:
{"pages": [{"W", "H", "words": [{"t", "x0", "y0", "x1", "y1", "s"}]}]}.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click

from db.config import Settings
from db.errors import RecordError
from db.models import Field
from db.words import PageWords, WordsDamaged, WordSource, make_page, pack, unpack
from ml_backend.extraction.artifact import ArtifactError, from_bytes
from ml_backend.extraction.estimator import FieldExtractor
from ml_backend.extraction.fields import Document, FieldSpec, FieldType, Label, Labels
from ml_backend.field_specs import to_specs
from ml_backend.reading.errors import DocumentError
from ml_backend.reading.limits import Limits
from ml_backend.reading.media import sniff
from ml_backend.reading.reader import read_document
from ml_backend.schema import load as load_schema


class FileProblem(RecordError):
    """A file cannot be used; the message names it, the line and the fix."""


@dataclass(frozen=True)
class Row:
    """A line of a file of documents."""

    path: str
    labels: Labels


@dataclass
class WordFiles:
    """Reads documents; with a folder, keeps their words there by the hash of the bytes."""

    folder: Path | None = None
    languages: str = "por+eng"
    ink: bool = False
    """Pages are drawn as well: checkboxes and signatures are found in their ink."""
    problems: list[str] = field(default_factory=list)

    def document(self, path: str) -> Document:
        """The document's words; one without pages, and a problem noted, where it cannot be read."""
        try:
            return Document(path, self._pages(Path(path)))
        except OSError as error:
            self.problems.append(f"{path}: cannot be opened ({error.strerror}).")
        except (DocumentError, FileProblem) as error:
            self.problems.append(f"{path}: {error}")
        return Document(path, ())

    def documents(self, paths: Sequence[str], title: str) -> list[Document]:
        found: list[Document] = []

        with click.progressbar(length=len(paths), label=title, file=sys.stderr) as bar:
            for path in paths:
                found.append(self.document(path))
                bar.update(1)
        return found

    def _pages(self, path: Path) -> list[PageWords]:
        data = path.read_bytes()
        if path.name.endswith((".json", ".json.gz")):
            return _stored_words(data, path)
        if self.folder is None:
            return self._read(data)
        ink = "-ink" if self.ink else ""
        kept = self.folder / f"{hashlib.sha256(data).hexdigest()}-{self.languages}{ink}.words"
        try:
            return unpack(kept.read_bytes())
        except (FileNotFoundError, WordsDamaged):
            pages = self._read(data)
        self.folder.mkdir(parents=True, exist_ok=True)
        half = kept.with_suffix(".half")
        half.write_bytes(pack(pages))
        half.replace(kept)
        return pages

    def _read(self, data: bytes) -> list[PageWords]:
        kind = sniff(data)
        if kind is None:
            raise FileProblem("is neither PDF, PNG, JPEG nor TIFF; convert it to one of these.")
        return read_document(
            data,
            media_type=kind,
            ocr_languages=self.languages,
            limits=Limits.of(Settings.from_environ(needs=())),
            pictures=self.ink,
        ).pages


def _stored_words(data: bytes, path: Path) -> list[PageWords]:
    try:
        content = json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)
        return [
            make_page(
                number,
                float(page["W"]),
                float(page["H"]),
                [(w["t"], (w["x0"], w["y0"], w["x1"], w["y1"])) for w in page["words"]],
                sizes=[w.get("s", w["y1"] - w["y0"]) for w in page["words"]],
                source=WordSource.OCR,
            )
            for number, page in enumerate(content["pages"])
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileProblem("holds no stored words: pages with W, H and words are needed.") from error


def read_rows(path: Path) -> list[Row]:
    """The rows of a JSONL file; paths in it are relative to the file. Raises FileProblem."""
    return list(_rows(path))


def _rows(path: Path) -> Iterator[Row]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FileProblem(f"{path}: cannot be read as UTF-8 text ({error}).") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            document = str(path.parent / row["pdf"])
            labels = tuple(_label(entry) for entry in row.get("labels", ()))
            absent = frozenset(str(name) for name in row.get("absent", ()))
            yield Row(document, Labels(labels, absent, bool(row.get("complete", False))))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise FileProblem(
                f'{path}, line {number}: {type(error).__name__} {error}; a line is {{"pdf": path, "labels": '
                '[{"field", "page", "bbox": [x0, y0, x1, y1], "text"}]}.'
            ) from error


def _label(entry: Mapping[str, Any]) -> Label:
    x0, y0, x1, y1 = (float(number) for number in entry["bbox"])
    text, row = entry.get("text"), entry.get("row")
    return Label(
        field=str(entry["field"]),
        page=int(entry["page"]),
        box=(x0, y0, x1, y1),
        text=None if text is None else str(text),
        row=None if row is None else int(row),
    )


def needs_ink(specs: Sequence[FieldSpec]) -> bool:
    return any(spec.type in (FieldType.CHECKBOX, FieldType.SIGNATURE) for spec in specs)


def load_model(path: Path) -> FieldExtractor:
    """The model a file holds. Raises FileProblem."""
    try:
        return from_bytes(path.read_bytes())
    except (OSError, ArtifactError) as error:
        raise FileProblem(f"{path}: {error}") from error


def schema_specs(path: Path) -> tuple[FieldSpec, ...]:
    """The fields of a schema file, as ``fieldloop init`` takes it. Raises SchemaError."""
    rows = load_schema(path).rows
    return to_specs([Field(position=at, **asdict(row)) for at, row in enumerate(rows)])
