"""Labels to the left of their values in a block at the top right; a table with lines under its rows."""

from __future__ import annotations

import random

from fieldloop.demo.generator import parts, values
from fieldloop.demo.generator.facts import Facts
from fieldloop.demo.generator.sheet import Piece, Sheet
from fieldloop.demo.generator.table import Look, columns, draw_table
from fieldloop.demo.generator.wording import Words

_LEFT, _RIGHT, _BOTTOM = 48.0, 547.0, 780.0
_LOOK = Look(size=9, pad=4, header_fill=0.88, carries=True)
_COLUMNS = (("code", 12), ("description", 42), ("quantity", 10), ("unit_price", 16), ("amount", 18))


def draw(sheet: Sheet, facts: Facts, words: Words, rng: random.Random) -> None:
    y = sheet.block(_LEFT, 60, values.supplier(facts), 240, "Helvetica-Bold", 13)
    for line in (*facts.supplier.address, f"{words['phone']} {facts.supplier.phone}"):
        y = sheet.block(_LEFT, y, line, 240)
    tax_id = values.supplier_tax(facts)
    if tax_id is not None:
        parts.pair(sheet, _LEFT, y, f"{words['supplier_tax']}:", tax_id, "Helvetica")
    sheet.text(_RIGHT, 62, words["title"], "Helvetica-Bold", 20, align="right")
    y = 90.0
    for label, value in _meta(facts, words):
        sheet.text(320, y, f"{label}:", "Helvetica-Bold", 9)
        y = sheet.block(442, y, value, _RIGHT - 442) + 3
    sheet.text(_LEFT, 190, f"{words['customer']}:", "Helvetica-Bold", 9)
    y = sheet.block(_LEFT, 204, values.customer(facts), 230)
    for line in facts.customer.address:
        y = sheet.block(_LEFT, y, line, 230)
    parts.pair(sheet, _LEFT, y, f"{words['customer_tax']}:", facts.customer.tax_id, "Helvetica")

    def next_page() -> float:
        parts.footer(sheet, facts, words)
        sheet.new_page()
        sheet.text(_LEFT, 50, f"{words['title']}  {facts.number}", "Helvetica-Bold", 9)
        return 66.0

    y = draw_table(
        sheet, facts, words, columns(_COLUMNS, _LEFT, _RIGHT), _LOOK, 284, _BOTTOM, next_page
    )
    if y + 130 > _BOTTOM:
        y = next_page()
    parts.tick_box(sheet, facts, words, _LEFT, y + 20)
    parts.notes(sheet, facts, _LEFT, y + 44, 220)
    parts.sums(sheet, facts, words, 340, _RIGHT - 3, y + 20, size=10)
    parts.footer(sheet, facts, words)


def _meta(facts: Facts, words: Words) -> list[tuple[str, Piece]]:
    rows: list[tuple[str, Piece | None]] = [
        (words["number"], values.number(facts)),
        (words["issued"], values.issued(facts)),
        (words["reference"], facts.reference),
        (words["third"], facts.style.day(facts.third_date)),
        (words["due"], values.due(facts)),
        (words["terms"], values.terms(facts)),
    ]
    return [(label, value) for label, value in rows if value is not None]
