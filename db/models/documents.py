"""Documents, their versions, what was read from them, and their Label Studio tasks."""

from __future__ import annotations

import enum
from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, identity, json_list, json_object, recorded_time, text_enum, uuid_key


class ReadingState(enum.StrEnum):
    RECEIVED = "received"  # bytes are stored, nothing was read yet
    READ = "read"  # words and page images are there
    NEEDS_OCR = "needs_ocr"  # some pages hold no text and no OCR engine was at hand
    FAILED = "failed"  # error_code and error_message say why
    ERASED = "erased"  # removed on request; see erasures


class Document(Base):
    __tablename__ = "documents"
    __table_args__ = (
        UniqueConstraint("project_id", "name"),
        {
            "comment": "A document, known by its name within a project. Its bytes are in document_versions."
        },
    )

    id: Mapped[uuid_key]
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), comment="Project.")
    name: Mapped[str] = mapped_column(comment="File name as uploaded, without folders.")
    collection: Mapped[str | None] = mapped_column(
        index=True, comment="Optional tag, e.g. one layout or one supplier."
    )
    created_at: Mapped[recorded_time]
    created_by: Mapped[str] = mapped_column(comment="Service or user who uploaded it first.")
    notes: Mapped[str | None] = mapped_column(comment="Free text by the uploader.")


class DocumentVersion(Base):
    __tablename__ = "document_versions"
    __table_args__ = (
        UniqueConstraint("document_id", "number"),
        UniqueConstraint("project_id", "sha256"),
        {
            "comment": "One content of a document. The same bytes twice in a project are one version; changed bytes under the same name a new one."
        },
    )

    id: Mapped[uuid_key]
    document_id: Mapped[UUID] = mapped_column(ForeignKey("documents.id"), comment="Document.")
    project_id: Mapped[int] = mapped_column(
        ForeignKey("projects.id"),
        comment="Project of the document, repeated so that equal bytes are found.",
    )
    number: Mapped[int] = mapped_column(comment="1 for the first content, then counting up.")
    sha256: Mapped[str] = mapped_column(comment="Hash of the bytes; also the blob's key.")
    size_bytes: Mapped[int] = mapped_column(BigInteger, comment="Length in bytes.")
    media_type: Mapped[str] = mapped_column(
        comment="application/pdf, image/png, image/jpeg or image/tiff."
    )
    state: Mapped[ReadingState] = mapped_column(
        text_enum(ReadingState, "state"),
        server_default="received",
        index=True,
        comment="received, read, needs_ocr, failed or erased.",
    )
    error_code: Mapped[str | None] = mapped_column(
        comment="Kind of failure, e.g. encrypted, too_many_pages."
    )
    error_message: Mapped[str | None] = mapped_column(
        comment="The failure in one sentence, with the limit and how to change it."
    )
    warnings: Mapped[json_list] = mapped_column(
        comment="What the reader noticed: [{code, page, message}], pages 0-based."
    )
    page_count: Mapped[int | None] = mapped_column(comment="Number of pages; empty until read.")
    reader: Mapped[str | None] = mapped_column(comment="Program and version that read it.")
    read_at: Mapped[datetime | None] = mapped_column(comment="When reading ended.")
    read_seconds: Mapped[float | None] = mapped_column(comment="How long reading took.")
    uploaded_at: Mapped[recorded_time]
    uploaded_by: Mapped[str] = mapped_column(comment="Service or user.")
    source: Mapped[str] = mapped_column(comment="api, cli, folder, label_studio or quick_test.")
    notes: Mapped[str | None] = mapped_column(comment="Free text by the uploader.")


class DocumentWords(Base):
    __tablename__ = "document_words"
    __table_args__ = (
        {
            "comment": "The words of a document version in the compact form of db/words.py. One row per version, loaded whole in under a millisecond."
        },
    )

    document_version_id: Mapped[UUID] = mapped_column(
        ForeignKey("document_versions.id"), primary_key=True, comment="Document version."
    )
    data: Mapped[bytes] = mapped_column(
        comment="Packed pages: words, boxes in points, fonts, sources, rulings."
    )
    word_count: Mapped[int] = mapped_column(comment="Words on all pages.")


class PageImage(Base):
    __tablename__ = "page_images"
    __table_args__ = (
        {"comment": "The picture of each page that reviewers see; the bytes are blobs."},
    )

    document_version_id: Mapped[UUID] = mapped_column(
        ForeignKey("document_versions.id"), primary_key=True, comment="Document version."
    )
    page: Mapped[int] = mapped_column(primary_key=True, comment="0-based.")
    sha256: Mapped[str] = mapped_column(index=True, comment="Blob key.")
    media_type: Mapped[str] = mapped_column(comment="image/png or image/jpeg.")
    width_px: Mapped[int] = mapped_column(comment="Pixels.")
    height_px: Mapped[int] = mapped_column(comment="Pixels.")
    width_pt: Mapped[float] = mapped_column(comment="Width of the page in points, as displayed.")
    height_pt: Mapped[float] = mapped_column(comment="Height of the page in points, as displayed.")


class Task(Base):
    __tablename__ = "tasks"
    __table_args__ = (
        UniqueConstraint("project_id", "label_studio_id", "source_created_at"),
        Index("ix_tasks_label_studio_id", "label_studio_id"),
        CheckConstraint(
            "deleted_at IS NULL OR deleted_at >= first_seen_at", name="deleted_after_seen"
        ),
        {
            "comment": "Label Studio's tasks as last seen. A deleted task keeps its row and its history."
        },
    )

    id: Mapped[identity]
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), comment="Project.")
    label_studio_id: Mapped[int] = mapped_column(
        comment="Task id in Label Studio; together with source_created_at it is unique even where ids are reused."
    )
    document_version_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("document_versions.id"),
        index=True,
        comment="Empty for tasks made in Label Studio by hand.",
    )
    data: Mapped[json_object] = mapped_column(comment="Task data as Label Studio has it.")
    source_created_at: Mapped[datetime | None] = mapped_column(
        comment="created_at in Label Studio."
    )
    source_updated_at: Mapped[datetime | None] = mapped_column(
        comment="updated_at in Label Studio when last fetched."
    )
    first_seen_at: Mapped[recorded_time]
    deleted_at: Mapped[datetime | None] = mapped_column(comment="When it was found deleted.")
    is_labeled: Mapped[bool] = mapped_column(
        server_default="false", comment="Label Studio's own word for: it has an annotation."
    )
