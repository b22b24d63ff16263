"""The mirror against a Label Studio in memory: what reviewers do arrives, whatever webhooks do."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select, text

from db.models import (
    AnnotationValue,
    DeliveryState,
    EventKind,
    EventSource,
    Job,
    Project,
    SyncRun,
    Task,
    WebhookDelivery,
)
from db.words import make_page, pack
from sync.inbox_pass import drain
from sync.once import once
from sync.passes import Patience, backfill, catch_up, needs_backfill, sweep
from sync.presence import back_again, is_gone, record_gone
from sync.verify import verify
from tests import factories
from tests.sync.mirroring import (
    deliver,
    events_of,
    region,
    standing,
    standing_tasks,
    truth,
)
from tests.sync.proxy import Fault

DATA = {"data": {"pages": ["http://pages/1.png"]}}


def values_of(services, event):
    with services.sessions.begin() as session:
        return list(
            session.scalars(
                select(AnnotationValue)
                .where(AnnotationValue.event_id == event.id)
                .order_by(AnnotationValue.id)
            )
        )


def deliveries(services):
    with services.sessions.begin() as session:
        return list(session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.id)))


def test_a_webhook_brings_the_annotation_into_the_record(services, project, studio):
    (task,) = studio.import_tasks(1, [DATA])
    once(services, project)
    annotation = studio.annotate(task, region("r1", text="1.234,50"), user=2, lead_time=12.0)
    deliver(services, studio.outbox)
    drain(services, [project])
    (event,) = events_of(services)
    assert (event.kind, event.source, event.gap) == (EventKind.CREATED, EventSource.WEBHOOK, False)
    assert (event.actor, event.lead_time) == ("bia@example.org", 12.0)
    assert event.delivery_id is not None
    (value,) = values_of(services, event)
    assert (value.field, value.text, value.normalised) == ("total", "1.234,50", "1.234,50")
    assert (value.text_source, value.outcome) == ("reviewer", "added")
    assert standing(services) == truth(studio)
    assert annotation in standing(services)


def test_every_announced_state_becomes_a_step_of_the_history(services, project, studio):
    (task,) = studio.import_tasks(1, [DATA])
    once(services, project)
    annotation = studio.annotate(task, region("r1", text="1"))
    studio.edit(annotation, result=region("r1", text="2"), user=2)
    studio.edit(annotation, result=region("r1", "date", "3"), user=1)
    deliver(services, studio.outbox)
    drain(services, [project])
    history = events_of(services, annotation)
    assert [event.kind for event in history] == ["created", "updated", "updated"]
    assert [event.gap for event in history] == [False] * 3
    assert [event.previous_event_id for event in history] == [None, history[0].id, history[1].id]
    assert history[1].changes == [
        {"region_id": "r1", "field": "total", "change": "text", "before": "1", "after": "2"}
    ]
    assert {change["change"] for change in history[2].changes} == {"field", "text"}
    assert [event.actor for event in history] == [
        "ana@example.org",
        "bia@example.org",
        "ana@example.org",
    ]


def test_what_nobody_announced_is_found_and_marked(services, project, studio):
    (task,) = studio.import_tasks(1, [DATA])
    once(services, project)
    annotation = studio.annotate(task, region("r1", text="1"))
    studio.edit(annotation, result=region("r1", text="2"))
    studio.edit(annotation, result=region("r1", text="3"))
    catch_up(services, project)
    (event,) = events_of(services)
    assert (event.kind, event.source, event.gap) == (EventKind.UPDATED, EventSource.SWEEP, True)
    assert standing(services) == truth(studio)


def test_a_state_told_after_a_later_one_is_history_but_never_current(services, project, studio):
    (task,) = studio.import_tasks(1, [DATA])
    once(services, project)
    annotation = studio.annotate(task, region("r1", text="1"))
    studio.edit(annotation, result=region("r1", text="2"))
    created, updated = studio.outbox[-2:]
    deliver(services, [updated])
    drain(services, [project])
    deliver(services, [created])
    drain(services, [project])
    first, second = events_of(services, annotation)
    assert (first.kind, first.late, first.gap) == (EventKind.UPDATED, False, True)
    assert (second.kind, second.late) == (EventKind.CREATED, True)
    assert second.occurred_at < first.occurred_at
    assert standing(services) == truth(studio)
    with services.sessions.begin() as session:
        as_of = "SELECT label_studio_id, content_sha256 FROM annotations_as_of(now(), :clock)"
        for clock in ("record", "source"):
            assert session.execute(text(as_of), {"clock": clock}).all() == [
                (annotation, first.content_sha256)
            ]
        steps = session.execute(
            text(
                "SELECT version, event_id, valid_from = valid_to FROM annotation_history ORDER BY 1"
            )
        ).all()
    assert steps == [(1, second.id, True), (2, first.id, None)]


def test_a_change_is_left_to_its_webhook_for_one_pass(services, project, studio):
    (task,) = studio.import_tasks(1, [DATA])
    once(services, project)
    patience = Patience()
    catch_up(services, project, patience)
    studio.annotate(task, region("r1"))
    catch_up(services, project, patience)
    assert events_of(services) == []
    deliver(services, studio.outbox)
    drain(services, [project])
    catch_up(services, project, patience)
    (event,) = events_of(services)
    assert event.source == EventSource.WEBHOOK
    studio.annotate(task, region("r2"))
    catch_up(services, project, patience)
    catch_up(services, project, patience)
    assert [event.source for event in events_of(services)] == ["webhook", "sweep"]


def test_deletions_leave_the_last_content(services, project, studio):
    one, other = studio.import_tasks(1, [DATA, DATA])
    once(services, project)
    annotation = studio.annotate(one, region("r1", text="kept"), user=2)
    cascaded = studio.annotate(other, region("r2", text="kept too"))
    deliver(services, studio.outbox)
    drain(services, [project])
    studio.outbox.clear()
    studio.delete_annotation(annotation)
    studio.delete_tasks([other])
    deliver(services, studio.outbox)
    drain(services, [project])
    for number, words, reviewer in (
        (annotation, "kept", "bia@example.org"),
        (cascaded, "kept too", "ana@example.org"),
    ):
        end = events_of(services, number)[-1]
        assert (end.kind, end.source, end.actor) == ("deleted", "webhook", reviewer)
        assert end.result[1]["value"]["text"] == [words]
        assert end.gap is False
    assert standing(services) == {}
    assert standing_tasks(services) == {one}


def test_deleting_all_tasks_fires_nothing_and_is_found(services, project, studio):
    tasks = studio.import_tasks(1, [DATA] * 30)
    for task in tasks:
        studio.annotate(task, region("r1"))
    once(services, project)
    assert len(standing(services)) == 30
    studio.delete_tasks(tasks, silent=True)
    written, counts = sweep(services, project)
    assert (written.deleted, written.tasks_deleted, counts["missing"]) == (30, 30, 30)
    assert standing(services) == {}
    assert standing_tasks(services) == set()


def test_an_annotation_that_moves_to_another_task_is_not_deleted(services, project, studio):
    one, other = studio.import_tasks(1, [DATA, DATA])
    annotation = studio.annotate(one, region("r1"))
    once(services, project)
    studio.move_annotation(annotation, other)
    studio.delete_tasks([one])
    deliver(services, studio.outbox)
    drain(services, [project])
    sweep(services, project)
    assert standing(services) == truth(studio)
    kinds = [(event.kind, event.problems) for event in events_of(services, annotation)]
    assert kinds == [
        ("created", []),
        ("deleted", [f"It was moved to task {other}."]),
        ("restored", []),
    ]


def test_short_lives_are_recorded_from_their_webhooks(services, project, studio):
    (task,) = studio.import_tasks(1, [DATA])
    once(services, project)
    annotation = studio.annotate(task, region("r1", text="brief"))
    studio.delete_annotation(annotation)
    new_task = studio.import_tasks(1, [DATA])[0]
    lost = studio.annotate(new_task, region("r2", text="briefer"))
    studio.delete_tasks([new_task])
    deliver(services, studio.outbox)
    drain(services, [project])
    assert [e.kind for e in events_of(services, annotation)] == ["created", "deleted"]
    assert [e.kind for e in events_of(services, lost)] == ["created", "deleted"]
    assert standing(services) == {}
    assert verify(services, project, settle=0).equal


def test_ids_that_come_back_are_other_tasks_and_annotations(services, project, studio):
    studio.reuse_ids = True
    (task,) = studio.import_tasks(1, [{"data": {"n": 1}}])
    annotation = studio.annotate(task, region("r1", text="old"))
    once(services, project)
    studio.delete_tasks([task], silent=True)
    (again,) = studio.import_tasks(1, [{"data": {"n": 2}}])
    new = studio.annotate(again, region("r1", text="new"))
    assert (again, new) == (task, annotation)
    once(services, project)
    assert standing(services) == truth(studio)
    with services.sessions.begin() as session:
        rows = session.execute(select(Task.data, Task.deleted_at.is_(None)).order_by(Task.id)).all()
    assert rows == [({"n": 1}, False), ({"n": 2}, True)]
    assert [e.kind for e in events_of(services)] == ["created", "deleted", "created"]
    assert verify(services, project, settle=0).equal


def test_a_task_whose_number_comes_back_takes_its_annotations_along(services, project, studio):
    """Annotation ids go on, task ids come back: what was told of the old task still belongs to it."""
    studio.reuse_ids = True
    other, task = studio.import_tasks(1, [DATA, DATA])
    annotation = studio.annotate(task, region("r1", text="1"))
    studio.annotate(other, region("r1"))
    once(services, project)
    studio.outbox.clear()
    studio.edit(annotation, result=region("r1", text="2"))
    studio.delete_tasks([task], silent=True)
    (again,) = studio.import_tasks(1, [DATA])
    new = studio.annotate(again, region("r1", text="new"))
    assert again == task
    assert new != annotation
    once(services, project)
    assert standing(services) == truth(studio)
    deliver(services, studio.outbox)
    drain(services, [project])
    assert standing(services) == truth(studio)
    assert {row.state for row in deliveries(services)} == {DeliveryState.DONE}
    kinds = [(e.kind, e.late) for e in events_of(services, annotation)]
    assert kinds == [("created", False), ("deleted", False), ("updated", True)]
    assert verify(services, project, settle=0).equal


def test_a_restored_label_studio_brings_annotations_back(services, project, studio):
    (task,) = studio.import_tasks(1, [DATA])
    annotation = studio.annotate(task, region("r1"))
    once(services, project)
    kept = studio.annotations[annotation]
    studio.delete_annotation(annotation)
    once(services, project)
    assert standing(services) == {}
    studio.annotations[annotation] = kept
    studio.change_data(task, {"restored": True})
    once(services, project)
    assert standing(services) == truth(studio)
    assert [e.kind for e in events_of(services)] == ["created", "deleted", "restored"]
    assert verify(services, project, settle=0).equal


def test_the_back_fill_is_complete_and_can_be_broken_off(services, project, studio):
    tasks = studio.import_tasks(1, [DATA] * 450)
    for task in tasks[::3]:
        studio.annotate(task, region("r1"))
    written, complete = backfill(services, project, seconds=0)
    assert (written.tasks_added, complete) == (200, False)
    early = studio.annotate(tasks[1], region("r9"))
    late = studio.annotate(tasks[-2], region("r9"))
    studio.delete_tasks([tasks[0]], silent=True)
    while not complete:
        _, complete = backfill(services, project, seconds=0)
    with services.sessions.begin() as session:
        assert not needs_backfill(session, project)
    assert late in standing(services)
    catch_up(services, project)
    assert early in standing(services)
    sweep(services, project)
    assert standing(services) == truth(studio)
    assert {e.source for e in events_of(services)} == {"backfill", "sweep"}


def test_new_states_ask_for_training_once(services, project, studio, redis):
    (task,) = studio.import_tasks(1, [DATA])
    once(services, project)
    with services.sessions.begin() as session:
        assert session.scalar(select(func.count(Job.id))) == 0
    studio.annotate(task, region("r1"))
    deliver(services, studio.outbox)
    drain(services, [project])
    studio.annotate(task, region("r2"))
    once(services, project)
    with services.sessions.begin() as session:
        (job,) = session.scalars(select(Job))
    assert (job.kind, job.subject, job.project_id) == (
        "consider_training",
        str(project.id),
        project.id,
    )


def test_a_box_without_text_gets_the_words_under_it(services, project, studio):
    with services.sessions.begin() as session:
        owner = session.get_one(Project, project.id)
        version = factories.document_version(session, factories.document(session, owner))
        page = make_page(
            0, 720.0, 720.0, [("Total", (72, 72, 100, 90)), ("99.50", (110, 72, 160, 90))]
        )
        session.execute(
            text("INSERT INTO document_words VALUES (:v, :d, 2)"),
            {"v": version.id, "d": pack([page])},
        )
        session.execute(
            text("INSERT INTO page_images VALUES (:v, 0, 'x', 'image/png', 1500, 1500, 720, 720)"),
            {"v": version.id},
        )
    ours = {"fieldloop": {"document_version_id": str(version.id)}}
    (task,) = studio.import_tasks(1, [{"data": ours}])
    studio.annotate(task, [*region("r1", text=None), *region("r2", text=None, x=70.0)])
    once(services, project)
    (event,) = events_of(services)
    read, empty = values_of(services, event)
    assert (read.text, read.text_source, read.normalised) == ("Total 99.50", "page", "TOTAL 99.50")
    assert (empty.text, empty.text_source) == (None, "none")
    with services.sessions.begin() as session:
        assert session.scalars(select(Task.document_version_id)).all() == [version.id]


def test_values_are_compared_with_the_prediction(services, project, studio):
    with services.sessions.begin() as session:
        owner = session.get_one(Project, project.id)
        version = factories.document_version(session, factories.document(session, owner))
        session.execute(
            text("INSERT INTO page_images VALUES (:v, 0, 'x', 'image/png', 9, 9, 1000, 1000)"),
            {"v": version.id},
        )
        model = factories.model_version(session, owner, name="m-1")
        extraction = factories.extraction(session, version, model)
        for key, words in (
            ("same", "1"),
            ("text", "2"),
            ("moved", "3"),
            ("label", "4"),
            ("gone", "5"),
        ):
            factories.extraction_value(
                session,
                extraction,
                "total",
                words,
                region_id=key,
                spans=[{"page": 0, "box": [100, 100, 300, 125]}],
                confidence=0.75,
            )
    predicted = [
        entry for key in ("same", "text", "moved", "label", "gone") for entry in region(key)
    ]
    ours = {"fieldloop": {"document_version_id": str(version.id)}}
    (task,) = studio.import_tasks(
        1,
        [
            {
                "data": ours,
                "predictions": [
                    {
                        "id": 77,
                        "model_version": "m-1",
                        "created_at": "2026-01-01T00:00:00Z",
                        "result": predicted,
                    }
                ],
            }
        ],
    )
    studio.annotate(
        task,
        [
            *region("same", text="1"),
            *region("text", text="2b"),
            *region("moved", text="3", x=40.0),
            *region("label", "date", "4"),
            *region("new", text="6"),
        ],
        parent_prediction=77,
    )
    once(services, project)
    (event,) = events_of(services)
    assert event.extraction_id == extraction.id
    found = {value.region_id: value for value in values_of(services, event)}
    assert {key: str(value.outcome) for key, value in found.items()} == {
        "same": "accepted",
        "text": "corrected",
        "moved": "corrected",
        "label": "corrected",
        "new": "added",
        "gone": "removed",
    }
    assert (found["text"].predicted_text, found["text"].confidence) == ("2", 0.75)
    assert (found["gone"].text, found["gone"].predicted_text) == (None, "5")
    with services.sessions.begin() as session:
        assert session.execute(text("SELECT task_id, label_studio_id FROM predictions")).all() == [
            (event.task_id, 77)
        ]


def test_a_deleted_project_keeps_its_history_and_may_come_back(services, project, studio):
    (task,) = studio.import_tasks(1, [DATA])
    studio.annotate(task, region("r1", text="kept"))
    once(services, project)
    rows = (studio.projects, studio.tasks, studio.annotations)
    kept = [dict(row) for row in rows]
    assert not is_gone(services, project)
    studio.delete_project(1)
    assert is_gone(services, project)
    record_gone(services, project)
    assert not back_again(services, project)
    history = events_of(services)
    assert [e.kind for e in history] == ["created", "deleted"]
    assert history[-1].result[1]["value"]["text"] == ["kept"]
    studio.projects, studio.tasks, studio.annotations = kept
    assert back_again(services, project)
    once(services, project)
    assert standing(services) == truth(studio)
    assert [e.kind for e in events_of(services)] == ["created", "deleted", "restored"]


def test_verify_says_equal_and_keeps_a_run(services, project, studio):
    tasks = studio.import_tasks(1, [DATA] * 3)
    studio.annotate(tasks[0], region("r1"))
    studio.annotate(tasks[1], [], was_cancelled=True)
    once(services, project)
    verdict = verify(services, project, settle=0)
    assert (verdict.equal, verdict.tasks, verdict.annotations) == (True, 3, 2)
    with services.sessions.begin() as session:
        run = session.scalars(select(SyncRun).where(SyncRun.kind == "verify")).one()
    assert (run.ok, run.differences, run.error) == (True, [], None)
    assert run.finished_at >= run.started_at
    assert run.counts["annotations"] == 2


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        ("DELETE FROM annotations WHERE label_studio_id = 1", "missing"),
        ("UPDATE annotations SET result = '[]' WHERE label_studio_id = 1", "damaged"),
        (
            "UPDATE annotations SET content_sha256 = 'x', result = '[]' WHERE label_studio_id = 1",
            "damaged",
        ),
        (
            "UPDATE tasks SET deleted_at = clock_timestamp() WHERE label_studio_id = 1",
            "task_missing",
        ),
        (
            "INSERT INTO tasks (project_id, label_studio_id, data, source_created_at)"
            " VALUES (1, 999, '{}', now())",
            "task_extra",
        ),
    ],
)
def test_verify_finds_damage_and_repairs_it_by_appending(services, project, studio, damage, what):
    tasks = studio.import_tasks(1, [DATA] * 3)
    studio.annotate(tasks[0], region("r1", text="right"))
    once(services, project)
    before = [event.id for event in events_of(services)]
    with services.sessions.begin() as session:
        session.execute(text(damage))
    looked = verify(services, project, repair=False, settle=0)
    assert what in {difference.what for difference in looked.differences}
    assert not looked.sound
    verdict = verify(services, project, settle=0)
    assert verdict.sound
    assert not verdict.equal
    assert [event.id for event in events_of(services)][: len(before)] == before
    assert standing(services) == truth(studio)
    assert standing_tasks(services) == set(studio.tasks)
    assert verify(services, project, settle=0).equal


def test_the_token_in_events_is_never_stored(services, project, studio):
    studio.import_tasks(1, [DATA])
    deliver(services, studio.outbox)
    with services.sessions.begin() as session:
        found = session.execute(text("SELECT payload::text FROM webhook_deliveries")).scalars()
        assert "must-never-be-stored" not in "".join(found)


def test_deliveries_end_as_done(services, project, studio):
    (task,) = studio.import_tasks(1, [DATA])
    studio.annotate(task, region("r1"))
    deliver(services, [*studio.outbox, *studio.outbox])
    drain(services, [project])
    assert {row.state for row in deliveries(services)} == {DeliveryState.DONE}
    assert [row.seen for row in deliveries(services)] == [2, 2]


def test_a_missing_webhook_makes_the_others_of_its_look_doubtful(services, project, studio):
    (task,) = studio.import_tasks(1, [DATA])
    once(services, project)
    studio.outbox.clear()
    annotation = studio.annotate(task, region("r1"))
    studio.edit(annotation, result=region("r1", text="lost"))
    studio.delete_annotation(annotation)
    created, _, deleted = studio.outbox
    studio.annotate(task, region("r2"))
    deliver(services, [created, deleted])
    drain(services, [project])
    kinds = [(event.kind, event.gap) for event in events_of(services, annotation)]
    assert kinds == [("created", False), ("deleted", True)]


def test_a_state_whose_webhook_arrives_while_we_ask_was_announced(services, project, studio, proxy):
    (task,) = studio.import_tasks(1, [DATA])
    once(services, project)
    studio.outbox.clear()
    annotation = studio.annotate(task, region("r1", text="1"))
    studio.edit(annotation, result=region("r1", text="2"))
    first, second = studio.outbox
    deliver(services, [first])
    waiting = [second]

    def plan(request):
        if waiting:
            deliver(services, [waiting.pop()])

    proxy.plan = plan
    drain(services, [project])
    assert [(e.source, e.gap) for e in events_of(services, annotation)] == [("webhook", False)] * 2
    drain(services, [project])
    assert len(events_of(services)) == 2
    assert {row.state for row in deliveries(services)} == {DeliveryState.DONE}


def test_a_state_announced_far_behind_the_batch_was_announced(services, project, studio):
    task, *others = studio.import_tasks(1, [DATA] * 150)
    once(services, project)
    studio.outbox.clear()
    annotation = studio.annotate(task, region("r1", text="1"))
    for other in others:
        studio.annotate(other, region("r1"))
    studio.edit(annotation, result=region("r1", text="2"))
    deliver(services, studio.outbox)
    drain(services, [project], limit=1)
    assert [(e.source, e.gap) for e in events_of(services, annotation)] == [("webhook", False)] * 2
    drain(services, [project])
    assert len(events_of(services, annotation)) == 2
    assert not any(event.gap for event in events_of(services))
    assert standing(services) == truth(studio)


def test_a_state_made_while_we_ask_waits_for_its_turn(services, project, studio, proxy):
    (task,) = studio.import_tasks(1, [DATA])
    once(services, project)
    studio.outbox.clear()
    annotation = studio.annotate(task, region("r1", text="1"))
    deliver(services, studio.outbox)

    def after(body: bytes) -> bytes:
        """The answer is on its way when the next state is made and told."""
        if len(studio.outbox) == 1:
            studio.edit(annotation, result=region("r1", text="2"))
            deliver(services, studio.outbox[-1:])
        return body

    proxy.plan = lambda request: Fault(rewrite=after)
    drain(services, [project])
    drain(services, [project])
    found = [(e.kind, e.source, e.gap, e.late) for e in events_of(services, annotation)]
    assert found == [("created", "webhook", False, False), ("updated", "webhook", False, False)]
    assert standing(services) == truth(studio)
