"""Tables on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

_WIDEST = 2_000


def show(table: Table) -> None:
    """Print it whole, however narrow the terminal is: names in it are there to be copied. Cells are text, not markup."""
    console = _console()
    unbound = console.options.update(max_width=_WIDEST)
    needed = Measurement.get(console, unbound, table).maximum
    _console(max(console.width, needed)).print(table, crop=False)


def _console(width: int | None = None) -> Console:
    return Console(highlight=False, markup=False, emoji=False, width=width)
