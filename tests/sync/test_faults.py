"""What goes wrong between Label Studio and us: nothing is lost, nothing invented, and nothing deleted by a failure."""

from __future__ import annotations

import json
import random

import pytest
from sqlalchemy import select, text

from db.errors import RecordError
from db.label_studio_errors import BadAnswer, LabelStudioError, Unauthorized
from db.models import DeliveryState, WebhookDelivery
from sync.inbox_pass import drain
from sync.looking import AnotherProject
from sync.once import once
from sync.passes import catch_up, sweep
from sync.presence import is_gone
from sync.verify import verify
from tests.sync.mirroring import (
    deliver,
    events_of,
    mirrored,
    region,
    services_for,
    standing,
    standing_tasks,
    truth,
)
from tests.sync.proxy import Fault

DATA = {"data": {"pages": ["http://pages/1.png"]}}


def _empty_page(body: bytes) -> bytes:
    answer = json.loads(body)
    if isinstance(answer, dict) and "tasks" in answer:
        answer["tasks"] = []
    return json.dumps(answer).encode()


def _half_page(body: bytes) -> bytes:
    answer = json.loads(body)
    if isinstance(answer, dict) and "tasks" in answer:
        answer["tasks"] = answer["tasks"][: len(answer["tasks"]) // 2]
    return json.dumps(answer).encode()


def _no_annotations(body: bytes) -> bytes:
    answer = json.loads(body)
    for task in answer.get("tasks", []) if isinstance(answer, dict) else []:
        if "annotations" in task:
            task["annotations"] = []
    return json.dumps(answer).encode()


def _nothing_at_all(body: bytes) -> bytes:
    answer = json.loads(body)
    if isinstance(answer, dict) and "tasks" in answer:
        answer |= {"tasks": [], "total": 0}
    return json.dumps(answer).encode()


FAULTS = {
    "500": Fault(status=500),
    "429": Fault(status=429, headers=(("Retry-After", "0"),)),
    "401": Fault(status=401),
    "403": Fault(status=403),
    "404 for everything": Fault(status=404),
    "a login page": Fault(status=302, headers=(("Location", "/user/login"),)),
    "not JSON": Fault(status=200, body=b"<html>welcome</html>"),
    "an empty object": Fault(status=200, body=b"{}"),
    "an empty list": Fault(status=200, body=b"[]"),
    "no answer": Fault(drop=True),
    "an answer that gets lost": Fault(swallow=True),
    "a body cut short": Fault(cut=0.5),
    "an empty page under a full total": Fault(rewrite=_empty_page),
    "half a page under a full total": Fault(rewrite=_half_page),
    "a page without annotations": Fault(rewrite=_no_annotations),
    "a list that is empty by mistake": Fault(rewrite=_nothing_at_all),
}


@pytest.fixture
def filled(services, project, studio):
    """Twelve tasks, annotated and mirrored."""
    tasks = studio.import_tasks(1, [DATA] * 12)
    for task in tasks:
        studio.annotate(task, region("r1"))
    once(services, project)
    studio.outbox.clear()
    return tasks


@pytest.mark.parametrize("name", FAULTS)
def test_no_failure_deletes_anything(services, project, studio, proxy, filled, name):
    before = standing(services)
    history = [event.id for event in events_of(services)]
    studio.change_data(filled[0], {"x": 1})
    proxy.plan = lambda request: FAULTS[name]
    for look in (catch_up, sweep):
        try:
            look(services, project)
        except RecordError as error:
            assert str(error)  # noqa: PT017 - a fault may also pass unnoticed
    deliver(
        services,
        [{"action": "TASKS_DELETED", "project": {"id": 1}, "tasks": [{"id": t} for t in filled]}],
    )
    deliver(
        services,
        [{"action": "ANNOTATIONS_DELETED", "project": {"id": 1}, "annotations": [{"id": 1}]}],
    )
    try:
        drain(services, [project])
    except RecordError as error:
        assert str(error)  # noqa: PT017
    proxy.plan = lambda request: None
    assert standing(services) == before
    assert standing_tasks(services) == set(filled)
    assert [event.id for event in events_of(services)] == history
    assert not is_gone(services, project)
    once(services, project)
    assert standing(services) == truth(studio)
    assert verify(services, project, settle=0).equal


def test_everything_answers_not_found_after_a_complete_sweep(
    services, project, proxy, filled, studio
):
    """A reverse proxy that loses its way between the list and the second look."""
    studio.delete_tasks([filled[0]], silent=True)

    def plan(request):
        return Fault(status=404) if "/api/tasks/?" not in request.path else None

    proxy.plan = plan
    with pytest.raises(LabelStudioError):
        sweep(services, project)
    assert len(standing(services)) == len(filled)
    proxy.plan = lambda request: None
    sweep(services, project)
    assert standing(services) == truth(studio)


def test_a_task_that_is_half_deleted_is_left_for_the_next_look(services, project, studio, filled):
    """Label Studio deletes a task and its annotations one after the other, and we look in between."""
    task = studio.tasks.pop(filled[0])
    (annotation,) = [a for a in studio.annotations.values() if a["task"] == task["id"]]
    sweep(services, project)
    assert standing_tasks(services) == set(filled)
    assert annotation["id"] in standing(services)
    del studio.annotations[annotation["id"]]
    sweep(services, project)
    assert standing_tasks(services) == set(filled[1:])
    assert standing(services) == truth(studio)
    assert verify(services, project, settle=0).equal


def test_a_task_that_came_without_its_annotations_is_fetched_again(
    services, project, studio, proxy, filled
):
    studio.edit(1, result=region("r1", text="new"))
    proxy.plan = lambda request: Fault(rewrite=_no_annotations)
    catch_up(services, project)
    proxy.plan = lambda request: None
    catch_up(services, project)
    assert standing(services) == truth(studio)


def test_another_label_studio_at_the_same_address_deletes_nothing(
    services, project, studio, filled
):
    studio.projects[1]["created_at"] = "2020-01-01T00:00:00Z"
    studio.tasks.clear()
    studio.annotations.clear()
    with pytest.raises(AnotherProject, match="LABEL_STUDIO_URL"):
        sweep(services, project)
    with pytest.raises(AnotherProject):
        verify(services, project, settle=0)
    assert len(standing(services)) == len(filled)


def test_a_wrong_token_says_which_setting_and_deletes_nothing(
    committed_database, redis, proxy, project, filled
):
    wrong = services_for(committed_database, redis, proxy.url, token="0" * 40)
    with pytest.raises(Unauthorized, match="LABEL_STUDIO_API_KEY"):
        sweep(wrong, mirrored(wrong, 1))
    assert len(standing(wrong)) == len(filled)


def test_deliveries_wait_while_label_studio_is_away(services, project, studio, proxy, filled):
    studio.annotate(filled[0], region("r2"))
    deliver(services, studio.outbox)
    proxy.plan = lambda request: Fault(status=503)
    with pytest.raises(LabelStudioError):
        drain(services, [project])
    with services.sessions.begin() as session:
        (row,) = session.scalars(
            select(WebhookDelivery).where(WebhookDelivery.state == DeliveryState.PENDING)
        )
        assert row.attempts == 0
    proxy.plan = lambda request: None
    drain(services, [project])
    assert standing(services) == truth(studio)
    assert events_of(services)[-1].source == "webhook"


def test_a_task_that_cannot_be_read_stops_no_other(services, project, studio, proxy, filled):
    def without_times(body: bytes) -> bytes:
        answer = json.loads(body)
        for task in answer.get("tasks", []) if isinstance(answer, dict) else []:
            if task["id"] == filled[3] and "created_at" in task:
                task["created_at"] = None
        return json.dumps(answer).encode()

    for task in filled[2:6]:
        studio.annotate(task, region("r2"))
    proxy.plan = lambda request: Fault(rewrite=without_times)
    catch_up(services, project)
    assert len(standing(services)) == len(filled) + 3
    proxy.plan = lambda request: None
    once(services, project)
    assert standing(services) == truth(studio)


def test_a_delivery_that_cannot_be_applied_is_given_up_alone(services, project, studio, filled):
    """A trigger stands for whatever makes a row impossible; the others of the batch go through."""
    bad = studio.annotate(filled[0], region("r2"))
    studio.annotate(filled[1], region("r2"))
    with services.sessions.begin() as session:
        session.execute(
            text(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
                f" 'BEGIN IF NEW.label_studio_id = {bad} THEN RAISE EXCEPTION ''no''; END IF; RETURN NEW; END'"
            )
        )
        session.execute(
            text(
                "CREATE TRIGGER refuse BEFORE INSERT ON annotations FOR EACH ROW EXECUTE FUNCTION refuse()"
            )
        )
    deliver(services, studio.outbox)
    drain(services, [project])
    with services.sessions.begin() as session:
        states = session.execute(
            text(
                "SELECT state, attempts, last_error FROM webhook_deliveries ORDER BY id DESC LIMIT 2"
            )
        ).all()
    assert states[0][0] == "done"
    assert states[1][:2] == ("pending", 1)
    assert "log of sync" in states[1][2]


def test_events_of_strangers_and_of_nobody(services, project, studio, filled):
    deliver(
        services,
        [
            {"action": "TASKS_CREATED", "project": {"id": 4711}, "tasks": [{"id": 1}]},
            {"action": "TASKS_DELETED"},
            {"action": "SOMETHING_NEW", "project": {"id": 1}},
            {
                "action": "ANNOTATION_UPDATED",
                "project": {"id": 1},
                "annotation": {"id": "x"},
                "task": 7,
            },
        ],
    )
    drained = drain(services, [project])
    assert drained.sweep == {project.id}
    assert drained.catch_up == {project.id}
    with services.sessions.begin() as session:
        rows = session.execute(
            text(
                "SELECT action, state, last_error FROM webhook_deliveries ORDER BY id DESC LIMIT 4"
            )
        ).all()
    assert {row[1] for row in rows} == {"done"}
    notes = {row[0]: row[2] for row in rows}
    assert "not one of ours" in notes["TASKS_CREATED"]
    assert "names no project" in notes["TASKS_DELETED"]
    assert "not known" in notes["SOMETHING_NEW"]


def test_an_annotation_of_a_task_nobody_has_seen(services, project, studio, filled):
    (unseen,) = studio.import_tasks(1, [DATA])
    annotation = studio.annotate(unseen, region("r1"))
    deliver(services, [studio.outbox[-1]])
    drain(services, [project])
    assert standing(services) == truth(studio)
    assert annotation in standing(services)


def test_odd_results_are_recorded_and_explained(services, project, studio, filled):
    big = [entry for n in range(400) for entry in region(f"big{n}", text="x" * 12000)]
    odd = {
        filled[0]: region("r", "no_such_field"),
        filled[1]: region("r", None),
        filled[2]: [entry for entry in region("r") if entry["type"] == "textarea"],
        filled[3]: ["no entry", {"id": 1}, {"type": "choices", "value": {"choices": None}}],
        filled[4]: [{"id": "r", "type": "rectanglelabels", "value": {"x": "NaN", "y": None}}],
        filled[5]: big,
        filled[6]: [{"id": "\u0000", "type": "brushlabels", "value": {"rle": [1, 2]}}],
    }
    numbers = {task: studio.annotate(task, result) for task, result in odd.items()}
    studio.annotations[studio.annotate(filled[7], [])]["result"] = {"no": "list"}
    once(services, project)
    problems = {
        task: " ".join(events_of(services, number)[-1].problems) for task, number in numbers.items()
    }
    assert "'no_such_field', which the field schema lacks" in problems[filled[0]]
    assert "has no label" in problems[filled[1]]
    assert "belongs to no region" in problems[filled[2]]
    assert "has no value" in problems[filled[3]]
    assert "no usable place" in problems[filled[4]]
    assert problems[filled[5]] == ""
    assert "has no meaning here" in problems[filled[6]]
    assert "not a list" in events_of(services)[-1].problems[0]
    assert verify(services, project, settle=0).equal


@pytest.mark.parametrize("seed", range(4))
def test_a_random_crowd_behind_a_bad_line(services, project, studio, proxy, seed):
    chance = random.Random(seed)
    tasks = studio.import_tasks(1, [DATA] * 8)
    # An answer that is whole and leaves out what nobody has seen yet cannot be told from the truth.
    faults = [fault for name, fault in FAULTS.items() if name != "a page without annotations"]

    def plan(request):
        return chance.choice(faults) if chance.random() < 0.2 else None

    waiting: list[dict] = []
    for _ in range(60):
        open_tasks, live = list(studio.tasks), list(studio.annotations)
        what = chance.random()
        if what < 0.4 and open_tasks:
            studio.annotate(
                chance.choice(open_tasks),
                region("r1", text=str(chance.random())),
                was_cancelled=chance.random() < 0.2,
                user=chance.choice([1, 2]),
            )
        elif what < 0.65 and live:
            studio.edit(chance.choice(live), result=region("r1", text=str(chance.random())))
        elif what < 0.75 and live:
            studio.delete_annotation(chance.choice(live))
        elif what < 0.8 and len(open_tasks) > 3:
            studio.delete_tasks(chance.sample(open_tasks, 2), silent=chance.random() < 0.5)
        elif what < 0.88:
            tasks += studio.import_tasks(1, [{**DATA, "annotations": [{"result": region("i")}]}])
        waiting += studio.outbox
        studio.outbox.clear()
        if chance.random() < 0.3:
            chance.shuffle(waiting)
            some = [event for event in waiting if chance.random() < 0.7]
            deliver(services, [*some, *chance.sample(some, len(some) // 3)])
            waiting.clear()
        if chance.random() < 0.4:
            proxy.plan = plan
            step = chance.choice(
                [lambda: drain(services, [project]), lambda: once(services, project)]
            )
            try:
                step()
            except RecordError as error:
                assert str(error)  # noqa: PT017
            proxy.plan = lambda request: None
    once(services, project)
    assert standing(services) == truth(studio)
    assert standing_tasks(services) == set(studio.tasks)
    verdict = verify(services, project, settle=0)
    assert verdict.equal, verdict


def test_cut_pages_are_refused_by_name(services, project, proxy, filled):
    proxy.plan = lambda request: Fault(rewrite=_half_page)
    with pytest.raises(BadAnswer, match="showed"):
        sweep(services, project)
