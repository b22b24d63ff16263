"""A warehouse's list: tiny print, many columns, hundreds of rows, sums carried from page to page."""

from __future__ import annotations

import random

from fieldloop.demo.generator import parts, values
from fieldloop.demo.generator.facts import Facts
from fieldloop.demo.generator.sheet import Sheet, shown
from fieldloop.demo.generator.table import LINES, Look, columns, draw_table
from fieldloop.demo.generator.wording import Words

_LEFT, _RIGHT, _BOTTOM = 28.0, 567.0, 795.0
_LOOK = Look(rules=LINES, size=6.5, pad=1.6, header_fill=0.9, carries=True)
_COLUMNS = (
    *(("line", 6), ("code", 11), ("quantity", 8), ("unit", 7)),
    *(("description", 46), ("unit_price", 12), ("amount", 14)),
)


def draw(sheet: Sheet, facts: Facts, words: Words, rng: random.Random) -> None:
    _head(sheet, facts, words)
    rows = (
        (
            (words["supplier"], values.supplier(facts)),
            (words["supplier_tax"], values.supplier_tax(facts)),
        ),
        (
            (words["customer"], values.customer(facts)),
            (words["customer_tax"], facts.customer.tax_id),
        ),
        (
            (words["issued"], values.issued(facts)),
            (words["due"], values.due(facts)),
            (words["third"], facts.style.day(facts.third_date)),
            (words["terms"], values.terms(facts)),
        ),
    )
    y = 66.0
    for row in rows:
        x = _LEFT
        for label, value in row:
            if value is None:
                continue
            end = parts.pair(sheet, x, y, label, value, size=7)
            x = max(end + 16, x + (400 if len(row) == 2 else 100))
        y += 11

    def next_page() -> float:
        sheet.new_page()
        _head(sheet, facts, words, again=True)
        return 60.0

    y = draw_table(
        sheet, facts, words, columns(_COLUMNS, _LEFT, _RIGHT), _LOOK, 104, _BOTTOM, next_page
    )
    if y + 60 > _BOTTOM:
        y = next_page()
    sums = values.sums(facts, words)
    x = _RIGHT - 3
    for label, amount in reversed(sums):
        box = sheet.text(x, y + 14, amount, "Helvetica-Bold", 7.5, align="right")
        left = sheet.text(box[0] - 4, y + 14, label, "Helvetica", 7, align="right")
        x = left[0] - 14
    parts.tick_box(sheet, facts, words, _LEFT, y + 30, size=7)
    parts.notes(sheet, facts, 200, y + 30, 360, size=6.5)


def _head(sheet: Sheet, facts: Facts, words: Words, *, again: bool = False) -> None:
    number = values.number(facts)
    sheet.text(_LEFT, 44, words["title"], "Helvetica-Bold", 11)
    end = parts.pair(sheet, 250, 44, words["number"], shown(number) if again else number, size=8)
    parts.pair(sheet, end + 24, 44, words["reference"], facts.reference, size=7)
    if sheet.total_pages:
        text = words["page"].format(page=sheet.page + 1, pages=sheet.total_pages)
        sheet.text(_RIGHT, 44, text, size=6.5, align="right")
    sheet.line(_LEFT, 50, _RIGHT, 50, 1)
