"""The mirror against a real Label Studio: its actions, its export, its silences."""

from __future__ import annotations

import uuid

import pytest

from sync.once import once
from sync.passes import catch_up, sweep
from sync.source import UNREAD
from sync.states import read_task
from sync.verify import verify
from tests.sync.mirroring import events_of, mirrored, region, services_for, standing, standing_tasks

pytestmark = pytest.mark.label_studio
CONFIG = (
    '<View><RectangleLabels name="label" toName="img"><Label value="total"/><Label value="date"/></RectangleLabels>'
    '<Image name="img" valueList="$pages"/><TextArea name="text" toName="img" perRegion="true"/></View>'
)
DATA = {"data": {"pages": ["http://pages/1.png"]}}


@pytest.fixture
def studio(label_studio):
    return label_studio.client


@pytest.fixture
def services(committed_database, redis, label_studio):
    return services_for(committed_database, redis, label_studio.url, token=label_studio.token)


@pytest.fixture
def project(services, studio):
    title = f"Mirror {uuid.uuid4().hex[:8]}"
    row = studio.send("POST", "/api/projects/", {"title": title, "label_config": CONFIG})
    return mirrored(services, row["id"], title)


def test_what_reviewers_do_is_mirrored_whatever_it_fires(services, project, studio):
    number = project.label_studio_id
    imported = {**DATA, "annotations": [{"result": region("i", text="imported")}]}
    predicted = {
        **DATA,
        "predictions": [{"result": region("p", text="guess"), "model_version": "m", "score": 0.5}],
    }
    tasks = studio.create_tasks(number, [DATA, DATA, DATA, imported, predicted, DATA])
    once(services, project)
    assert standing_tasks(services) == set(tasks)
    assert len(standing(services)) == 1

    created = studio.create_annotation(
        tasks[0], {"result": region("r", text="1"), "lead_time": 2.5}
    )
    skipped = studio.create_annotation(tasks[1], {"result": [], "was_cancelled": True})
    brief = studio.create_annotation(tasks[2], {"result": region("r")})
    studio.update_annotation(created["id"], {"result": region("r", text="2", x=33.333)})
    studio.send("DELETE", f"/api/annotations/{brief['id']}/")
    catch_up(services, project)
    kept = standing(services)
    assert kept[created["id"]][1][1]["value"]["text"] == ["2"]
    assert kept[created["id"]][3] == "reviewer@example.com"
    assert kept[skipped["id"]][2] is True
    assert brief["id"] not in kept

    everything = {"selectedItems": {"all": False, "included": [tasks[4]]}}
    studio.send(
        "POST", f"/api/dm/actions?id=predictions_to_annotations&project={number}", everything
    )
    catch_up(services, project)
    assert [text for task, *_ in standing(services).values() if task == tasks[4] for text in [1]]

    several = {"selectedItems": {"all": False, "included": [tasks[0], tasks[5]]}}
    studio.send("POST", f"/api/dm/actions?id=delete_tasks&project={number}", several)
    sweep(services, project)
    assert standing_tasks(services) == set(tasks) - {tasks[0], tasks[5]}
    history = [event.kind for event in events_of(services, created["id"])]
    assert history == ["updated", "deleted"]

    assert verify(services, project, settle=0).equal
    studio.send("DELETE", f"/api/projects/{number}/tasks/")
    sweep(services, project)
    assert standing(services) == {}
    assert standing_tasks(services) == set()
    assert verify(services, project, settle=0).equal


def test_what_is_left_out_of_lists_is_nothing_the_mirror_reads(
    services, project, studio, monkeypatch
):
    predicted = {"result": region("p"), "model_version": "m", "score": 0.5}
    (task,) = studio.create_tasks(project.label_studio_id, [{**DATA, "predictions": [predicted]}])
    annotation = studio.create_annotation(task, {"result": region("r"), "lead_time": 2.5})
    studio.update_annotation(annotation["id"], {"result": region("r", text="2")})
    (brief,) = project.source.tasks_by_id([task])
    assert project.source.tasks_after(0)[0][0].keys() == brief.keys()
    monkeypatch.setattr("sync.source._WHOLE", {"fields": "all"})
    (full,) = project.source.tasks_by_id([task])
    assert full.keys() - brief.keys() >= {"annotations_results", "predictions_results", "drafts"}
    assert full.keys() - brief.keys() <= set(UNREAD)
    assert read_task(brief, services.people) == read_task(full, services.people)
