"""What models said: one extraction per document version and model version, one row per value."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, identity, json_list, json_object, recorded_time


class Extraction(Base):
    __tablename__ = "extractions"
    __table_args__ = (
        UniqueConstraint("document_version_id", "model_version_id"),
        {
            "comment": "What one model version read from one document version. Never changed; a new model version adds a new extraction."
        },
    )

    id: Mapped[identity]
    document_version_id: Mapped[UUID] = mapped_column(
        ForeignKey("document_versions.id"), comment="Document version that was read."
    )
    model_version_id: Mapped[int] = mapped_column(
        ForeignKey("model_versions.id"), index=True, comment="Model version that read it."
    )
    recorded_at: Mapped[recorded_time]
    seconds: Mapped[float | None] = mapped_column(
        comment="Time the model took, words already read."
    )
    absent: Mapped[json_object] = mapped_column(
        comment="Fields the model says are not in the document, with its confidence."
    )
    score: Mapped[float | None] = mapped_column(
        comment="Lowest confidence among the values; orders documents for review."
    )


class ExtractionValue(Base):
    __tablename__ = "extraction_values"
    __table_args__ = (
        Index("ix_extraction_values_extraction_id_field", "extraction_id", "field"),
        UniqueConstraint("extraction_id", "region_id"),
        {"comment": "One value a model read: text, place, confidence."},
    )

    id: Mapped[identity]
    extraction_id: Mapped[int] = mapped_column(
        ForeignKey("extractions.id"), comment="Extraction it is part of."
    )
    region_id: Mapped[str] = mapped_column(
        comment="Id of the region in the prediction shown in Label Studio."
    )
    field: Mapped[str] = mapped_column(comment="Field name; a table column is table.column.")
    row: Mapped[int | None] = mapped_column(comment="Row of a table, from 0.")
    text: Mapped[str] = mapped_column(comment="As printed.")
    normalised: Mapped[str | None] = mapped_column(
        comment="ISO date, plain decimal, true/false; empty if it cannot be normalised."
    )
    problem: Mapped[str | None] = mapped_column(comment="Why it could not be normalised.")
    page: Mapped[int] = mapped_column(comment="Page of the first box, 0-based.")
    spans: Mapped[json_list] = mapped_column(
        comment="[{page, box: [x0, y0, x1, y1]}] in points, origin top left of the page as displayed."
    )
    confidence: Mapped[float] = mapped_column(
        comment="Calibrated probability that the value is right."
    )
    filled: Mapped[bool] = mapped_column(
        server_default="true",
        comment="False: a suggestion below the level at which fields are filled.",
    )
    alternatives: Mapped[json_list] = mapped_column(
        comment="Other candidates: [{text, spans, confidence}]."
    )


class Prediction(Base):
    __tablename__ = "predictions"
    __table_args__ = (
        UniqueConstraint("task_id", "extraction_id"),
        Index("ix_predictions_label_studio_id", "label_studio_id"),
        {"comment": "Extractions written to Label Studio as predictions, recorded by the writer."},
    )

    id: Mapped[identity]
    task_id: Mapped[int] = mapped_column(ForeignKey("tasks.id"), comment="Task that shows it.")
    extraction_id: Mapped[int] = mapped_column(
        ForeignKey("extractions.id"), index=True, comment="Extraction it shows."
    )
    label_studio_id: Mapped[int | None] = mapped_column(
        comment="Prediction id in Label Studio; bulk imports do not tell it, the mirror fills it in."
    )
    model_version: Mapped[str] = mapped_column(
        comment="Model version string shown in Label Studio."
    )
    result_sha256: Mapped[str] = mapped_column(comment="Hash of the result as sent.")
    pushed_at: Mapped[datetime] = mapped_column(comment="When Label Studio accepted it.")
