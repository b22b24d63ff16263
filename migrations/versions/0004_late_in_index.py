"""The index that as-of functions walk also says which states are late, so that they need no rows."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

NAME = "ix_annotation_events_task_id_label_studio_id_id"
COLUMNS = ["task_id", "label_studio_id", "id"]
INCLUDED = ["recorded_at", "occurred_at", "kind"]


def upgrade() -> None:
    _index([*INCLUDED, "late"])


def downgrade() -> None:
    _index(INCLUDED)


def _index(included: list[str]) -> None:
    op.drop_index(NAME, "annotation_events")
    op.create_index(NAME, "annotation_events", COLUMNS, postgresql_include=included)
