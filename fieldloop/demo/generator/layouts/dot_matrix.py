"""An old printer's page: one pitch of letters, leaders of dots before the values, [X] for a tick, no line drawn."""

from __future__ import annotations

import random
from collections.abc import Sequence

from fieldloop.demo.generator import parts, values
from fieldloop.demo.generator.facts import Facts
from fieldloop.demo.generator.sheet import Piece, Sheet, Value, shown
from fieldloop.demo.generator.table import NONE, Look, columns, draw_table
from fieldloop.demo.generator.wording import Words

_LEFT, _RIGHT, _BOTTOM = 50.0, 562.0, 735.0
_FONT = "Courier"
_LOOK = Look(rules=NONE, font=_FONT, bold=_FONT, size=9, pad=1.5)
_COLUMNS = (("quantity", 10), ("description", 48), ("unit_price", 20), ("amount", 22))
_LABEL = 24


def draw(sheet: Sheet, facts: Facts, words: Words, rng: random.Random) -> None:
    y = 54.0
    sheet.text(_LEFT, y, words["title"], "Courier-Bold", 12)
    y += 22
    supplier, customer = facts.supplier, facts.customer
    y = _leader(sheet, y, words["supplier"], values.supplier(facts))
    y = _indented(sheet, y, supplier.address)
    y = _leader(sheet, y, words["supplier_tax"].upper(), values.supplier_tax(facts))
    y = _leader(sheet, y + 6, words["customer"], values.customer(facts))
    y = _indented(sheet, y, customer.address)
    y = _leader(sheet, y + 6, words["number"], values.number(facts))
    y = _leader(sheet, y, words["issued"], values.issued(facts))
    y = _leader(sheet, y, words["reference"].upper(), facts.reference)
    y = _leader(sheet, y, words["due"], values.due(facts))
    y = _leader(sheet, y, words["terms"], values.terms(facts))
    cols = columns(_COLUMNS, _LEFT, _RIGHT)

    def next_page() -> float:
        sheet.new_page()
        sheet.text(_LEFT, 40, f"{words['title']} {facts.number}", _FONT, 9)
        if sheet.total_pages:
            text = words["page"].format(page=sheet.page + 1, pages=sheet.total_pages)
            sheet.text(_RIGHT, 40, text, _FONT, 9, align="right")
        return 54.0

    y = draw_table(sheet, facts, words, cols, _LOOK, y + 8, _BOTTOM, next_page)
    if y + 110 > _BOTTOM:
        y = next_page()
    sheet.text(_RIGHT - 3, y + 10, "-" * 16, _FONT, 9, align="right")
    y = parts.sums(
        sheet, facts, words, 300, _RIGHT - 3, y + 22, font=_FONT, bold=_FONT, leading=1.35
    )
    if facts.tax_included is not None:
        # The value is the whole mark: that is what a reader finds as one word.
        mark = parts.tick_value(facts)
        box = sheet.text(_LEFT, y + 12, "[X]" if facts.tax_included else "[ ]", _FONT, 9)
        sheet.remember(mark, box)
        sheet.text(box[2] + 6, y + 12, words["tax_included"].upper(), _FONT, 9)
    parts.notes(sheet, facts, _LEFT, y + 34, 500, _FONT, 8)


def _leader(sheet: Sheet, y: float, label: str, value: Piece | None) -> float:
    if value is None:
        return y
    lead = f"{label} {'.' * (_LABEL - len(label))}: "
    if isinstance(value, Value) and len(shown(value)) > 60:
        start = _LEFT + len(lead) * 5.4
        sheet.text(_LEFT, y, lead, _FONT, 9)
        return sheet.block(start, y, value, _RIGHT - start, _FONT, 9, leading=1.35)
    sheet.run(_LEFT, y, [lead, value], _FONT, 9)
    return y + 12.15


def _indented(sheet: Sheet, y: float, lines: Sequence[str]) -> float:
    for line in lines:
        sheet.text(_LEFT + (_LABEL + 3) * 5.4, y, line, _FONT, 9)
        y += 12.15
    return y
