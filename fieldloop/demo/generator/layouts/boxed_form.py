"""A form of ruled boxes, each with its label in small print at the top, as tax forms have them."""

from __future__ import annotations

import random
from collections.abc import Sequence

from fieldloop.demo.generator import parts, values
from fieldloop.demo.generator.facts import Facts
from fieldloop.demo.generator.sheet import Piece, Sheet
from fieldloop.demo.generator.table import GRID, Look, columns, draw_table
from fieldloop.demo.generator.wording import Words

_LEFT, _RIGHT, _BOTTOM = 30.0, 565.0, 790.0
_LOOK = Look(rules=GRID, size=7.5, pad=3, carries=True)
_COLUMNS = (
    *(("line", 5), ("code", 11), ("description", 44), ("unit", 6)),
    *(("quantity", 11), ("unit_price", 14), ("amount", 15)),
)
_ROW = 26.0

Cell = tuple[float, str, Piece | None]


def draw(sheet: Sheet, facts: Facts, words: Words, rng: random.Random) -> None:
    y = _head(sheet, facts, words)
    y = _row(
        sheet,
        y,
        [
            (30, words["issued"], values.issued(facts)),
            (30, words["third"], facts.style.day(facts.third_date)),
            (30, words["due"], values.due(facts)),
            (45, words["terms"], values.terms(facts)),
        ],
    )
    y = _row(
        sheet,
        y,
        [
            (65, words["supplier"], values.supplier(facts)),
            (35, words["supplier_tax"], values.supplier_tax(facts)),
        ],
    )
    y = _row(
        sheet,
        y,
        [
            (65, words["customer"], values.customer(facts)),
            (35, words["customer_tax"], facts.customer.tax_id),
        ],
    )
    y = _row(
        sheet,
        y,
        [
            (50, words["phone"].upper(), facts.customer.phone),
            (50, words["reference"].upper(), facts.reference),
        ],
    )

    def next_page() -> float:
        sheet.new_page()
        return _head(sheet, facts, words, again=True) + 6

    y = draw_table(
        sheet, facts, words, columns(_COLUMNS, _LEFT, _RIGHT), _LOOK, y + 8, _BOTTOM, next_page
    )
    if y + 110 > _BOTTOM:
        y = next_page()
    y = _row(sheet, y + 8, [(1, label, amount) for label, amount in values.sums(facts, words)])
    parts.tick_box(sheet, facts, words, _LEFT + 6, y + 24, size=8)
    parts.notes(sheet, facts, _LEFT + 6, y + 46, 270, size=7)
    sheet.rect((320, y + 8, _RIGHT, y + 72))
    caption = words["signature"]
    parts.signature(sheet, facts, rng, (326, y + 12, 559, y + 56), caption, size=6.5, line=False)


def _head(sheet: Sheet, facts: Facts, words: Words, *, again: bool = False) -> float:
    """The box at the top of every page; the number counts as a value on the first."""
    sheet.rect((_LEFT, 30, _RIGHT, 74))
    sheet.line(380, 30, 380, 74)
    sheet.text(_LEFT + 8, 58, words["title"], "Helvetica-Bold", 16)
    sheet.text(386, 40, words["number"], "Helvetica", 6)
    number = values.number(facts)
    sheet.text(386, 58, number.text if again else number, "Helvetica-Bold", 12)
    if sheet.total_pages:
        text = words["page"].format(page=sheet.page + 1, pages=sheet.total_pages)
        sheet.text(_RIGHT - 6, 70, text, size=6, align="right")
    return 80.0


def _row(sheet: Sheet, top: float, cells: Sequence[Cell]) -> float:
    """One row of boxes; the figures are their shares of the width. Returns the top of the next row."""
    unit = (_RIGHT - _LEFT) / sum(share for share, _, _ in cells)
    x = _LEFT
    for share, label, value in cells:
        sheet.rect((x, top, x + share * unit, top + _ROW))
        sheet.text(x + 3, top + 7.5, label, "Helvetica", 5.5)
        if value is not None:
            sheet.text(x + 4, top + 20, value, "Helvetica", 8.5)
        x += share * unit
    return top + _ROW
