"""The webhook inbox: the raw event, without its secrets, in the record before anyone answers 2xx."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case, func, or_, select, update
from sqlalchemy.dialects.postgresql import JSONB, array, insert
from sqlalchemy.orm import Session

from db.json_values import digest, storable
from db.models import DeliveryState, WebhookDelivery

# Label Studio puts the whole project row into every event, with its token in clear.
SECRET_KEYS = frozenset(
    {
        "access_token",
        "api_key",
        "authorization",
        "password",
        "refresh",
        "secret",
        "task_data_password",
        "token",
    }
)
MAX_ATTEMPTS = 8


def store(session: Session, payload: dict[str, Any]) -> int:
    """Keep one event; returns its id. The same event again only counts up ``seen``.

    Label Studio sends no event id, so the key is derived from action, project and content. The project
    row is left out of the key: its counters differ between two copies of one event. An event without
    content (``send_payload`` off, or an action that carries nothing) cannot be told from its next
    occurrence, so it is always kept anew: a copy too many costs one look, one too few an event. For the same
    reason bare ids of deleted things, which may come back for others, are looked at again each time they come.
    """
    clean = storable(payload, without=SECRET_KEYS)
    action = str(clean.get("action") or "unknown")[:200]
    project_id = project_of(clean)
    content = {name: item for name, item in clean.items() if name not in {"action", "project"}}
    values = {"action": action, "project_label_studio_id": project_id, "payload": clean}
    if not content:
        fresh = insert(WebhookDelivery).values(
            **values, key=func.concat("unique:", func.gen_random_uuid())
        )
        return session.execute(fresh.returning(WebhookDelivery.id)).scalar_one()
    key = digest([action, project_id, content])
    statement = insert(WebhookDelivery).values(**values, key=key)
    changes: dict[str, Any] = {"seen": WebhookDelivery.seen + 1}
    if action.endswith("_DELETED"):
        changes |= {"state": DeliveryState.PENDING, "next_attempt_at": func.clock_timestamp()}
    again = statement.on_conflict_do_update(index_elements=[WebhookDelivery.key], set_=changes)
    return session.execute(again.returning(WebhookDelivery.id)).scalar_one()


def project_of(payload: dict[str, Any]) -> int | None:
    """Label Studio id of the project an event speaks of, where it says so."""
    project = payload.get("project")
    found = project.get("id") if isinstance(project, dict) else project
    if found is None:
        for name in ("annotation", "task"):
            item = payload.get(name)
            first = item[0] if isinstance(item, list) and item else item
            if isinstance(first, dict) and isinstance(first.get("project"), int):
                found = first["project"]
                break
    # The column is a 32-bit integer; an id beyond it is not Label Studio's.
    return found if isinstance(found, int) and 0 < found < 2**31 else None


@dataclass(frozen=True)
class Delivery:
    """A pending event. Where it tells of a single annotation, its payload lacks the annotation's result:
    mostly that is the state which is fetched anyway, and ``annotations_told`` has the others."""

    id: int
    action: str
    project: int | None
    payload: dict[str, Any]


_ANNOTATION = WebhookDelivery.payload["annotation"]
_DELIVERY = (
    WebhookDelivery.id,
    WebhookDelivery.action,
    WebhookDelivery.project_label_studio_id,
    case(
        (
            func.jsonb_typeof(_ANNOTATION) == "object",
            WebhookDelivery.payload.op("#-", return_type=JSONB())(array(["annotation", "result"])),
        ),
        else_=WebhookDelivery.payload,
    ),
)


def pending(session: Session, limit: int) -> list[Delivery]:
    """The oldest events that are due, oldest first."""
    rows = session.execute(
        select(*_DELIVERY)
        .where(
            WebhookDelivery.state == DeliveryState.PENDING,
            WebhookDelivery.next_attempt_at <= func.clock_timestamp(),
        )
        .order_by(WebhookDelivery.id)
        .limit(limit)
    )
    return [Delivery(*row) for row in rows]


def pending_about(
    session: Session,
    project: int,
    tasks: Collection[int],
    *,
    after: int,
    limit: int,
    known: Collection[int] = (),
) -> tuple[list[Delivery], list[int]]:
    """Of the next ``limit`` events of a project that are due, those that may be about these tasks (all Label
    Studio's ids), and the ids of all that were looked through. Left out are the events of single annotations of
    other tasks, which are most of them, and those in ``known``: looked through before.

    By time of commit an event may come after others with higher ids, so ``known`` is no range.
    """
    looked = list(
        session.scalars(
            select(WebhookDelivery.id)
            .where(
                WebhookDelivery.state == DeliveryState.PENDING,
                WebhookDelivery.id > after,
                WebhookDelivery.next_attempt_at <= func.clock_timestamp(),
                WebhookDelivery.project_label_studio_id == project,
            )
            .order_by(WebhookDelivery.id)
            .limit(limit)
        )
    )
    new = sorted(set(looked) - set(known))
    if not new:
        return [], looked
    task = _ANNOTATION["task"]
    rows = session.execute(
        select(*_DELIVERY)
        .where(
            WebhookDelivery.id == func.any(new),
            or_(
                func.jsonb_typeof(task).is_distinct_from("number"),
                task.astext == func.any([str(task) for task in tasks]),
            ),
        )
        .order_by(WebhookDelivery.id)
    )
    return [Delivery(*row) for row in rows], looked


def annotations_told(session: Session, ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """The annotations, with their results, that these events of single annotations told, by event."""
    rows = session.execute(
        select(WebhookDelivery.id, _ANNOTATION).where(
            WebhookDelivery.id == func.any(list(ids)), func.jsonb_typeof(_ANNOTATION) == "object"
        )
    )
    return dict(rows.all())


def finish(session: Session, ids: Collection[int], *, note: str | None = None) -> None:
    """The events are in the mirror; ``note`` says what was special about them."""
    if ids:
        session.execute(
            update(WebhookDelivery)
            .where(WebhookDelivery.id == func.any(list(ids)))
            .values(
                state=DeliveryState.DONE,
                processed_at=func.clock_timestamp(),
                attempts=WebhookDelivery.attempts + 1,
                last_error=note,
            )
        )


def finish_each(session: Session, notes: Mapping[int, str | None]) -> None:
    """The same for events some of which have a note of their own."""
    finish(session, [delivery for delivery, note in notes.items() if note is None])
    for delivery, note in notes.items():
        if note is not None:
            finish(session, [delivery], note=note)


def fail(session: Session, ids: list[int], *, error: str, now: datetime) -> None:
    """Applying the events went wrong: again later, at most ``MAX_ATTEMPTS`` times, then dead."""
    for delivery in session.scalars(
        select(WebhookDelivery).where(WebhookDelivery.id.in_(ids)).with_for_update()
    ):
        delivery.attempts += 1
        delivery.last_error = error[:2000]
        delivery.next_attempt_at = now + timedelta(seconds=min(2**delivery.attempts, 300))
        if delivery.attempts >= MAX_ATTEMPTS:
            delivery.state = DeliveryState.DEAD
            delivery.processed_at = now


def replay(session: Session, *, ids: list[int] | None = None, dead: bool = False) -> list[int]:
    """Put events back into the queue: those named, or all dead ones. Returns the ids put back."""
    which = (
        WebhookDelivery.state == DeliveryState.DEAD if dead else WebhookDelivery.id.in_(ids or [])
    )
    statement = (
        update(WebhookDelivery)
        .where(which)
        .values(
            state=DeliveryState.PENDING,
            attempts=0,
            last_error=None,
            processed_at=None,
            next_attempt_at=func.clock_timestamp(),
        )
        .returning(WebhookDelivery.id)
    )
    return sorted(session.scalars(statement))
