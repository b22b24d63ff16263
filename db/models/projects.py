"""Projects and their versioned field schema."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, identity, json_list, json_object, recorded_time


class Project(Base):
    __tablename__ = "projects"
    __table_args__ = (
        UniqueConstraint("label_studio_url", "label_studio_id"),
        {
            "comment": "One document type: a field schema, its documents, its models, and the Label Studio project where it is reviewed."
        },
    )

    id: Mapped[identity]
    title: Mapped[str] = mapped_column(
        unique=True, comment="Name in Fieldloop and in Label Studio."
    )
    label_studio_url: Mapped[str | None] = mapped_column(
        comment="Address services use to reach Label Studio."
    )
    label_studio_id: Mapped[int | None] = mapped_column(
        comment="Project id in Label Studio; empty until provisioned."
    )
    ml_backend_id: Mapped[int | None] = mapped_column(
        comment="Id of our ML backend connection in Label Studio."
    )
    webhook_id: Mapped[int | None] = mapped_column(comment="Id of our webhook in Label Studio.")
    label_config: Mapped[str | None] = mapped_column(
        comment="Label config last written to Label Studio."
    )
    schema_version: Mapped[int] = mapped_column(
        server_default="0", comment="Current version of the field schema; 0 before the first."
    )
    settings: Mapped[json_object] = mapped_column(
        comment="Project settings: OCR languages, training policy, gate."
    )
    created_at: Mapped[recorded_time]
    created_by: Mapped[str] = mapped_column(comment="Service or CLI user.")
    deleted_at: Mapped[datetime | None] = mapped_column(
        comment="When it was found gone in Label Studio; its history stays."
    )


class Field(Base):
    __tablename__ = "fields"
    __table_args__ = (
        UniqueConstraint("project_id", "schema_version", "name"),
        CheckConstraint(
            "type IN ('text','number','date','identifier','checkbox','signature','table')",
            name="type",
        ),
        {
            "comment": "The field schema, whole, once per version: what is to be read from each document. Columns of a table are rows named table.column."
        },
    )

    id: Mapped[identity]
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), comment="Project.")
    schema_version: Mapped[int] = mapped_column(
        comment="Version this row belongs to; the project names the current one."
    )
    position: Mapped[int] = mapped_column(comment="Order on screen, from 0.")
    name: Mapped[str] = mapped_column(comment="Name in results; a table column is table.column.")
    type: Mapped[str] = mapped_column(
        comment="text, number, date, identifier, checkbox, signature or table."
    )
    label_en: Mapped[str] = mapped_column(comment="Label in English.")
    label_pt: Mapped[str] = mapped_column(comment="Label in Brazilian Portuguese.")
    aliases: Mapped[json_list] = mapped_column(comment="Words that name the field on paper.")
    format: Mapped[str | None] = mapped_column(
        comment="Date order (YMD, MDY, DMY) or decimal sign; empty: automatic."
    )
    required: Mapped[bool] = mapped_column(comment="Whether a document without it is incomplete.")
    multiple: Mapped[bool] = mapped_column(
        comment="Whether several values may stand in one document."
    )
    recorded_at: Mapped[recorded_time]
    recorded_by: Mapped[str] = mapped_column(comment="Who wrote this version.")
    notes: Mapped[str | None] = mapped_column(comment="Why the schema changed.")
