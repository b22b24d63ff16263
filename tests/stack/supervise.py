"""A supervisor over plain programs, as a process of its own: ``python supervise.py FOLDER PORT PORT [CODE]``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from db.errors import RecordError
from fieldloop.stack.folder import StateFolder
from fieldloop.stack.supervisor import Event, Supervisor

sys.path.insert(0, str(Path(__file__).parent))
from programs import server, step


def main() -> None:
    folder = StateFolder(Path(sys.argv[1]))
    folder.create()
    base, top = int(sys.argv[2]), int(sys.argv[3])
    code = sys.argv[4] if len(sys.argv) > 4 else "pass"
    parts = [
        server("top", top, folder.path, needs=("prepare",), adoptable=False),
        step("prepare", code, folder.path, needs=("base",)),
        server("base", base, folder.path),
    ]

    def tell(event: Event) -> None:
        click.echo(f"{event.part} {event.state} {event.text}")

    try:
        with folder.lock():
            Supervisor(folder, parts, dict(os.environ), tell).run(
                on_ready=lambda: click.echo("all ready"), survivors={}
            )
    except RecordError as error:
        sys.exit(str(error))


main()
