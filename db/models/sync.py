"""The webhook inbox, and what the mirror did."""

from __future__ import annotations

import enum
from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, identity, json_list, json_object, recorded_time, text_enum


class DeliveryState(enum.StrEnum):
    PENDING = "pending"
    DONE = "done"
    DEAD = "dead"  # gave up; last_error says why; can be replayed


class WebhookDelivery(Base):
    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        Index("ix_webhook_deliveries_pending", "id", postgresql_where=text("state = 'pending'")),
        {
            "comment": "The inbox: raw webhook events, committed before the answer. Tokens and passwords are taken out before storing."
        },
    )

    id: Mapped[identity]
    received_at: Mapped[recorded_time]
    action: Mapped[str] = mapped_column(comment="As sent, known or not.")
    project_label_studio_id: Mapped[int | None] = mapped_column(
        comment="Project id in Label Studio, where the event tells it."
    )
    payload: Mapped[json_object] = mapped_column(comment="The event without secrets.")
    key: Mapped[str] = mapped_column(
        unique=True, comment="Derived from the content: the same event twice is one row."
    )
    seen: Mapped[int] = mapped_column(
        server_default="1", comment="How often the same event arrived."
    )
    state: Mapped[DeliveryState] = mapped_column(
        text_enum(DeliveryState, "state"),
        server_default="pending",
        comment="pending, done or dead.",
    )
    attempts: Mapped[int] = mapped_column(server_default="0", comment="How often it was processed.")
    next_attempt_at: Mapped[datetime] = mapped_column(
        server_default=text("clock_timestamp()"),
        comment="Not before; moved on by back-off after a failure.",
    )
    last_error: Mapped[str | None] = mapped_column(comment="Why the last attempt failed.")
    processed_at: Mapped[datetime | None] = mapped_column(comment="When it was done.")


class SyncRun(Base):
    __tablename__ = "sync_runs"
    __table_args__ = (
        Index("ix_sync_runs_project_id_kind_id", "project_id", "kind", "id"),
        {
            "comment": "Each pass of the mirror that found or checked something: counts, differences, duration."
        },
    )

    id: Mapped[identity]
    project_id: Mapped[int | None] = mapped_column(
        ForeignKey("projects.id"), comment="Project; empty: all of them."
    )
    kind: Mapped[str] = mapped_column(comment="backfill, catch_up, deletions or verify.")
    started_at: Mapped[recorded_time]
    finished_at: Mapped[datetime | None] = mapped_column(comment="When the pass ended.")
    ok: Mapped[bool | None] = mapped_column(comment="Empty while running.")
    counts: Mapped[json_object] = mapped_column(comment="What was seen, added, changed, deleted.")
    differences: Mapped[json_list] = mapped_column(
        comment="verify: what differed, annotation by annotation."
    )
    error: Mapped[str | None] = mapped_column(comment="Why it failed, in a sentence.")


class SyncCursor(Base):
    __tablename__ = "sync_cursors"
    __table_args__ = (
        {"comment": "How far each pass has come; moved in the transaction of the rows it covers."},
    )

    project_id: Mapped[int] = mapped_column(
        ForeignKey("projects.id"), primary_key=True, comment="Project."
    )
    name: Mapped[str] = mapped_column(primary_key=True, comment="catch_up, deletions ...")
    position: Mapped[json_object] = mapped_column(comment="{updated_at, id} for catch_up.")
    moved_at: Mapped[recorded_time]


class SyncState(Base):
    __tablename__ = "sync_state"
    __table_args__ = (
        CheckConstraint("id = 1", name="one_row"),
        {
            "comment": "Who mirrors, and how it fares: one row, renewed every few seconds by the leader."
        },
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="Always 1.")
    holder: Mapped[str] = mapped_column(comment="Host and process of the leader.")
    leader_since: Mapped[datetime] = mapped_column(comment="When it took over.")
    state: Mapped[str] = mapped_column(
        comment="mirroring; backfilling; waiting: for Label Studio; stopped."
    )
    message: Mapped[str | None] = mapped_column(comment="What it waits for, in a sentence.")
    since: Mapped[datetime] = mapped_column(comment="When this state began.")
    beat_at: Mapped[datetime] = mapped_column(
        comment="When the leader last said so; older than 30 s: nobody mirrors."
    )


class Erasure(Base):
    __tablename__ = "erasures"
    __table_args__ = (
        {
            "comment": "Audit of documents removed on request: that it happened, who, why; nothing of the content."
        },
    )

    id: Mapped[identity]
    document_id: Mapped[UUID] = mapped_column(comment="Id the document had.")
    sha256s: Mapped[json_list] = mapped_column(comment="Hashes of the removed versions.")
    erased_at: Mapped[recorded_time]
    erased_by: Mapped[str] = mapped_column(comment="Who removed it.")
    reason: Mapped[str] = mapped_column(comment="Why, as given to the command.")
    counts: Mapped[json_object] = mapped_column(comment="Rows and blobs removed, by table.")
