"""The one command-line program: ``fieldloop COMMAND``.

Every file of ``fieldloop/commands`` is a command: ``bench_extract.py`` holds ``bench-extract``, as a click
command or group named ``bench_extract``. Only the command that is asked for is imported, so that
``fieldloop status`` does not wait for scikit-learn.
"""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from typing import Any

import click

from db.errors import RecordError
from fieldloop.stack.settings import load_environment

_COMMANDS = Path(__file__).parent / "commands"


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(
            path.stem.replace("_", "-")
            for path in _COMMANDS.glob("*.py")
            if not path.stem.startswith("_")
        )

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = cmd_name.replace("-", "_")
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"fieldloop.commands.{name}")
        command: click.Command = getattr(module, name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # The sentence comes from the file's docstring: help imports no command either.
        rows = [(name, _sentence(name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except RecordError as error:
            raise click.ClickException(str(error)) from error


def _sentence(command: str) -> str:
    source = (_COMMANDS / f"{command.replace('-', '_')}.py").read_text(encoding="utf-8")
    first = (ast.get_docstring(ast.parse(source)) or "").split("\n")[0]
    return first.partition(": ")[2] or first


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="fieldloop")
def main() -> None:
    """Fieldloop: PDFs in, Label Studio pre-filled, corrections kept, better models live."""
    load_environment()
