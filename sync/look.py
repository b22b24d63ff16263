"""What one look at some tasks of a project found; filled by the passes, written by ``sync.apply``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from db.models import EventSource
from sync.reconcile import Witness
from sync.states import Snapshot


@dataclass
class Look:
    """Ids are Label Studio's. What is in neither of the maps of tasks was not looked at."""

    source: EventSource
    """For what no webhook announced."""
    present: dict[int, Snapshot] = field(default_factory=dict)
    gone: dict[int, Snapshot | None] = field(default_factory=dict)
    """Tasks that are certainly gone; as events told them, for those the record never saw."""
    gone_annotations: set[int] = field(default_factory=set)
    """Annotations a second look did not find."""
    witnesses: Mapping[int, list[Witness]] = field(default_factory=dict)
    """By task."""
    deleted_tasks: Mapping[int, int] = field(default_factory=dict)
    """Task → delivery that announced its deletion."""
    deleted_annotations: Mapping[int, int] = field(default_factory=dict)
    deliveries_lost_at: datetime | None = None


@dataclass
class Written:
    """What a look added to the record."""

    tasks_added: int = 0
    tasks_deleted: int = 0
    added: int = 0
    changed: int = 0
    deleted: int = 0
    restored: int = 0
    late: int = 0
    events: int = 0
    lost: bool = False
    """Whether something was found that a webhook should have announced."""

    def counts(self) -> dict[str, int]:
        """For ``sync_runs``."""
        return {
            "tasks_added": self.tasks_added,
            "tasks_deleted": self.tasks_deleted,
            "added": self.added,
            "changed": self.changed,
            "deleted": self.deleted,
            "restored": self.restored,
            "late": self.late,
            "events": self.events,
        }

    def __iadd__(self, other: Written) -> Written:
        self.tasks_added += other.tasks_added
        self.tasks_deleted += other.tasks_deleted
        self.added += other.added
        self.changed += other.changed
        self.deleted += other.deleted
        self.restored += other.restored
        self.late += other.late
        self.events += other.events
        self.lost = self.lost or other.lost
        return self
