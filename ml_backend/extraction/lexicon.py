"""What can be said of a word by itself, computed once per distinct word and kept.

A page has about five hundred words, most of them seen before; so everything that needs a regular expression happens
here, behind a dictionary, and the rest of the engine works on integer columns.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise
from threading import Lock

import numpy as np
from numpy.typing import NDArray

LONGEST_WORD = 64
"""Characters of a word the features look at; a longer one is kept whole in values."""


class Ending(IntEnum):
    """The mark a word ends with, where that tells how the line goes on."""

    PLAIN = 0
    COLON = 1
    OPEN = 2  # a comma, a dash or the like


class Kind(IntEnum):
    PUNCTUATION = 0
    LOWER = 1
    CAPITALISED = 2
    UPPER = 3
    MIXED = 4  # letters and digits
    DATE = 5
    MONEY = 6  # two decimals, thousands or a currency sign
    SHORT_INTEGER = 7
    INTEGER = 8  # four digits
    LONG_INTEGER = 9  # five and more
    CODE = 10  # digits joined by -, / or .
    TIME = 11
    PERCENT = 12
    ADDRESS = 13  # e-mail or web address
    MONTH = 14
    DATE_PART = 15  # a word of "12 March 2020"


MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january janeiro",
            "feb february fev fevereiro",
            "mar march março marco",
            "apr april abr abril",
            "may mai maio",
            "jun june junho",
            "jul july julho",
            "aug august ago agosto",
            "sep sept september set setembro",
            "oct october out outubro",
            "nov november novembro",
            "dec december dez dezembro",
        ),
        start=1,
    )
    for name in names.split()
}

_MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
_DATE = re.compile(r"(\d{1,2})[/.\-](\d{1,2})[/.\-](\d{4}|\d{2})")
_ISO_DATE = re.compile(r"(\d{4})[/.\-](\d{1,2})[/.\-](\d{1,2})")
_NAMED_DATE = re.compile(
    rf"(\d{{1,2}})[/.\- ]?({_MONTH})[/.\- ]?,?(\d{{4}}|\d{{2}})", re.IGNORECASE
)
_MONTH_FIRST = re.compile(
    rf"({_MONTH})[/.\- ]?(\d{{1,2}})[/,.\- ]+(\d{{4}}|\d{{2}})", re.IGNORECASE
)
_MONEY = re.compile(
    r"[(\-+]?(?:[A-Z]{0,3}[$€£])?[(\-+]?"
    r"(\d{1,3}(?:,\d{3})+(?:\.\d{1,2})?|\d{1,3}(?:\.\d{3})+(?:,\d{1,2})?|\d*[.,]\d{2}|\d+(?=$))"
    r"\)?-?"
)
_TIME = re.compile(r"\d{1,2}:\d{2}(:\d{2})?([apAP]\.?[mM]?\.?)?")
_CODE = re.compile(r"\d+(?:[\-/.]\d+)+")
_ADDRESS = re.compile(r"\S+@\S+\.\w+|(https?://|www\.)\S+", re.IGNORECASE)
_RANGE = re.compile(
    r"(\d{1,4}[/.]\d{1,2}(?:[/.]\d{2,4})?)[\-–—](\d{1,4}[/.]\d{1,2}(?:[/.]\d{2,4})?)"
)
_GLUED = re.compile(
    r"(?<=[^\W\d_]{2})(?:\(\w*\d\w*\)?|\d{1,2}[/.\-]\d{1,2}[/.\-](?:\d{4}|\d{2}))[.,;]?$"
)
"""A number in brackets, or a whole date, printed straight after a word."""
_TRIM = ".,;:!?'\"()[]{}*#"


@lru_cache(maxsize=200_000)
def pieces(text: str) -> tuple[tuple[int, int], ...]:
    """Cut points of words glued together on paper: "02/11/20-02/12/20", "Flight:02/11/20",
    "Mills(1204)", "Mills02/11/20".

    Nothing for a blank word.
    """
    if not text or text.isspace():
        return ()
    if len(text) > LONGEST_WORD:
        return ((0, len(text)),)
    cuts = [0]
    colon = text.find(":")
    if 1 < colon < len(text) - 1 and text[colon - 1].isalpha() and not _ADDRESS.match(text):
        cuts.append(colon + 1)
    match = _RANGE.fullmatch(text, cuts[-1])
    if match:
        cuts += [match.end(1), match.start(2)]
    elif match := _GLUED.search(text, cuts[-1]):
        cuts.append(match.start())
    cuts.append(len(text))
    return tuple(pairwise(cuts))


def hash_text(text: str) -> int:
    return int.from_bytes(
        blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little"
    )


def parse_money(text: str) -> float:
    """The amount, or NaN."""
    text = text.strip(".,:;*")
    match = _MONEY.fullmatch(text)
    if not match:
        return math.nan
    digits = match[1]
    if not any(mark in text for mark in "$€£.,"):
        return math.nan
    comma, dot = digits.rfind(","), digits.rfind(".")
    point = max(comma, dot)
    if point >= 0 and len(digits) - point - 1 in (1, 2):
        number = float(re.sub(r"[.,]", "", digits[:point]) + "." + digits[point + 1 :])
    else:
        number = float(re.sub(r"[.,]", "", digits))
    return -number if "(" in text or "-" in text else number


def _ordinal(year: int, month: int, day: int) -> float:
    if year < 100:
        year += 2000 if year < 70 else 1900
    try:
        return float(datetime.date(year, month, day).toordinal())
    except ValueError:
        return math.nan


def parse_date(text: str) -> tuple[float, float]:
    """Ordinal day read month first, and read day first; NaN where that reading is impossible."""
    text = text.strip(_TRIM + "-–")
    if match := _ISO_DATE.fullmatch(text):
        day = _ordinal(int(match[1]), int(match[2]), int(match[3]))
        return day, day
    if match := _DATE.fullmatch(text):
        first, second, year = int(match[1]), int(match[2]), int(match[3])
        return _ordinal(year, first, second), _ordinal(year, second, first)
    if match := _NAMED_DATE.fullmatch(text):
        day = _ordinal(int(match[3]), MONTHS[match[2].lower()], int(match[1]))
        return day, day
    if match := _MONTH_FIRST.fullmatch(text):
        day = _ordinal(int(match[3]), MONTHS[match[1].lower()], int(match[2]))
        return day, day
    return math.nan, math.nan


def kind_of(text: str) -> Kind:
    core = text.strip(_TRIM)
    if not core:
        return Kind.PUNCTUATION
    if core[0].isdigit() or text[0] in "$€£(-+" or "$" in text:
        if not all(math.isnan(day) for day in parse_date(text)):
            return Kind.DATE
        if not math.isnan(parse_money(text)):
            return Kind.MONEY
        if core.isdigit():
            return (
                Kind.SHORT_INTEGER
                if len(core) < 4
                else Kind.INTEGER
                if len(core) == 4
                else Kind.LONG_INTEGER
            )
        if _TIME.fullmatch(core):
            return Kind.TIME
        if core.endswith("%"):
            return Kind.PERCENT
        if _CODE.fullmatch(core):
            return Kind.CODE
    if core.lower() in MONTHS:
        return Kind.MONTH
    if not math.isnan(parse_date(text)[0]):
        return Kind.DATE
    if _ADDRESS.fullmatch(core):
        return Kind.ADDRESS
    letters = any(c.isalpha() for c in core)
    if any(c.isdigit() for c in core):
        return Kind.MIXED if letters else Kind.CODE
    if not letters:
        return Kind.PUNCTUATION
    if core.islower():
        return Kind.LOWER
    return Kind.UPPER if core.isupper() and len(core) > 1 else Kind.CAPITALISED


def shape_of(text: str) -> str:
    marks = "".join(
        "0" if c.isdigit() else "X" if c.isupper() else "x" if c.isalpha() else c for c in text[:24]
    )
    return re.sub(r"(X|x)\1{2,}", r"\1\1", marks)


_NUMBER_RUN = re.compile(r"\d")
_SQUEEZE = re.compile(r"[\W_]+")


def normal_form(text: str) -> str:
    """Lower case, digits as 0, no outer punctuation: what a label word is compared by."""
    lowered = text[:LONGEST_WORD].lower()
    return _NUMBER_RUN.sub("0", lowered.strip(_TRIM) or lowered)


def squeeze(text: str) -> str:
    """Letters and digits alone, lower case: equal for two copies of one value."""
    return _SQUEEZE.sub("", text.lower())


MOST_WORDS = 200_000
"""Distinct words kept, about 80 MB of them. Then the memory starts anew."""
_FIRST_ROOM = 1_000


@dataclass(frozen=True, slots=True)
class Looks:
    """What can be said of n words. `hashes` (5, n): normal form, shape, beginning, ending, letters and digits alone;
    `traits` (4, n): kind, length, `Ending`, letters + 2 × digits; `values` (n, 3): amount, day
    read month first, day read day first, NaN for none."""

    hashes: NDArray[np.uint64]
    traits: NDArray[np.int64]
    values: NDArray[np.float64]

    def of(self, rows: NDArray[np.intp]) -> Looks:
        """A copy of those of some words."""
        return Looks(self.hashes[:, rows], self.traits[:, rows], self.values[rows])

    def put(self, first: int, other: Looks) -> None:
        """Write those of other words over the ones from `first` on."""
        last = first + len(other.values)
        self.hashes[:, first:last] = other.hashes
        self.traits[:, first:last] = other.traits
        self.values[first:last] = other.values


class Lexicon:
    """Remembers what was said of distinct words. Only a memory: what it gives away is copied, so it may forget."""

    def __init__(self, most: int = MOST_WORDS) -> None:
        self._most = most
        self._lock = Lock()
        self._index: dict[str, int] = {}
        self._looks = _blank(_FIRST_ROOM)

    def __len__(self) -> int:
        return len(self._index)

    def look(self, texts: Sequence[str]) -> Looks:
        """What can be said of each of the words, in order."""
        with self._lock:
            if len(self._index) > self._most:
                self._index, self._looks = {}, _blank(_FIRST_ROOM)
            found = [self._index.get(text, -1) for text in texts]
            if -1 in found:
                self._learn([t for t, row in zip(texts, found, strict=True) if row < 0])
                found = [self._index[text] for text in texts]
            return self._looks.of(np.asarray(found, dtype=np.intp))

    def _learn(self, texts: Sequence[str]) -> None:
        new = list(dict.fromkeys(texts))
        first = len(self._index)
        looks = _looks_at(new)
        room = len(self._looks.values)
        if first + len(new) > room:
            # Twice the room each time, so that a new word does not cost a copy of all others.
            larger = _blank(max(2 * room, first + len(new)))
            larger.put(0, self._looks)
            self._looks = larger
        self._looks.put(first, looks)
        self._index.update(zip(new, range(first, first + len(new)), strict=True))


def _blank(room: int) -> Looks:
    return Looks(
        np.zeros((5, room), dtype=np.uint64),
        np.zeros((4, room), dtype=np.int64),
        np.zeros((room, 3)),
    )


def _looks_at(texts: Sequence[str]) -> Looks:
    """Looked at anew."""
    seen = [text[:LONGEST_WORD] for text in texts]
    norms = [normal_form(text) for text in seen]
    kinds = [kind_of(text) for text in seen]
    hashes = [
        (
            hash_text(norm),
            hash_text(shape_of(text)),
            hash_text("p" + norm[:3]),
            hash_text("s" + norm[-3:]),
            hash_text(squeeze(text)),
        )
        for text, norm in zip(seen, norms, strict=True)
    ]
    traits = [
        (int(kind), min(len(whole), 15), _ending(whole, text), _letters(text) + 2 * _digits(text))
        for whole, text, kind in zip(texts, seen, kinds, strict=True)
    ]
    values = [
        (
            parse_money(text) if kind == Kind.MONEY else math.nan,
            *(parse_date(text) if kind == Kind.DATE else (math.nan, math.nan)),
        )
        for text, kind in zip(seen, kinds, strict=True)
    ]
    return Looks(
        np.asarray(hashes, dtype=np.uint64).reshape(-1, 5).T.copy(),
        np.asarray(traits, dtype=np.int64).reshape(-1, 4).T.copy(),
        np.asarray(values, dtype=np.float64).reshape(-1, 3),
    )


def _ending(whole: str, seen: str) -> int:
    if seen.endswith(":"):
        return Ending.COLON
    return Ending.OPEN if whole[-1:] in ",-–/&" else Ending.PLAIN


def _letters(text: str) -> bool:
    return any(c.isalpha() for c in text)


def _digits(text: str) -> bool:
    return any(c.isdigit() for c in text)


SHARED = Lexicon()
"""The process's memory of words: sharing it cannot change any result."""
