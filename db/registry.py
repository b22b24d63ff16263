"""Model versions, the live alias and what was measured of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.models import (
    Metric,
    ModelAlias,
    ModelKind,
    ModelVersion,
)
from db.training_runs import lock_project

LIVE = "live"


@dataclass(frozen=True)
class NewModel:
    """A model version to register: the bytes are already a blob."""

    kind: ModelKind
    schema_version: int
    created_by: str
    artefact_sha256: str | None = None
    artefact_bytes: int | None = None
    training_run_id: UUID | None = None
    dataset_id: int | None = None
    libraries: Mapping[str, str] | None = None
    notes: str | None = None


def register_model(session: Session, project_id: int, slug: str, new: NewModel) -> ModelVersion:
    """Add an immutable model version; its name is slug, number, and the first digits of its hash."""
    lock_project(session, project_id)
    last = session.scalar(
        select(func.max(ModelVersion.number)).where(ModelVersion.project_id == project_id)
    )
    number = 0 if last is None else last + 1
    tail = new.artefact_sha256[:8] if new.artefact_sha256 else "zero-shot"
    version = ModelVersion(
        project_id=project_id,
        number=number,
        name=f"{slug}-{number}-{tail}",
        kind=new.kind,
        schema_version=new.schema_version,
        training_run_id=new.training_run_id,
        dataset_id=new.dataset_id,
        artefact_sha256=new.artefact_sha256,
        artefact_bytes=new.artefact_bytes,
        libraries=dict(new.libraries or {}),
        created_by=new.created_by,
        notes=new.notes,
    )
    session.add(version)
    session.flush()
    return version


def point_alias(
    session: Session, version: ModelVersion, *, by: str, notes: str, alias: str = LIVE
) -> ModelAlias:
    """Move an alias to this version: a new row, the older ones stay."""
    row = ModelAlias(
        project_id=version.project_id,
        alias=alias,
        model_version_id=version.id,
        recorded_by=by,
        notes=notes,
    )
    session.add(row)
    session.flush()
    return row


def live_model(session: Session, project_id: int, alias: str = LIVE) -> ModelVersion | None:
    """The model version an alias names now."""
    return session.scalar(
        select(ModelVersion)
        .join(ModelAlias, ModelAlias.model_version_id == ModelVersion.id)
        .where(ModelAlias.project_id == project_id, ModelAlias.alias == alias)
        .order_by(ModelAlias.id.desc())
        .limit(1)
    )


def previous_live(session: Session, project_id: int) -> ModelVersion | None:
    """The version that was live before the present one: where a rollback goes."""
    now = live_model(session, project_id)
    if now is None:
        return None
    return session.scalar(
        select(ModelVersion)
        .join(ModelAlias, ModelAlias.model_version_id == ModelVersion.id)
        .where(
            ModelAlias.project_id == project_id,
            ModelAlias.alias == LIVE,
            ModelAlias.model_version_id != now.id,
        )
        .order_by(ModelAlias.id.desc())
        .limit(1)
    )


@dataclass(frozen=True)
class Figure:
    """One measured figure; ``field`` None: over all fields."""

    field: str | None
    name: str
    value: float
    support: int
    low: float | None = None
    high: float | None = None


def record_metrics(
    session: Session, run_id: UUID, model_version_id: int, role: str, figures: Sequence[Figure]
) -> None:
    """Keep what was measured in a run on one model; ``role`` is candidate or live."""
    session.add_all(
        Metric(
            training_run_id=run_id,
            model_version_id=model_version_id,
            role=role,
            field=figure.field,
            name=figure.name,
            value=figure.value,
            support=figure.support,
            low=figure.low,
            high=figure.high,
        )
        for figure in figures
    )
    session.flush()
