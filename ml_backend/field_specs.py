"""The field schema of the record as extraction wants it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import Field, Project
from ml_backend.extraction.fields import FieldSpec, FieldType, split_column


def specs_of(
    session: Session, project_id: int, schema_version: int | None = None
) -> tuple[FieldSpec, ...]:
    """The fields of a project in screen order; ``schema_version`` None: the current one."""
    if schema_version is None:
        schema_version = session.get_one(Project, project_id).schema_version
    rows = session.scalars(
        select(Field)
        .where(Field.project_id == project_id, Field.schema_version == schema_version)
        .order_by(Field.position)
    )
    return to_specs(list(rows))


def to_specs(rows: Sequence[Field]) -> tuple[FieldSpec, ...]:
    """Rows of ``fields`` as specifications: the rows ``table.column`` become the columns of ``table``."""
    columns: dict[str, list[FieldSpec]] = {}
    top: list[FieldSpec] = []
    for row in rows:
        table, column = split_column(row.name)
        spec = FieldSpec(
            name=column or table,
            type=FieldType(row.type),
            label_en=row.label_en,
            label_pt=row.label_pt,
            aliases=tuple(str(alias) for alias in row.aliases),
            format=row.format,
            required=row.required,
            multiple=row.multiple,
        )
        if column is None:
            top.append(spec)
        else:
            columns.setdefault(table, []).append(spec)
    return tuple(
        replace(spec, columns=tuple(columns.get(spec.name, ())))
        if spec.type is FieldType.TABLE
        else spec
        for spec in top
    )


def names_of(specs: Sequence[FieldSpec]) -> list[str]:
    """The names a region can carry: fields, and ``table.column`` in place of tables."""
    names: list[str] = []
    for spec in specs:
        if spec.type is FieldType.TABLE:
            names += [f"{spec.name}.{column.name}" for column in spec.columns]
        else:
            names.append(spec.name)
    return names
