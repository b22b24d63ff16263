"""Waiting for the other processes of the stack, with progress shown and an end to patience."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from db.errors import RecordError

POLL_SECONDS = 0.5


class NothingMoves(RecordError):
    """Nothing has happened for too long; the message names the part to look at."""


@dataclass(frozen=True)
class Stand:
    """How far something is; ``note`` is shown beside the bar, and its change counts as movement."""

    done: int
    total: int
    note: str = ""

    @property
    def finished(self) -> bool:
        return self.done >= self.total


class Screen:
    """Progress bars on standard error, one per step, and how long each step took; in a log, a line per step."""

    def __init__(self, console: Console) -> None:
        self.seconds: dict[str, float] = {}
        self.console = console
        self.progress = Progress(
            TextColumn("{task.description:<28}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[note]}"),
            console=console,
            disable=not console.is_terminal,
        )

    def step(self, name: str, description: str, total: int) -> Step:
        task = self.progress.add_task(description, total=max(total, 1), note="")
        self.say(f"{description} …")
        return Step(self, name, task, time.monotonic())

    def say(self, line: str) -> None:
        """For those who cannot see bars."""
        if not self.console.is_terminal:
            self.console.print(line, highlight=False, markup=False)


@dataclass
class Step:
    """One bar; its end records its time under its name."""

    screen: Screen
    name: str
    task: TaskID
    began: float

    def show(self, stand: Stand) -> None:
        self.screen.progress.update(
            self.task, completed=stand.done, total=max(stand.total, 1), note=stand.note
        )

    def end(self, note: str = "") -> None:
        self.screen.seconds[self.name] = round(time.monotonic() - self.began, 2)
        task = next(t for t in self.screen.progress.tasks if t.id == self.task)
        self.screen.progress.update(self.task, completed=task.total, note=note)
        said = f", {note}" if note else ""
        self.screen.say(f"{task.description}: done in {self.screen.seconds[self.name]:.0f} s{said}")
        self.screen.progress.stop_task(self.task)


def wait(
    step: Step,
    look: Callable[[], Stand],
    *,
    patience: float,
    what: str,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Stand:
    """Look until it is finished. Raises NothingMoves after ``patience`` seconds without any change.

    ``what`` says in the error what is being waited for and where to look.
    """
    last, since = look(), clock()
    while True:
        step.show(last)
        if last.finished:
            return last
        sleep(POLL_SECONDS)
        now = look()
        if now != last:
            last, since = now, clock()
        elif clock() - since > patience:
            raise NothingMoves(
                f"Nothing has moved for {patience:.0f} s ({last.done} of {last.total}"
                f"{f', {last.note}' if last.note else ''}): {what}"
            )
