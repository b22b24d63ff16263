"""What tests of the mirror share: results, a project in both places, and a plain reading of the record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from redis import Redis
from sqlalchemy import select

from db import inbox
from db.label_studio import LabelStudio
from db.models import Annotation, AnnotationEvent, Project, Task
from db.projects import FieldRow
from db.words import Box, PageWords, snap
from sync.services import Mirrored, People, Services, mirrored_projects
from tests.conftest import Database
from tests.sync.fake_label_studio import TOKEN, Studio

Row = dict[str, Any]


class PlainReader:
    """A field reader that needs no schema types: canonical is upper case."""

    def __init__(self, rows: Sequence[FieldRow]) -> None:
        self.names = frozenset(row.name for row in rows) or frozenset({"total", "date"})

    def normalise(self, field: str, text: str) -> tuple[str | None, str | None]:
        return (text.upper(), None) if text else (None, "The text is empty.")

    def text_in(self, field: str, page: PageWords, box: Box) -> str:
        return snap(page, box)[1]


def region(
    key: str, label: str | None = "total", text: str | None = "1", *, x: float = 10.0, page: int = 0
) -> list[Row]:
    """The entries of one region."""
    shared = {
        "id": key,
        "to_name": "img",
        "item_index": page,
        "original_width": 1000,
        "original_height": 1000,
        "image_rotation": 0,
    }
    place = {"x": x, "y": 10.0, "width": 20.0, "height": 2.5, "rotation": 0}
    labels = [] if label is None else [label]
    rectangle = {"from_name": "label", "type": "rectanglelabels"}
    entries: list[Row] = [{**shared, **rectangle, "value": {**place, "rectanglelabels": labels}}]
    if text is not None:
        entries.append(
            {**shared, "from_name": "text", "type": "textarea", "value": {**place, "text": [text]}}
        )
    return entries


def services_for(database: Database, redis: Redis, url: str, token: str = TOKEN) -> Services:
    """The services of a mirror, impatient with Label Studio."""
    client = LabelStudio(url, token, attempts=1, read_seconds=5)
    return Services(
        database_url=database.url,
        engine=database.engine,
        sessions=database.session_factory,
        redis=redis,
        label_studio=client,
        reader_of=PlainReader,
        people=People(client),
    )


def mirrored(services: Services, label_studio_id: int, title: str = "Invoices") -> Mirrored:
    """The project of this Label Studio project; made in the record if it is not there."""
    with services.sessions.begin() as session:
        if session.scalar(select(Project).where(Project.title == title)) is None:
            session.add(
                Project(
                    title=title,
                    label_studio_url=services.label_studio.url,
                    label_studio_id=label_studio_id,
                    created_by="test",
                )
            )
    with services.sessions.begin() as session:
        found = mirrored_projects(session, services)
    return next(project for project in found if project.title == title)


def deliver(services: Services, events: Iterable[Row]) -> None:
    """What the backend does with webhooks."""
    for event in events:
        with services.sessions.begin() as session:
            inbox.store(session, event)


def standing(services: Services) -> dict[int, tuple[int, Any, bool, str | None]]:
    """Annotation → (task, result, skipped, reviewer) of those that stand in the record."""
    with services.sessions.begin() as session:
        rows = session.execute(
            select(Annotation, Task.label_studio_id)
            .join(Task, Task.id == Annotation.task_id)
            .where(Annotation.deleted_at.is_(None), Task.deleted_at.is_(None))
        )
        return {
            a.label_studio_id: (task, a.result, a.was_cancelled, a.updated_by) for a, task in rows
        }


def truth(studio: Studio) -> dict[int, tuple[int, Any, bool, str | None]]:
    """The same of Label Studio itself."""
    return {
        a["id"]: (a["task"], a["result"], a["was_cancelled"], studio.users[a["updated_by"]])
        for a in studio.annotations.values()
    }


def standing_tasks(services: Services) -> set[int]:
    with services.sessions.begin() as session:
        return set(session.scalars(select(Task.label_studio_id).where(Task.deleted_at.is_(None))))


def events_of(services: Services, annotation: int | None = None) -> list[AnnotationEvent]:
    """The history, of one annotation or of all, in the order of the record."""
    query = select(AnnotationEvent).order_by(AnnotationEvent.id)
    if annotation is not None:
        query = query.where(AnnotationEvent.label_studio_id == annotation)
    with services.sessions.begin() as session:
        return list(session.scalars(query))
