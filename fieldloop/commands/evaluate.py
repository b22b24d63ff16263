"""``fieldloop evaluate``: how right a model is, per field, on labelled files or as last measured."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from db import browse
from fieldloop.commands._asking import print_json, services_for
from fieldloop.commands._tables import show as show_table
from fieldloop.labelled_files import WordFiles, load_model, needs_ink, read_rows
from ml_backend.documents_api import asking
from ml_backend.extraction.evaluation import Evaluation
from ml_backend.extraction.evaluation import evaluate as compare

_PATH = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("labelled", required=False, type=_PATH)
@click.option("--model", type=_PATH, help="Model file to measure on LABELLED.")
@click.option("--words-cache", type=click.Path(file_okay=False, path_type=Path))
@click.option("--project", help="Title or id of the project. [default: the first]")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def evaluate(
    labelled: Path | None,
    model: Path | None,
    words_cache: Path | None,
    project: str | None,
    as_json: bool,
) -> None:
    """Measure the model file --model on LABELLED (JSONL, as bench-extract takes it).

    Without a file: what the live model of the project scored on documents it had not seen.
    """
    if labelled is None and model is None:
        _live(project, as_json)
        return
    if labelled is None or model is None:
        raise click.UsageError(
            "LABELLED and --model go together; without both, the live model is shown."
        )
    rows = read_rows(labelled)
    extractor = load_model(model)
    reader = WordFiles(words_cache, ink=needs_ink(extractor.fields))
    documents = reader.documents([row.path for row in rows], "Reading")
    found = compare(
        [row.labels for row in rows], documents, extractor.predict(documents), extractor.fields
    )
    for problem in reader.problems:
        click.echo(problem, err=True)
    if as_json:
        print_json({**found.to_dict(), "problems": reader.problems})
    else:
        _show(found)


def _show(found: Evaluation) -> None:
    table = Table("field", "values", "precision", "recall", "F1", "invented", box=None)
    for name, score in [*found.fields.items(), ("all", found.micro)]:
        invented = f"{score.invented} of {score.absences}" if score.absences else ""
        table.add_row(
            name,
            str(score.support),
            f"{score.precision:.1%}",
            f"{score.recall:.1%}",
            f"{score.f1:.1%}",
            invented,
        )
    show_table(table)
    click.echo(f"{found.documents} documents, calibration error {found.ece:.3f}")
    if found.rows_total:
        click.echo(f"{found.rows_right} of {found.rows_total} table rows whole")


def _live(project: str | None, as_json: bool) -> None:
    with services_for("evaluate") as services, services.sessions.begin() as session:
        chosen = asking.project_of(session, project)
        live = next((row for row in browse.models(session, chosen.id) if row["is_live"]), None)
        if live is None:
            raise click.ClickException(f"{chosen.title!r} has no live model yet.")
        number = live["model_version_id"]
        fields = browse.field_figures(session, [number])[number]
    if as_json:
        print_json({**live, "fields": fields})
        return
    table = Table("field", "values", "precision", "recall", "F1", "95 %", box=None)
    for name, figures in fields.items():
        f1 = figures.get("f1", {})
        low, high = f1.get("low"), f1.get("high")
        interval = "" if low is None or high is None else f"{low:.1%} - {high:.1%}"
        cells = [_share(figures, key) for key in ("precision", "recall", "f1")]
        table.add_row(name, str(f1.get("support", "")), *cells, interval)
    show_table(table)
    measured = "never measured" if live["f1"] is None else f"F1 {live['f1']:.1%} over all fields"
    click.echo(f"{live['model_version']} is live: {measured}.")


def _share(figures: Mapping[str, Mapping[str, Any]], name: str) -> str:
    value = figures.get(name, {}).get("value")
    return "" if value is None else f"{value:.1%}"
