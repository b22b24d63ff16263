"""Text as printed → one canonical spelling per type, or the sentence that says why not.

Dates become ISO 8601, numbers plain decimals ("-1234.5"; of a percentage the number before the
sign), checkboxes and signatures "true" or "false". The field's format settles what the text leaves
open ("03/04/2026", "1.234"); a text that can only be read one way is read that way, whatever the
format says, since one project may hold documents of several countries.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date

from ml_backend.extraction.fields import FieldSpec, FieldType

CHECKED_SIGNS = frozenset("☑☒✓✔✗✘✕✖■▣⬛\uf0fe\uf0fd\uf0fc\uf0fb\uf052\uf054\uf053\uf051")
UNCHECKED_SIGNS = frozenset("☐□▢◻⬜❏❑○\uf0a8\uf06f\uf071\uf072\uf0a3")

_TRUE_WORDS = frozenset(
    [
        "x",
        "v",
        "yes",
        "y",
        "true",
        "on",
        "checked",
        "selected",
        "sim",
        "s",
        "verdadeiro",
        "marcado",
        "selecionado",
        "1",
    ]
)
_FALSE_WORDS = frozenset(
    [
        "no",
        "n",
        "false",
        "off",
        "unchecked",
        "unselected",
        "nao",
        "falso",
        "desmarcado",
        "0",
        "none",
        "nenhum",
    ]
)
_MARK = re.compile(r"^[\[({]\s*(.?)\s*[\])}]$")

_CURRENCY = re.compile(
    r"(?:US|R|A|C|CA|AU|NZ|HK|MX|S)?\$|[€£¥₹₽₩₺₫₪₱¢]"
    r"|\b(?:USD|EUR|BRL|GBP|CAD|AUD|NZD|CHF|JPY|CNY|INR|MXN|ARS|CLP|COP|PEN|UYU|SEK|NOK|DKK|PLN|CZK|HUF|ZAR)\b",
    re.IGNORECASE,
)
_CREDIT = re.compile(r"(?<=[\d\s])(?:CR|C)$", re.IGNORECASE)
_DEBIT = re.compile(r"(?<=[\d\s])(?:DR|D|DB)$", re.IGNORECASE)
_DASHES = str.maketrans(dict.fromkeys("−–—‒﹣－‐‑", "-"))
_GROUP_BLANKS = re.compile(r"(?<=\d)[\s'’](?=\d{3}(?!\d))")
_NUMBER = re.compile(r"[\d.,]*\d[\d.,]*")

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january janeiro jan",
            "february fevereiro feb fev",
            "march marco mar",
            "april abril apr abr",
            "may maio mai",
            "june junho jun",
            "july julho jul",
            "august agosto aug ago",
            "september setembro sep sept set",
            "october outubro oct out",
            "november novembro nov",
            "december dezembro dec dez",
        ),
        start=1,
    )
    for name in names.split()
}
_WEEKDAYS = (
    "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
    "|segunda|terca|quarta|quinta|sexta|sabado|domingo|feira"
    "|mon|tues?|wed|thu(?:rs?)?|fri|sat|sun|seg|ter|qua|qui|sex|sab|dom"
)
_DATE_NOISE = re.compile(
    rf"\b(?:{_WEEKDAYS}|de|do|of|the|at|as|dia)\b"
    r"|(?:\bt|\s)\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?\s*(?:[ap]\.?m\.?|z|h|utc|gmt)?(?:[+-]\d{2}:?\d{2})?"
)
_TIME_AFTER_T = re.compile(r"(?<=\d)t(?=\d{1,2}:\d{2})")
_ORDINAL = re.compile(r"(?<=\d)(?:st|nd|rd|th|o|a)\b")
# Most numbers as they stand: nothing to clean, nothing that could group thousands.
_PLAIN_NUMBER = re.compile(r"[0-9]+(?:[.,][0-9]{1,2})?")
_DATE_PART = re.compile(r"\d+|[a-z]+")
_ORDERS = {"YMD", "MDY", "DMY"}


@dataclass(frozen=True)
class Normalised:
    """A canonical value, or None and the reason in one sentence."""

    value: str | None
    problem: str | None = None


def collapse(text: str) -> str:
    """`text` trimmed, every run of blanks one blank."""
    return " ".join(text.split())


def fold(text: str) -> str:
    """Lower case without accents; widths and ligatures in their plain form."""
    plain = unicodedata.normalize("NFKD", text)
    return "".join(c for c in plain if not unicodedata.combining(c)).lower()


def normalize(text: str, spec: FieldSpec) -> Normalised:
    """The canonical spelling of `text` for the field's type; never raises."""
    if spec.type is FieldType.CHECKBOX:
        return _checkbox(text)
    if spec.type is FieldType.SIGNATURE:
        return Normalised("true" if fold(text).strip() not in {"", "false"} else "false")
    if spec.type is FieldType.TABLE:
        return Normalised(None, "A table has rows and columns, not a value of its own.")
    clean = collapse(text)
    if not clean:
        return Normalised(None, "The text is empty.")
    if spec.type is FieldType.NUMBER:
        return _number(clean, spec.format)
    if spec.type is FieldType.DATE:
        return _date(clean, spec.format)
    return Normalised(clean)


def _checkbox(text: str) -> Normalised:
    word = fold(collapse(text))
    mark = _MARK.match(word)
    if mark:
        return Normalised("true" if mark.group(1) else "false")
    if any(c in CHECKED_SIGNS for c in text):
        return Normalised("true")
    if any(c in UNCHECKED_SIGNS for c in text):
        return Normalised("false")
    if not word:
        return Normalised("false")
    word = word.strip(" .:;!")
    if word in _TRUE_WORDS:
        return Normalised("true")
    if word in _FALSE_WORDS:
        return Normalised("false")
    return Normalised(None, f"{_shown(text)} is neither a tick nor an empty box, yes nor no.")


def _number(text: str, decimal: str | None) -> Normalised:
    if _PLAIN_NUMBER.fullmatch(text):
        return Normalised(_shortest(text.replace(",", ".")))
    body = unicodedata.normalize("NFKC", text).translate(_DASHES)
    body = _CURRENCY.sub(" ", body).strip()
    negative = False
    if body.startswith("(") and body.endswith(")"):
        negative, body = True, body[1:-1].strip()
    if _CREDIT.search(body):
        negative, body = True, _CREDIT.sub("", body).strip()
    body = _DEBIT.sub("", body).strip()
    body = body.removesuffix("%").strip()
    for sign in ("-", "+"):
        if body.startswith(sign) or body.endswith(sign):
            negative = negative or sign == "-"
            body = body.strip(sign).strip()
            break
    body = _GROUP_BLANKS.sub("", body)
    # A blank beside the sign is the reader's, not the printer's: "1,234 .56".
    body = re.sub(r"(?<=\d)\s+(?=[.,]\d)|(?<=\d[.,])\s+(?=\d)", "", body)
    body = body.rstrip(".,;:*").lstrip(":;*#=~ ")
    if not re.search(r"\d", body):
        return Normalised(None, f"{_shown(text)} holds no digit.")
    if not _NUMBER.fullmatch(body):
        found = len(_NUMBER.findall(body))
        why = "holds more than one number" if found > 1 else "holds more than a number"
        return Normalised(None, f"{_shown(text)} {why}.")
    plain = _plain_decimal(body, decimal)
    if plain is None:
        return Normalised(
            None, f"{_shown(text)}: the dots and commas do not group digits as a number does."
        )
    value = _shortest(plain)
    return Normalised(f"-{value}" if negative and value != "0" else value)


def _shortest(plain: str) -> str:
    """Without leading and trailing zeros; ``plain`` has digits and at most one dot."""
    whole, _, part = plain.partition(".")
    whole, part = whole.lstrip("0") or "0", part.rstrip("0")
    return f"{whole}.{part}" if part else whole


def _plain_decimal(body: str, decimal: str | None) -> str | None:
    """Digits with at most one dot; None where the signs make no number."""
    dots, commas = body.count("."), body.count(",")
    if dots and commas:
        point = "." if body.rfind(".") > body.rfind(",") else ","
        if body.count(point) > 1:
            return None
    elif dots + commas == 0:
        return body
    else:
        sign = "." if dots else ","
        head, _, tail = body.rpartition(sign)
        grouped = _groups(body, sign)
        if not grouped and dots + commas > 1:
            return None
        if not grouped:
            point = sign
        elif dots + commas > 1:
            point = "," if sign == "." else "."
        elif decimal is not None:
            point = decimal
        else:
            # "1.234" and "1,234" group thousands far more often than they have three decimals.
            point = "," if sign == "." else "."
        if point == sign:
            return f"{head or '0'}.{tail}"
        return body.replace(sign, "")
    other = "," if point == "." else "."
    head, _, tail = body.partition(point)
    if not _groups(head, other) or other in tail:
        return None
    return f"{head.replace(other, '') or '0'}.{tail}"


def _groups(body: str, sign: str) -> bool:
    """Whether `sign` groups thousands: 1–3 digits, then threes (or India's twos before a three)."""
    first, *rest = body.split(sign)
    return (
        bool(rest)
        and first.isdigit()
        and 1 <= len(first) <= 3
        and first != "0"
        and len(rest[-1]) == 3
        and all(len(part) in (2, 3) and part.isdigit() for part in rest)
    )


def _date(text: str, order: str | None) -> Normalised:
    order = order if order in _ORDERS else None
    body = fold(text).replace("º", "o").translate(_DASHES)
    body = _TIME_AFTER_T.sub(" ", body)
    body = _DATE_NOISE.sub(" ", _ORDINAL.sub("", body))
    body = re.sub(r"(?<=[a-z])(?=\d)|(?<=\d)(?=[a-z])", " ", body)
    parts = _DATE_PART.findall(body)
    if not any(part.isdigit() for part in parts):
        return Normalised(None, f"{_shown(text)} holds no date.")
    if len(parts) == 1 and len(parts[0]) == 8:
        return _from_eight(parts[0], order, text)
    months = [i for i, part in enumerate(parts) if _month(part)]
    words = [p for p in parts if not p.isdigit() and not _month(p)]
    if words:
        return Normalised(None, f"{_shown(text)} holds more than a date.")
    if len(months) > 1 or len(parts) > 3:
        return Normalised(None, f"{_shown(text)} holds more than one date.")
    if len(parts) < 3:
        return Normalised(None, f"{_shown(text)} lacks the day, the month or the year.")
    if months:
        month = _month(parts[months[0]])
        rest = [part for i, part in enumerate(parts) if i not in months]
        first_is_year = len(rest[0]) == 4 or (
            months[0] == 1 and order == "YMD" and len(rest[1]) <= 2 and int(rest[0]) > 31
        )
        year, day = (rest[0], rest[1]) if first_is_year else (rest[1], rest[0])
        return _checked(_year(year), month, int(day), text)
    return _numeric(parts, order, text)


def _numeric(parts: list[str], order: str | None, text: str) -> Normalised:
    a, b, c = parts
    if len(a) == 4:
        return _checked(int(a), int(b), int(c), text)
    if order == "YMD" and len(c) <= 2:
        return _checked(_year(a), int(b), int(c), text)
    if len(a) > 2 or len(b) > 2:
        return Normalised(None, f"{_shown(text)} is not a date's three parts.")
    year, first, second = _year(c), int(a), int(b)
    if first > 12 or second > 12 or first == second:
        day, month = (first, second) if first > 12 else (second, first)
        return _checked(year, month, day, text)
    if order is None or order == "YMD":
        return Normalised(
            None,
            f"{_shown(text)} can be read day or month first; set the field's format to DMY or MDY.",
        )
    day, month = (first, second) if order == "DMY" else (second, first)
    return _checked(year, month, day, text)


def _from_eight(digits: str, order: str | None, text: str) -> Normalised:
    if order == "DMY":
        return _checked(int(digits[4:]), int(digits[2:4]), int(digits[:2]), text)
    if order == "MDY":
        return _checked(int(digits[4:]), int(digits[:2]), int(digits[2:4]), text)
    return _checked(int(digits[:4]), int(digits[4:6]), int(digits[6:]), text)


def _month(word: str) -> int:
    """1..12, or 0 for a word that names no month."""
    if word.isdigit() or len(word) < 3:
        return 0
    return _MONTHS.get(word, 0)


def _year(digits: str) -> int:
    """Four digits as they are; two as POSIX reads them: 69–99 are 1969–1999."""
    year = int(digits)
    if len(digits) > 2:
        return year
    return year + (1900 if year >= 69 else 2000)


def _checked(year: int, month: int, day: int, text: str) -> Normalised:
    if not 1800 <= year <= 2199:
        return Normalised(None, f"{_shown(text)}: {year} is no year of a document.")
    try:
        return Normalised(date(year, month, day).isoformat())
    except ValueError:
        return Normalised(None, f"{_shown(text)} is not a day of the calendar.")


def _shown(text: str) -> str:
    """The text for a sentence: short, in quotes."""
    clean = collapse(text)
    return f"“{clean if len(clean) <= 40 else clean[:39] + '…'}”"
