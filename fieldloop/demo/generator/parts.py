"""Pieces several layouts draw: tick boxes, signatures, sums, notes and page footers."""

from __future__ import annotations

import random

from fieldloop.demo.generator import values
from fieldloop.demo.generator.facts import Facts
from fieldloop.demo.generator.sheet import Sheet, Value, shown, width_of
from fieldloop.demo.generator.wording import Words
from ml_backend.extraction.fields import Box

TICKED, EMPTY = "☑", "☐"
SIGNED = "signed"


def tick_value(facts: Facts) -> Value:
    return Value(
        TICKED if facts.tax_included else EMPTY,
        "tax_included",
        "true" if facts.tax_included else "false",
    )


def tick_box(
    sheet: Sheet,
    facts: Facts,
    words: Words,
    x: float,
    y: float,
    font: str = "Helvetica",
    size: float = 9,
) -> None:
    """A square before its label, crossed or ticked, where the document has one; ``y``: the label's baseline."""
    if facts.tax_included is None:
        return
    side = size + 1
    box = (x, y - side + 2, x + side, y + 2)
    sheet.rect(box, width=0.8)
    if facts.tax_included:
        if len(facts.number) % 2:
            sheet.line(x + 2, box[1] + 2, x + side - 2, box[3] - 2, 1.3)
            sheet.line(x + side - 2, box[1] + 2, x + 2, box[3] - 2, 1.3)
        else:
            sheet.line(x + 1.5, y - side / 2 + 2, x + side / 2.4, y, 1.5)
            sheet.line(x + side / 2.4, y, x + side - 1, box[1] + 1, 1.5)
    sheet.remember(tick_value(facts), box)
    sheet.text(x + side + 5, y, words["tax_included"], font, size)


def signature(
    sheet: Sheet,
    facts: Facts,
    rng: random.Random,
    box: Box,
    caption: str,
    *,
    font: str = "Helvetica",
    size: float = 8,
    name: str = "",
    line: bool = True,
) -> None:
    """A place to sign with its caption below; signed in ink where the document is."""
    x0, y0, x1, y1 = box
    if line:
        sheet.line(x0, y1, x1, y1)
    sheet.text(x0, y1 + size * 1.3, caption, font, size)
    if name:
        sheet.text(x0, y1 + size * 2.6, name, font, size)
    if facts.signed:
        scribble(sheet, rng, (x0 + 6, y0 + 3, x1 - 6, y1 - 2))
        sheet.remember(Value(SIGNED, "signature", "true"), (x0, y0, x1, y1))


def scribble(sheet: Sheet, rng: random.Random, box: Box) -> None:
    x0, y0, x1, y1 = box
    strokes = rng.randrange(4, 7)
    step = (x1 - x0) / (3 * strokes)
    points = [
        (x0 + step * (k + rng.uniform(-0.8, 0.8)), rng.uniform(y0, y1))
        for k in range(3 * strokes + 1)
    ]
    sheet.curve([(min(max(x, x0), x1), y) for x, y in points])


def sums(
    sheet: Sheet,
    facts: Facts,
    words: Words,
    x_label: float,
    x_amount: float,
    y: float,
    *,
    font: str = "Helvetica",
    bold: str = "Helvetica-Bold",
    size: float = 9,
    leading: float = 1.6,
    colon: str = "",
) -> float:
    """Subtotal to total, amounts flush right at ``x_amount``; the total in bold. Returns the next baseline."""
    rows = values.sums(facts, words)
    for number, (label, amount) in enumerate(rows):
        used = bold if number == len(rows) - 1 else font
        sheet.text(x_label, y, label + colon, used, size)
        sheet.text(x_amount, y, amount, used, size, align="right")
        y += size * leading
    return y


def footer(
    sheet: Sheet, facts: Facts, words: Words, font: str = "Helvetica", size: float = 7
) -> None:
    """The page's number and what nobody reads: a bank account, a telephone, an e-mail."""
    y = sheet.height - 24
    sheet.line(40, y - 10, sheet.width - 40, y - 10, 0.3, 0.5)
    account = f"{sum(map(ord, facts.supplier.name)) * 7919 % 10**8:08d}"
    sheet.text(40, y, f"{words['bank']} {account}   {facts.supplier.email}", font, size, grey=0.35)
    if sheet.total_pages:
        text = words["page"].format(page=sheet.page + 1, pages=sheet.total_pages)
        sheet.text(sheet.width - 40, y, text, font, size, align="right", grey=0.35)


def notes(
    sheet: Sheet,
    facts: Facts,
    x: float,
    y: float,
    width: float,
    font: str = "Helvetica",
    size: float = 8,
) -> float:
    for note in facts.notes:
        y = sheet.block(x, y, note, width, font, size) + 2
    return y


def pair(
    sheet: Sheet,
    x: float,
    y: float,
    label: str,
    value: str | Value,
    font: str = "Helvetica-Bold",
    value_font: str = "Helvetica",
    size: float = 9,
    gap: float = 4,
) -> float:
    """A label and, right behind it, its value. Returns where the value ends."""
    sheet.text(x, y, label, font, size)
    start = x + width_of(label, font, size) + gap
    sheet.text(start, y, value, value_font, size)
    return start + width_of(shown(value), value_font, size)
