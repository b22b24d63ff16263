"""The data of a Label Studio task. Pure.

Warnings are Markdown, help is HTML: whatever comes from a document or its name is escaped, since Label Studio
keeps ``<style>`` and links in both.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ml_backend.extraction.fields import FieldSpec
from ml_backend.field_specs import names_of

MOST_WARNINGS = 5
_UNSURE = 0.8


@dataclass(frozen=True)
class Shown:
    """What a task shows beside its regions."""

    document_id: UUID
    version_id: UUID
    name: str
    version: int
    page_urls: Sequence[str]
    warnings: Sequence[Mapping[str, Any]]
    schema_version: int
    specs: Sequence[FieldSpec]
    switches: str | None = None
    """Path of the page that turns the reviewer's switches on, in Label Studio."""


def task_data(shown: Shown, confidences: Mapping[str, float]) -> dict[str, Any]:
    """The ``data`` of a task; ``confidences``: field → lowest confidence of its values, of those found."""
    return {
        "pages": list(shown.page_urls),
        "name": shown.name,
        "warnings": _warnings(shown, confidences),
        "look": "",
        "help": _help(shown.specs, shown.switches),
        "absent_options": [{"value": name} for name in names_of(shown.specs)],
        "fieldloop": {
            "document_id": str(shown.document_id),
            "document_version_id": str(shown.version_id),
            "name": shown.name,
            "version": shown.version,
            "schema_version": shown.schema_version,
        },
    }


def _warnings(shown: Shown, confidences: Mapping[str, float]) -> str:
    lines = [f"**{_markdown(shown.name)}**"]
    missing = [
        spec.name
        for spec in shown.specs
        if spec.required and not any(_belongs(name, spec.name) for name in confidences)
    ]
    if missing:
        lines.append("- Not found, but required: " + ", ".join(_markdown(n) for n in missing))
    unsure = sorted(name for name, value in confidences.items() if value < _UNSURE)
    if unsure:
        lines.append("- Look twice: " + ", ".join(_markdown(n) for n in unsure))
    for warning in shown.warnings[:MOST_WARNINGS]:
        page = warning.get("page")
        where = f"page {page + 1}: " if isinstance(page, int) else ""
        lines.append(f"- {where}{_markdown(str(warning.get('message', '')))}")
    if len(shown.warnings) > MOST_WARNINGS:
        lines.append(f"- and {len(shown.warnings) - MOST_WARNINGS} more")
    return "\n".join(lines)


def _belongs(name: str, field: str) -> bool:
    return name == field or name.startswith(f"{field}.")


def _markdown(text: str) -> str:
    escaped = html.escape(text)
    return "".join(f"\\{c}" if c in "\\`*_{}[]()#+!|~" else c for c in escaped)


def _help(specs: Sequence[FieldSpec], switches: str | None) -> str:
    """How to label, in English and Portuguese, and what each label means."""
    rows = []
    for spec in specs:
        label = spec.label_en or spec.name
        if spec.label_pt:
            label += f" / {spec.label_pt}"
        rows.append(f"<li><b>{html.escape(spec.name)}</b>: {html.escape(label)}</li>")
    return (
        "<p>Pick a label, draw a box around the value: its text appears. Correct text in the list of regions. "
        "Ctrl+Enter submits.</p>"
        "<p>Escolha um campo e desenhe uma caixa em volta do valor: o texto aparece. Corrija o texto na lista "
        "de regiões. Ctrl+Enter envia.</p>" + _switches(switches) + f"<ul>{''.join(rows)}</ul>"
    )


def _switches(path: str | None) -> str:
    if path is None:
        return (
            "<p>No text appears? Turn on Auto-Annotation and Auto-Accept Suggestions below the page, and draw with the "
            "pink tool (R).</p>"
            "<p>O texto não aparece? Ligue Auto-Annotation e Auto-Accept Suggestions abaixo da página e desenhe com a "
            "ferramenta rosa (R).</p>"
        )
    link = html.escape(path, quote=True)
    return (
        f'<p>No text appears? <a href="{link}" target="_top">Turn it on</a>. '
        f'O texto não aparece? <a href="{link}" target="_top">Ligue aqui</a>.</p>'
    )
