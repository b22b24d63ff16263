"""An order on a wide page: two columns of labels with colons, a ruled table, an approval to sign."""

from __future__ import annotations

import random

from fieldloop.demo.generator import parts, values
from fieldloop.demo.generator.facts import Facts
from fieldloop.demo.generator.sheet import Sheet
from fieldloop.demo.generator.table import GRID, Look, columns, draw_table
from fieldloop.demo.generator.wording import Words

_LEFT, _RIGHT, _BOTTOM = 40.0, 802.0, 530.0
_LOOK = Look(rules=GRID, size=8.5, pad=4, header_fill=0.85)
_COLUMNS = (
    *(("line", 5), ("description", 44), ("code", 12), ("quantity", 10)),
    *(("unit", 7), ("unit_price", 14), ("amount", 16)),
)


def draw(sheet: Sheet, facts: Facts, words: Words, rng: random.Random) -> None:
    sheet.rect((_LEFT, 30, _RIGHT, 58), fill=0.2, stroke=None)
    sheet.text(_LEFT + 10, 49, words["title"], "Helvetica-Bold", 14, grey=1)
    left = (
        (words["number"], values.number(facts)),
        (words["supplier"], values.supplier(facts)),
        (words["supplier_tax"], values.supplier_tax(facts)),
        (words["phone"], facts.supplier.phone),
        (words["terms"], values.terms(facts)),
    )
    right = (
        (words["issued"], values.issued(facts)),
        (words["customer"], values.customer(facts)),
        (words["customer_tax"], facts.customer.tax_id),
        (words["third"], facts.style.day(facts.third_date)),
        (words["due"], values.due(facts)),
        (words["reference"], facts.reference),
    )
    lowest = 0.0
    for x, pairs in ((_LEFT, left), (430.0, right)):
        y = 78.0
        for label, value in pairs:
            if value is None:
                continue
            sheet.text(x + 112, y, f"{label}:", "Helvetica-Bold", 9, align="right")
            y = sheet.block(x + 120, y, value, 245) + 3
        lowest = max(lowest, y)

    def next_page() -> float:
        parts.footer(sheet, facts, words)
        sheet.new_page()
        return 44.0

    cols = columns(_COLUMNS, _LEFT, _RIGHT)
    y = draw_table(sheet, facts, words, cols, _LOOK, lowest, _BOTTOM, next_page)
    if y + 96 > _BOTTOM:
        y = next_page()
    parts.sums(sheet, facts, words, 590, _RIGHT - 3, y + 18, size=9.5, colon=":")
    parts.tick_box(sheet, facts, words, _LEFT, y + 18)
    parts.notes(sheet, facts, _LEFT, y + 36, 240, size=7)
    box = (320.0, y + 20, 520.0, y + 62)
    parts.signature(sheet, facts, rng, box, words["signature"], name=facts.customer.person)
    parts.footer(sheet, facts, words)
