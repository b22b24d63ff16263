"""``fieldloop doctor``: look for everything that goes wrong in the field, and say how to mend it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict

import click

from db.config import REQUIRED, Settings
from db.errors import ConfigError
from fieldloop.stack.doctor import machine
from fieldloop.stack.doctor.rows import Check, Finding, Row, Verdict, examine, fail, ok
from fieldloop.stack.doctor.services import Services
from fieldloop.stack.doctor.web import Web
from fieldloop.stack.folder import StateFolder
from fieldloop.stack.settings import given_environment, home_folder

_MARKS = {
    Verdict.OK: ("✓", "green"),
    Verdict.WARN: ("!", "yellow"),
    Verdict.FAIL: ("✗", "red"),
    Verdict.SKIPPED: ("–", "bright_black"),
}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON.")
@click.option("--strict", is_flag=True, help="Exit code 1 for warnings too.")
def doctor(as_json: bool, strict: bool) -> None:
    """Look at the machine, the services and Label Studio; one row each, with the fix.

    Changes nothing but for one blob that is written and deleted, and one event of Label Studio's that is sent
    around. Exit code 0: nothing is broken; 1: something is.
    """
    rows = []
    for row in _rows():
        rows.append(row)
        if not as_json:
            _show(row)
    bad = [row for row in rows if row.verdict is Verdict.FAIL]
    warned = [row for row in rows if row.verdict is Verdict.WARN]
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=2))
    elif bad or warned:
        click.echo(f"\n{len(bad)} broken, {len(warned)} could be better.")
    else:
        click.echo("\nAll is well.")
    sys.exit(1 if bad or (strict and warned) else 0)


def _rows() -> Iterator[Row]:
    folder = StateFolder(home_folder())
    yield from examine(machine.checks(folder, given_environment(), supervised=folder.is_locked()))
    try:
        settings = Settings.from_environ(needs=())
    except ConfigError as error:
        yield Row("Settings", Verdict.FAIL, str(error))
        return
    yield from examine([Check("Settings", lambda: _complete(folder))])
    services = Services(settings)
    yield from examine(services.checks())
    yield from examine(Web(settings, services).checks())


def _complete(folder: StateFolder) -> Finding:
    missing = [name for name in REQUIRED if not os.environ.get(name, "").strip()]
    if missing:
        return fail(
            f"Not set: {', '.join(missing)}.",
            f"`fieldloop up` makes what is missing and keeps it in {folder.env_file}; other hosts need it in "
            "their environment or .env.",
        )
    return ok("Complete.")


def _show(row: Row) -> None:
    mark, colour = _MARKS[row.verdict]
    click.echo(f"{click.style(mark, fg=colour)} {row.name:<19}{row.what}")
    if row.fix:
        click.echo(f"  {'':<19}→ {row.fix}")
