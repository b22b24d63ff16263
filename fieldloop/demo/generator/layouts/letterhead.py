"""A letter: the supplier's name only in its letterhead, two columns below, a table held together by space alone."""

from __future__ import annotations

import random

from fieldloop.demo.generator import parts, values
from fieldloop.demo.generator.facts import Facts
from fieldloop.demo.generator.sheet import Piece, Sheet, width_of
from fieldloop.demo.generator.table import NONE, Look, columns, draw_table
from fieldloop.demo.generator.wording import Words

_LEFT, _RIGHT, _BOTTOM = 60.0, 535.0, 770.0
_FONT, _BOLD = "Times-Roman", "Times-Bold"
_LOOK = Look(rules=NONE, font=_FONT, bold=_BOLD, size=10, pad=4)
_COLUMNS = (("description", 52), ("quantity", 14), ("unit_price", 16), ("amount", 18))


def draw(sheet: Sheet, facts: Facts, words: Words, rng: random.Random) -> None:
    centre = sheet.width / 2
    name = values.supplier(facts)
    size = 22.0
    while width_of(name.text, _BOLD, size) > _RIGHT - _LEFT:
        size -= 0.5
    sheet.text(centre, 64, name, _BOLD, size, align="center")
    sheet.text(centre, 80, "  ·  ".join(facts.supplier.address), _FONT, 8.5, align="center")
    contact = f"{facts.supplier.phone}  ·  {facts.supplier.email}"
    sheet.text(centre, 91, contact, _FONT, 8.5, align="center")
    tax_id = values.supplier_tax(facts)
    if tax_id is not None:
        pieces: list[Piece] = [f"{words['supplier_tax']} ", tax_id]
        half = width_of(f"{words['supplier_tax']} {tax_id.text}", _FONT, 8.5) / 2
        sheet.run(centre - half, 102, pieces, _FONT, 8.5)
    sheet.line(_LEFT, 110, _RIGHT, 110, 1.2)
    sheet.text(_LEFT, 140, words["customer"], _FONT, 10)
    y = sheet.block(_LEFT, 154, values.customer(facts), 230, _BOLD, 11)
    for line in (*facts.customer.address, facts.customer.person):
        y = sheet.block(_LEFT, y, line, 230, _FONT, 10)
    y = 140.0
    for label, value in (
        (words["issued"], values.issued(facts, in_words=True)),
        (words["number"], values.number(facts)),
        (words["reference"], facts.reference),
        (words["due"], values.due(facts, in_words=True)),
    ):
        if value is not None:
            sheet.text(330, y, label, _FONT, 10)
            sheet.text(_RIGHT, y, value, _FONT, 10, align="right")
            y += 15
    sheet.text(_LEFT, 250, words["title"].capitalize(), _BOLD, 15)

    def next_page() -> float:
        sheet.text(centre, 800, f"– {sheet.page + 1} –", _FONT, 9, align="center")
        sheet.new_page()
        return 60.0

    y = draw_table(
        sheet, facts, words, columns(_COLUMNS, _LEFT, _RIGHT), _LOOK, 268, _BOTTOM, next_page
    )
    if y + 140 > _BOTTOM:
        y = next_page()
    y = parts.sums(sheet, facts, words, 320, _RIGHT - 3, y + 26, font=_FONT, bold=_BOLD, size=10.5)
    terms = values.terms(facts)
    if terms is not None:
        sheet.run(_LEFT, y + 14, [f"{words['terms']}: ", terms], _FONT, 10)
    parts.tick_box(sheet, facts, words, _LEFT, y + 34, _FONT, 10)
    parts.notes(sheet, facts, _LEFT, y + 54, 460, "Times-Italic", 9)
    sheet.text(centre, 800, f"– {sheet.page + 1} –", _FONT, 9, align="center")
