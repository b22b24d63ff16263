"""The words of the console: one catalogue per language, and how numbers and times read in it. Pure but for its files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from flask import Request

from ml_backend.console.sentences import portuguese
from ml_backend.extraction.fields import split_column

LANGUAGES = ("en", "pt-BR")
COOKIE = "fieldloop_lang"
_FOLDER = Path(__file__).parent / "strings"


@dataclass(frozen=True)
class Language:
    """One language of the console. What its catalogue lacks reads as in English."""

    code: str
    words: Mapping[str, Any]

    def __call__(self, key: str, /, **values: object) -> str:
        """The sentence of this key; ``n`` chooses between one and several."""
        found = self.words.get(key)
        if isinstance(found, dict):
            found = found["one" if values.get("n") == 1 else "other"]
        return str(found).format(**values) if found is not None else key

    def reason(self, code: str | None, message: str | None) -> str:
        """An error for people: in their language where the catalogue knows its code."""
        known = self.words.get(f"problem.{code}")
        return str(known or message or code or "")

    def label(self, names: Mapping[str, tuple[str, str]], field: str) -> str:
        """The label of a field; ``names``: name → (English, Portuguese)."""
        english, portuguese = names.get(field, ("", ""))
        own = portuguese if self.code == "pt-BR" else english
        return own or english or portuguese or field

    def full_label(self, names: Mapping[str, tuple[str, str]], field: str) -> str:
        """The label of a field, of a table's column with that of the table: "Items · Amount"."""
        table, column = split_column(field)
        own = self.label(names, field)
        return own if column is None else f"{self.label(names, table)} · {own}"

    def said(self, sentence: str) -> str:
        """A sentence of the record: why a run, a verdict, a model."""
        return portuguese(sentence) if self.code == "pt-BR" else sentence

    def number(self, value: float, digits: int = 0) -> str:
        text = f"{value:,.{digits}f}"
        return text.translate(str.maketrans(",.", ".,")) if self.code == "pt-BR" else text

    def percent(self, value: float | None) -> str:
        """Whole percents; but less than all is never 100%, and more than nothing never 0%."""
        if value is None:
            return "–"
        percents = 100 * value
        if 0 < value < 1 and round(percents) in (0, 100):
            return f"{self.number(min(max(percents, 0.1), 99.9), 1)}%"
        return f"{self.number(percents)}%"

    def size(self, size: int) -> str:
        """A number of bytes for people."""
        for unit, step in (("GB", 1024**3), ("MB", 1024**2), ("KB", 1024)):
            if size >= step:
                exact = size % step == 0 or size >= 100 * step
                return f"{self.number(size / step, 0 if exact else 1)} {unit}"
        return f"{size} B"

    def duration(self, seconds: float | None) -> str:
        if seconds is None:
            return "–"
        if seconds < 90:
            return f"{self.number(seconds, 1 if seconds < 10 else 0)} s"
        minutes, rest = divmod(round(seconds), 60)
        return (
            f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
        )

    def moment(self, value: datetime | None) -> str:
        """A time in UTC; the browser's script shows it in the reader's own zone."""
        if value is None:
            return "–"
        order = "%d/%m/%Y %H:%M" if self.code == "pt-BR" else "%Y-%m-%d %H:%M"
        return f"{value.astimezone(UTC):{order}} UTC"


@cache
def language(code: str) -> Language:
    """The language of this code, English for one we do not speak."""
    known = code if code in LANGUAGES else LANGUAGES[0]
    words = json.loads((_FOLDER / f"{LANGUAGES[0]}.json").read_text(encoding="utf-8"))
    if known != LANGUAGES[0]:
        words |= json.loads((_FOLDER / f"{known}.json").read_text(encoding="utf-8"))
    return Language(known, words)


def language_of(request: Request) -> Language:
    """The language asked for by the link, chosen before, or named by the browser."""
    for given in (request.args.get("lang"), request.cookies.get(COOKIE)):
        if given in LANGUAGES:
            return language(given)
    for given, _ in request.accept_languages:
        if given.lower().split("-")[0] == "pt":
            return language("pt-BR")
        if given.lower().split("-")[0] == "en":
            return language("en")
    return language(LANGUAGES[0])
