"""``fieldloop sample``: write sample invoices, orders and contracts, with the truth about them, into a folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from fieldloop.demo import folder as files
from fieldloop.demo.generator import LANGUAGES, LAYOUTS, generate


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--documents", type=click.IntRange(1, 5000), default=16, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option(
    "--layout",
    "layouts",
    multiple=True,
    type=click.Choice(LAYOUTS),
    help="Only this layout; may be given several times. [default: all]",
)
@click.option(
    "--language",
    "languages",
    multiple=True,
    type=click.Choice(LANGUAGES),
    help="Only this language. [default: all]",
)
@click.option(
    "--scanned",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Share of documents that are pictures of pages, as a scanner makes them.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def sample(
    folder: Path,
    documents: int,
    seed: int,
    layouts: tuple[str, ...],
    languages: tuple[str, ...],
    scanned: float,
    as_json: bool,
) -> None:
    """Write DOCUMENTS sample PDFs into FOLDER, each with a JSON file of its true values and their boxes.

    The same options give the same bytes. Upload them with `fieldloop upload FOLDER`.
    """
    made = generate(seed, documents, layouts, languages, scanned)
    with click.progressbar(made, length=documents, label="Samples", file=sys.stderr) as shown:
        try:
            count = files.write(folder, shown)
        except OSError as error:
            raise click.ClickException(
                f"{folder}: cannot be written to ({error.strerror}); name another folder."
            ) from error
    if as_json:
        click.echo(json.dumps({"folder": str(folder), "documents": count, "seed": seed}))
    else:
        click.echo(f"{count} documents and their truth are in {folder}.")
