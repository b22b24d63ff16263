"""``fieldloop logs``: what the parts of the local stack say."""

from __future__ import annotations

import time
from pathlib import Path

import click

from fieldloop.stack.errors import StackError
from fieldloop.stack.folder import StateFolder, tail
from fieldloop.stack.settings import home_folder

_COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "red")


@click.command()
@click.argument("parts", nargs=-1)
@click.option("-f", "--follow", is_flag=True, help="Go on as they say more; Ctrl-C ends it.")
@click.option("-n", "--lines", default=20, show_default=True, help="Lines of each to begin with.")
def logs(parts: tuple[str, ...], follow: bool, lines: int) -> None:
    """Show the logs of PARTS (all of them by default), each line with the name of its part."""
    folder = StateFolder(home_folder())
    there = sorted(path.stem for path in folder.logs.glob("*.log"))
    if not there:
        raise StackError(f"There are no logs in {folder.logs} yet; start with `fieldloop up`.")
    for part in parts:
        if part not in there:
            raise StackError(f"There is no log of {part!r}; there are: {', '.join(there)}.")
    chosen = {name: folder.log(name) for name in parts or there}
    width = max(map(len, chosen))
    for name, path in chosen.items():
        for line in tail(path, lines).splitlines():
            click.echo(_line(name, line, width, there))
    if follow:
        try:
            _follow(chosen, width, there)
        except KeyboardInterrupt:
            return


def _follow(chosen: dict[str, Path], width: int, there: list[str]) -> None:
    places = {name: path.stat().st_size for name, path in chosen.items()}
    rests = dict.fromkeys(chosen, b"")
    while True:
        for name, path in chosen.items():
            size = path.stat().st_size
            if size < places[name]:  # it was moved aside and begins anew
                places[name] = 0
            if size == places[name]:
                continue
            with path.open("rb") as file:
                file.seek(places[name])
                text = rests[name] + file.read()
            places[name] = size
            *whole, rests[name] = text.split(b"\n")
            for line in whole:
                click.echo(_line(name, line.decode("utf-8", errors="replace"), width, there))
        time.sleep(0.2)


def _line(name: str, line: str, width: int, there: list[str]) -> str:
    colour = _COLOURS[there.index(name) % len(_COLOURS)]
    return f"{click.style(name.ljust(width), fg=colour)} │ {line}"
