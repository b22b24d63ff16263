"""What people said: the append-only history, and the current state derived from it."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Computed, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, identity, json_list, json_object, recorded_time, text_enum


class EventKind(enum.StrEnum):
    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    RESTORED = "restored"  # there again after it was found deleted, or under another task


class EventSource(enum.StrEnum):
    WEBHOOK = "webhook"  # fetched because Label Studio told us
    SWEEP = "sweep"  # found by looking, no event had told us
    BACKFILL = "backfill"  # there before we started
    VERIFY = "verify"  # found by comparing with a full export
    CSV = "csv"  # imported from a legacy file


class ValueOutcome(enum.StrEnum):
    ACCEPTED = "accepted"  # predicted and left as it was
    CORRECTED = "corrected"  # predicted, then text, field or place changed
    ADDED = "added"  # not predicted
    REMOVED = "removed"  # predicted, taken away by the reviewer


class AnnotationEvent(Base):
    __tablename__ = "annotation_events"
    __table_args__ = (
        UniqueConstraint("project_id", "label_studio_id", "kind", "occurred_at", "content_sha256"),
        # States of one task or annotation, the newest first, without touching their contents.
        Index(
            "ix_annotation_events_task_id_label_studio_id_id",
            "task_id",
            "label_studio_id",
            text("id DESC"),
            postgresql_include=["recorded_at", "occurred_at", "kind", "late", "was_cancelled"],
        ),
        # The same by the clock of Label Studio, with no more than as-of functions count with.
        Index(
            "ix_annotation_events_task_id_label_studio_id_occurred_at_id",
            "task_id",
            "label_studio_id",
            text("occurred_at DESC"),
            text("id DESC"),
            postgresql_include=["kind", "was_cancelled"],
        ),
        # Who and from which extraction, for figures over all states: the rows are wide.
        Index(
            "ix_annotation_events_id",
            "id",
            postgresql_include=["actor", "extraction_id"],
        ),
        Index("ix_annotation_events_project_id_recorded_at", "project_id", "recorded_at"),
        {
            "comment": "Append-only: every state of every annotation that we ever saw, with who, when it happened, when we learnt it and how."
        },
    )

    id: Mapped[identity]
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), comment="Project.")
    task_id: Mapped[int] = mapped_column(ForeignKey("tasks.id"), comment="Task that was annotated.")
    label_studio_id: Mapped[int] = mapped_column(comment="Annotation id in Label Studio.")
    kind: Mapped[EventKind] = mapped_column(
        text_enum(EventKind, "kind"),
        comment="created, updated, deleted, or restored: there again after a deletion or under another task.",
    )
    source: Mapped[EventSource] = mapped_column(
        text_enum(EventSource, "source"), comment="How we learnt it."
    )
    occurred_at: Mapped[datetime] = mapped_column(
        comment="When it happened: updated_at in Label Studio; for deleted and restored, when we found it. Never before the state that came before it."
    )
    recorded_at: Mapped[recorded_time] = mapped_column(comment="When it entered the record.")
    actor: Mapped[str | None] = mapped_column(
        comment="E-mail of the reviewer, where Label Studio tells it; for a deletion the reviewer of the last content, because Label Studio does not tell who deleted."
    )
    was_cancelled: Mapped[bool] = mapped_column(
        server_default="false", comment="True: the reviewer skipped the task."
    )
    lead_time: Mapped[float | None] = mapped_column(comment="Seconds the reviewer worked on it.")
    result: Mapped[list[Any] | None] = mapped_column(
        JSONB, comment="The full result; for a deletion the last content known."
    )
    content_sha256: Mapped[str] = mapped_column(
        comment="Hash of result and was_cancelled, keys sorted; equal content, equal hash."
    )
    parent_prediction_id: Mapped[int | None] = mapped_column(
        comment="Label Studio id of the prediction the reviewer started from."
    )
    extraction_id: Mapped[int | None] = mapped_column(
        ForeignKey("extractions.id"), index=True, comment="Our extraction behind that prediction."
    )
    previous_event_id: Mapped[int | None] = mapped_column(
        ForeignKey("annotation_events.id"), index=True, comment="State before this one."
    )
    changes: Mapped[json_list] = mapped_column(
        comment="Differences to the state before: [{region_id, field, change, before, after}]."
    )
    gap: Mapped[bool] = mapped_column(
        server_default="false",
        comment="True: states between the previous event and this one may have gone unseen.",
    )
    problems: Mapped[json_list] = mapped_column(
        comment="What in the content could not be understood, in sentences."
    )
    delivery_id: Mapped[int | None] = mapped_column(
        BigInteger, comment="Webhook delivery that announced this very state."
    )
    source_updated_at: Mapped[datetime | None] = mapped_column(
        comment="updated_at as Label Studio gave it; empty for a deletion."
    )
    late: Mapped[bool] = mapped_column(
        server_default="false",
        comment="True: learnt only after a later state had been recorded; it never was the current state of the record.",
    )


class Annotation(Base):
    __tablename__ = "annotations"
    __table_args__ = (
        UniqueConstraint("project_id", "label_studio_id", "source_created_at"),
        # What is counted of the standing annotations, without their contents.
        Index(
            "ix_annotations_open",
            "project_id",
            "task_id",
            postgresql_include=[
                *("id", "last_event_id", "was_cancelled", "created_by", "lead_time"),
                *("source_updated_at", "last_reviewer", "model_version_id"),
            ],
            postgresql_where=text("deleted_at IS NULL"),
        ),
        {"comment": "The current state of every annotation; deleted ones keep their last content."},
    )

    id: Mapped[identity]
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), comment="Project.")
    task_id: Mapped[int] = mapped_column(
        ForeignKey("tasks.id"), index=True, comment="Task that was annotated."
    )
    label_studio_id: Mapped[int] = mapped_column(
        index=True, comment="Annotation id in Label Studio."
    )
    last_event_id: Mapped[int] = mapped_column(
        ForeignKey("annotation_events.id"),
        index=True,
        comment="Event that set this state; its values are in annotation_values.",
    )
    created_by: Mapped[str | None] = mapped_column(comment="E-mail of the reviewer who made it.")
    updated_by: Mapped[str | None] = mapped_column(comment="E-mail of the last reviewer.")
    source_created_at: Mapped[datetime] = mapped_column(comment="created_at in Label Studio.")
    source_updated_at: Mapped[datetime] = mapped_column(comment="updated_at in Label Studio.")
    was_cancelled: Mapped[bool] = mapped_column(comment="True: skipped.")
    ground_truth: Mapped[bool] = mapped_column(
        server_default="false", comment="Marked as ground truth in Label Studio."
    )
    lead_time: Mapped[float | None] = mapped_column(comment="Seconds.")
    result: Mapped[list[Any]] = mapped_column(
        JSONB, comment="The full result as Label Studio has it."
    )
    content_sha256: Mapped[str] = mapped_column(comment="Hash of result and was_cancelled.")
    status: Mapped[str | None] = mapped_column(
        comment="The reviewer's choice: OK, Second look, Wrong type, Unreadable."
    )
    absent: Mapped[json_list] = mapped_column(
        comment="Fields the reviewer declared not in this document."
    )
    notes: Mapped[str | None] = mapped_column(comment="The reviewer's notes.")
    deleted_at: Mapped[datetime | None] = mapped_column(comment="When it was found deleted.")
    extra: Mapped[json_object] = mapped_column(
        comment="Other keys Label Studio sent, kept for verification."
    )
    last_reviewer: Mapped[str | None] = mapped_column(
        comment="Reviewer of last_event_id, set by a trigger: so that figures over all annotations need no events."
    )
    model_version_id: Mapped[int | None] = mapped_column(
        BigInteger,
        comment="Model version whose extraction is behind last_event_id, set by a trigger; empty: from nothing of ours.",
    )


class AnnotationValue(Base):
    __tablename__ = "annotation_values"
    __table_args__ = (
        # With what is counted and compared of values, so that their rows are not touched.
        Index(
            "ix_annotation_values_event_id",
            "event_id",
            postgresql_include=["field", "outcome", "value_hash"],
        ),
        {
            "comment": "One field value of one state of an annotation. Never changed: the state's event says when it held; current values are those of annotations.last_event_id."
        },
    )

    id: Mapped[identity]
    event_id: Mapped[int] = mapped_column(
        ForeignKey("annotation_events.id"), comment="State it is part of."
    )
    region_id: Mapped[str] = mapped_column(comment="Region id in Label Studio.")
    field: Mapped[str] = mapped_column(comment="Field name; a table column is table.column.")
    row: Mapped[int | None] = mapped_column(comment="Row of a table, from 0, by vertical position.")
    text: Mapped[str | None] = mapped_column(comment="The value; empty for a removed one.")
    text_source: Mapped[str] = mapped_column(
        comment="reviewer: typed or confirmed text; page: words under the box, the region had no text; none: no text found."
    )
    normalised: Mapped[str | None] = mapped_column(comment="ISO date, plain decimal, true/false.")
    problem: Mapped[str | None] = mapped_column(comment="Why it could not be normalised.")
    page: Mapped[int] = mapped_column(comment="0-based.")
    x0: Mapped[float] = mapped_column(comment="Points from the left of the page as displayed.")
    y0: Mapped[float] = mapped_column(comment="Points from the top.")
    x1: Mapped[float] = mapped_column(comment="Points from the left.")
    y1: Mapped[float] = mapped_column(comment="Points from the top.")
    outcome: Mapped[ValueOutcome] = mapped_column(
        text_enum(ValueOutcome, "outcome"),
        comment="Against the prediction the reviewer started from.",
    )
    predicted_text: Mapped[str | None] = mapped_column(comment="What the model had said.")
    confidence: Mapped[float | None] = mapped_column(comment="The model's confidence in it.")
    value_hash: Mapped[int | None] = mapped_column(
        BigInteger,
        Computed(
            # As Postgres writes it back, or Alembic would take it for another one.
            "CASE WHEN outcome::text <> 'removed'::text THEN hashtextextended(COALESCE(normalised, text, ''::text),"
            " 0::bigint) ELSE NULL::bigint END",
            persisted=True,
        ),
        comment="Hash of normalised, else of text: equal values, equal hash. Only for comparing; empty for a removed value.",
    )
