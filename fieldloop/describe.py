"""The command-line reference in Markdown, from the commands themselves.

``python -m fieldloop.describe > docs/reference/cli.md``; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator

import click

from fieldloop.cli import main

_HEAD = """# Command line

Made from the commands: `python -m fieldloop.describe > docs/reference/cli.md`. Settings come from the environment, from `.env`,
and from what `fieldloop up` made: see [configuration](configuration.md). Exit code 0: done; 1: it could not be done, and the last line
says why; 2: the command was typed wrongly. Commands that say more by their exit code say so below.
"""


def describe() -> str:
    """The whole page."""
    context = click.Context(main, info_name="fieldloop")
    sections = [
        section for name in main.list_commands(context) for section in _command(context, name)
    ]
    return "\n".join([_HEAD, *sections])


def _command(parent: click.Context, name: str) -> Iterator[str]:
    group = parent.command
    assert isinstance(group, click.Group)  # noqa: S101 - only groups are walked
    command = group.get_command(parent, name)
    if command is None or command.hidden:
        return
    context = click.Context(command, info_name=name, parent=parent)
    yield _section(context)
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            yield from _command(context, inner)


def _section(context: click.Context) -> str:
    command = context.command
    usage = " ".join(command.collect_usage_pieces(context))
    lines = [f"## `{context.command_path}`", "", f"`{context.command_path} {usage}`", ""]
    lines += [
        " ".join(part.split()) + "\n" for part in (command.help or "").split("\n\n") if part.strip()
    ]
    records = (option.get_help_record(context) for option in command.params)
    rows = [row for row in records if row and row[1]]
    if rows:
        lines += ["| option | meaning |", "|---|---|"]
        lines += [f"| `{_cell(names)}` | {_cell(text)} |" for names, text in rows]
        lines.append("")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    click.echo(describe(), nl=False)
