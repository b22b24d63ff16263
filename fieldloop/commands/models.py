"""``fieldloop models``: what was learnt, how good it is, and which model version is live."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
from rich.table import Table

from db import browse
from fieldloop.commands._asking import login, print_json, services_for
from fieldloop.commands._tables import show as show_table
from ml_backend.documents_api import asking, doing
from ml_backend.documents_api.doing import model_of

_project = click.option("--project", help="Title or id of the project. [default: the first]")
_json = click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
_note = click.option("--note", required=True, help="Why; kept in the record.")
_by = click.option("--by", help="Who decides. [default: the name of your login]")


@click.group(invoke_without_command=True)
@click.pass_context
def models(context: click.Context) -> None:
    """List model versions, look at one, and decide which is live.

    Without a command: the list.
    """
    if context.invoked_subcommand is None:
        context.invoke(list_models)


@models.command("list")
@_project
@_json
def list_models(project: str | None = None, as_json: bool = False) -> None:
    """List the model versions of a project, newest first, with their newest figures."""
    with services_for("models") as services, services.sessions.begin() as session:
        found = asking.project_of(session, project)
        rows = browse.models(session, found.id)
    if as_json:
        print_json(rows)
        return
    if not rows:
        click.echo(
            f"{found.title!r} has no model yet; the first document or `fieldloop init` makes one."
        )
        return
    table = Table("", "version", "kind", "F1", "95 %", "documents", "gate", "made", box=None)
    for row in rows:
        table.add_row(
            "live" if row["is_live"] else "",
            row["model_version"],
            row["kind"].replace("_", " "),
            _figure(row["f1"]),
            _interval(row["f1_low"], row["f1_high"]),
            _text(row["documents"]),
            {True: "passed", False: "kept back", None: ""}[row["gate_passed"]],
            f"{row['created_at']:%Y-%m-%d %H:%M}",
        )
    show_table(table)


@models.command("show")
@click.argument("name")
@_project
@_json
def show(name: str, project: str | None, as_json: bool) -> None:
    """Show the model version NAME: its figures per field, what the gate said, and when it was live."""
    with services_for("models") as services, services.sessions.begin() as session:
        found = asking.project_of(session, project)
        model = model_of(session, found.id, name)
        row = next(r for r in browse.models(session, found.id) if r["model_version_id"] == model.id)
        fields = browse.field_figures(session, [model.id])[model.id]
        moves = [m for m in browse.alias_moves(session, found.id) if m["model_version"] == name]
    if as_json:
        print_json({**row, "fields": fields, "moves": moves, "libraries": model.libraries})
        return
    click.echo(f"{name}{', live' if row['is_live'] else ''}: {row['kind'].replace('_', ' ')}")
    click.echo(f"F1 {_figure(row['f1'])} {_interval(row['f1_low'], row['f1_high'])}".rstrip())
    if row["gate_reason"]:
        click.echo(f"Gate: {row['gate_reason']}")
    for move in moves:
        click.echo(
            f"Live from {move['recorded_at']:%Y-%m-%d %H:%M} by {move['recorded_by']}: {move['notes']}"
        )
    if fields:
        show_table(_fields_table(fields))


@models.command("promote")
@click.argument("name")
@_note
@_by
@_project
@_json
def promote(name: str, note: str, by: str | None, project: str | None, as_json: bool) -> None:
    """Make the model version NAME live, whatever the gate said of it.

    It answers from the next prediction on; open tasks get its predictions beside the old ones.
    """
    _point(note, by, project, as_json, name)


@models.command("rollback")
@_note
@_by
@_project
@_json
def rollback(note: str, by: str | None, project: str | None, as_json: bool) -> None:
    """Make the model version live that was live before the present one."""
    _point(note, by, project, as_json, None)


def _point(note: str, by: str | None, project: str | None, as_json: bool, name: str | None) -> None:
    who, why = (by or login()).strip(), note.strip()
    if not why or not who:
        raise click.ClickException("A model goes live by a named person with a note: give --note.")
    with services_for("models") as services:
        with services.sessions.begin() as session:
            found = asking.project_of(session, project)
        if name is None:
            version = doing.rollback(services, found.id, by=who, note=why)
        else:
            version = doing.promote(services, found.id, name, by=who, note=why)
    if as_json:
        print_json({"live": version.name, "by": who, "note": why})
    else:
        click.echo(f"{version.name} is live from the next prediction on.")


def _fields_table(fields: Mapping[str, Mapping[str, Any]]) -> Table:
    table = Table("field", "F1", "95 %", "precision", "recall", "values", box=None)
    for name, figures in fields.items():
        f1 = figures.get("f1", {})
        table.add_row(
            name,
            _figure(f1.get("value")),
            _interval(f1.get("low"), f1.get("high")),
            _figure(figures.get("precision", {}).get("value")),
            _figure(figures.get("recall", {}).get("value")),
            _text(f1.get("support")),
        )
    return table


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{low:.2f} to {high:.2f}"


def _text(value: object) -> str:
    return "" if value is None else str(value)
