"""``fieldloop extract``: the values of files, by a model file or by the fields' names alone."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from fieldloop.commands._tables import show as show_table
from fieldloop.labelled_files import WordFiles, load_model, needs_ink, schema_specs
from ml_backend.extraction.estimator import FieldExtractor
from ml_backend.extraction.fields import Extraction
from ml_backend.extraction.zero_shot import ZeroShotExtractor

_PATH = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=_PATH)
@click.option("--model", type=_PATH, help="Model file, as `bench-extract --save` writes it.")
@click.option("--fields", type=_PATH, help="Field schema file: find fields by their names alone.")
@click.option("--languages", default="por+eng", show_default=True, help="OCR languages.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per file and line.")
def extract(
    files: tuple[Path, ...],
    model: Path | None,
    fields: Path | None,
    languages: str,
    as_json: bool,
) -> None:
    """Find the values of each FILE (PDF, PNG, JPEG or TIFF); needs no server and stores nothing.

    Values marked "?" are suggestions: not sure enough to be filled in unseen. Exits with 1 if any file could
    not be read.
    """
    if (model is None) == (fields is None):
        raise click.UsageError("give --model (a model file) or --fields (a schema file), not both.")
    extractor: FieldExtractor | ZeroShotExtractor
    if model is not None:
        extractor = load_model(model)
    else:
        extractor = ZeroShotExtractor(schema_specs(fields or Path()))
    reader = WordFiles(languages=languages, ink=needs_ink(extractor.fields))
    failed = False
    for path in files:
        document = reader.document(str(path))
        problem = reader.problems.pop() if reader.problems else None
        if problem is not None:
            failed = True
            if as_json:
                click.echo(json.dumps({"file": str(path), "error": problem}, ensure_ascii=False))
            else:
                click.echo(problem, err=True)
            continue
        (answer,) = extractor.predict([document])
        if as_json:
            click.echo(json.dumps(as_dict(path, answer), ensure_ascii=False))
        else:
            _show(path, answer)
    sys.exit(1 if failed else 0)


def as_dict(path: Path, answer: Extraction) -> dict[str, Any]:
    """Boxes in points from the top left of the page as displayed, pages 0-based."""
    return {
        "file": str(path),
        "values": [asdict(value) for value in answer.values],
        "absent": {name: round(chance, 4) for name, chance in answer.absent.items()},
    }


def _show(path: Path, answer: Extraction) -> None:
    table = Table("field", "", "value", "confidence", "page", title=str(path), box=None)
    for value in sorted(answer.values, key=lambda v: (v.field.partition(".")[0], v.row or 0)):
        row = "" if value.row is None else f" {value.row + 1}"
        table.add_row(
            f"{value.field}{row}",
            "" if value.filled else "?",
            value.text
            if value.normalised in (None, value.text)
            else f"{value.text} = {value.normalised}",
            f"{value.confidence:.0%}",
            str(value.spans[0].page + 1) if value.spans else "",
        )
    for name, chance in sorted(answer.absent.items()):
        table.add_row(name, "", "not found", f"{chance:.0%}", "")
    show_table(table)
