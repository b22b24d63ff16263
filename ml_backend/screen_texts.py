"""What reviewers read in Label Studio, in English and Brazilian Portuguese. Pure.

The record and every result keep the names of fields and choices; Label Studio shows a text instead of a name
where one is given and writes the name into the result (its ``alias``). So a project may be read in either
language, and changing it changes no annotation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from db.projects import FieldRow
from ml_backend.extraction.fields import FieldSpec

LANGUAGES = ("en", "pt")
DEFAULT_LANGUAGE = "en"


@dataclass(frozen=True)
class Texts:
    """One language. ``statuses``: name in results → text shown."""

    fields: str
    status: str
    statuses: Mapping[str, str]
    absent: str
    notes: str
    how_to: str
    not_found: str
    look_twice: str
    page: str
    more: str
    steps: str
    no_text: str
    turn_on: str
    switches: str


TEXTS: Mapping[str, Texts] = {
    "en": Texts(
        fields="Fields",
        status="Status",
        statuses={
            "OK": "OK",
            "Second look": "Second look",
            "Wrong type": "Wrong type",
            "Unreadable": "Unreadable",
        },
        absent="Not in this document",
        notes="Notes",
        how_to="How to label",
        not_found="Not found, but required",
        look_twice="Look twice",
        page="page",
        more="and {count} more",
        steps="Pick a label, draw a box around the value: its text appears. Correct text in the list of regions. "
        "Ctrl+Enter submits.",
        no_text="No text appears?",
        turn_on="Turn it on",
        switches="Turn on Auto-Annotation and Auto-Accept Suggestions below the page, and draw with the pink tool (R).",
    ),
    "pt": Texts(
        fields="Campos",
        status="Situação",
        statuses={
            "OK": "OK",
            "Second look": "Rever",
            "Wrong type": "Tipo errado",
            "Unreadable": "Ilegível",
        },
        absent="Não consta neste documento",
        notes="Observações",
        how_to="Como anotar",
        not_found="Não encontrados, mas obrigatórios",
        look_twice="Confira de novo",
        page="página",
        more="e mais {count}",
        steps="Escolha um campo e desenhe uma caixa em volta do valor: o texto aparece. Corrija o texto na lista de "
        "regiões. Ctrl+Enter envia.",
        no_text="O texto não aparece?",
        turn_on="Ligue aqui",
        switches="Ligue Auto-Annotation e Auto-Accept Suggestions abaixo da página e desenhe com a ferramenta rosa (R).",
    ),
}


def texts_of(language: object) -> Texts:
    """The texts of a language; English for one we do not have."""
    return TEXTS.get(str(language), TEXTS[DEFAULT_LANGUAGE])


def shown_rows(rows: Sequence[FieldRow], language: str) -> dict[str, str]:
    """Name → text shown, of every label; a table itself is no label, its columns are."""
    labels = {row.name: _label(row.label_en, row.label_pt, language) for row in rows}
    tables = {row.name.partition(".")[0] for row in rows if "." in row.name}
    return _distinct({name: _joined(name, labels) for name in labels if name not in tables})


def shown_specs(specs: Sequence[FieldSpec], language: str) -> dict[str, str]:
    """The same, of the schema as extraction has it."""
    labels: dict[str, str] = {}
    tables: set[str] = set()
    for spec in specs:
        labels[spec.name] = _label(spec.label_en or spec.name, spec.label_pt, language)
        for column in spec.columns:
            tables.add(spec.name)
            text = _label(column.label_en or column.name, column.label_pt, language)
            labels[f"{spec.name}.{column.name}"] = text
    return _distinct({name: _joined(name, labels) for name in labels if name not in tables})


def _label(english: str, portuguese: str | None, language: str) -> str:
    return (portuguese if language == "pt" else english) or english


def _joined(name: str, labels: Mapping[str, str]) -> str:
    table, dot, _ = name.partition(".")
    return f"{labels.get(table, table)}: {labels[name]}" if dot else labels[name]


def _distinct(shown: Mapping[str, str]) -> dict[str, str]:
    """Two fields must not look the same: Label Studio would not tell them apart either."""
    counts = Counter(shown.values())
    return {name: text if counts[text] == 1 else f"{text} ({name})" for name, text in shown.items()}
