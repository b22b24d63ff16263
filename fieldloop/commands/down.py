"""``fieldloop down``: stop the local stack, and whatever a killed one left behind."""

from __future__ import annotations

import os
import signal
import time

import click

from fieldloop.stack.errors import StackError
from fieldloop.stack.folder import StateFolder
from fieldloop.stack.leftovers import leftovers, stop_leftovers
from fieldloop.stack.postgres import surviving
from fieldloop.stack.settings import home_folder


@click.command()
@click.option(
    "--timeout",
    default=120.0,
    show_default=True,
    help="Seconds to wait for running work to end.",
)
def down(timeout: float) -> None:
    """Stop the local stack in reverse order; nothing of it is left running, and nothing it keeps is lost."""
    folder = StateFolder(home_folder())
    if not folder.path.exists():
        click.echo(f"Nothing runs: there is no {folder.path}.")
        return
    pid = folder.supervisor()
    if folder.is_locked() and pid is not None:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + timeout
        while folder.is_locked():
            if time.monotonic() > deadline:
                raise StackError(
                    f"The supervisor (process {pid}) still runs after {timeout:.0f} s; see `fieldloop status`, "
                    f"or end it with `kill -9 {pid}` and run `fieldloop down` again."
                )
            time.sleep(0.1)
        click.echo("Stopped.")
        return
    with folder.lock():
        found = surviving(folder)
        names = stop_leftovers(folder, leftovers(folder, {"postgres": found} if found else {}))
        folder.run_file.unlink(missing_ok=True)
    click.echo(f"Stopped what was left: {', '.join(names)}." if names else "Nothing runs.")
