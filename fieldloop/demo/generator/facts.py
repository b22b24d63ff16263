"""The contents of a sample document: who, what, when, how much. No layout yet."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

from fieldloop.demo.generator import words
from fieldloop.demo.generator.style import Style, make_style, tax_number

INVOICE, ORDER, CONTRACT = "invoice", "order", "contract"
_CENT = Decimal("0.01")


@dataclass(frozen=True)
class Party:
    """``address``: street, then town."""

    name: str
    address: tuple[str, str]
    tax_id: str
    phone: str
    email: str
    person: str


@dataclass(frozen=True)
class Item:
    code: str
    description: str
    unit: str
    quantity: Decimal
    unit_price: Decimal

    @property
    def amount(self) -> Decimal:
        return _cents(self.quantity * self.unit_price)


@dataclass(frozen=True)
class Facts:
    """What the document says. None: it does not say it.

    ``reference``, ``reference_date``, ``third_date`` and ``notes`` are there to mislead: numbers, dates and
    amounts of the right kind that are none of the fields.
    """

    kind: str
    style: Style
    number: str
    issued: date
    due: date | None
    reference: str
    reference_date: date
    third_date: date
    supplier: Party
    customer: Party
    shows_tax_id: bool
    items: tuple[Item, ...]
    tax_rate: Decimal | None
    shipping: Decimal | None
    terms: str | None
    tax_included: bool | None
    signed: bool
    notes: tuple[str, ...]

    @property
    def language(self) -> str:
        return self.style.language

    @property
    def subtotal(self) -> Decimal:
        return sum((item.amount for item in self.items), Decimal(0))

    @property
    def tax(self) -> Decimal | None:
        if self.tax_rate is None:
            return None
        return _cents(self.subtotal * self.tax_rate / 100)

    @property
    def total(self) -> Decimal:
        return self.subtotal + (self.tax or 0) + (self.shipping or 0)


def make_facts(
    rng: random.Random,
    kind: str,
    language: str,
    item_range: tuple[int, int],
    *,
    signed_share: float,
    euro_sign: bool,
) -> Facts:
    """Random contents; ``item_range``: fewest and most rows of the table."""
    style = make_style(rng, language, euro_sign=euro_sign)
    issued = date(2024, 1, 3) + timedelta(days=rng.randrange(900))
    reference_date = issued - timedelta(days=rng.randrange(3, 40))
    supplier, customer = _party(rng, style), _party(rng, style)
    has_due = rng.random() < {INVOICE: 0.9, ORDER: 0.4, CONTRACT: 0.5}[kind]
    reference = _number(rng, ORDER if kind == INVOICE else INVOICE, reference_date)
    phone, lost = customer.phone, _cents(Decimal(rng.randrange(2000, 90000)) / 7)
    notes = tuple(
        note.format(
            order=reference,
            date=style.day(reference_date - timedelta(days=5)),
            amount=style.money(lost),
            phone=phone,
        )
        for note in rng.sample(words.NOTES[language], rng.randrange(0, 3))
    )
    return Facts(
        kind=kind,
        style=style,
        number=_number(rng, kind, issued),
        issued=issued,
        due=issued + timedelta(days=rng.choice((7, 14, 15, 28, 30, 45, 60))) if has_due else None,
        reference=reference,
        reference_date=reference_date,
        third_date=issued + timedelta(days=rng.randrange(1, 12)),
        supplier=supplier,
        customer=customer,
        shows_tax_id=rng.random() < 0.85,
        items=_items(rng, kind, language, rng.randint(*item_range)),
        tax_rate=None if rng.random() < 0.15 else Decimal(rng.choice(_RATES[style.region])),
        shipping=_cents(Decimal(rng.randrange(900, 9000)) / 100) if rng.random() < 0.25 else None,
        terms=rng.choice(words.TERMS[language]) if rng.random() < 0.7 else None,
        tax_included=rng.random() < 0.5 if rng.random() < 0.75 else None,
        signed=rng.random() < signed_share,
        notes=notes,
    )


# In cents; the last ones are there for amounts with a thousands sign.
_PRICES = ((90, 2000), (500, 9000), (2000, 30000), (100000, 250000))
_RATES = {"us": ("6.5", "8.25", "4"), "eu": ("19", "21", "23"), "br": ("12", "17", "5")}


def _cents(value: Decimal) -> Decimal:
    return value.quantize(_CENT, rounding=ROUND_HALF_UP)


def _number(rng: random.Random, kind: str, day: date) -> str:
    prefixes: dict[str, Sequence[str]] = {
        INVOICE: ("INV-", "F", "", "FT/"),
        ORDER: ("PO-", "OC", "", "P"),
        CONTRACT: ("CT-", "C", "AG/", ""),
    }
    prefix = rng.choice(prefixes[kind])
    serial = rng.randrange(100, 99999)
    return rng.choice(
        (
            f"{prefix}{day.year}-{serial:05d}",
            f"{prefix}{serial:06d}",
            f"{prefix}{serial}/{day.year % 100}",
        )
    )


def _party(rng: random.Random, style: Style) -> Party:
    language, region = style.language, style.region
    core, trade = (
        rng.choice(words.COMPANY_CORES[language]),
        rng.choice(words.COMPANY_TRADES[language]),
    )
    form = rng.choice(words.COMPANY_FORMS[region])
    middle = rng.choice(words.COMPANY_TAILS[language]) if rng.random() < 0.15 else ""
    name = " ".join(part for part in (core, trade, middle, form) if part)
    street, house = rng.choice(words.STREETS[language]), rng.randrange(2, 1900)
    city, area, code = rng.choice(words.CITIES[region])
    person = f"{rng.choice(words.FIRST_NAMES[language])} {rng.choice(words.LAST_NAMES[language])}"
    if region == "br":
        address = (
            f"{street}, {house}",
            f"{city} - {area} CEP {code:02d}{rng.randrange(999):03d}-{rng.randrange(999):03d}",
        )
        phone = f"({rng.randrange(11, 99)}) {rng.randrange(3000, 5999)}-{rng.randrange(10000):04d}"
    elif region == "us":
        address = (f"{house} {street}", f"{city}, {area} {code:02d}{rng.randrange(999):03d}")
        phone = f"({rng.randrange(201, 989)}) 555-{rng.randrange(10000):04d}"
    else:
        address = (f"{house} {street}", f"{rng.randrange(10000, 99999)} {city}, {area}")
        phone = f"+{rng.choice((31, 44, 49, 353))} {rng.randrange(20, 99)} {rng.randrange(100000, 999999)}"
    domain = core.lower().replace(" ", "").translate(str.maketrans("áàâãéêíóôõúç", "aaaaeeiooouc"))
    return Party(name, address, tax_number(rng, region), phone, f"info@{domain}.example", person)


def _items(rng: random.Random, kind: str, language: str, count: int) -> tuple[Item, ...]:
    source = words.SERVICES if kind == CONTRACT else words.GOODS
    items = []
    for _ in range(count):
        description = rng.choice(source[language])
        if kind != CONTRACT and rng.random() < 0.12:
            description += ", " + rng.choice(words.GOODS_DETAILS[language])
        halves = kind == CONTRACT or rng.random() < 0.1
        quantity = Decimal(rng.randrange(1, 60)) / (2 if halves else 1)
        low, high = rng.choices(_PRICES, (4, 4, 4, 1))[0]
        price = Decimal(rng.randrange(low, high)) / 100
        code = f"{rng.choice('ABKMRTX')}{rng.randrange(100, 9999)}"
        items.append(Item(code, description, rng.choice(words.UNITS[language]), quantity, price))
    return tuple(items)
