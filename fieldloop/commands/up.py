"""``fieldloop up``: start the local stack, or what of it is not given, and keep it running."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import click

from fieldloop.stack.errors import AlreadyRunning, StackError
from fieldloop.stack.folder import StateFolder, tail
from fieldloop.stack.plan import Plan, make_plan
from fieldloop.stack.postgres import surviving
from fieldloop.stack.processes import Identity
from fieldloop.stack.settings import given_environment, home_folder, write_env_file
from fieldloop.stack.supervisor import Event, State, Supervisor

_SUPERVISOR_LOG = "supervisor"
_TICK = 0.1


@click.command()
@click.option("--detach", "-d", is_flag=True, help="Return when all is ready; it runs on.")
@click.option("--in-background", is_flag=True, hidden=True)
def up(detach: bool, in_background: bool) -> None:
    """Start Postgres, Redis, Label Studio, the backend, the worker and the mirror, in order; Ctrl-C stops all.

    What DATABASE_URL, REDIS_URL, BLOB_URL or LABEL_STUDIO_URL (with LABEL_STUDIO_API_KEY) name is used
    instead of a local part. Everything is kept in FIELDLOOP_HOME (.fieldloop).
    """
    began = time.monotonic()
    folder = StateFolder(home_folder())
    environ = given_environment()
    if folder.is_locked():
        click.echo(str(AlreadyRunning(folder.path, folder.supervisor())))
        return
    plan = make_plan(folder, environ)
    if detach:
        _run_in_background(plan, environ)
        click.echo(_summary(plan, time.monotonic() - began, detached=True))
        return
    with folder.lock():
        write_env_file(folder.env_file, plan.made, plan.given)
        Supervisor(folder, plan.parts, plan.environ, _tell).run(
            on_ready=lambda: (
                None
                if in_background
                else click.echo(_summary(plan, time.monotonic() - began, detached=False))
            ),
            survivors=_survivors(plan),
        )


def _survivors(plan: Plan) -> dict[str, Identity]:
    found = surviving(plan.folder)
    return {"postgres": found} if found else {}


def _run_in_background(plan: Plan, environ: dict[str, str]) -> None:
    """Start a supervisor that outlives us, show what it says, and wait until the stack is ready."""
    folder = plan.folder
    log = folder.log(_SUPERVISOR_LOG)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    seen = log.stat().st_size
    process = subprocess.Popen(
        [sys.executable, "-m", "fieldloop", "up", "--in-background"],
        stdin=subprocess.DEVNULL,
        stdout=descriptor,
        stderr=subprocess.STDOUT,
        env=environ | {"FIELDLOOP_HOME": str(folder.path), "PYTHONUNBUFFERED": "1"},
        start_new_session=True,
    )
    os.close(descriptor)
    while True:
        ended = process.poll()
        phase = folder.read_run().get("phase") if folder.supervisor() == process.pid else None
        seen = _show(log, seen)
        if ended is not None:
            problem = tail(log, 1) or "it said nothing"
            raise StackError(
                f"The stack did not start (exit code {ended}); see {log}."
                if "\n" in problem or ended
                else problem
            )
        if phase == "ready":
            return
        time.sleep(_TICK)


def _show(log: Path, seen: int) -> int:
    with log.open("rb") as file:
        file.seek(seen)
        text = file.read()
    if text:
        click.echo(text.decode("utf-8", errors="replace"), nl=False)
    return seen + len(text)


_MARKS = {
    State.STARTING: ("…", "yellow"),
    State.READY: ("✓", "green"),
    State.DONE: ("✓", "green"),
    State.PAUSING: ("!", "red"),
    State.STOPPED: ("■", "blue"),
    State.WAITING: (" ", "white"),
}


def _tell(event: Event) -> None:
    mark, colour = _MARKS[event.state]
    time_taken = f"{event.seconds:6.1f} s" if event.state is not State.STARTING else " " * 8
    click.echo(
        f" {click.style(mark, fg=colour)} {event.part:<21}{event.state.value:<11}{time_taken}  {event.text}".rstrip()
    )


def _summary(plan: Plan, seconds: float, *, detached: bool) -> str:
    settings = plan.settings
    lines = [
        "",
        f"Fieldloop is ready ({seconds:.0f} s).",
        "",
        f"  Label Studio   {settings.label_studio_public_url}",
    ]
    if plan.login:
        lines.append(f"    first login  {plan.login[0]}   password  {plan.login[1]}")
    program = _program()
    width = len(program) + 18
    lines += [
        f"  Console        {settings.public_url}",
        f"  State and logs {plan.folder.path}",
        "",
        "Next, in another terminal:",
        f"  {f'{program} demo':<{width}}watch the loop turn on sample documents",
        f"  {f'{program} upload FOLDER':<{width}}your own PDFs and scans",
        f"  {f'{program} status':<{width}}what runs; also: logs, doctor",
        "",
        f"{program} down stops it." if detached else "Ctrl-C stops it.",
    ]
    return "\n".join(lines)


def _program() -> str:
    """How this program is called from here: by name where PATH leads to it, else by its place."""
    beside = Path(sys.executable).with_name("fieldloop")
    found = shutil.which("fieldloop")
    if not beside.exists() or (found and Path(found).resolve() == beside.resolve()):
        return "fieldloop"
    try:
        return str(beside.relative_to(Path.cwd()))
    except ValueError:
        return str(beside)
