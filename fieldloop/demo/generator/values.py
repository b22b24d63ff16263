"""Facts → values as printed, with the field they belong to and their normal form."""

from __future__ import annotations

from decimal import Decimal

from fieldloop.demo.generator.facts import Facts, Item
from fieldloop.demo.generator.sheet import Piece, Value
from fieldloop.demo.generator.wording import Words

CELLS = ("description", "quantity", "unit_price", "amount")
FIELDS = (
    *("document_number", "issue_date", "due_date", "supplier_name", "supplier_tax_id"),
    *("customer_name", "payment_terms", "subtotal", "tax", "total", "tax_included", "signature"),
    *(f"item.{cell}" for cell in CELLS),
)
"""Every name a value can carry, as the demo's fields.yaml has them."""


def plain(value: Decimal) -> str:
    """A plain decimal without trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def number(facts: Facts) -> Value:
    return Value(facts.number, "document_number", facts.number)


def issued(facts: Facts, *, in_words: bool = False) -> Value:
    text = facts.style.long_day(facts.issued) if in_words else facts.style.day(facts.issued)
    return Value(text, "issue_date", facts.issued.isoformat())


def due(facts: Facts, *, in_words: bool = False) -> Value | None:
    if facts.due is None:
        return None
    text = facts.style.long_day(facts.due) if in_words else facts.style.day(facts.due)
    return Value(text, "due_date", facts.due.isoformat())


def supplier(facts: Facts) -> Value:
    return Value(facts.supplier.name, "supplier_name", facts.supplier.name)


def supplier_tax(facts: Facts) -> Value | None:
    if not facts.shows_tax_id:
        return None
    return Value(facts.supplier.tax_id, "supplier_tax_id", facts.supplier.tax_id)


def customer(facts: Facts) -> Value:
    return Value(facts.customer.name, "customer_name", facts.customer.name)


def terms(facts: Facts) -> Value | None:
    return None if facts.terms is None else Value(facts.terms, "payment_terms", facts.terms)


def money(facts: Facts, field: str, amount: Decimal) -> Value:
    return Value(facts.style.money(amount), field, plain(amount))


def sums(facts: Facts, words: Words) -> list[tuple[str, Piece]]:
    """(label, amount) from subtotal to total; a subtotal only where something is added to it."""
    rows: list[tuple[str, Piece]] = []
    if facts.tax is not None or facts.shipping is not None:
        rows.append((words["subtotal"], money(facts, "subtotal", facts.subtotal)))
    if facts.tax is not None:
        rate = facts.style.number(facts.tax_rate or Decimal(0), 2).rstrip("0").rstrip(".,")
        rows.append((f"{words['tax']} ({rate}%)", money(facts, "tax", facts.tax)))
    if facts.shipping is not None:
        rows.append((words["shipping"], facts.style.money(facts.shipping)))
    rows.append((words["total"], money(facts, "total", facts.total)))
    return rows


def cell(facts: Facts, item: Item, row: int, key: str) -> Piece:
    """One cell of the table; columns that are no fields give plain texts."""
    style = facts.style
    if key == "description":
        return Value(item.description, "item.description", item.description, row)
    if key == "quantity":
        return Value(style.quantity(item.quantity), "item.quantity", plain(item.quantity), row)
    if key == "unit_price":
        return Value(style.number(item.unit_price), "item.unit_price", plain(item.unit_price), row)
    if key == "amount":
        return Value(style.number(item.amount), "item.amount", plain(item.amount), row)
    return {"code": item.code, "unit": item.unit, "line": str(row + 1)}[key]
