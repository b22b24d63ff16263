"""Field types from labelled texts, for labels that come without a schema."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ml_backend.extraction.fields import FieldSpec, FieldType, split_column
from ml_backend.extraction.lexicon import Kind, kind_of
from ml_backend.extraction.normalize import normalize

MOST = 0.7
"""Share of the texts that have to look alike."""


def guess_specs(labelled: Iterable[tuple[str, str]]) -> tuple[FieldSpec, ...]:
    """Specifications for (field, text) pairs, by name; "table.column" becomes a column of a table."""
    texts: dict[str, list[str]] = {}
    for name, text in labelled:
        texts.setdefault(name, []).append(text)
    plain: list[FieldSpec] = []
    columns: dict[str, list[FieldSpec]] = {}
    for name in sorted(texts):
        table, column = split_column(name)
        kind = guess_type(texts[name])
        if column is None:
            plain.append(FieldSpec(table, kind))
        else:
            columns.setdefault(table, []).append(FieldSpec(column, kind))
    tables = [FieldSpec(t, FieldType.TABLE, columns=tuple(c)) for t, c in columns.items()]
    return tuple(sorted([*plain, *tables], key=lambda spec: spec.name))


def guess_type(texts: Sequence[str]) -> FieldType:
    """Date, number, identifier or text, by what most of the texts look like."""
    tests: Mapping[FieldType, Sequence[bool]] = {
        FieldType.DATE: [_is_date(text) for text in texts],
        FieldType.NUMBER: [_is_amount(text) for text in texts],
        FieldType.IDENTIFIER: [_is_identifier(text) for text in texts],
    }
    for kind, passed in tests.items():
        if passed and sum(passed) >= MOST * len(passed):
            return kind
    return FieldType.TEXT


def _is_date(text: str) -> bool:
    """A date in whichever order of its parts makes sense; the order is another question."""
    return any(
        normalize(text.strip(" -–:"), FieldSpec("", FieldType.DATE, format=order)).value
        for order in ("MDY", "DMY", "YMD")
    )


def _is_amount(text: str) -> bool:
    """A number with decimals, separators, a currency or a percent sign: not a mere code of digits."""
    words = text.split()
    if (
        not words
        or len(words) > 2
        or normalize(text, FieldSpec("", FieldType.NUMBER)).value is None
    ):
        return False
    return any(kind_of(w) in (Kind.MONEY, Kind.PERCENT) for w in words) or len(text.strip()) <= 3


def _is_identifier(text: str) -> bool:
    words = text.split()
    return len(words) == 1 and any(c.isdigit() for c in text)
