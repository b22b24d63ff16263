"""How a document writes numbers, money, dates and tax numbers: by country, settled once per document."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from fieldloop.demo.generator.words import MONTHS

REGIONS = {"en": ("us", "eu"), "pt": ("br",)}
_DATES = {
    "us": ("{m:02d}/{d:02d}/{y}", "{Month} {d}, {y}", "{Mon} {d:02d}, {y}", "{y}-{m:02d}-{d:02d}"),
    "eu": ("{d:02d}/{m:02d}/{y}", "{d} {Month} {y}", "{d:02d}-{Mon}-{y}", "{y}-{m:02d}-{d:02d}"),
    "br": (
        "{d:02d}/{m:02d}/{y}",
        "{d} de {Month} de {y}",
        "{d:02d}.{m:02d}.{y}",
        "{d:02d}/{Mon}/{y}",
    ),
}
_LONG_DATES = {"us": "{Month} {d}, {y}", "eu": "{d} {Month} {y}", "br": "{d} de {Month} de {y}"}
# The sign, and whether a blank or nothing follows it; tables of the same document go without.
_CURRENCIES = {"us": ("$", "US$ ", "$ "), "eu": ("€", "€ ", "EUR "), "br": ("R$ ", "R$")}


@dataclass(frozen=True)
class Style:
    """``currency``: what stands before an amount, blank included; "" where amounts are printed bare."""

    language: str
    region: str
    currency: str
    dates: str

    def day(self, day: date) -> str:
        return self._written(day, self.dates)

    def long_day(self, day: date) -> str:
        """With the month's name, as sentences have it."""
        return self._written(day, _LONG_DATES[self.region])

    def _written(self, day: date, pattern: str) -> str:
        month = MONTHS[self.language][day.month - 1]
        return pattern.format(d=day.day, m=day.month, y=day.year, Month=month, Mon=month[:3])

    def number(self, value: Decimal, decimals: int = 2) -> str:
        text = f"{value:,.{decimals}f}"
        return text.translate(str.maketrans(",.", ".,")) if self.region == "br" else text

    def money(self, value: Decimal) -> str:
        return self.currency + self.number(value)

    def quantity(self, value: Decimal) -> str:
        return self.number(value, 0 if value == value.to_integral_value() else 1)


def make_style(rng: random.Random, language: str, *, euro_sign: bool = True) -> Style:
    """``euro_sign`` False: the fonts have none that all programs measure alike, so EUR is written out."""
    region = rng.choice(REGIONS[language])
    currency = rng.choice((*_CURRENCIES[region], ""))
    if "€" in currency and not euro_sign:
        currency = "EUR "
    return Style(language, region, currency, rng.choice(_DATES[region]))


def tax_number(rng: random.Random, region: str) -> str:
    """A number of the right shape; a CNPJ has valid check digits."""
    if region == "us":
        return f"{rng.randrange(10, 99)}-{rng.randrange(10**6, 10**7)}"
    if region == "eu":
        country, digits = rng.choice((("DE", 9), ("NL", 9), ("IE", 7), ("GB", 9)))
        number = "".join(str(rng.randrange(10)) for _ in range(digits))
        return f"{country}{number}" + {"NL": f"B{rng.randrange(1, 99):02d}", "IE": "K"}.get(
            country, ""
        )
    digits12 = [rng.randrange(10) for _ in range(8)] + [0, 0, 0, rng.randrange(1, 4)]
    for weights in ((5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2), (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)):
        rest = sum(w * d for w, d in zip(weights, digits12, strict=True)) % 11
        digits12.append(0 if rest < 2 else 11 - rest)
    text = "".join(map(str, digits12))
    return f"{text[:2]}.{text[2:5]}.{text[5:8]}/{text[8:12]}-{text[12:]}"
