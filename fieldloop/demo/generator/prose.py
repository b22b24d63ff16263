"""Running text with values inside it, broken into lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fieldloop.demo.generator.sheet import Piece, Sheet, Value, shown, width_of

Line = list[Piece]


def break_lines(pieces: Sequence[Piece], width: float, font: str, size: float) -> list[Line]:
    """Lines no wider than ``width``. A value is never broken, so that one box holds it."""
    lines: list[Line] = []
    used = 0.0
    blank = width_of(" ", font, size)
    for token in _tokens(pieces):
        wide = width_of("".join(shown(piece) for piece in token), font, size)
        if lines and used + blank + wide <= width:
            lines[-1] += [" ", *token]
            used += blank + wide
        else:
            lines.append(list(token))
            used = wide
    return lines


def paragraph(
    sheet: Sheet,
    pieces: Sequence[Piece],
    x: float,
    y: float,
    width: float,
    font: str,
    size: float,
    room: Callable[[float], float],
) -> float:
    """Print it line by line; ``room`` takes a baseline and returns one that is on a page. Returns the next one."""
    for line in break_lines(pieces, width, font, size):
        y = room(y)
        sheet.run(x, y, line, font, size)
        y += size * 1.4
    return y


def _tokens(pieces: Sequence[Piece]) -> list[Line]:
    """What must stay together: words, and values with the signs that touch them."""
    tokens: list[Line] = [[]]
    for piece in pieces:
        if isinstance(piece, Value):
            tokens[-1].append(piece)
            continue
        first, *rest = piece.split(" ")
        if first:
            tokens[-1].append(first)
        for word in rest:
            if tokens[-1]:
                tokens.append([])
            if word:
                tokens[-1].append(word)
    return [token for token in tokens if token]
