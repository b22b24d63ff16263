"""``fieldloop bench-extract``: learn from labelled files, answer for others; no database, no server."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from fieldloop.labelled_files import FileProblem, WordFiles, needs_ink, read_rows, schema_specs
from ml_backend.extraction.artifact import to_bytes
from ml_backend.extraction.errors import ExtractionError
from ml_backend.extraction.estimator import FieldExtractor
from ml_backend.extraction.fields import Extraction, FieldSpec, FieldType
from ml_backend.extraction.geometry import union
from ml_backend.extraction.guess_types import guess_specs
from ml_backend.extraction.zero_shot import ZeroShotExtractor

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("train", type=_FILE)
@click.argument("test", type=_FILE)
@click.argument("predictions", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--pool", type=_FILE, help="Unreviewed documents to learn from as well.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--fields",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Field schema file. [default: names and types as the labels have them]",
)
@click.option(
    "--words-cache",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to keep the documents' words in, so that a second run does not read again.",
)
@click.option("--languages", default="por+eng", show_default=True, help="OCR languages.")
@click.option("--save", type=click.Path(dir_okay=False, path_type=Path), help="Keep the model.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def bench_extract(
    train: Path,
    test: Path,
    predictions: Path,
    pool: Path | None,
    seed: int,
    fields: Path | None,
    words_cache: Path | None,
    languages: str,
    save: Path | None,
    as_json: bool,
) -> None:
    """Learn from TRAIN (JSONL with labels), answer for TEST (JSONL), write PREDICTIONS (JSONL).

    With an empty TRAIN and --fields, values are found by the fields' names and aliases alone.
    """
    given = schema_specs(fields) if fields else ()
    reader = WordFiles(words_cache, languages, needs_ink(given))
    reviewed, asked = read_rows(train), read_rows(test)
    unreviewed = read_rows(pool) if pool else []
    started = time.perf_counter()
    documents = reader.documents([row.path for row in reviewed], "Reading to learn")
    others = reader.documents([row.path for row in unreviewed], "Reading the pool") if pool else []
    questions = reader.documents([row.path for row in asked], "Reading to answer")
    read = time.perf_counter()
    labels = [row.labels for row in reviewed]
    specs = given or guess_specs(
        (label.field, label.text or "") for one in labels for label in one.labels
    )
    extractor = _fitted(specs, documents, labels, others, seed, pool is not None)
    fitted = time.perf_counter()
    answers = extractor.predict(questions)
    answered = time.perf_counter()
    with predictions.open("w", encoding="utf-8") as out:
        for line in prediction_rows([row.path for row in asked], answers, specs):
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
    if save and isinstance(extractor, FieldExtractor):
        save.write_bytes(to_bytes(extractor))
    pages = sum(len(document.pages) for document in questions)
    report = {
        "learnt_from": len(reviewed),
        "pool": len(unreviewed),
        "answered": len(asked),
        "pages": pages,
        "seconds": {
            "read": round(read - started, 3),
            "fit": round(fitted - read, 3),
            "predict": round(answered - fitted, 3),
        },
        "predict_ms_per_page": round(1000 * (answered - fitted) / max(pages, 1), 2),
        "problems": reader.problems,
    }
    if as_json:
        click.echo(json.dumps(report, ensure_ascii=False))
        return
    for problem in reader.problems:
        click.echo(problem, err=True)
    click.echo(
        f"{predictions}: {len(asked)} documents answered after learning from {len(reviewed)}"
        f" and {len(unreviewed)} unreviewed; read {read - started:.1f} s, fit {fitted - read:.1f} s,"
        f" predict {answered - fitted:.1f} s ({report['predict_ms_per_page']} ms a page)."
    )


def _fitted(
    specs: tuple[FieldSpec, ...],
    documents: Sequence[Any],
    labels: Sequence[Any],
    others: Sequence[Any],
    seed: int,
    use_pool: bool,
) -> FieldExtractor | ZeroShotExtractor:
    if not documents:
        if not specs:
            raise click.ClickException(
                "TRAIN is empty: give --fields to find fields by name alone."
            )
        return ZeroShotExtractor(specs)
    try:
        return FieldExtractor(specs, seed=seed, self_train=use_pool).fit(
            documents, labels, pool=others
        )
    except ExtractionError as error:
        raise FileProblem(str(error)) from error


def prediction_rows(
    paths: Sequence[str], answers: Sequence[Extraction], specs: Sequence[FieldSpec]
) -> Iterator[dict[str, Any]]:
    """One row per value, best first; a value on several pages is placed on its first."""
    tables = {spec.name for spec in specs if spec.type is FieldType.TABLE}
    for path, answer in zip(paths, answers, strict=True):
        for value in sorted(answer.values, key=lambda v: (v.field, v.row or 0, -v.confidence)):
            if not value.spans:
                continue
            page = value.spans[0].page
            row: dict[str, Any] = {
                "pdf": path,
                "field": value.field,
                "page": page,
                "bbox": list(union(s.box for s in value.spans if s.page == page)),
                "text": value.text,
                "score": round(value.confidence, 6),
            }
            if value.field.partition(".")[0] in tables:
                row["row"] = value.row
            yield row
