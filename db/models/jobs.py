"""Background work. Postgres is the truth; RQ and Redis only carry the nudge."""

from __future__ import annotations

import enum
from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, json_object, recorded_time, text_enum, uuid_key


class JobState(enum.StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"  # for good: an error that retrying cannot mend, or attempts used up
    CANCELLED = "cancelled"


class Job(Base):
    __tablename__ = "jobs"
    __table_args__ = (
        Index(
            "uq_jobs_open",
            "kind",
            "subject",
            unique=True,
            # The same work is never open twice.
            postgresql_where=text("state IN ('queued', 'running')"),
        ),
        Index("ix_jobs_state_run_after", "state", "run_after"),
        Index("ix_jobs_subject", "subject"),
        {
            "comment": "Every piece of background work: what, on what, how often tried, how it ended. Redis may forget; this does not."
        },
    )

    id: Mapped[uuid_key]
    project_id: Mapped[int | None] = mapped_column(
        ForeignKey("projects.id"),
        index=True,
        comment="Project; empty for work that belongs to none.",
    )
    kind: Mapped[str] = mapped_column(comment="read, extract, push, train, predict_open ...")
    subject: Mapped[str] = mapped_column(comment="What it works on: an id, as text.")
    arguments: Mapped[json_object] = mapped_column(comment="What it needs beside its subject.")
    state: Mapped[JobState] = mapped_column(
        text_enum(JobState, "state"),
        server_default="queued",
        comment="queued, running, done, failed or cancelled.",
    )
    attempts: Mapped[int] = mapped_column(server_default="0", comment="How often it was started.")
    max_attempts: Mapped[int] = mapped_column(
        server_default="5", comment="After this many attempts it fails for good."
    )
    run_after: Mapped[datetime] = mapped_column(
        server_default=text("clock_timestamp()"),
        comment="Not before; moved on by back-off after a failure.",
    )
    lease_until: Mapped[datetime | None] = mapped_column(
        comment="While running: when it counts as dead unless renewed."
    )
    worker: Mapped[str | None] = mapped_column(comment="Host and process that runs it.")
    error_code: Mapped[str | None] = mapped_column(comment="Kind of the last failure.")
    error: Mapped[str | None] = mapped_column(comment="The last failure, in a sentence.")
    progress: Mapped[json_object] = mapped_column(comment="{done, total, step}.")
    created_at: Mapped[recorded_time]
    created_by: Mapped[str] = mapped_column(comment="Service or user.")
    parent_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("jobs.id"), index=True, comment="Job that asked for it."
    )
    started_at: Mapped[datetime | None] = mapped_column(comment="When the last attempt began.")
    finished_at: Mapped[datetime | None] = mapped_column(
        comment="When it was done, failed for good or cancelled."
    )
