"""``fieldloop sync``: mirror Label Studio into the record."""

from __future__ import annotations

import functools
import json
import logging
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, NoReturn

import click
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from sqlalchemy.orm import Session

from db import inbox
from db.config import Settings
from db.errors import RecordError
from db.label_studio_errors import LabelStudioError
from db.session import make_engine, make_session_factory
from db.sync_figures import Health, health_of
from fieldloop.commands._field_reader import SchemaReader
from sync.collector import collect_rarely
from sync.once import once as run_once
from sync.services import NEEDS, Mirrored, Services, mirrored_projects
from sync.verify import Verdict
from sync.verify import verify as run_verify

SOUND, REPAIRED, UNSOUND, NOT_DONE = 0, 1, 2, 3
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
_PROJECT = click.option("--project", help="Title of a project; without it, every project.")


@click.group()
def sync() -> None:
    """Mirror Label Studio into the record."""


@sync.command()
def run() -> None:
    """Mirror until stopped. Several may run: one leads, the others stand by."""
    from sync.worker import Worker

    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with _services() as services:
        Worker(services, stop).run()


@sync.command()
@_PROJECT
@_JSON
def once(project: str | None, as_json: bool) -> None:
    """One round now: inbox, catch-up, sweep for deletions. Safe beside a running mirror.

    Exit code 0: done; 3: Label Studio could not be asked.
    """
    try:
        with _services() as services:
            rounds = [run_once(services, mirrored) for mirrored in _projects(services, project)]
    except LabelStudioError as error:
        _give_up(error, as_json)
    if as_json:
        click.echo(json.dumps({"projects": [asdict(done) for done in rounds]}))
        return
    for done in rounds:
        click.echo(
            f"{done.project}: {done.deliveries} deliveries, {done.events} new states, "
            f"{done.found.events} of them not announced."
        )


@sync.command()
@_PROJECT
@_JSON
@click.option("--no-repair", is_flag=True, help="Only compare.")
def verify(project: str | None, as_json: bool, no_repair: bool) -> None:
    """Compare the record with a fresh full export of Label Studio, annotation by annotation.

    Exit code 0: equal; 1: differences, all repaired; 2: differences remain; 3: Label Studio could not be asked.
    """
    verdicts: list[Verdict] = []
    try:
        with _services() as services:
            for mirrored in _projects(services, project):
                with _progress(as_json) as bar:
                    task = bar.add_task(mirrored.title, total=None)
                    verdicts.append(
                        run_verify(
                            services,
                            mirrored,
                            repair=not no_repair,
                            progress=functools.partial(bar.advance, task),
                        )
                    )
    except LabelStudioError as error:
        _give_up(error, as_json)
    if as_json:
        click.echo(json.dumps({"projects": [_verdict(verdict) for verdict in verdicts]}))
    else:
        for verdict in verdicts:
            _tell(verdict)
    if not all(verdict.sound for verdict in verdicts):
        sys.exit(UNSOUND)
    if not all(verdict.equal for verdict in verdicts):
        sys.exit(REPAIRED)


@sync.command()
@click.argument("ids", nargs=-1, type=int)
@click.option("--dead", is_flag=True, help="All events that were given up.")
@click.option("--dry-run", is_flag=True, help="Only say which.")
@_JSON
def replay(ids: tuple[int, ...], dead: bool, dry_run: bool, as_json: bool) -> None:
    """Put webhook events back into the inbox: those with these IDS (webhook_deliveries.id), or all dead ones."""
    if bool(ids) == dead:
        raise click.UsageError(
            "Name events by their ids, or say --dead for all that were given up."
        )
    with _record() as session:
        found = inbox.replay(session, ids=list(ids), dead=dead)
        if dry_run:
            session.rollback()
        else:
            session.commit()
    unknown = sorted(set(ids) - set(found))
    if as_json:
        click.echo(json.dumps({"replayed": found, "unknown": unknown, "dry_run": dry_run}))
    else:
        verb = "would be read" if dry_run else "will be read"
        click.echo(f"{len(found)} events {verb} again.")
    if unknown:
        raise click.ClickException(f"There are no events {', '.join(map(str, unknown))}.")


@sync.command()
@_JSON
def status(as_json: bool) -> None:
    """Who mirrors, how far each project is, what waits and what was given up.

    Exit code 0: all is well; 1: something needs a look.
    """
    with _record() as session:
        found = health_of(session)
    if as_json:
        click.echo(json.dumps(found.as_dict()))
    else:
        _tell_health(found)
    if found.problems:
        sys.exit(1)


@contextmanager
def _services() -> Iterator[Services]:
    collect_rarely()
    services = Services.open(Settings.from_environ(needs=NEEDS), SchemaReader)
    try:
        yield services
    finally:
        services.close()


@contextmanager
def _record() -> Iterator[Session]:
    engine = make_engine(Settings.from_environ(needs=("DATABASE_URL",)).database_url)
    try:
        with make_session_factory(engine)() as session:
            yield session
    finally:
        engine.dispose()


def _projects(services: Services, title: str | None) -> list[Mirrored]:
    with services.sessions.begin() as session:
        found = [p for p in mirrored_projects(session, services) if not p.gone]
    if title is not None:
        found = [project for project in found if project.title == title]
    if not found:
        what = f"the project {title!r}" if title else "a project"
        raise click.ClickException(
            f"There is no sign of {what} in the Label Studio at LABEL_STUDIO_URL; `fieldloop init` sets one up."
        )
    return found


def _progress(quiet: bool) -> Progress:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}: {task.completed:.0f} tasks compared"),
    )
    return Progress(*columns, TimeElapsedColumn(), transient=True, disable=quiet)


def _give_up(error: RecordError, as_json: bool) -> NoReturn:
    if as_json:
        click.echo(json.dumps({"error": str(error)}))
    click.echo(f"Error: {error}", err=True)
    sys.exit(NOT_DONE)


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "project": verdict.project,
        "tasks": verdict.tasks,
        "annotations": verdict.annotations,
        "differences": [found.as_dict() for found in verdict.differences],
        "repairs": verdict.repaired.counts(),
        "remaining": [found.as_dict() for found in verdict.remaining],
        "history": verdict.history,
        "seconds": round(verdict.seconds, 3),
        "equal": verdict.equal,
        "sound": verdict.sound,
    }


def _tell(verdict: Verdict) -> None:
    click.echo(
        f"{verdict.project}: {verdict.tasks} tasks and {verdict.annotations} annotations compared "
        f"in {verdict.seconds:.1f} s."
    )
    if verdict.equal:
        click.echo("The record says what Label Studio says.")
        return
    _tell_differences("differed", verdict.differences)
    if verdict.remaining:
        _tell_differences("differ still", verdict.remaining)
    elif verdict.differences:
        click.echo(f"Repaired by {verdict.repaired.events} new states in the history.")
    for flaw in verdict.history:
        click.echo(flaw)


def _tell_differences(verb: str, found: Sequence[Any]) -> None:
    click.echo(f"{len(found)} {verb}:")
    for difference in found[:20]:
        which = f", annotation {difference.annotation}" if difference.annotation else ""
        click.echo(f"  task {difference.task}{which}: {difference.what.replace('_', ' ')}")
    if len(found) > 20:
        click.echo(f"  and {len(found) - 20} more; sync_runs.differences has them.")


def _tell_health(found: Health) -> None:
    leader = found.leader
    if leader is None:
        click.echo("Nobody has ever mirrored into this record.")
    else:
        since = f"{leader.since:%Y-%m-%d %H:%M:%S %Z}"
        if leader.alive:
            message = f", {leader.message}" if leader.message else ""
            click.echo(f"{leader.holder} mirrors since {since}: {leader.state}{message}")
        else:
            click.echo(
                f"{leader.holder} mirrored from {since}, and has been silent for {leader.silent_for:.0f} s."
            )
    for project in found.projects:
        click.echo(
            f"{project.title}: {project.tasks} tasks, {project.annotations} annotations; "
            f"{project.pending} events wait, {project.dead} were given up"
        )
    for problem in found.problems:
        click.echo(f"Look at this: {problem}")
