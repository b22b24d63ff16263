"""Tables on the terminal are whole and show what is in them, whatever it is."""

from __future__ import annotations

import pytest
from rich.table import Table

from fieldloop.commands._tables import show

NAME = "invoices-orders-and-contracts-17-167f8637-self-trained"


def _printed(cells: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    table = Table(*(f"column {k}" for k in range(len(cells))), box=None)
    table.add_row(*cells)
    show(table)
    return capsys.readouterr().out


def test_names_are_whole_on_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert _printed([NAME, NAME], capsys).count(NAME) == 2


def test_a_value_may_look_like_markup(capsys: pytest.CaptureFixture[str]) -> None:
    assert "[/b] [red]total[/red]" in _printed(["[/b] [red]total[/red]"], capsys)
    assert "Ref:100:20" in _printed(["Ref:100:20"], capsys)
