"""The tables of the record."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "erasures",
        sa.Column(
            "id",
            sa.BigInteger(),
            sa.Identity(always=True),
            nullable=False,
            comment="Number of the row; rows recorded later have higher ones.",
        ),
        sa.Column("document_id", sa.Uuid(), nullable=False, comment="Id the document had."),
        sa.Column(
            "sha256s",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
            comment="Hashes of the removed versions.",
        ),
        sa.Column(
            "erased_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When this was recorded, by the database's clock.",
        ),
        sa.Column("erased_by", sa.Text(), nullable=False, comment="Who removed it."),
        sa.Column("reason", sa.Text(), nullable=False, comment="Why, as given to the command."),
        sa.Column(
            "counts",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="Rows and blobs removed, by table.",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
        comment="Audit of documents removed on request: that it happened, who, why; nothing of the content.",
    )
    op.create_table(
        "projects",
        sa.Column(
            "id",
            sa.BigInteger(),
            sa.Identity(always=True),
            nullable=False,
            comment="Number of the row; rows recorded later have higher ones.",
        ),
        sa.Column(
            "title", sa.Text(), nullable=False, comment="Name in Fieldloop and in Label Studio."
        ),
        sa.Column(
            "label_studio_url",
            sa.Text(),
            nullable=True,
            comment="Address services use to reach Label Studio.",
        ),
        sa.Column(
            "label_studio_id",
            sa.Integer(),
            nullable=True,
            comment="Project id in Label Studio; empty until provisioned.",
        ),
        sa.Column(
            "ml_backend_id",
            sa.Integer(),
            nullable=True,
            comment="Id of our ML backend connection in Label Studio.",
        ),
        sa.Column(
            "webhook_id", sa.Integer(), nullable=True, comment="Id of our webhook in Label Studio."
        ),
        sa.Column(
            "label_config",
            sa.Text(),
            nullable=True,
            comment="Label config last written to Label Studio.",
        ),
        sa.Column(
            "schema_version",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Current version of the field schema; 0 before the first.",
        ),
        sa.Column(
            "settings",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="Project settings: OCR languages, training policy, gate.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When this was recorded, by the database's clock.",
        ),
        sa.Column("created_by", sa.Text(), nullable=False, comment="Service or CLI user."),
        sa.Column(
            "deleted_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When it was found gone in Label Studio; its history stays.",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projects")),
        sa.UniqueConstraint(
            "label_studio_url",
            "label_studio_id",
            name=op.f("uq_projects_label_studio_url_label_studio_id"),
        ),
        sa.UniqueConstraint("title", name=op.f("uq_projects_title")),
        comment="One document type: a field schema, its documents, its models, and the Label Studio project where it is reviewed.",
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column(
            "id",
            sa.BigInteger(),
            sa.Identity(always=True),
            nullable=False,
            comment="Number of the row; rows recorded later have higher ones.",
        ),
        sa.Column(
            "received_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When this was recorded, by the database's clock.",
        ),
        sa.Column("action", sa.Text(), nullable=False, comment="As sent, known or not."),
        sa.Column(
            "project_label_studio_id",
            sa.Integer(),
            nullable=True,
            comment="Project id in Label Studio, where the event tells it.",
        ),
        sa.Column(
            "payload",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="The event without secrets.",
        ),
        sa.Column(
            "key",
            sa.Text(),
            nullable=False,
            comment="Derived from the content: the same event twice is one row.",
        ),
        sa.Column(
            "seen",
            sa.Integer(),
            server_default="1",
            nullable=False,
            comment="How often the same event arrived.",
        ),
        sa.Column(
            "state",
            sa.Enum(
                "pending",
                "done",
                "dead",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=None,
            ),
            server_default="pending",
            nullable=False,
            comment="pending, done or dead.",
        ),
        sa.Column(
            "attempts",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="How often it was processed.",
        ),
        sa.Column(
            "next_attempt_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="Not before; moved on by back-off after a failure.",
        ),
        sa.Column("last_error", sa.Text(), nullable=True, comment="Why the last attempt failed."),
        sa.Column(
            "processed_at", sa.DateTime(timezone=True), nullable=True, comment="When it was done."
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint("key", name=op.f("uq_webhook_deliveries_key")),
        comment="The inbox: raw webhook events, committed before the answer. Tokens and passwords are taken out before storing.",
    )
    op.create_index(
        "ix_webhook_deliveries_pending",
        "webhook_deliveries",
        ["id"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_table(
        "datasets",
        sa.Column(
            "id",
            sa.BigInteger(),
            sa.Identity(always=True),
            nullable=False,
            comment="Number of the row; rows recorded later have higher ones.",
        ),
        sa.Column("project_id", sa.BigInteger(), nullable=False, comment="Project."),
        sa.Column(
            "sha256",
            sa.Text(),
            nullable=False,
            comment="Hash over schema version and members in order.",
        ),
        sa.Column(
            "schema_version",
            sa.Integer(),
            nullable=False,
            comment="Field schema it was frozen under.",
        ),
        sa.Column("document_count", sa.Integer(), nullable=False, comment="Members."),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When this was recorded, by the database's clock.",
        ),
        sa.Column("created_by", sa.Text(), nullable=False, comment="Service or user."),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_datasets_project_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_datasets")),
        sa.UniqueConstraint("project_id", "sha256", name=op.f("uq_datasets_project_id_sha256")),
        comment="A frozen set of reviewed documents: exactly these annotation states. Equal content, equal hash, one row.",
    )
    op.create_table(
        "documents",
        sa.Column(
            "id",
            sa.Uuid(),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="Identity of the row.",
        ),
        sa.Column("project_id", sa.BigInteger(), nullable=False, comment="Project."),
        sa.Column(
            "name", sa.Text(), nullable=False, comment="File name as uploaded, without folders."
        ),
        sa.Column(
            "collection",
            sa.Text(),
            nullable=True,
            comment="Optional tag, e.g. one layout or one supplier.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When this was recorded, by the database's clock.",
        ),
        sa.Column(
            "created_by",
            sa.Text(),
            nullable=False,
            comment="Service or user who uploaded it first.",
        ),
        sa.Column("notes", sa.Text(), nullable=True, comment="Free text by the uploader."),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_documents_project_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_documents")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_documents_project_id_name")),
        comment="A document, known by its name within a project. Its bytes are in document_versions.",
    )
    op.create_index(op.f("ix_documents_collection"), "documents", ["collection"], unique=False)
    op.create_table(
        "fields",
        sa.Column(
            "id",
            sa.BigInteger(),
            sa.Identity(always=True),
            nullable=False,
            comment="Number of the row; rows recorded later have higher ones.",
        ),
        sa.Column("project_id", sa.BigInteger(), nullable=False, comment="Project."),
        sa.Column(
            "schema_version",
            sa.Integer(),
            nullable=False,
            comment="Version this row belongs to; the project names the current one.",
        ),
        sa.Column("position", sa.Integer(), nullable=False, comment="Order on screen, from 0."),
        sa.Column(
            "name",
            sa.Text(),
            nullable=False,
            comment="Name in results; a table column is table.column.",
        ),
        sa.Column(
            "type",
            sa.Text(),
            nullable=False,
            comment="text, number, date, identifier, checkbox, signature or table.",
        ),
        sa.Column("label_en", sa.Text(), nullable=False, comment="Label in English."),
        sa.Column("label_pt", sa.Text(), nullable=False, comment="Label in Brazilian Portuguese."),
        sa.Column(
            "aliases",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
            comment="Words that name the field on paper.",
        ),
        sa.Column(
            "format",
            sa.Text(),
            nullable=True,
            comment="Date order (YMD, MDY, DMY) or decimal sign; empty: automatic.",
        ),
        sa.Column(
            "required",
            sa.Boolean(),
            nullable=False,
            comment="Whether a document without it is incomplete.",
        ),
        sa.Column(
            "multiple",
            sa.Boolean(),
            nullable=False,
            comment="Whether several values may stand in one document.",
        ),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When this was recorded, by the database's clock.",
        ),
        sa.Column("recorded_by", sa.Text(), nullable=False, comment="Who wrote this version."),
        sa.Column("notes", sa.Text(), nullable=True, comment="Why the schema changed."),
        sa.CheckConstraint(
            "type IN ('text','number','date','identifier','checkbox','signature','table')",
            name=op.f("ck_fields_type"),
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_fields_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fields")),
        sa.UniqueConstraint(
            "project_id",
            "schema_version",
            "name",
            name=op.f("uq_fields_project_id_schema_version_name"),
        ),
        comment="The field schema, whole, once per version: what is to be read from each document. Columns of a table are rows named table.column.",
    )
    op.create_table(
        "jobs",
        sa.Column(
            "id",
            sa.Uuid(),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="Identity of the row.",
        ),
        sa.Column(
            "project_id",
            sa.BigInteger(),
            nullable=True,
            comment="Project; empty for work that belongs to none.",
        ),
        sa.Column(
            "kind",
            sa.Text(),
            nullable=False,
            comment="read, extract, push, train, predict_open ...",
        ),
        sa.Column(
            "subject", sa.Text(), nullable=False, comment="What it works on: an id, as text."
        ),
        sa.Column(
            "arguments",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="What it needs beside its subject.",
        ),
        sa.Column(
            "state",
            sa.Enum(
                "queued",
                "running",
                "done",
                "failed",
                "cancelled",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=None,
            ),
            server_default="queued",
            nullable=False,
            comment="queued, running, done, failed or cancelled.",
        ),
        sa.Column(
            "attempts",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="How often it was started.",
        ),
        sa.Column(
            "max_attempts",
            sa.Integer(),
            server_default="5",
            nullable=False,
            comment="After this many attempts it fails for good.",
        ),
        sa.Column(
            "run_after",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="Not before; moved on by back-off after a failure.",
        ),
        sa.Column(
            "lease_until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="While running: when it counts as dead unless renewed.",
        ),
        sa.Column("worker", sa.Text(), nullable=True, comment="Host and process that runs it."),
        sa.Column("error_code", sa.Text(), nullable=True, comment="Kind of the last failure."),
        sa.Column("error", sa.Text(), nullable=True, comment="The last failure, in a sentence."),
        sa.Column(
            "progress",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="{done, total, step}.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When this was recorded, by the database's clock.",
        ),
        sa.Column("created_by", sa.Text(), nullable=False, comment="Service or user."),
        sa.Column("parent_id", sa.Uuid(), nullable=True, comment="Job that asked for it."),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the last attempt began.",
        ),
        sa.Column(
            "finished_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When it was done, failed for good or cancelled.",
        ),
        sa.ForeignKeyConstraint(["parent_id"], ["jobs.id"], name=op.f("fk_jobs_parent_id")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_jobs_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        comment="Every piece of background work: what, on what, how often tried, how it ended. Redis may forget; this does not.",
    )
    op.create_index(op.f("ix_jobs_parent_id"), "jobs", ["parent_id"], unique=False)
    op.create_index(op.f("ix_jobs_project_id"), "jobs", ["project_id"], unique=False)
    op.create_index("ix_jobs_state_run_after", "jobs", ["state", "run_after"], unique=False)
    op.create_index("ix_jobs_subject", "jobs", ["subject"], unique=False)
    op.create_index(
        "uq_jobs_open",
        "jobs",
        ["kind", "subject"],
        unique=True,
        postgresql_where=sa.text("state IN ('queued', 'running')"),
    )
    op.create_table(
        "sync_cursors",
        sa.Column("project_id", sa.BigInteger(), nullable=False, comment="Project."),
        sa.Column("name", sa.Text(), nullable=False, comment="catch_up, deletions ..."),
        sa.Column(
            "position",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="{updated_at, id} for catch_up.",
        ),
        sa.Column(
            "moved_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When this was recorded, by the database's clock.",
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_sync_cursors_project_id")
        ),
        sa.PrimaryKeyConstraint("project_id", "name", name=op.f("pk_sync_cursors")),
        comment="How far each pass has come; moved in the transaction of the rows it covers.",
    )
    op.create_table(
        "sync_runs",
        sa.Column(
            "id",
            sa.BigInteger(),
            sa.Identity(always=True),
            nullable=False,
            comment="Number of the row; rows recorded later have higher ones.",
        ),
        sa.Column(
            "project_id", sa.BigInteger(), nullable=True, comment="Project; empty: all of them."
        ),
        sa.Column(
            "kind", sa.Text(), nullable=False, comment="backfill, catch_up, deletions or verify."
        ),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When this was recorded, by the database's clock.",
        ),
        sa.Column(
            "finished_at", sa.DateTime(timezone=True), nullable=True, comment="When the pass ended."
        ),
        sa.Column("ok", sa.Boolean(), nullable=True, comment="Empty while running."),
        sa.Column(
            "counts",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="What was seen, added, changed, deleted.",
        ),
        sa.Column(
            "differences",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
            comment="verify: what differed, annotation by annotation.",
        ),
        sa.Column("error", sa.Text(), nullable=True, comment="Why it failed, in a sentence."),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_sync_runs_project_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sync_runs")),
        comment="Each pass of the mirror that found or checked something: counts, differences, duration.",
    )
    op.create_index(
        "ix_sync_runs_project_id_kind_id", "sync_runs", ["project_id", "kind", "id"], unique=False
    )
    op.create_table(
        "document_versions",
        sa.Column(
            "id",
            sa.Uuid(),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="Identity of the row.",
        ),
        sa.Column("document_id", sa.Uuid(), nullable=False, comment="Document."),
        sa.Column(
            "project_id",
            sa.BigInteger(),
            nullable=False,
            comment="Project of the document, repeated so that equal bytes are found.",
        ),
        sa.Column(
            "number",
            sa.Integer(),
            nullable=False,
            comment="1 for the first content, then counting up.",
        ),
        sa.Column(
            "sha256", sa.Text(), nullable=False, comment="Hash of the bytes; also the blob's key."
        ),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False, comment="Length in bytes."),
        sa.Column(
            "media_type",
            sa.Text(),
            nullable=False,
            comment="application/pdf, image/png, image/jpeg or image/tiff.",
        ),
        sa.Column(
            "state",
            sa.Enum(
                "received",
                "read",
                "needs_ocr",
                "failed",
                "erased",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=None,
            ),
            server_default="received",
            nullable=False,
            comment="received, read, needs_ocr, failed or erased.",
        ),
        sa.Column(
            "error_code",
            sa.Text(),
            nullable=True,
            comment="Kind of failure, e.g. encrypted, too_many_pages.",
        ),
        sa.Column(
            "error_message",
            sa.Text(),
            nullable=True,
            comment="The failure in one sentence, with the limit and how to change it.",
        ),
        sa.Column(
            "warnings",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
            comment="What the reader noticed: [{code, page, message}], pages 0-based.",
        ),
        sa.Column(
            "page_count", sa.Integer(), nullable=True, comment="Number of pages; empty until read."
        ),
        sa.Column("reader", sa.Text(), nullable=True, comment="Program and version that read it."),
        sa.Column(
            "read_at", sa.DateTime(timezone=True), nullable=True, comment="When reading ended."
        ),
        sa.Column("read_seconds", sa.Double(), nullable=True, comment="How long reading took."),
        sa.Column(
            "uploaded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When this was recorded, by the database's clock.",
        ),
        sa.Column("uploaded_by", sa.Text(), nullable=False, comment="Service or user."),
        sa.Column(
            "source",
            sa.Text(),
            nullable=False,
            comment="api, cli, folder, label_studio or quick_test.",
        ),
        sa.Column("notes", sa.Text(), nullable=True, comment="Free text by the uploader."),
        sa.ForeignKeyConstraint(
            ["document_id"], ["documents.id"], name=op.f("fk_document_versions_document_id")
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_document_versions_project_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_document_versions")),
        sa.UniqueConstraint(
            "document_id", "number", name=op.f("uq_document_versions_document_id_number")
        ),
        sa.UniqueConstraint(
            "project_id", "sha256", name=op.f("uq_document_versions_project_id_sha256")
        ),
        comment="One content of a document. The same bytes twice in a project are one version; changed bytes under the same name a new one.",
    )
    op.create_index(
        op.f("ix_document_versions_state"), "document_versions", ["state"], unique=False
    )
    op.create_table(
        "training_runs",
        sa.Column(
            "id",
            sa.Uuid(),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="Identity of the row.",
        ),
        sa.Column("project_id", sa.BigInteger(), nullable=False, comment="Project."),
        sa.Column(
            "dataset_id",
            sa.BigInteger(),
            nullable=True,
            comment="Dataset it learnt from; empty until it is frozen.",
        ),
        sa.Column(
            "state",
            sa.Enum(
                "queued",
                "running",
                "succeeded",
                "failed",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=None,
            ),
            server_default="queued",
            nullable=False,
            comment="queued, running, succeeded or failed.",
        ),
        sa.Column(
            "reason", sa.Text(), nullable=False, comment="Why it was asked for, in a sentence."
        ),
        sa.Column(
            "requested_by", sa.Text(), nullable=False, comment="policy, label_studio or a user."
        ),
        sa.Column(
            "requested_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When this was recorded, by the database's clock.",
        ),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When a worker took it up.",
        ),
        sa.Column(
            "finished_at", sa.DateTime(timezone=True), nullable=True, comment="When it ended."
        ),
        sa.Column(
            "heartbeat_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Last sign of life while running.",
        ),
        sa.Column(
            "seed",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Random seed of the fit.",
        ),
        sa.Column(
            "parameters",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="Settings of the fit.",
        ),
        sa.Column(
            "progress",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="{step, done, total} while running.",
        ),
        sa.Column("error", sa.Text(), nullable=True, comment="Why it failed, in a sentence."),
        sa.Column(
            "gate_passed", sa.Boolean(), nullable=True, comment="Whether the candidate went live."
        ),
        sa.Column(
            "gate_reason",
            sa.Text(),
            nullable=True,
            comment="The gate's reason, with the figures it compared.",
        ),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["datasets.id"], name=op.f("fk_training_runs_dataset_id")
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_training_runs_project_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_runs")),
        comment="Every training: why it ran, on which dataset, how it ended, and what the gate said.",
    )
    op.create_index(
        op.f("ix_training_runs_project_id"), "training_runs", ["project_id"], unique=False
    )
    op.create_index(
        "uq_training_runs_active",
        "training_runs",
        ["project_id"],
        unique=True,
        postgresql_where=sa.text("state = 'running'"),
    )
    op.create_table(
        "document_words",
        sa.Column("document_version_id", sa.Uuid(), nullable=False, comment="Document version."),
        sa.Column(
            "data",
            sa.LargeBinary(),
            nullable=False,
            comment="Packed pages: words, boxes in points, fonts, sources, rulings.",
        ),
        sa.Column("word_count", sa.Integer(), nullable=False, comment="Words on all pages."),
        sa.ForeignKeyConstraint(
            ["document_version_id"],
            ["document_versions.id"],
            name=op.f("fk_document_words_document_version_id"),
        ),
        sa.PrimaryKeyConstraint("document_version_id", name=op.f("pk_document_words")),
        comment="The words of a document version in the compact form of db/words.py. One row per version, loaded whole in under a millisecond.",
    )
    op.create_table(
        "model_versions",
        sa.Column(
            "id",
            sa.BigInteger(),
            sa.Identity(always=True),
            nullable=False,
            comment="Number of the row; rows recorded later have higher ones.",
        ),
        sa.Column("project_id", sa.BigInteger(), nullable=False, comment="Project."),
        sa.Column(
            "number",
            sa.Integer(),
            nullable=False,
            comment="Counting up within the project, from 0 for the first zero-shot version.",
        ),
        sa.Column(
            "name",
            sa.Text(),
            nullable=False,
            comment="The one model version string, here, in predictions and in Label Studio.",
        ),
        sa.Column(
            "kind",
            sa.Enum(
                "zero_shot",
                "trained",
                "self_trained",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=None,
            ),
            nullable=False,
            comment="zero_shot, trained or self_trained.",
        ),
        sa.Column("schema_version", sa.Integer(), nullable=False, comment="Field schema it knows."),
        sa.Column(
            "training_run_id",
            sa.Uuid(),
            nullable=True,
            comment="Run that made it; empty for zero-shot.",
        ),
        sa.Column(
            "dataset_id",
            sa.BigInteger(),
            nullable=True,
            comment="Dataset it learnt from; empty for zero-shot.",
        ),
        sa.Column(
            "artefact_sha256",
            sa.Text(),
            nullable=True,
            comment="Blob key of the model; empty for zero-shot, which has no state.",
        ),
        sa.Column(
            "artefact_bytes", sa.BigInteger(), nullable=True, comment="Size of the model in bytes."
        ),
        sa.Column(
            "libraries",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="Versions of the libraries it was made with.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When this was recorded, by the database's clock.",
        ),
        sa.Column("created_by", sa.Text(), nullable=False, comment="Service or user."),
        sa.Column("notes", sa.Text(), nullable=True, comment="Free text."),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["datasets.id"], name=op.f("fk_model_versions_dataset_id")
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_model_versions_project_id")
        ),
        sa.ForeignKeyConstraint(
            ["training_run_id"],
            ["training_runs.id"],
            name=op.f("fk_model_versions_training_run_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_versions")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_model_versions_project_id_name")),
        sa.UniqueConstraint(
            "project_id", "number", name=op.f("uq_model_versions_project_id_number")
        ),
        comment="Immutable model versions. The bytes are a blob; the hash is part of the record.",
    )
    op.create_index(
        op.f("ix_model_versions_training_run_id"),
        "model_versions",
        ["training_run_id"],
        unique=False,
    )
    op.create_table(
        "page_images",
        sa.Column("document_version_id", sa.Uuid(), nullable=False, comment="Document version."),
        sa.Column("page", sa.Integer(), nullable=False, comment="0-based."),
        sa.Column("sha256", sa.Text(), nullable=False, comment="Blob key."),
        sa.Column("media_type", sa.Text(), nullable=False, comment="image/png or image/jpeg."),
        sa.Column("width_px", sa.Integer(), nullable=False, comment="Pixels."),
        sa.Column("height_px", sa.Integer(), nullable=False, comment="Pixels."),
        sa.Column(
            "width_pt",
            sa.Double(),
            nullable=False,
            comment="Width of the page in points, as displayed.",
        ),
        sa.Column(
            "height_pt",
            sa.Double(),
            nullable=False,
            comment="Height of the page in points, as displayed.",
        ),
        sa.ForeignKeyConstraint(
            ["document_version_id"],
            ["document_versions.id"],
            name=op.f("fk_page_images_document_version_id"),
        ),
        sa.PrimaryKeyConstraint("document_version_id", "page", name=op.f("pk_page_images")),
        comment="The picture of each page that reviewers see; the bytes are blobs.",
    )
    op.create_index(op.f("ix_page_images_sha256"), "page_images", ["sha256"], unique=False)
    op.create_table(
        "retrain_decisions",
        sa.Column(
            "id",
            sa.BigInteger(),
            sa.Identity(always=True),
            nullable=False,
            comment="Number of the row; rows recorded later have higher ones.",
        ),
        sa.Column("project_id", sa.BigInteger(), nullable=False, comment="Project."),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When this was recorded, by the database's clock.",
        ),
        sa.Column("train", sa.Boolean(), nullable=False, comment="Whether a run was started."),
        sa.Column("reason", sa.Text(), nullable=False, comment="In a sentence, with the figures."),
        sa.Column(
            "figures",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="The figures the policy saw.",
        ),
        sa.Column(
            "training_run_id",
            sa.Uuid(),
            nullable=True,
            comment="Run that was started; empty if none.",
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_retrain_decisions_project_id")
        ),
        sa.ForeignKeyConstraint(
            ["training_run_id"],
            ["training_runs.id"],
            name=op.f("fk_retrain_decisions_training_run_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retrain_decisions")),
        comment="Why the policy did or did not train, each time its answer changed.",
    )
    op.create_index(
        "ix_retrain_decisions_project_id_id",
        "retrain_decisions",
        ["project_id", "id"],
        unique=False,
    )
    op.create_table(
        "tasks",
        sa.Column(
            "id",
            sa.BigInteger(),
            sa.Identity(always=True),
            nullable=False,
            comment="Number of the row; rows recorded later have higher ones.",
        ),
        sa.Column("project_id", sa.BigInteger(), nullable=False, comment="Project."),
        sa.Column(
            "label_studio_id",
            sa.Integer(),
            nullable=False,
            comment="Task id in Label Studio; together with source_created_at it is unique even where ids are reused.",
        ),
        sa.Column(
            "document_version_id",
            sa.Uuid(),
            nullable=True,
            comment="Empty for tasks made in Label Studio by hand.",
        ),
        sa.Column(
            "data",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="Task data as Label Studio has it.",
        ),
        sa.Column(
            "source_created_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="created_at in Label Studio.",
        ),
        sa.Column(
            "source_updated_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="updated_at in Label Studio when last fetched.",
        ),
        sa.Column(
            "first_seen_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When this was recorded, by the database's clock.",
        ),
        sa.Column(
            "deleted_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When it was found deleted.",
        ),
        sa.Column(
            "is_labeled",
            sa.Boolean(),
            server_default="false",
            nullable=False,
            comment="Label Studio's own word for: it has an annotation.",
        ),
        sa.CheckConstraint(
            "deleted_at IS NULL OR deleted_at >= first_seen_at",
            name=op.f("ck_tasks_deleted_after_seen"),
        ),
        sa.ForeignKeyConstraint(
            ["document_version_id"],
            ["document_versions.id"],
            name=op.f("fk_tasks_document_version_id"),
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_tasks_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
        sa.UniqueConstraint(
            "project_id",
            "label_studio_id",
            "source_created_at",
            name=op.f("uq_tasks_project_id_label_studio_id_source_created_at"),
        ),
        comment="Label Studio's tasks as last seen. A deleted task keeps its row and its history.",
    )
    op.create_index(
        op.f("ix_tasks_document_version_id"), "tasks", ["document_version_id"], unique=False
    )
    op.create_index("ix_tasks_label_studio_id", "tasks", ["label_studio_id"], unique=False)
    op.create_table(
        "extractions",
        sa.Column(
            "id",
            sa.BigInteger(),
            sa.Identity(always=True),
            nullable=False,
            comment="Number of the row; rows recorded later have higher ones.",
        ),
        sa.Column(
            "document_version_id",
            sa.Uuid(),
            nullable=False,
            comment="Document version that was read.",
        ),
        sa.Column(
            "model_version_id",
            sa.BigInteger(),
            nullable=False,
            comment="Model version that read it.",
        ),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When this was recorded, by the database's clock.",
        ),
        sa.Column(
            "seconds",
            sa.Double(),
            nullable=True,
            comment="Time the model took, words already read.",
        ),
        sa.Column(
            "absent",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="Fields the model says are not in the document, with its confidence.",
        ),
        sa.Column(
            "score",
            sa.Double(),
            nullable=True,
            comment="Lowest confidence among the values; orders documents for review.",
        ),
        sa.ForeignKeyConstraint(
            ["document_version_id"],
            ["document_versions.id"],
            name=op.f("fk_extractions_document_version_id"),
        ),
        sa.ForeignKeyConstraint(
            ["model_version_id"],
            ["model_versions.id"],
            name=op.f("fk_extractions_model_version_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_extractions")),
        sa.UniqueConstraint(
            "document_version_id",
            "model_version_id",
            name=op.f("uq_extractions_document_version_id_model_version_id"),
        ),
        comment="What one model version read from one document version. Never changed; a new model version adds a new extraction.",
    )
    op.create_index(
        op.f("ix_extractions_model_version_id"), "extractions", ["model_version_id"], unique=False
    )
    op.create_table(
        "metrics",
        sa.Column(
            "id",
            sa.BigInteger(),
            sa.Identity(always=True),
            nullable=False,
            comment="Number of the row; rows recorded later have higher ones.",
        ),
        sa.Column("training_run_id", sa.Uuid(), nullable=False, comment="Run that measured it."),
        sa.Column(
            "model_version_id",
            sa.BigInteger(),
            nullable=False,
            comment="The model measured: the candidate or the one live at the time.",
        ),
        sa.Column("role", sa.Text(), nullable=False, comment="candidate or live."),
        sa.Column("field", sa.Text(), nullable=True, comment="Empty: over all fields."),
        sa.Column(
            "name",
            sa.Text(),
            nullable=False,
            comment="f1, precision, recall, calibration_error ...",
        ),
        sa.Column(
            "value", sa.Double(), nullable=False, comment="0..1 unless the name says otherwise."
        ),
        sa.Column("support", sa.Integer(), nullable=False, comment="Values it was measured on."),
        sa.Column("low", sa.Double(), nullable=True, comment="Lower end of the 95 % interval."),
        sa.Column("high", sa.Double(), nullable=True, comment="Upper end of the 95 % interval."),
        sa.ForeignKeyConstraint(
            ["model_version_id"], ["model_versions.id"], name=op.f("fk_metrics_model_version_id")
        ),
        sa.ForeignKeyConstraint(
            ["training_run_id"], ["training_runs.id"], name=op.f("fk_metrics_training_run_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_metrics")),
        sa.UniqueConstraint(
            "training_run_id",
            "model_version_id",
            "field",
            "name",
            name=op.f("uq_metrics_training_run_id_model_version_id_field_name"),
            postgresql_nulls_not_distinct=True,
        ),
        comment="Measured on documents the model had not seen (cross-validation over the dataset's folds), per field and over all fields.",
    )
    op.create_index(
        op.f("ix_metrics_model_version_id"), "metrics", ["model_version_id"], unique=False
    )
    op.create_table(
        "model_aliases",
        sa.Column(
            "id",
            sa.BigInteger(),
            sa.Identity(always=True),
            nullable=False,
            comment="Number of the row; rows recorded later have higher ones.",
        ),
        sa.Column("project_id", sa.BigInteger(), nullable=False, comment="Project."),
        sa.Column("alias", sa.Text(), nullable=False, comment="live."),
        sa.Column(
            "model_version_id",
            sa.BigInteger(),
            nullable=False,
            comment="Model version the alias names from here on.",
        ),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When this was recorded, by the database's clock.",
        ),
        sa.Column(
            "recorded_by",
            sa.Text(),
            nullable=False,
            comment="gate, provisioning or a named person.",
        ),
        sa.Column("notes", sa.Text(), nullable=False, comment="Why it moved."),
        sa.ForeignKeyConstraint(
            ["model_version_id"],
            ["model_versions.id"],
            name=op.f("fk_model_aliases_model_version_id"),
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_model_aliases_project_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_aliases")),
        comment="Append-only: every move of an alias. The newest row of an alias says which model version it names.",
    )
    op.create_index(
        "ix_model_aliases_project_id_alias_id",
        "model_aliases",
        ["project_id", "alias", "id"],
        unique=False,
    )
    op.create_table(
        "annotation_events",
        sa.Column(
            "id",
            sa.BigInteger(),
            sa.Identity(always=True),
            nullable=False,
            comment="Number of the row; rows recorded later have higher ones.",
        ),
        sa.Column("project_id", sa.BigInteger(), nullable=False, comment="Project."),
        sa.Column("task_id", sa.BigInteger(), nullable=False, comment="Task that was annotated."),
        sa.Column(
            "label_studio_id",
            sa.Integer(),
            nullable=False,
            comment="Annotation id in Label Studio.",
        ),
        sa.Column(
            "kind",
            sa.Enum(
                "created",
                "updated",
                "deleted",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=None,
            ),
            nullable=False,
            comment="created, updated or deleted.",
        ),
        sa.Column(
            "source",
            sa.Enum(
                "webhook",
                "sweep",
                "backfill",
                "verify",
                "csv",
                name="source",
                native_enum=False,
                create_constraint=True,
                length=None,
            ),
            nullable=False,
            comment="How we learnt it.",
        ),
        sa.Column(
            "occurred_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When it happened: updated_at in Label Studio; for a deletion, when we found it.",
        ),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When it entered the record.",
        ),
        sa.Column(
            "actor",
            sa.Text(),
            nullable=True,
            comment="E-mail of the reviewer, where Label Studio tells it.",
        ),
        sa.Column(
            "was_cancelled",
            sa.Boolean(),
            server_default="false",
            nullable=False,
            comment="True: the reviewer skipped the task.",
        ),
        sa.Column(
            "lead_time", sa.Double(), nullable=True, comment="Seconds the reviewer worked on it."
        ),
        sa.Column(
            "result",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="The full result; for a deletion the last content known.",
        ),
        sa.Column(
            "content_sha256",
            sa.Text(),
            nullable=False,
            comment="Hash of result and was_cancelled, keys sorted; equal content, equal hash.",
        ),
        sa.Column(
            "parent_prediction_id",
            sa.Integer(),
            nullable=True,
            comment="Label Studio id of the prediction the reviewer started from.",
        ),
        sa.Column(
            "extraction_id",
            sa.BigInteger(),
            nullable=True,
            comment="Our extraction behind that prediction.",
        ),
        sa.Column(
            "previous_event_id", sa.BigInteger(), nullable=True, comment="State before this one."
        ),
        sa.Column(
            "changes",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
            comment="Differences to the state before: [{region_id, field, change, before, after}].",
        ),
        sa.Column(
            "gap",
            sa.Boolean(),
            server_default="false",
            nullable=False,
            comment="True: states between the previous event and this one may have gone unseen.",
        ),
        sa.Column(
            "problems",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
            comment="What in the content could not be understood, in sentences.",
        ),
        sa.Column(
            "delivery_id",
            sa.BigInteger(),
            nullable=True,
            comment="Webhook delivery that led to it.",
        ),
        sa.ForeignKeyConstraint(
            ["extraction_id"], ["extractions.id"], name=op.f("fk_annotation_events_extraction_id")
        ),
        sa.ForeignKeyConstraint(
            ["previous_event_id"],
            ["annotation_events.id"],
            name=op.f("fk_annotation_events_previous_event_id"),
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_annotation_events_project_id")
        ),
        sa.ForeignKeyConstraint(
            ["task_id"], ["tasks.id"], name=op.f("fk_annotation_events_task_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_annotation_events")),
        sa.UniqueConstraint(
            "project_id",
            "label_studio_id",
            "kind",
            "occurred_at",
            "content_sha256",
            name=op.f(
                "uq_annotation_events_project_id_label_studio_id_kind_occurred_at_content_sha256"
            ),
        ),
        comment="Append-only: every state of every annotation that we ever saw, with who, when it happened, when we learnt it and how.",
    )
    op.create_index(
        op.f("ix_annotation_events_extraction_id"),
        "annotation_events",
        ["extraction_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_annotation_events_previous_event_id"),
        "annotation_events",
        ["previous_event_id"],
        unique=False,
    )
    op.create_index(
        "ix_annotation_events_project_id_recorded_at",
        "annotation_events",
        ["project_id", "recorded_at"],
        unique=False,
    )
    op.create_index(
        "ix_annotation_events_task_id_label_studio_id_id",
        "annotation_events",
        ["task_id", "label_studio_id", "id"],
        unique=False,
        postgresql_include=["recorded_at", "occurred_at", "kind"],
    )
    op.create_table(
        "extraction_values",
        sa.Column(
            "id",
            sa.BigInteger(),
            sa.Identity(always=True),
            nullable=False,
            comment="Number of the row; rows recorded later have higher ones.",
        ),
        sa.Column(
            "extraction_id", sa.BigInteger(), nullable=False, comment="Extraction it is part of."
        ),
        sa.Column(
            "region_id",
            sa.Text(),
            nullable=False,
            comment="Id of the region in the prediction shown in Label Studio.",
        ),
        sa.Column(
            "field",
            sa.Text(),
            nullable=False,
            comment="Field name; a table column is table.column.",
        ),
        sa.Column("row", sa.Integer(), nullable=True, comment="Row of a table, from 0."),
        sa.Column("text", sa.Text(), nullable=False, comment="As printed."),
        sa.Column(
            "normalised",
            sa.Text(),
            nullable=True,
            comment="ISO date, plain decimal, true/false; empty if it cannot be normalised.",
        ),
        sa.Column("problem", sa.Text(), nullable=True, comment="Why it could not be normalised."),
        sa.Column("page", sa.Integer(), nullable=False, comment="Page of the first box, 0-based."),
        sa.Column(
            "spans",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
            comment="[{page, box: [x0, y0, x1, y1]}] in points, origin top left of the page as displayed.",
        ),
        sa.Column(
            "confidence",
            sa.Double(),
            nullable=False,
            comment="Calibrated probability that the value is right.",
        ),
        sa.Column(
            "filled",
            sa.Boolean(),
            server_default="true",
            nullable=False,
            comment="False: a suggestion below the level at which fields are filled.",
        ),
        sa.Column(
            "alternatives",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
            comment="Other candidates: [{text, spans, confidence}].",
        ),
        sa.ForeignKeyConstraint(
            ["extraction_id"], ["extractions.id"], name=op.f("fk_extraction_values_extraction_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_extraction_values")),
        sa.UniqueConstraint(
            "extraction_id", "region_id", name=op.f("uq_extraction_values_extraction_id_region_id")
        ),
        comment="One value a model read: text, place, confidence.",
    )
    op.create_index(
        "ix_extraction_values_extraction_id_field",
        "extraction_values",
        ["extraction_id", "field"],
        unique=False,
    )
    op.create_table(
        "predictions",
        sa.Column(
            "id",
            sa.BigInteger(),
            sa.Identity(always=True),
            nullable=False,
            comment="Number of the row; rows recorded later have higher ones.",
        ),
        sa.Column("task_id", sa.BigInteger(), nullable=False, comment="Task that shows it."),
        sa.Column("extraction_id", sa.BigInteger(), nullable=False, comment="Extraction it shows."),
        sa.Column(
            "label_studio_id",
            sa.Integer(),
            nullable=True,
            comment="Prediction id in Label Studio; bulk imports do not tell it, the mirror fills it in.",
        ),
        sa.Column(
            "model_version",
            sa.Text(),
            nullable=False,
            comment="Model version string shown in Label Studio.",
        ),
        sa.Column(
            "result_sha256", sa.Text(), nullable=False, comment="Hash of the result as sent."
        ),
        sa.Column(
            "pushed_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When Label Studio accepted it.",
        ),
        sa.ForeignKeyConstraint(
            ["extraction_id"], ["extractions.id"], name=op.f("fk_predictions_extraction_id")
        ),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_predictions_task_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_predictions")),
        sa.UniqueConstraint(
            "task_id", "extraction_id", name=op.f("uq_predictions_task_id_extraction_id")
        ),
        comment="Extractions written to Label Studio as predictions, recorded by the writer.",
    )
    op.create_index(
        op.f("ix_predictions_extraction_id"), "predictions", ["extraction_id"], unique=False
    )
    op.create_index(
        "ix_predictions_label_studio_id", "predictions", ["label_studio_id"], unique=False
    )
    op.create_table(
        "annotation_values",
        sa.Column(
            "id",
            sa.BigInteger(),
            sa.Identity(always=True),
            nullable=False,
            comment="Number of the row; rows recorded later have higher ones.",
        ),
        sa.Column("event_id", sa.BigInteger(), nullable=False, comment="State it is part of."),
        sa.Column("region_id", sa.Text(), nullable=False, comment="Region id in Label Studio."),
        sa.Column(
            "field",
            sa.Text(),
            nullable=False,
            comment="Field name; a table column is table.column.",
        ),
        sa.Column(
            "row",
            sa.Integer(),
            nullable=True,
            comment="Row of a table, from 0, by vertical position.",
        ),
        sa.Column("text", sa.Text(), nullable=True, comment="The value; empty for a removed one."),
        sa.Column(
            "text_source",
            sa.Text(),
            nullable=False,
            comment="reviewer: typed or confirmed text; page: words under the box, the region had no text; none: no text found.",
        ),
        sa.Column(
            "normalised", sa.Text(), nullable=True, comment="ISO date, plain decimal, true/false."
        ),
        sa.Column("problem", sa.Text(), nullable=True, comment="Why it could not be normalised."),
        sa.Column("page", sa.Integer(), nullable=False, comment="0-based."),
        sa.Column(
            "x0",
            sa.Double(),
            nullable=False,
            comment="Points from the left of the page as displayed.",
        ),
        sa.Column("y0", sa.Double(), nullable=False, comment="Points from the top."),
        sa.Column("x1", sa.Double(), nullable=False, comment="Points from the left."),
        sa.Column("y1", sa.Double(), nullable=False, comment="Points from the top."),
        sa.Column(
            "outcome",
            sa.Enum(
                "accepted",
                "corrected",
                "added",
                "removed",
                name="outcome",
                native_enum=False,
                create_constraint=True,
                length=None,
            ),
            nullable=False,
            comment="Against the prediction the reviewer started from.",
        ),
        sa.Column("predicted_text", sa.Text(), nullable=True, comment="What the model had said."),
        sa.Column(
            "confidence", sa.Double(), nullable=True, comment="The model's confidence in it."
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["annotation_events.id"], name=op.f("fk_annotation_values_event_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_annotation_values")),
        comment="One field value of one state of an annotation. Never changed: the state's event says when it held; current values are those of annotations.last_event_id.",
    )
    op.create_index(
        op.f("ix_annotation_values_event_id"), "annotation_values", ["event_id"], unique=False
    )
    op.create_index("ix_annotation_values_field", "annotation_values", ["field"], unique=False)
    op.create_table(
        "annotations",
        sa.Column(
            "id",
            sa.BigInteger(),
            sa.Identity(always=True),
            nullable=False,
            comment="Number of the row; rows recorded later have higher ones.",
        ),
        sa.Column("project_id", sa.BigInteger(), nullable=False, comment="Project."),
        sa.Column("task_id", sa.BigInteger(), nullable=False, comment="Task that was annotated."),
        sa.Column(
            "label_studio_id",
            sa.Integer(),
            nullable=False,
            comment="Annotation id in Label Studio.",
        ),
        sa.Column(
            "last_event_id",
            sa.BigInteger(),
            nullable=False,
            comment="Event that set this state; its values are in annotation_values.",
        ),
        sa.Column(
            "created_by", sa.Text(), nullable=True, comment="E-mail of the reviewer who made it."
        ),
        sa.Column("updated_by", sa.Text(), nullable=True, comment="E-mail of the last reviewer."),
        sa.Column(
            "source_created_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="created_at in Label Studio.",
        ),
        sa.Column(
            "source_updated_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="updated_at in Label Studio.",
        ),
        sa.Column("was_cancelled", sa.Boolean(), nullable=False, comment="True: skipped."),
        sa.Column(
            "ground_truth",
            sa.Boolean(),
            server_default="false",
            nullable=False,
            comment="Marked as ground truth in Label Studio.",
        ),
        sa.Column("lead_time", sa.Double(), nullable=True, comment="Seconds."),
        sa.Column(
            "result",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="The full result as Label Studio has it.",
        ),
        sa.Column(
            "content_sha256", sa.Text(), nullable=False, comment="Hash of result and was_cancelled."
        ),
        sa.Column(
            "status",
            sa.Text(),
            nullable=True,
            comment="The reviewer's choice: OK, Second look, Wrong type, Unreadable.",
        ),
        sa.Column(
            "absent",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
            comment="Fields the reviewer declared not in this document.",
        ),
        sa.Column("notes", sa.Text(), nullable=True, comment="The reviewer's notes."),
        sa.Column(
            "deleted_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When it was found deleted.",
        ),
        sa.Column(
            "extra",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="Other keys Label Studio sent, kept for verification.",
        ),
        sa.ForeignKeyConstraint(
            ["last_event_id"], ["annotation_events.id"], name=op.f("fk_annotations_last_event_id")
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_annotations_project_id")
        ),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_annotations_task_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_annotations")),
        sa.UniqueConstraint(
            "project_id",
            "label_studio_id",
            "source_created_at",
            name=op.f("uq_annotations_project_id_label_studio_id_source_created_at"),
        ),
        comment="The current state of every annotation; deleted ones keep their last content.",
    )
    op.create_index(
        op.f("ix_annotations_label_studio_id"), "annotations", ["label_studio_id"], unique=False
    )
    op.create_index(
        op.f("ix_annotations_last_event_id"), "annotations", ["last_event_id"], unique=False
    )
    op.create_index(
        "ix_annotations_open",
        "annotations",
        ["project_id"],
        unique=False,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(op.f("ix_annotations_task_id"), "annotations", ["task_id"], unique=False)
    op.create_table(
        "dataset_members",
        sa.Column("dataset_id", sa.BigInteger(), nullable=False, comment="Dataset."),
        sa.Column(
            "position", sa.Integer(), nullable=False, comment="Order in the dataset, from 0."
        ),
        sa.Column(
            "document_version_id",
            sa.Uuid(),
            nullable=False,
            comment="Document version learnt from.",
        ),
        sa.Column(
            "annotation_event_id",
            sa.BigInteger(),
            nullable=False,
            comment="Exactly this state of its annotation.",
        ),
        sa.Column(
            "fold",
            sa.Integer(),
            nullable=False,
            comment="Held-out fold of the document, from 0; decided by the hash of its bytes, so it never moves.",
        ),
        sa.ForeignKeyConstraint(
            ["annotation_event_id"],
            ["annotation_events.id"],
            name=op.f("fk_dataset_members_annotation_event_id"),
        ),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["datasets.id"], name=op.f("fk_dataset_members_dataset_id")
        ),
        sa.ForeignKeyConstraint(
            ["document_version_id"],
            ["document_versions.id"],
            name=op.f("fk_dataset_members_document_version_id"),
        ),
        sa.PrimaryKeyConstraint("dataset_id", "position", name=op.f("pk_dataset_members")),
        comment="Which annotation state of which document version a dataset holds, and on which side of the split.",
    )
    op.create_index(
        "ix_dataset_members_annotation_event_id",
        "dataset_members",
        ["annotation_event_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_dataset_members_document_version_id"),
        "dataset_members",
        ["document_version_id"],
        unique=False,
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_dataset_members_document_version_id"), table_name="dataset_members")
    op.drop_index("ix_dataset_members_annotation_event_id", table_name="dataset_members")
    op.drop_table("dataset_members")
    op.drop_index(op.f("ix_annotations_task_id"), table_name="annotations")
    op.drop_index(
        "ix_annotations_open",
        table_name="annotations",
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.drop_index(op.f("ix_annotations_last_event_id"), table_name="annotations")
    op.drop_index(op.f("ix_annotations_label_studio_id"), table_name="annotations")
    op.drop_table("annotations")
    op.drop_index("ix_annotation_values_field", table_name="annotation_values")
    op.drop_index(op.f("ix_annotation_values_event_id"), table_name="annotation_values")
    op.drop_table("annotation_values")
    op.drop_index("ix_predictions_label_studio_id", table_name="predictions")
    op.drop_index(op.f("ix_predictions_extraction_id"), table_name="predictions")
    op.drop_table("predictions")
    op.drop_index("ix_extraction_values_extraction_id_field", table_name="extraction_values")
    op.drop_table("extraction_values")
    op.drop_index(
        "ix_annotation_events_task_id_label_studio_id_id",
        table_name="annotation_events",
        postgresql_include=["recorded_at", "occurred_at", "kind"],
    )
    op.drop_index("ix_annotation_events_project_id_recorded_at", table_name="annotation_events")
    op.drop_index(op.f("ix_annotation_events_previous_event_id"), table_name="annotation_events")
    op.drop_index(op.f("ix_annotation_events_extraction_id"), table_name="annotation_events")
    op.drop_table("annotation_events")
    op.drop_index("ix_model_aliases_project_id_alias_id", table_name="model_aliases")
    op.drop_table("model_aliases")
    op.drop_index(op.f("ix_metrics_model_version_id"), table_name="metrics")
    op.drop_table("metrics")
    op.drop_index(op.f("ix_extractions_model_version_id"), table_name="extractions")
    op.drop_table("extractions")
    op.drop_index("ix_tasks_label_studio_id", table_name="tasks")
    op.drop_index(op.f("ix_tasks_document_version_id"), table_name="tasks")
    op.drop_table("tasks")
    op.drop_index("ix_retrain_decisions_project_id_id", table_name="retrain_decisions")
    op.drop_table("retrain_decisions")
    op.drop_index(op.f("ix_page_images_sha256"), table_name="page_images")
    op.drop_table("page_images")
    op.drop_index(op.f("ix_model_versions_training_run_id"), table_name="model_versions")
    op.drop_table("model_versions")
    op.drop_table("document_words")
    op.drop_index(
        "uq_training_runs_active",
        table_name="training_runs",
        postgresql_where=sa.text("state = 'running'"),
    )
    op.drop_index(op.f("ix_training_runs_project_id"), table_name="training_runs")
    op.drop_table("training_runs")
    op.drop_index(op.f("ix_document_versions_state"), table_name="document_versions")
    op.drop_table("document_versions")
    op.drop_index("ix_sync_runs_project_id_kind_id", table_name="sync_runs")
    op.drop_table("sync_runs")
    op.drop_table("sync_cursors")
    op.drop_index(
        "uq_jobs_open",
        table_name="jobs",
        postgresql_where=sa.text("state IN ('queued', 'running')"),
    )
    op.drop_index("ix_jobs_subject", table_name="jobs")
    op.drop_index("ix_jobs_state_run_after", table_name="jobs")
    op.drop_index(op.f("ix_jobs_project_id"), table_name="jobs")
    op.drop_index(op.f("ix_jobs_parent_id"), table_name="jobs")
    op.drop_table("jobs")
    op.drop_table("fields")
    op.drop_index(op.f("ix_documents_collection"), table_name="documents")
    op.drop_table("documents")
    op.drop_table("datasets")
    op.drop_index(
        "ix_webhook_deliveries_pending",
        table_name="webhook_deliveries",
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.drop_table("webhook_deliveries")
    op.drop_table("projects")
    op.drop_table("erasures")
