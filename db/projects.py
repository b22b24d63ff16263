"""Projects and the versions of their field schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import Field, Project


@dataclass(frozen=True)
class FieldRow:
    """One row of a schema; columns of a table are rows named ``table.column``."""

    name: str
    type: str
    label_en: str
    label_pt: str
    aliases: tuple[str, ...] = ()
    format: str | None = None
    required: bool = False
    multiple: bool = False


def by_label_studio_id(session: Session, url: str, label_studio_id: int) -> Project | None:
    """The project that this Label Studio knows by this id."""
    return session.scalar(
        select(Project).where(
            Project.label_studio_url == url, Project.label_studio_id == label_studio_id
        )
    )


def by_title(session: Session, title: str) -> Project | None:
    return session.scalar(select(Project).where(Project.title == title))


def the_project(session: Session, title: str | None = None) -> Project | None:
    """The project of this title; without one, the only project, or the first that was made."""
    if title is not None:
        return by_title(session, title)
    return session.scalar(select(Project).order_by(Project.id).limit(1))


def all_projects(session: Session) -> list[Project]:
    return list(session.scalars(select(Project).order_by(Project.id)))


def schema_of(session: Session, project_id: int, version: int) -> list[FieldRow]:
    """The rows of one schema version in screen order."""
    rows = session.scalars(
        select(Field)
        .where(Field.project_id == project_id, Field.schema_version == version)
        .order_by(Field.position)
    )
    return [
        FieldRow(
            row.name,
            row.type,
            row.label_en,
            row.label_pt,
            tuple(str(alias) for alias in row.aliases),
            row.format,
            row.required,
            row.multiple,
        )
        for row in rows
    ]


def ensure_project(session: Session, title: str, *, by: str) -> Project:
    """The project of this title; made if there is none."""
    project = by_title(session, title)
    if project is None:
        project = Project(title=title, created_by=by)
        session.add(project)
        session.flush()
    return project


def set_schema(
    session: Session,
    project: Project,
    rows: Sequence[FieldRow],
    *,
    by: str,
    notes: str | None = None,
) -> bool:
    """Make this the current schema: a new version if it differs from the last. Whether it did.

    Older versions stay: annotations and models name the version they were made under.
    """
    if project.schema_version and schema_of(session, project.id, project.schema_version) == list(
        rows
    ):
        return False
    project.schema_version += 1
    for position, row in enumerate(rows):
        values = asdict(row)
        values["aliases"] = list(row.aliases)
        session.add(
            Field(
                project_id=project.id,
                schema_version=project.schema_version,
                position=position,
                recorded_by=by,
                notes=notes,
                **values,
            )
        )
    session.flush()
    return True


def set_settings(session: Session, project: Project, settings: Mapping[str, Any]) -> bool:
    """Replace the project's settings; whether they differed."""
    if dict(project.settings) == dict(settings):
        return False
    project.settings = dict(settings)
    session.flush()
    return True
