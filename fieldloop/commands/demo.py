"""``fieldloop demo``: watch the loop turn on sample documents: upload, review, retrain, compare."""

from __future__ import annotations

import json
import sys

import click
from rich.console import Console

from db.config import Settings
from db.errors import ConfigError
from fieldloop.commands.init import DEMO_FIELDS
from fieldloop.demo import folder, record, report
from fieldloop.demo.loop import CannotDemo, Loop
from fieldloop.demo.samples import LEAST_DOCUMENTS, DemoSet, demo_set
from fieldloop.demo.waiting import Screen
from fieldloop.stack.settings import ENV_FILE, home_folder
from ml_backend.schema import load
from ml_backend.services import Services


@click.command()
@click.option(
    "--documents",
    type=click.IntRange(LEAST_DOCUMENTS, 1000),
    default=48,
    show_default=True,
    help="Sample documents to upload.",
)
@click.option(
    "--reviewed",
    type=click.IntRange(1),
    default=24,
    show_default=True,
    help="How many of them a played reviewer corrects; the others measure what was learnt.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    help="Which documents. [default: go on with the last one if it was not finished, else the next]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("--yes", is_flag=True, help="Do not ask before adding samples to documents of yours.")
@click.option(
    "--keep",
    is_flag=True,
    help="Write the documents and their truth beside the stack's state, too.",
)
@click.option(
    "--patience",
    type=click.FloatRange(5),
    default=300.0,
    show_default=True,
    help="Seconds without any progress after which it gives up.",
)
def demo(
    documents: int,
    reviewed: int,
    seed: int | None,
    as_json: bool,
    yes: bool,
    keep: bool,
    patience: float,
) -> None:
    """Upload sample documents, review some of them through Label Studio, wait for the retrain, and compare.

    Accuracy is measured on the documents nobody reviews, before and after. Exit code 1: the loop did not turn.
    """
    if documents - reviewed < 4:
        raise click.UsageError(
            f"--reviewed {reviewed} leaves {documents - reviewed} of {documents} documents to measure on; "
            "leave at least 4."
        )
    services = Services.open(_settings(), name="fieldloop-demo")
    err = Console(stderr=True, emoji=False)
    screen = Screen(err)
    loop = Loop(services, load(DEMO_FIELDS), screen, patience=patience)
    project = loop.project()
    with services.sessions.begin() as session:
        theirs = record.others(session, project.id)
        chosen = _seed(seed, record.unfinished_seed(session, project.id, reviewed))
    if theirs and not yes:
        _ask(theirs, documents, reviewed)
    loop.check_size(project, chosen, reviewed)
    with screen.progress:
        made = _generate(screen, chosen, documents, reviewed)
        if keep:
            folder.write(home_folder() / "demo" / f"seed-{chosen}", made.samples)
        turn = loop.turn(project, made)
    if as_json:
        click.echo(
            json.dumps(report.as_json(turn, made, services.settings, screen.seconds), indent=2)
        )
    else:
        report.show(Console(emoji=False), turn, made, services.settings, screen.seconds)
    if not turn.turned:
        why = turn.refusal or "nothing was trained. See `fieldloop logs worker`."
        click.echo(f"The loop did not turn, no better model went live: {why}", err=True)
        sys.exit(1)


def _settings() -> Settings:
    try:
        return Settings.from_environ()
    except ConfigError as error:
        home = home_folder()
        if (home / ENV_FILE).is_file():
            raise
        raise CannotDemo(
            f"No stack has been started in {home}, and {error} Run `fieldloop up` first; FIELDLOOP_HOME names "
            "another folder."
        ) from error


def _seed(given: int | None, proposed: int) -> int:
    return proposed if given is None else given


def _ask(theirs: int, documents: int, reviewed: int) -> None:
    question = (
        f"The project holds {theirs} documents of yours. The demo adds {documents} sample documents and "
        f"{reviewed} reviews to it, and its model learns from them."
    )
    if not sys.stdin.isatty():
        raise CannotDemo(f"{question} Say --yes if that is meant, or use a stack of its own.")
    click.confirm(f"{question} Go on?", abort=True, err=True)


def _generate(screen: Screen, seed: int, documents: int, reviewed: int) -> DemoSet:
    step = screen.step("generate", f"Make samples, seed {seed}", documents)
    made = demo_set(seed, documents, reviewed)
    step.end()
    return made
