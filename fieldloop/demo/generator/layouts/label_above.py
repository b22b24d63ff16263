"""Small grey labels above their values, much white space, a banded table without lines, an embedded font."""

from __future__ import annotations

import random

from fieldloop.demo.generator import parts, values
from fieldloop.demo.generator.facts import Facts
from fieldloop.demo.generator.fonts import SANS, SANS_BOLD
from fieldloop.demo.generator.sheet import Piece, Sheet
from fieldloop.demo.generator.table import NONE, Look, columns, draw_table
from fieldloop.demo.generator.wording import Words

_LEFT, _RIGHT, _BOTTOM = 54.0, 558.0, 730.0
_LOOK = Look(rules=NONE, font=SANS, bold=SANS_BOLD, size=8, pad=5, banded=True, header_fill=0.82)
_COLUMNS = (("description", 50), ("quantity", 12), ("unit_price", 18), ("amount", 20))


def draw(sheet: Sheet, facts: Facts, words: Words, rng: random.Random) -> None:
    sheet.text(_LEFT, 66, words["title"].capitalize(), SANS_BOLD, 22, grey=0.2)
    x = _LEFT
    for label, value in _meta(facts, words):
        _above(sheet, x, 100, label, value)
        x += 128
    y = 145.0
    sheet.text(_LEFT, y, words["supplier"], SANS, 7, grey=0.45)
    end = sheet.block(_LEFT, y + 14, values.supplier(facts), 235, SANS_BOLD, 9)
    for line in facts.supplier.address:
        end = sheet.block(_LEFT, end, line, 235, SANS, 8)
    tax_id = values.supplier_tax(facts)
    if tax_id is not None:
        _above(sheet, _LEFT, end + 8, words["supplier_tax"], tax_id)
    sheet.text(310, y, words["customer"], SANS, 7, grey=0.45)
    end = sheet.block(310, y + 14, values.customer(facts), 245, SANS_BOLD, 9)
    for line in facts.customer.address:
        end = sheet.block(310, end, line, 245, SANS, 8)
    _above(sheet, 310, end + 8, words["customer_tax"], facts.customer.tax_id)

    def next_page() -> float:
        parts.footer(sheet, facts, words, SANS)
        sheet.new_page()
        return 50.0

    y = draw_table(
        sheet, facts, words, columns(_COLUMNS, _LEFT, _RIGHT), _LOOK, 250, _BOTTOM, next_page
    )
    if y + 140 > _BOTTOM:
        y = next_page()
    y += 24
    rows = values.sums(facts, words)
    step = (_RIGHT - _LEFT) / 4
    for number, (label, amount) in enumerate(rows):
        x = _RIGHT - step * (len(rows) - number) + 20
        bold = number == len(rows) - 1
        sheet.text(x, y, label, SANS, 7, grey=0.45)
        sheet.text(x, y + 14, amount, SANS_BOLD if bold else SANS, 11 if bold else 9)
    terms = values.terms(facts)
    if terms is not None:
        _above(sheet, _LEFT, y + 40, words["terms"], terms)
    parts.tick_box(sheet, facts, words, 310, y + 54, SANS, 8)
    parts.notes(sheet, facts, _LEFT, y + 80, 480, SANS, 7)
    parts.footer(sheet, facts, words, SANS)


def _above(sheet: Sheet, x: float, y: float, label: str, value: Piece) -> None:
    sheet.text(x, y, label, SANS, 7, grey=0.45)
    sheet.text(x, y + 14, value, SANS, 9)


def _meta(facts: Facts, words: Words) -> list[tuple[str, Piece]]:
    rows: list[tuple[str, Piece | None]] = [
        (words["number"], values.number(facts)),
        (words["issued"], values.issued(facts)),
        (words["due"], values.due(facts)),
        (words["reference"], facts.reference),
    ]
    return [(label, value) for label, value in rows if value is not None]
