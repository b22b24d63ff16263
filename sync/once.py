"""One round of the mirror, for cron jobs, tests, and people who want it now."""

from __future__ import annotations

from dataclasses import dataclass, field

from sync import passes
from sync.inbox_pass import drain
from sync.look import Written
from sync.services import Mirrored, Services


@dataclass
class Round:
    """What a round did."""

    project: str
    deliveries: int = 0
    backfilled: Written = field(default_factory=Written)
    announced: Written = field(default_factory=Written)
    found: Written = field(default_factory=Written)

    @property
    def events(self) -> int:
        return self.backfilled.events + self.announced.events + self.found.events


def once(services: Services, project: Mirrored) -> Round:
    """Back-fill what is missing, drain the inbox, catch up, and sweep for what is gone. Raises LabelStudioError."""
    done = Round(project.title)
    with services.sessions.begin() as session:
        complete = not passes.needs_backfill(session, project)
    while not complete:
        written, complete = passes.backfill(services, project, seconds=60.0)
        done.backfilled += written
    while True:
        drained = drain(services, [project])
        done.deliveries += drained.deliveries
        done.announced += drained.written
        if not drained.deliveries:
            break
    written, _ = passes.catch_up(services, project)
    done.found += written
    written, _ = passes.sweep(services, project)
    done.found += written
    return done
