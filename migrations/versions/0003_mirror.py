"""The mirror: late and restored states, Label Studio's own time, and who mirrors."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SQL = Path(__file__).parents[1] / "sql"
KINDS = "ck_annotation_events_kind"
COMMENTS = {
    "kind": (
        "created, updated or deleted.",
        "created, updated, deleted, or restored: there again after a deletion or under another task.",
    ),
    "occurred_at": (
        "When it happened: updated_at in Label Studio; for a deletion, when we found it.",
        "When it happened: updated_at in Label Studio; for deleted and restored, when we found it. Never before the state that came before it.",
    ),
    "actor": (
        "E-mail of the reviewer, where Label Studio tells it.",
        "E-mail of the reviewer, where Label Studio tells it; for a deletion the reviewer of the last content, because Label Studio does not tell who deleted.",
    ),
    "delivery_id": (
        "Webhook delivery that led to it.",
        "Webhook delivery that announced this very state.",
    ),
}


def upgrade() -> None:
    op.add_column(
        "annotation_events",
        sa.Column(
            "source_updated_at",
            sa.DateTime(timezone=True),
            comment="updated_at as Label Studio gave it; empty for a deletion.",
        ),
    )
    op.add_column(
        "annotation_events",
        sa.Column(
            "late",
            sa.Boolean(),
            server_default="false",
            nullable=False,
            comment="True: learnt only after a later state had been recorded; it never was the current state of the record.",
        ),
    )
    op.drop_constraint(op.f(KINDS), "annotation_events")
    op.create_check_constraint(
        op.f(KINDS), "annotation_events", "kind IN ('created', 'updated', 'deleted', 'restored')"
    )
    _comment(1)
    op.create_table(
        "sync_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False, comment="Always 1."),
        sa.Column("holder", sa.Text(), nullable=False, comment="Host and process of the leader."),
        sa.Column(
            "leader_since",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When it took over.",
        ),
        sa.Column(
            "state",
            sa.Text(),
            nullable=False,
            comment="mirroring; backfilling; waiting: for Label Studio; stopped.",
        ),
        sa.Column("message", sa.Text(), comment="What it waits for, in a sentence."),
        sa.Column(
            "since", sa.DateTime(timezone=True), nullable=False, comment="When this state began."
        ),
        sa.Column(
            "beat_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When the leader last said so; older than 30 s: nobody mirrors.",
        ),
        sa.CheckConstraint("id = 1", name=op.f("ck_sync_state_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sync_state")),
        comment="Who mirrors, and how it fares: one row, renewed every few seconds by the leader.",
    )
    _run("0003_mirror.sql")


def downgrade() -> None:
    late = op.get_bind().scalar(
        sa.text("SELECT count(*) FROM annotation_events WHERE late OR kind = 'restored'")
    )
    if late:
        raise RuntimeError(
            f"{late} late or restored states are in the record, and revision 0002 has no place for them; "
            "restore a backup of that revision instead."
        )
    _run("0003_mirror_down.sql")
    op.drop_table("sync_state")
    _comment(0)
    op.drop_constraint(op.f(KINDS), "annotation_events")
    op.create_check_constraint(
        op.f(KINDS), "annotation_events", "kind IN ('created', 'updated', 'deleted')"
    )
    op.drop_column("annotation_events", "late")
    op.drop_column("annotation_events", "source_updated_at")


def _comment(which: int) -> None:
    for column, comments in COMMENTS.items():
        op.alter_column("annotation_events", column, comment=comments[which])


def _run(name: str) -> None:
    # Past SQLAlchemy: the script has many statements, and percent signs that are no parameters.
    script = (SQL / name).read_text(encoding="utf-8")
    op.get_bind().connection.driver_connection.execute(script)
