"""The field schema file, ``fields.yaml``: what is to be read from each document.

project: Invoices                # title, here and in Label Studio
language: en                     # optional: what reviewers read, en or pt
ocr_languages: por+eng           # optional
training: {min_documents: 5}     # optional, see docs/howto/train.md
fields:
  - name: total                  # letters, digits, underscores
    type: number                 # text, number, date, identifier, checkbox, signature, table
    label: {en: Total, pt: Total}
    aliases: [Amount due, Valor total]
    format: ","                  # date order (YMD, MDY, DMY) or decimal sign; empty: automatic
    required: true
    multiple: false
  - name: item
    type: table
    columns:
      - {name: amount, type: number}
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from db.errors import RecordError
from db.projects import FieldRow
from ml_backend.extraction.fields import FieldType
from ml_backend.policy import Policy
from ml_backend.screen_texts import DEFAULT_LANGUAGE, LANGUAGES

_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
_FORMATS = {
    FieldType.DATE: ("YMD", "MDY", "DMY"),
    FieldType.NUMBER: (".", ","),
}
_KEYS = {"name", "type", "label", "aliases", "format", "required", "multiple", "columns"}
SETTINGS = ("language", "ocr_languages", "training")
"""Keys of the file that are the project's settings."""
_TOP = {"project", "fields", *SETTINGS}
_TITLE = range(3, 51)  # what Label Studio takes


class SchemaError(RecordError):
    """The file cannot be used; the message names file, field and fix."""


@dataclass(frozen=True)
class FieldSchema:
    """A checked schema file. ``settings`` are the project's: training policy, OCR languages."""

    title: str
    rows: tuple[FieldRow, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def language(self) -> str:
        """What reviewers read."""
        return str(self.settings.get("language", DEFAULT_LANGUAGE))


def load(path: Path) -> FieldSchema:
    """Read and check the file. Raises SchemaError."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SchemaError(
            f"{path}: cannot be read ({error.strerror}); FIELDLOOP_FIELDS names the field schema file."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where is not None else ""
        raise SchemaError(f"{path}{line}: is not valid YAML.") from error
    return parse(content, str(path))


def parse(content: Any, name: str = "fields.yaml") -> FieldSchema:
    """Check what a schema file holds; ``name`` stands in the errors."""
    if not isinstance(content, Mapping):
        raise SchemaError(f"{name}: must have the keys 'project' and 'fields'.")
    _no_others(content, _TOP, name)
    title = content.get("project")
    if not isinstance(title, str) or len(title.strip()) not in _TITLE:
        raise SchemaError(f"{name}: 'project' must be a title of 3 to 50 characters.")
    fields = content.get("fields")
    if not isinstance(fields, Sequence) or isinstance(fields, str) or not fields:
        raise SchemaError(f"{name}: 'fields' must be a list of at least one field.")
    rows: list[FieldRow] = []
    for position, entry in enumerate(fields, start=1):
        rows += _rows(entry, f"{name}: field {position}")
    names = [row.name for row in rows]
    for twice in sorted({one for one in names if names.count(one) > 1}):
        raise SchemaError(f"{name}: two fields are named {twice!r}; names must differ.")
    settings: dict[str, Any] = {}
    training = content.get("training")
    if training is not None:
        if not isinstance(training, Mapping):
            raise SchemaError(f"{name}: 'training' must be a mapping of settings.")
        settings["training"] = _policy(training, f"{name}: training")
    language = content.get("language")
    if language is not None:
        if language not in LANGUAGES:
            raise SchemaError(f"{name}: 'language' must be one of {', '.join(LANGUAGES)}.")
        settings["language"] = language
    languages = content.get("ocr_languages")
    if languages is not None:
        if not re.fullmatch(r"[a-z_]{3,20}(\+[a-z_]{3,20})*", str(languages)):
            raise SchemaError(f"{name}: 'ocr_languages' must look like por+eng.")
        settings["ocr_languages"] = str(languages)
    return FieldSchema(title.strip(), tuple(rows), settings)


def _policy(given: Mapping[Any, Any], where: str) -> dict[str, Any]:
    defaults = {spec.name: spec.default for spec in dataclasses.fields(Policy)}
    _no_others(given, set(defaults), where)
    for key, value in given.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 <= value < math.inf:
            raise SchemaError(f"{where}: {key!r} must be a number from 0; it is {value!r}.")
        if isinstance(defaults[key], int) and value != int(value):
            raise SchemaError(f"{where}: {key!r} must be a whole number; it is {value!r}.")
    return dict(given)


def _rows(entry: Any, where: str) -> list[FieldRow]:
    row = _row(entry, where)
    if row.type != FieldType.TABLE:
        if "columns" in entry:
            raise SchemaError(f"{where} ({row.name}): only a table has 'columns'.")
        return [row]
    columns = entry.get("columns")
    if not isinstance(columns, Sequence) or isinstance(columns, str) or not columns:
        raise SchemaError(f"{where} ({row.name}): a table needs a list of 'columns'.")
    rows = [row]
    for position, column in enumerate(columns, start=1):
        inner = _row(column, f"{where} ({row.name}), column {position}")
        if inner.type in {FieldType.TABLE, FieldType.SIGNATURE}:
            raise SchemaError(f"{where} ({row.name}): a column cannot be a {inner.type}.")
        rows.append(
            FieldRow(
                f"{row.name}.{inner.name}",
                inner.type,
                inner.label_en,
                inner.label_pt,
                inner.aliases,
                inner.format,
                inner.required,
                inner.multiple,
            )
        )
    return rows


def _row(entry: Any, where: str) -> FieldRow:
    if not isinstance(entry, Mapping):
        raise SchemaError(f"{where}: must be a mapping with at least 'name' and 'type'.")
    name = entry.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise SchemaError(
            f"{where}: 'name' must be lower-case letters, digits and underscores, beginning with a letter; "
            f"it is {name!r}."
        )
    where = f"{where} ({name})"
    _no_others(entry, _KEYS, where)
    try:
        kind = FieldType(str(entry.get("type")))
    except ValueError:
        raise SchemaError(
            f"{where}: 'type' must be one of {', '.join(FieldType)}; it is {entry.get('type')!r}."
        ) from None
    label = entry.get("label") or {}
    if isinstance(label, str):
        label = {"en": label}
    if not isinstance(label, Mapping) or not set(label) <= {"en", "pt"}:
        raise SchemaError(f"{where}: 'label' must be a text, or {{en: …, pt: …}}.")
    aliases = entry.get("aliases") or []
    if not isinstance(aliases, Sequence) or isinstance(aliases, str):
        raise SchemaError(f"{where}: 'aliases' must be a list of texts.")
    form = entry.get("format")
    if form is not None and form not in _FORMATS.get(kind, ()):
        allowed = _FORMATS.get(kind)
        fix = f"one of {', '.join(allowed)}" if allowed else "left out for this type"
        raise SchemaError(f"{where}: 'format' must be {fix}; it is {form!r}.")
    for key in ("required", "multiple"):
        if not isinstance(entry.get(key, False), bool):
            raise SchemaError(f"{where}: {key!r} must be true or false.")
    plain = name.replace("_", " ").capitalize()
    return FieldRow(
        name=name,
        type=kind.value,
        label_en=str(label.get("en") or plain),
        label_pt=str(label.get("pt") or label.get("en") or plain),
        aliases=tuple(str(alias) for alias in aliases),
        format=form,
        required=bool(entry.get("required", False)),
        multiple=bool(entry.get("multiple", False)),
    )


def _no_others(entry: Mapping[str, Any], known: set[str], where: str) -> None:
    others = sorted(str(key) for key in set(entry) - known)
    if others:
        raise SchemaError(
            f"{where}: unknown key {others[0]!r}; known are {', '.join(sorted(known))}."
        )
