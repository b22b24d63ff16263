"""Datasets, training runs, model versions, metrics, and which model is live."""

from __future__ import annotations

import enum
from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, identity, json_object, recorded_time, text_enum, uuid_key


class RunState(enum.StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Dataset(Base):
    __tablename__ = "datasets"
    __table_args__ = (
        UniqueConstraint("project_id", "sha256"),
        {
            "comment": "A frozen set of reviewed documents: exactly these annotation states. Equal content, equal hash, one row."
        },
    )

    id: Mapped[identity]
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), comment="Project.")
    sha256: Mapped[str] = mapped_column(comment="Hash over schema version and members in order.")
    schema_version: Mapped[int] = mapped_column(comment="Field schema it was frozen under.")
    document_count: Mapped[int] = mapped_column(comment="Members.")
    created_at: Mapped[recorded_time]
    created_by: Mapped[str] = mapped_column(comment="Service or user.")


class DatasetMember(Base):
    __tablename__ = "dataset_members"
    __table_args__ = (
        Index("ix_dataset_members_annotation_event_id", "annotation_event_id"),
        {
            "comment": "Which annotation state of which document version a dataset holds, and on which side of the split."
        },
    )

    dataset_id: Mapped[int] = mapped_column(
        ForeignKey("datasets.id"), primary_key=True, comment="Dataset."
    )
    position: Mapped[int] = mapped_column(primary_key=True, comment="Order in the dataset, from 0.")
    document_version_id: Mapped[UUID] = mapped_column(
        ForeignKey("document_versions.id"), index=True, comment="Document version learnt from."
    )
    annotation_event_id: Mapped[int] = mapped_column(
        ForeignKey("annotation_events.id"), comment="Exactly this state of its annotation."
    )
    fold: Mapped[int] = mapped_column(
        comment="Held-out fold of the document, from 0; decided by the hash of its bytes, so it never moves."
    )


class TrainingRun(Base):
    __tablename__ = "training_runs"
    __table_args__ = (
        Index(
            "uq_training_runs_active",
            "project_id",
            unique=True,
            # Two trainings never run for one project at once.
            postgresql_where=text("state = 'running'"),
        ),
        {
            "comment": "Every training: why it ran, on which dataset, how it ended, and what the gate said."
        },
    )

    id: Mapped[uuid_key]
    project_id: Mapped[int] = mapped_column(
        ForeignKey("projects.id"), index=True, comment="Project."
    )
    dataset_id: Mapped[int | None] = mapped_column(
        ForeignKey("datasets.id"), comment="Dataset it learnt from; empty until it is frozen."
    )
    state: Mapped[RunState] = mapped_column(
        text_enum(RunState, "state"),
        server_default="queued",
        comment="queued, running, succeeded or failed.",
    )
    reason: Mapped[str] = mapped_column(comment="Why it was asked for, in a sentence.")
    requested_by: Mapped[str] = mapped_column(comment="policy, label_studio or a user.")
    requested_at: Mapped[recorded_time]
    started_at: Mapped[datetime | None] = mapped_column(comment="When a worker took it up.")
    finished_at: Mapped[datetime | None] = mapped_column(comment="When it ended.")
    heartbeat_at: Mapped[datetime | None] = mapped_column(
        comment="Last sign of life while running."
    )
    seed: Mapped[int] = mapped_column(server_default="0", comment="Random seed of the fit.")
    parameters: Mapped[json_object] = mapped_column(comment="Settings of the fit.")
    progress: Mapped[json_object] = mapped_column(comment="{step, done, total} while running.")
    error: Mapped[str | None] = mapped_column(comment="Why it failed, in a sentence.")
    gate_passed: Mapped[bool | None] = mapped_column(comment="Whether the candidate went live.")
    gate_reason: Mapped[str | None] = mapped_column(
        comment="The gate's reason, with the figures it compared."
    )


class ModelKind(enum.StrEnum):
    ZERO_SHOT = "zero_shot"  # reads fields by their labels and types; nothing was learnt
    TRAINED = "trained"
    SELF_TRAINED = "self_trained"  # also learnt from documents nobody reviewed


class ModelVersion(Base):
    __tablename__ = "model_versions"
    __table_args__ = (
        UniqueConstraint("project_id", "name"),
        UniqueConstraint("project_id", "number"),
        {
            "comment": "Immutable model versions. The bytes are a blob; the hash is part of the record."
        },
    )

    id: Mapped[identity]
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), comment="Project.")
    number: Mapped[int] = mapped_column(
        comment="Counting up within the project, from 0 for the first zero-shot version."
    )
    name: Mapped[str] = mapped_column(
        comment="The one model version string, here, in predictions and in Label Studio."
    )
    kind: Mapped[ModelKind] = mapped_column(
        text_enum(ModelKind, "kind"), comment="zero_shot, trained or self_trained."
    )
    schema_version: Mapped[int] = mapped_column(comment="Field schema it knows.")
    training_run_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("training_runs.id"), index=True, comment="Run that made it; empty for zero-shot."
    )
    dataset_id: Mapped[int | None] = mapped_column(
        ForeignKey("datasets.id"), comment="Dataset it learnt from; empty for zero-shot."
    )
    artefact_sha256: Mapped[str | None] = mapped_column(
        comment="Blob key of the model; empty for zero-shot, which has no state."
    )
    artefact_bytes: Mapped[int | None] = mapped_column(
        BigInteger, comment="Size of the model in bytes."
    )
    libraries: Mapped[json_object] = mapped_column(
        comment="Versions of the libraries it was made with."
    )
    created_at: Mapped[recorded_time]
    created_by: Mapped[str] = mapped_column(comment="Service or user.")
    notes: Mapped[str | None] = mapped_column(comment="Free text.")


class ModelAlias(Base):
    __tablename__ = "model_aliases"
    __table_args__ = (
        Index("ix_model_aliases_project_id_alias_id", "project_id", "alias", "id"),
        {
            "comment": "Append-only: every move of an alias. The newest row of an alias says which model version it names."
        },
    )

    id: Mapped[identity]
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), comment="Project.")
    alias: Mapped[str] = mapped_column(comment="live.")
    model_version_id: Mapped[int] = mapped_column(
        ForeignKey("model_versions.id"), comment="Model version the alias names from here on."
    )
    recorded_at: Mapped[recorded_time]
    recorded_by: Mapped[str] = mapped_column(comment="gate, provisioning or a named person.")
    notes: Mapped[str] = mapped_column(comment="Why it moved.")


class Metric(Base):
    __tablename__ = "metrics"
    __table_args__ = (
        UniqueConstraint(
            "training_run_id",
            "model_version_id",
            "field",
            "name",
            postgresql_nulls_not_distinct=True,
        ),
        {
            "comment": "Measured on documents the model had not seen (cross-validation over the dataset's folds), per field and over all fields."
        },
    )

    id: Mapped[identity]
    training_run_id: Mapped[UUID] = mapped_column(
        ForeignKey("training_runs.id"), comment="Run that measured it."
    )
    model_version_id: Mapped[int] = mapped_column(
        ForeignKey("model_versions.id"),
        index=True,
        comment="The model measured: the candidate or the one live at the time.",
    )
    role: Mapped[str] = mapped_column(comment="candidate or live.")
    field: Mapped[str | None] = mapped_column(comment="Empty: over all fields.")
    name: Mapped[str] = mapped_column(comment="f1, precision, recall, calibration_error ...")
    value: Mapped[float] = mapped_column(comment="0..1 unless the name says otherwise.")
    support: Mapped[int] = mapped_column(comment="Values it was measured on.")
    low: Mapped[float | None] = mapped_column(comment="Lower end of the 95 % interval.")
    high: Mapped[float | None] = mapped_column(comment="Upper end of the 95 % interval.")


class RetrainDecision(Base):
    __tablename__ = "retrain_decisions"
    __table_args__ = (
        Index("ix_retrain_decisions_project_id_id", "project_id", "id"),
        {"comment": "Why the policy did or did not train, each time its answer changed."},
    )

    id: Mapped[identity]
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), comment="Project.")
    recorded_at: Mapped[recorded_time]
    train: Mapped[bool] = mapped_column(comment="Whether a run was started.")
    reason: Mapped[str] = mapped_column(comment="In a sentence, with the figures.")
    figures: Mapped[json_object] = mapped_column(comment="The figures the policy saw.")
    training_run_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("training_runs.id"), comment="Run that was started; empty if none."
    )
