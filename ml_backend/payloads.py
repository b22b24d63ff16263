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
from ml_backend.screen_texts import DEFAULT_LANGUAGE, shown_specs, texts_of

MOST_WARNINGS = 5
MOST_UNSURE = 3
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
    language: str = DEFAULT_LANGUAGE


def task_data(shown: Shown, confidences: Mapping[str, float]) -> dict[str, Any]:
    """The ``data`` of a task; ``confidences``: field → lowest confidence of its values, of those found."""
    labels = shown_specs(shown.specs, shown.language)
    return {
        "pages": list(shown.page_urls),
        "name": shown.name,
        "warnings": _warnings(shown, labels, confidences),
        "look": "",
        "help": _help(shown, labels),
        "absent_options": [{"value": text, "alias": name} for name, text in labels.items()],
        "fieldloop": {
            "document_id": str(shown.document_id),
            "document_version_id": str(shown.version_id),
            "name": shown.name,
            "version": shown.version,
            "schema_version": shown.schema_version,
        },
    }


def _warnings(shown: Shown, labels: Mapping[str, str], confidences: Mapping[str, float]) -> str:
    texts = texts_of(shown.language)
    lines = [f"**{_markdown(shown.name)}**"]
    missing = [
        _label_of(spec, shown.language)
        for spec in shown.specs
        if spec.required and not any(_belongs(name, spec.name) for name in confidences)
    ]
    if missing:
        lines.append(f"- {texts.not_found}: " + ", ".join(map(_markdown, missing)))
    unsure = _least_certain(shown, confidences)
    if unsure:
        lines.append(f"- {texts.look_twice}: " + ", ".join(map(_markdown, unsure)))
    for warning in shown.warnings[:MOST_WARNINGS]:
        page = warning.get("page")
        where = f"{texts.page} {page + 1}: " if isinstance(page, int) else ""
        lines.append(f"- {where}{_markdown(str(warning.get('message', '')))}")
    if len(shown.warnings) > MOST_WARNINGS:
        lines.append(f"- {texts.more.format(count=len(shown.warnings) - MOST_WARNINGS)}")
    return "\n".join(lines)


def _least_certain(shown: Shown, confidences: Mapping[str, float]) -> list[str]:
    """The few fields to look at first; a table counts once, and a long list would tell nobody anything."""
    lowest = {
        spec.name: min(
            (c for name, c in confidences.items() if _belongs(name, spec.name)), default=1.0
        )
        for spec in shown.specs
    }
    ranked = sorted(shown.specs, key=lambda spec: lowest[spec.name])
    return [
        _label_of(spec, shown.language)
        for spec in ranked[:MOST_UNSURE]
        if lowest[spec.name] < _UNSURE
    ]


def _label_of(spec: FieldSpec, language: str) -> str:
    return (spec.label_pt if language == "pt" else spec.label_en) or spec.label_en or spec.name


def _belongs(name: str, field: str) -> bool:
    return name == field or name.startswith(f"{field}.")


def _markdown(text: str) -> str:
    escaped = html.escape(text)
    return "".join(f"\\{c}" if c in "\\`*_{}[]()#+!|~" else c for c in escaped)


def _help(shown: Shown, labels: Mapping[str, str]) -> str:
    """How to label, and the name each label has in the record."""
    texts = texts_of(shown.language)
    rows = "".join(
        f"<li><b>{html.escape(text)}</b>: {html.escape(name)}</li>" for name, text in labels.items()
    )
    if shown.switches is None:
        switches = html.escape(texts.switches)
    else:
        link = html.escape(shown.switches, quote=True)
        switches = f'<a href="{link}" target="_top">{html.escape(texts.turn_on)}</a>.'
    return f"<p>{html.escape(texts.steps)}</p><p>{html.escape(texts.no_text)} {switches}</p><ul>{rows}</ul>"
