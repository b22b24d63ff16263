"""Read, extract, publish and refresh, with everything that goes wrong halfway."""

from __future__ import annotations

import dataclasses
import io
from datetime import timedelta

import pytest
from reportlab.pdfgen.canvas import Canvas
from sqlalchemy import func, select, text, update

from db import documents as record
from db import extractions, jobs, registry
from db.erase import erase_document
from db.label_studio import LabelStudio
from db.models import (
    Document,
    DocumentVersion,
    Extraction,
    Job,
    JobState,
    ModelVersion,
    PageImage,
    Prediction,
    ReadingState,
    Task,
)
from db.nudges import nudge_due
from db.projects import FieldRow
from db.tasks import NewTask, remember_task
from ml_backend import jobs as worker
from ml_backend import live_models, pipeline
from ml_backend.live_models import ensure_live
from ml_backend.pipeline import ask_for_tasks
from ml_backend.reading.page_read import Warned
from tests.extraction.forms import form
from tests.ml_backend import world


def pdf(*lines: str) -> bytes:
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=(600, 800), invariant=True)
    for number, line in enumerate(lines):
        canvas.drawString(60, 740 - 20 * number, line)
    canvas.save()
    return file.getvalue()


@pytest.fixture
def project(session, with_fake):
    return world.project(session, url=with_fake.settings.label_studio_url)


def upload(services, project, data, name="a.pdf", media_type="application/pdf"):
    sha256 = services.blobs.put(data)
    with services.sessions.begin() as session:
        made = record.register(
            session,
            project.id,
            record.Upload(name, sha256, len(data), media_type, by="test", source="api"),
        )
        ask(session, "read_document", made.version.id, project)
        return made.version


def ask(session, kind, subject, project):
    return jobs.enqueue(
        session, kind=kind, subject=str(subject), project_id=project.id, created_by="test"
    )


def work(services, rounds=20):
    """Do what is due and what that leads to; the kinds of the jobs, in order."""
    done = []
    for _ in range(rounds):
        with services.sessions.begin() as session:
            due = jobs.due(session)
            kinds = {job.id: job.kind for job in session.scalars(select(Job))}
        if not due:
            return done
        done += [kinds[job_id] for job_id in due if worker.execute(services, job_id)]
    raise AssertionError(f"the work never ends: {done}")


def wait_over(session):
    session.execute(update(Job).values(run_after=func.clock_timestamp()))


def job_of(session, kind):
    return session.scalars(
        select(Job).where(Job.kind == kind).execution_options(populate_existing=True)
    ).one()


def predictions(session):
    return list(session.scalars(select(Prediction.model_version).order_by(Prediction.id)))


# Happy path


def test_a_pdf_becomes_a_task_with_its_prediction(with_fake, fake, session, project):
    data = pdf("Order No 123456", "Customer: Alder Mills", "Total 12.50")
    version = upload(with_fake, project, data)
    assert work(with_fake) == ["read_document", "extract_document", "publish_task"]
    session.expire_all()
    version = session.get(DocumentVersion, version.id)
    assert (version.state, version.page_count) == (ReadingState.READ, 1)
    (task,) = fake.tasks.values()
    assert task["data"]["fieldloop"]["document_version_id"] == str(version.id)
    assert task["data"]["name"] == "a.pdf"
    assert len(task["data"]["pages"]) == 1
    assert "?sig=" in task["data"]["pages"][0]
    (prediction,) = task["predictions"]
    assert prediction["model_version"] == "orders-0-zero-shot"
    texts = [e["value"]["text"] for e in prediction["result"] if e["type"] == "textarea"]
    assert ["123456"] in texts
    row = session.scalars(select(Task)).one()
    assert (row.label_studio_id, row.document_version_id) == (task["id"], version.id)
    assert predictions(session) == ["orders-0-zero-shot"]
    (image,) = record.images_of(session, version.id)
    assert with_fake.blobs.exists(image.sha256)


def test_each_step_leads_to_the_next_one_by_a_nudge(with_fake, session, project, redis):
    upload(with_fake, project, pdf("Total 1"))
    worker.execute(with_fake, job_of(session, "read_document").id)
    nudges = [redis.hget(key, "description") for key in redis.keys("rq:job:*")]
    assert nudges == [f"job {job_of(session, 'extract_document').id}".encode()]


def test_a_step_that_is_done_already_does_nothing_twice(with_fake, fake, session, project):
    version = upload(with_fake, project, pdf("Total 1"))
    work(with_fake)
    for kind in ("read_document", "extract_document", "publish_task"):
        with with_fake.sessions.begin() as other:
            ask(other, kind, version.id, project)
        work(with_fake)
    assert len(fake.tasks) == 1
    assert session.scalar(select(func.count()).select_from(Extraction)) == 1
    assert session.scalar(select(func.count()).select_from(PageImage)) == 1
    assert predictions(session) == ["orders-0-zero-shot"]


# Documents that cannot be read


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (b"", "application/pdf"),
        (b"no pdf at all", "application/pdf"),
        (b"%PDF-1.7\n%broken", "application/pdf"),
    ],
)
def test_a_document_that_cannot_be_read_fails_alone(
    with_fake, fake, session, project, data, media_type
):
    bad = upload(with_fake, project, data, "bad.pdf", media_type)
    good = upload(with_fake, project, pdf("Total 1"), "good.pdf")
    work(with_fake)
    session.expire_all()
    bad, good = (session.get(DocumentVersion, v.id) for v in (bad, good))
    assert (bad.state, good.state) == (ReadingState.FAILED, ReadingState.READ)
    assert bad.error_code
    assert bad.error_message.endswith(".")
    assert len(fake.tasks) == 1
    assert {job.state for job in session.scalars(select(Job))} == {JobState.DONE}


def test_a_file_larger_than_the_setting_is_refused_by_name(with_fake, session, project):
    services = dataclasses.replace(
        with_fake, settings=dataclasses.replace(with_fake.settings, max_file_bytes=10)
    )
    version = upload(services, project, pdf("Total 1"))
    work(services)
    session.expire_all()
    found = session.get(DocumentVersion, version.id)
    assert (found.state, found.error_code) == (ReadingState.FAILED, "too_large")
    assert "FIELDLOOP_MAX_FILE_MB" in found.error_message


def test_bytes_that_are_gone_fail_the_document_once_all_attempts_are_used(
    with_fake, session, project
):
    version = upload(with_fake, project, pdf("Total 1"))
    with_fake.blobs.delete(version.sha256)
    for _ in range(5):
        work(with_fake)
        wait_over(session)
    session.expire_all()
    job = job_of(session, "read_document")
    assert (job.state, job.error_code, job.attempts) == (JobState.FAILED, "BlobMissing", 5)
    found = session.get(DocumentVersion, version.id)
    assert (found.state, found.error_code) == (ReadingState.FAILED, "BlobMissing")
    assert "upload its document again" in found.error_message


def test_a_document_that_kills_every_worker_says_so(with_fake, session, project):
    version = upload(with_fake, project, pdf("Total 1"))
    job_id = job_of(session, "read_document").id
    for _ in range(5):  # each dies at once: its lease is over before it began
        assert jobs.claim(session, job_id, worker="dies", lease=timedelta(0))
    assert worker.execute(with_fake, job_id) is False
    session.expire_all()
    found = session.get(DocumentVersion, version.id)
    assert (found.state, found.error_code) == (ReadingState.FAILED, "worker_lost")


def test_a_scan_without_ocr_still_gets_its_task(with_fake, fake, session, project, monkeypatch):
    real = pipeline.read_document

    def without_ocr(*given, **values):
        warned = [Warned("no_ocr", 0, "This page is a scan.")]
        return dataclasses.replace(real(*given, **values), needs_ocr=True, warnings=warned)

    monkeypatch.setattr(pipeline, "read_document", without_ocr)
    version = upload(with_fake, project, pdf(""))
    work(with_fake)
    session.expire_all()
    assert session.get(DocumentVersion, version.id).state is ReadingState.NEEDS_OCR
    (task,) = fake.tasks.values()
    assert task["predictions"][0]["result"] == []
    assert "This page is a scan." in task["data"]["warnings"]


# Dying in the middle


def die_in(services, kind):
    """Claim the job of this kind for a worker that is gone at once."""
    with services.sessions.begin() as session:
        job = job_of(session, kind)
        assert jobs.claim(session, job.id, worker="dead", lease=timedelta(0))


@pytest.mark.parametrize("kind", ["read_document", "extract_document", "publish_task"])
def test_a_worker_that_dies_in_a_step_is_replaced(with_fake, fake, session, project, kind):
    upload(with_fake, project, pdf("Total 1"))
    while job_of(session, "read_document") and not session.scalar(
        select(Job.id).where(Job.kind == kind)
    ):
        worker.execute(with_fake, jobs.due(session)[0])
    die_in(with_fake, kind)
    work(with_fake)
    assert len(fake.tasks) == 1
    assert {job.state for job in session.scalars(select(Job))} == {JobState.DONE}


@pytest.fixture
def ready(session, project, with_fake):
    """A read document whose task is about to be made."""
    version = world.form_version(session, project, 1)
    with with_fake.sessions.begin() as other:
        ask(other, "extract_document", version.id, project)
        job = other.scalars(select(Job)).one()
    worker.execute(with_fake, job.id)
    return version


def test_a_task_whose_answer_was_lost_is_not_made_twice(with_fake, fake, session, project, ready):
    fake.add_task({"fieldloop": {"document_version_id": "another"}}, [])
    fake.fail("POST", "/import", 502, after=True)
    work(with_fake)
    job = job_of(session, "publish_task")
    assert (job.state, job.attempts) == (JobState.QUEUED, 1)
    assert "502" in job.error
    wait_over(session)
    work(with_fake)
    assert len(fake.tasks) == 2
    (task,) = session.scalars(select(Task))
    (prediction,) = session.scalars(select(Prediction))
    assert prediction.label_studio_id == fake.tasks[task.label_studio_id]["predictions"][0]["id"]


def test_a_task_the_mirror_saw_first_is_taken_over(with_fake, fake, session, project, ready):
    """Made by a worker that died before it could say so; the mirror came by in between."""
    number = fake.add_task(
        {"fieldloop": {"document_version_id": str(ready.id)}},
        [{"result": [], "model_version": "orders-0-zero-shot"}],
    )
    seen = remember_task(session, NewTask(project.id, number, ready.id, {}))
    work(with_fake)
    assert len(fake.tasks) == 1
    assert [task.id for task in session.scalars(select(Task))] == [seen.id]
    assert predictions(session) == ["orders-0-zero-shot"]


def test_a_new_job_after_failed_ones_looks_first(with_fake, fake, session, project, ready):
    fake.fail("POST", "/import", 500, times=5, after=True)
    for _ in range(5):
        # Only the first attempt makes a task: the others find it. Here Label Studio hides it from them.
        fake.fail("GET", "/api/tasks", 400, times=5)
        work(with_fake)
        wait_over(session)
    assert job_of(session, "publish_task").state is JobState.FAILED
    made = len(fake.tasks)
    fake.faults.clear()
    with with_fake.sessions.begin() as other:
        ask(other, "publish_task", ready.id, project)
    work(with_fake)
    assert len(fake.tasks) == made == 1
    assert session.scalar(select(func.count()).select_from(Task)) == 1


def test_a_lost_lease_drops_the_result(with_fake, session, project, ready, monkeypatch):
    """The worker was silent for too long and another one has the job: it may not end it."""
    monkeypatch.setattr(worker, "RENEW_SECONDS", 0.01)

    def slow(work):
        session.execute(text("UPDATE jobs SET attempts = attempts + 1 WHERE kind = 'publish_task'"))
        thread = next(t for t in worker.threading.enumerate() if t.name.startswith("lease-"))
        thread.join()
        return []

    monkeypatch.setitem(worker.HANDLERS, "publish_task", slow)
    worker.execute(with_fake, job_of(session, "publish_task").id)
    assert job_of(session, "publish_task").state is JobState.RUNNING


# Label Studio in trouble


def test_label_studio_away_costs_no_attempt_however_long(with_fake, fake, session, project, ready):
    away = dataclasses.replace(
        with_fake, label_studio=LabelStudio("http://127.0.0.1:1", "k" * 20, attempts=1)
    )
    for _ in range(8):
        work(away)
        job = job_of(session, "publish_task")
        assert (job.state, job.error_code) == (JobState.QUEUED, "Unreachable")
        assert "LABEL_STUDIO_URL" in job.error
        left = session.scalar(
            select(Job.run_after - func.clock_timestamp()).where(Job.id == job.id)
        )
        assert left <= worker.LONGEST_WAIT
        wait_over(session)
    work(with_fake)
    assert job_of(session, "publish_task").state is JobState.DONE
    assert job_of(session, "publish_task").error is None
    assert len(fake.tasks) == 1


def test_a_wrong_token_waits_for_the_right_one(with_fake, fake, session, project, ready):
    fake.fail("POST", "/import", 401)
    work(with_fake)
    job = job_of(session, "publish_task")
    assert (job.state, job.error_code) == (JobState.QUEUED, "Unauthorized")
    assert "LABEL_STUDIO_API_KEY" in job.error
    assert "an-api-key-of-tests" not in job.error


def test_what_label_studio_refuses_is_tried_five_times(with_fake, fake, session, project, ready):
    fake.fail("POST", "/import", 400, times=9)
    for number in range(1, 6):
        work(with_fake)
        job = job_of(session, "publish_task")
        assert job.attempts == number
        assert job.state is (JobState.FAILED if number == 5 else JobState.QUEUED)
        wait_over(session)
    assert fake.tasks == {}


def test_a_failed_import_backs_off_further_each_time(with_fake, fake, session, project, ready):
    fake.fail("POST", "/import", 400, times=9)
    waits = []
    for _ in range(3):
        work(with_fake)
        waits.append(session.scalar(select(Job.run_after - func.clock_timestamp()).where(
            Job.kind == "publish_task")).total_seconds())  # fmt: skip
        wait_over(session)
    assert waits[0] < waits[1] < waits[2]


# Not set up yet


def test_documents_wait_for_init_without_failing_and_go_on_by_themselves(
    with_fake, fake, session, project, redis
):
    project.label_studio_id = None
    session.flush()
    upload(with_fake, project, pdf("Total 1"))
    for _ in range(3):
        work(with_fake)
        wait_over(session)
    assert {job.state for job in session.scalars(select(Job))} == {JobState.DONE}
    assert fake.tasks == {}
    project.label_studio_id = 12
    session.flush()
    with with_fake.sessions.begin() as other:
        asked = ask_for_tasks(other, project.id)
    assert len(asked) == 1
    work(with_fake)
    assert len(fake.tasks) == 1
    with with_fake.sessions.begin() as other:
        assert ask_for_tasks(other, project.id) == []


def test_init_while_a_document_is_about_to_be_published_is_not_missed(
    with_fake, fake, session, project, ready
):
    """The job has looked and found no project; init asks for it before the job says that it is done."""
    job = jobs.claim(session, job_of(session, "publish_task").id, worker="w", lease=worker.LEASE)
    with with_fake.sessions.begin() as other:
        ask_for_tasks(other, project.id)
    assert jobs.finish(session, job)
    work(with_fake)
    assert len(fake.tasks) == 1


def test_an_erased_document_is_not_published(with_fake, fake, session, project, ready):
    erase_document(session, session.get(Document, ready.document_id), reason="r", erased_by="t")
    work(with_fake)
    assert fake.tasks == {}


# Redis


def test_redis_flushed_at_any_moment_loses_nothing(with_fake, fake, session, project, redis):
    upload(with_fake, project, pdf("Total 1"))
    for _ in range(3):
        redis.flushdb()
        assert nudge_due(redis, session) == 1
        assert redis.llen("rq:queue:fieldloop") == 1
        assert nudge_due(redis, session) == 0  # one nudge waits already
        worker.execute(with_fake, jobs.due(session)[0])
    redis.flushdb()
    assert nudge_due(redis, session) == 0
    assert len(fake.tasks) == 1


# A new model


@pytest.fixture
def published(with_fake, fake, session, project):
    """Three open tasks with a prediction of the first model."""
    versions = [world.form_version(session, project, seed) for seed in (1, 2, 3)]
    with with_fake.sessions.begin() as other:
        for version in versions:
            ask(other, "extract_document", version.id, project)
    work(with_fake)
    return versions


def next_model(session, project):
    """Another live model: a zero-shot one of a new schema, as made when fields change."""
    world.set_schema(session, project, world.ROWS[:-1], by="test")
    return ensure_live(session, project.id, by="test")


def ask_to_refresh(services, project, model):
    with services.sessions.begin() as session:
        ask(session, "refresh_predictions", model.id, project)


def test_open_tasks_get_the_new_models_prediction_beside_the_old_one(
    with_fake, fake, session, project, published
):
    model = next_model(session, project)
    ask_to_refresh(with_fake, project, model)
    work(with_fake)
    assert [fake.versions_of(number) for number in fake.tasks] == [
        ["orders-0-zero-shot", "orders-1-zero-shot"]
    ] * 3
    assert fake.project["model_version"] == "orders-1-zero-shot"
    imports = fake.calls.index(("POST", "/api/projects/12/import/predictions"))
    assert fake.calls.index(("PATCH", "/api/projects/12/")) > imports
    for version in published:
        assert extractions.find(session, version.id, model.id) is not None
    assert predictions(session) == ["orders-0-zero-shot"] * 3 + ["orders-1-zero-shot"] * 3


def test_a_task_says_what_the_model_it_shows_did_not_find(
    with_fake, fake, session, project, published
):
    first = next(iter(fake.tasks))
    fake.tasks[first]["data"]["theirs"] = 1
    wanted = FieldRow("broker", "text", "Broker", "Corretor", required=True)
    world.set_schema(session, project, [*world.ROWS, wanted], by="test")
    ask_to_refresh(with_fake, project, ensure_live(session, project.id, by="test"))
    work(with_fake)
    assert all("Broker" in task["data"]["warnings"] for task in fake.tasks.values())
    assert fake.tasks[first]["data"]["theirs"] == 1


def test_a_task_that_would_say_the_same_is_not_written_again(
    with_fake, fake, session, project, published
):
    ask_to_refresh(with_fake, project, next_model(session, project))
    fake.calls.clear()
    work(with_fake)
    assert all(fake.versions_of(number)[-1] == "orders-1-zero-shot" for number in fake.tasks)
    assert not [path for verb, path in fake.calls if verb == "PATCH" and "/tasks/" in path]


def test_reviewed_tasks_are_left_alone(with_fake, fake, session, project, published):
    task = record.task_of(session, published[0].id)
    world.review(session, published[0], form(1).labels)
    ask_to_refresh(with_fake, project, next_model(session, project))
    work(with_fake)
    assert fake.versions_of(task.label_studio_id) == ["orders-0-zero-shot"]
    assert predictions(session).count("orders-1-zero-shot") == 2


def test_predictions_whose_answer_was_lost_are_not_written_twice(
    with_fake, fake, session, project, published, monkeypatch
):
    monkeypatch.setattr("ml_backend.pipeline.BATCH", 2)
    ask_to_refresh(with_fake, project, next_model(session, project))
    fake.fail("POST", "/import/predictions", 502, after=True)
    work(with_fake)
    assert predictions(session).count("orders-1-zero-shot") == 0
    assert fake.project["model_version"] == "Fieldloop"
    wait_over(session)
    work(with_fake)
    assert all(fake.versions_of(n).count("orders-1-zero-shot") == 1 for n in fake.tasks)
    assert predictions(session).count("orders-1-zero-shot") == 3


def test_a_task_deleted_meanwhile_costs_no_other_its_prediction(
    with_fake, fake, session, project, published
):
    gone = record.task_of(session, published[1].id).label_studio_id
    del fake.tasks[gone]
    ask_to_refresh(with_fake, project, next_model(session, project))
    work(with_fake)
    assert job_of(session, "refresh_predictions").state is JobState.DONE
    assert all(fake.versions_of(number)[-1] == "orders-1-zero-shot" for number in fake.tasks)
    assert predictions(session).count("orders-1-zero-shot") == 2


def test_a_model_that_is_no_longer_live_is_not_shown(with_fake, fake, session, project, published):
    old = session.scalars(select(ModelVersion)).one()
    next_model(session, project)
    ask_to_refresh(with_fake, project, old)
    work(with_fake)
    assert fake.project["model_version"] == "Fieldloop"
    assert predictions(session) == ["orders-0-zero-shot"] * 3


def test_a_task_made_while_a_model_goes_live_gets_its_prediction_too(
    with_fake, fake, session, project, ready
):
    next_model(session, project)
    assert work(with_fake) == ["publish_task", "refresh_predictions"]
    (task,) = fake.tasks
    assert fake.versions_of(task) == ["orders-0-zero-shot", "orders-1-zero-shot"]


# The frame around every job


def test_a_job_no_part_of_this_version_does(with_fake, session, project):
    with with_fake.sessions.begin() as other:
        ask(other, "brew_coffee", "x", project)
    work(with_fake)
    job = job_of(session, "brew_coffee")
    assert (job.state, job.error_code) == (JobState.FAILED, "unknown_kind")


def test_a_surprise_is_kept_without_its_content(with_fake, session, project, monkeypatch):
    def fall(work):
        raise ValueError("the total of the invoice is 12.50")

    monkeypatch.setitem(worker.HANDLERS, "brew_coffee", fall)
    with with_fake.sessions.begin() as other:
        ask(other, "brew_coffee", "x", project)
    work(with_fake)
    job = job_of(session, "brew_coffee")
    assert (job.state, job.error_code) == (JobState.QUEUED, "ValueError")
    assert "12.50" not in job.error


def test_a_model_that_fails_on_a_document_says_so_on_its_job(
    with_fake, session, project, monkeypatch
):
    class Broken:
        def predict(self, documents):
            raise ZeroDivisionError

    version = world.form_version(session, project, 1)
    live = ensure_live(session, project.id)
    monkeypatch.setattr("ml_backend.live_models.ZeroShotExtractor", lambda specs: Broken())
    monkeypatch.setattr("ml_backend.live_models._CACHE", live_models._Cache())
    with with_fake.sessions.begin() as other:
        ask(other, "extract_document", version.id, project)
    work(with_fake)
    job = job_of(session, "extract_document")
    assert (job.state, job.error_code) == (JobState.QUEUED, "NotExtracted")
    assert live.name in job.error
    assert "ZeroDivisionError" in job.error
    assert registry.live_model(session, project.id).id == live.id


def test_a_version_label_studio_has_never_seen_is_no_failure(
    with_fake, fake, session, project, published
):
    """Every task is reviewed: none gets a prediction, and Label Studio refuses a version without any."""
    for seed, version in enumerate(published, start=1):
        world.review(session, version, form(seed).labels)
    ask_to_refresh(with_fake, project, next_model(session, project))
    fake.fail("PATCH", "/api/projects/12", 400)
    work(with_fake)
    assert job_of(session, "refresh_predictions").state is JobState.DONE
