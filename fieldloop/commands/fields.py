"""``fieldloop fields``: the field schema of a project, and whether a schema file can be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click
from rich.table import Table

from db.projects import FieldRow, by_title, schema_of
from fieldloop.commands._asking import print_json, services_for
from fieldloop.commands._tables import show as show_table
from ml_backend.documents_api import asking
from ml_backend.schema import load

_json = click.option("--json", "as_json", is_flag=True, help="Print as JSON.")


@click.group(invoke_without_command=True)
@click.pass_context
def fields(context: click.Context) -> None:
    """Look at the fields of a project, or check a field schema file before `fieldloop init`.

    Without a command: the fields as they are now.
    """
    if context.invoked_subcommand is None:
        context.invoke(show)


@fields.command("show")
@click.option("--project", help="Title or id of the project. [default: the first]")
@click.option("--version", type=click.IntRange(1), help="An older version. [default: the current]")
@_json
def show(project: str | None = None, version: int | None = None, as_json: bool = False) -> None:
    """Show the fields of a project in the order of the screen."""
    with services_for("fields") as services, services.sessions.begin() as session:
        found = asking.project_of(session, project)
        number = version or found.schema_version
        rows = schema_of(session, found.id, number)
    if not rows:
        raise click.ClickException(f"{found.title!r} has no version {number} of its field schema.")
    if as_json:
        plain = [asdict(row) for row in rows]
        print_json({"project": found.title, "schema_version": number, "fields": plain})
        return
    click.echo(f"{found.title}, version {number} of the field schema")
    _print(rows)


@fields.command("check")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--compare", is_flag=True, help="Say what would change for the project in the record."
)
@_json
def check(file: Path, compare: bool, as_json: bool) -> None:
    """Check the field schema FILE; nothing is changed and, without --compare, nothing else is needed.

    Exits with 1 and names the field and the fix if the file cannot be used.
    """
    schema = load(file)
    old: list[FieldRow] = []
    if compare:
        with services_for("fields") as services, services.sessions.begin() as session:
            known = by_title(session, schema.title)
            if known is not None:
                old = schema_of(session, known.id, known.schema_version)
    before, after = {row.name: row for row in old}, {row.name: row for row in schema.rows}
    changes = {
        "added": [name for name in after if name not in before],
        "removed": [name for name in before if name not in after],
        "changed": [name for name, row in after.items() if before.get(name, row) != row],
    }
    if as_json:
        plain = [asdict(row) for row in schema.rows]
        said = {"project": schema.title, "settings": dict(schema.settings), "fields": plain}
        print_json({**said, "changes": changes} if compare else said)
        return
    click.echo(f"{file}: {len(schema.rows)} fields for {schema.title!r}; it can be used.")
    if not compare:
        _print(schema.rows)
    elif not any(changes.values()):
        click.echo("Nothing would change.")
    for what, names in changes.items():
        if compare and names:
            click.echo(f"  {what}: {', '.join(names)}")


def _print(rows: Sequence[FieldRow]) -> None:
    table = Table("name", "type", "label", "Portuguese", "format", "", box=None)
    for row in rows:
        marks = [name for name in ("required", "multiple") if getattr(row, name)]
        table.add_row(
            row.name, row.type, row.label_en, row.label_pt, row.format or "", ", ".join(marks)
        )
    show_table(table)
