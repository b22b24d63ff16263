"""``fieldloop status``: what runs, and how the record stands."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from db.config import Settings
from fieldloop.stack.folder import StateFolder
from fieldloop.stack.probes import Record
from fieldloop.stack.settings import home_folder
from fieldloop.stack.status import Code, Status, take

_COLOURS = {"ok": "green", "starting": "yellow"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def status(as_json: bool) -> None:
    """Show the parts of the stack and the state of the record.

    Exit code 0: all is well; 1: something is wrong, and is named; 3: nothing runs.
    """
    folder = StateFolder(home_folder())
    found = take(folder, Settings.from_environ(needs=()))
    if as_json:
        click.echo(json.dumps(_plain(found), indent=2, default=_text))
    else:
        _show(found, folder)
    sys.exit(found.code)


def _plain(found: Status) -> dict[str, Any]:
    return {
        **asdict(found),
        "code": int(found.code),
        "own_memory_bytes": found.own_memory_bytes,
    }


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _show(found: Status, folder: StateFolder) -> None:
    console = Console(highlight=False, emoji=False)
    if found.code is Code.NOT_RUNNING:
        console.print(f"Nothing runs on {escape(str(folder.path))}; start with `fieldloop up`.")
    if found.parts:
        console.print(_parts_table(found))
        console.print(
            f"Backend, worker and mirror hold {_size(found.own_memory_bytes)} together.\n"
        )
    if found.record is not None:
        for name, value in _record_lines(found.record, found).items():
            console.print(f"  {name:<15}{escape(value)}", soft_wrap=True)
    for problem in found.problems:
        console.print(f"[red]✗[/red] {escape(problem)}", soft_wrap=True)
    if found.code is Code.WELL:
        console.print("\n[green]✓[/green] All is well.")


def _parts_table(found: Status) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("part", "health", "pid", "up", "memory", "restarts", "address"):
        table.add_column(name, justify="right" if name in {"pid", "memory", "restarts"} else "left")
    for part in found.parts:
        colour = _COLOURS.get(part.health, "red")
        table.add_row(
            part.name,
            f"[{colour}]{part.health}[/{colour}]",
            str(part.pid or ""),
            _duration(part.uptime_seconds),
            _size(part.memory_bytes) if part.memory_bytes else "",
            str(part.restarts or ""),
            part.address,
        )
    return table


def _record_lines(record: Record, found: Status) -> Mapping[str, str]:
    documents = ", ".join(f"{count} {state}" for state, count in sorted(record.documents.items()))
    runs = ", ".join(f"{count} {state}" for state, count in sorted(record.training.items()))
    return {
        "Database": f"revision {record.revision or 'none'}",
        "Documents": documents or "none yet",
        "Review": f"{record.awaiting_review} waiting, {record.reviewed} reviewed",
        "Jobs": f"{record.jobs_open} open ({record.jobs_running} running), {record.jobs_failed} failed",
        "Workers": ", ".join(f"{worker.name} ({worker.state})" for worker in found.workers)
        or "none",
        "Inbox": f"{record.inbox_pending} pending, {record.inbox_dead} given up",
        "Mirror": _mirror(record),
        "Live model": ", ".join(f"{row['project']}: {row['model_version']}" for row in record.live)
        or "none yet",
        "Training runs": runs or "none yet",
    }


def _mirror(record: Record) -> str:
    lags = [
        f"{row['project']}: last pass {_ago(row['last_catch_up_at'])}"
        for row in record.sync
        if row["project"]
    ]
    leader = record.leader
    who = f"{leader['state']} by {leader['holder']}" if leader else "nobody yet"
    return "; ".join([who, *lags])


def _ago(moment: datetime | None) -> str:
    if moment is None:
        return "never"
    return f"{_duration((datetime.now(moment.tzinfo) - moment).total_seconds())} ago"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    whole = int(seconds)
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if whole >= size:
            return f"{whole // size} {unit}"
    return f"{whole} s"


def _size(count: int) -> str:
    return f"{count / 1024**2:.0f} MB"
