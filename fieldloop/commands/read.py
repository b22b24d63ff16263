"""``fieldloop read``: the words of files, with boxes, source and warnings."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from db.config import Settings
from db.words import PageWords, WordSource
from ml_backend.reading.errors import DocumentError
from ml_backend.reading.limits import Limits
from ml_backend.reading.page_read import PageRead
from ml_backend.reading.reader import ReadResult, read_file


@click.command()
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per file and line.")
@click.option(
    "--languages",
    default="por+eng",
    show_default=True,
    help="What tesseract expects on scans, by its own codes.",
)
@click.option(
    "--images",
    type=click.Path(path_type=Path, file_okay=False),
    help="Also write the page pictures into this folder.",
)
def read(files: tuple[Path, ...], as_json: bool, languages: str, images: Path | None) -> None:
    """Read each FILE (PDF, PNG, JPEG or TIFF) as the worker would; needs no server.

    Exits with 1 if any file could not be read; the others are read all the same.
    """
    limits = Limits.of(Settings.from_environ(needs=()))
    if images is not None:
        images.mkdir(parents=True, exist_ok=True)
    failed = False
    for path in files:
        try:
            result = _read(path, languages, limits, images)
        except DocumentError as error:
            failed = True
            if as_json:
                click.echo(_line({"file": str(path), "error": _error(error)}))
            else:
                click.echo(f"{path}: {error}", err=True)
            continue
        click.echo(_line(as_dict(path, result)) if as_json else _for_people(path, result))
    sys.exit(1 if failed else 0)


def _read(path: Path, languages: str, limits: Limits, images: Path | None) -> ReadResult:
    console = Console(stderr=True, emoji=False)
    name = escape(path.name)
    with console.status(f"{name}: opening") as status:

        def on_page(page: PageRead) -> None:
            status.update(f"{name}: page {page.words.number + 1}")
            if images is not None:
                ending = page.image.media_type.removeprefix("image/")
                (images / f"{path.stem}-{page.image.page + 1:04}.{ending}").write_bytes(
                    page.image.data
                )

        return read_file(
            path,
            ocr_languages=languages,
            on_page=on_page,
            limits=limits,
            pictures=images is not None,
        )


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _error(error: DocumentError) -> dict[str, str]:
    return {"code": error.code, "message": error.message}


def as_dict(path: Path, result: ReadResult) -> dict[str, Any]:
    """All of a file; boxes in points from the top left of the page as displayed, pages 0-based."""
    return {
        "file": str(path),
        "reader": result.reader,
        "needs_ocr": result.needs_ocr,
        "warnings": [
            {"code": warning.code, "page": warning.page, "message": warning.message}
            for warning in result.warnings
        ],
        "pages": [_page(page) for page in result.pages],
    }


def _page(page: PageWords) -> dict[str, Any]:
    return {
        "page": page.number,
        "width": _rounded(page.width),
        "height": _rounded(page.height),
        "image_cover": _rounded(page.image_cover),
        "words": [
            {
                "text": text,
                "box": [_rounded(value) for value in box],
                "font": page.font_names[font],
                "size": _rounded(size),
                "source": WordSource(source).name.lower(),
                "confidence": _rounded(confidence),
            }
            for text, box, font, size, source, confidence in zip(
                page.texts,
                page.boxes.tolist(),
                page.fonts.tolist(),
                page.sizes.tolist(),
                page.sources.tolist(),
                page.confidences.tolist(),
                strict=True,
            )
        ],
        "rulings": [[_rounded(value) for value in box] for box in page.rulings.tolist()],
    }


def _rounded(value: float) -> float:
    return round(value, 3)


def _for_people(path: Path, result: ReadResult) -> str:
    words = sum(len(page.texts) for page in result.pages)
    pages = len(result.pages)
    lines = [f"{path}: {pages} page{'s'[: pages != 1]}, {words} words, by {result.reader}"]
    lines += [f"  {warning.message}" for warning in result.warnings]
    for page in result.pages:
        found = ", ".join(f"{int(count)} {name}" for name, count in _sources(page) if count)
        lines.append(
            f"  Page {page.number + 1}: {page.width:.0f} × {page.height:.0f} points; {found or 'no words'}"
        )
        lines += [f"    {line}" for line in _text_lines(page)]
    return "\n".join(lines)


def _sources(page: PageWords) -> Iterator[tuple[str, int]]:
    names = {
        WordSource.TEXT: "words of its text",
        WordSource.OCR: "words by OCR",
        WordSource.FIELD: "form values",
        WordSource.OCR_LAYER: "words of a layer over the scan",
    }
    for source, name in names.items():
        yield name, int((page.sources == source).sum())


def _text_lines(page: PageWords) -> Iterator[str]:
    """Words in reading order; a new line where the next word is not beside the last one."""
    line: list[str] = []
    last: list[float] | None = None
    for text, box in zip(page.texts, page.boxes.tolist(), strict=True):
        middle = (box[1] + box[3]) / 2
        if last is not None and not last[1] <= middle <= last[3]:
            yield " ".join(line)
            line = []
        line.append(text)
        last = box
    if line:
        yield " ".join(line)
