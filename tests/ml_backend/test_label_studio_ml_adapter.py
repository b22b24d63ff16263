"""The adapter under the real package's own server, made and started as its users do, on the real backend."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import select
from werkzeug.serving import make_server

from db.models import Job, WebhookDelivery
from ml_backend.services import Services
from tests.ml_backend import world
from tests.ml_backend.conftest import SECRET, make_app
from tests.stack.programs import free_port

CHECKOUT = Path(__file__).parents[2]
VENV = CHECKOUT / ".venv-label-studio-ml"
LOCK = CHECKOUT / "requirements-label-studio-ml.lock"
PROJECT = "12.1795378027"


@pytest.fixture(scope="session")
def environment() -> Path:
    """The package's own environment, from its lock; kept beside the checkout's."""
    wanted = f"{hashlib.sha256(LOCK.read_bytes()).hexdigest()} {sys.version_info[:2]}"
    stamp = VENV / "installed-from"
    uv = str(Path(sys.executable).parent / "uv")
    with VENV.with_name(f"{VENV.name}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            subprocess.run(
                [uv, "venv", "-q", "--clear", "--python", sys.executable, str(VENV)], check=True
            )
            python = str(VENV / "bin" / "python")
            install = [uv, "pip", "sync", "-q", "--python", python, "--require-hashes", str(LOCK)]
            answer = subprocess.run(install, capture_output=True, text=True)
            if answer.returncode != 0:
                if "hash" in answer.stderr.lower():
                    pytest.fail(answer.stderr)
                pytest.skip(
                    f"NOT TESTED: label-studio-ml cannot be installed here:\n{answer.stderr}"
                )
            stamp.write_text(wanted)
    return VENV


@pytest.fixture
def backend(committed: Services) -> Iterator[str]:
    """The address of our backend, serving."""
    server = make_server("127.0.0.1", 0, make_app(committed), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


class Package:
    """The package's server: a project folder made by its ``init``, started by its ``start``."""

    def __init__(self, environment: Path, folder: Path, backend: str, secret: str) -> None:
        self.port = free_port()
        self.log = folder / "log"
        environ = {
            "PATH": f"{environment / 'bin'}:{os.environ['PATH']}",
            "HOME": str(folder),
            "FIELDLOOP_BACKEND_URL": backend,
            "FIELDLOOP_WEBHOOK_SECRET": secret,
        }
        script = CHECKOUT / "ml_backend" / "label_studio_ml_adapter.py"
        made = subprocess.run(
            ["label-studio-ml", "init", "mine", "--script", f"{script}:Fieldloop"],
            cwd=folder,
            env=environ,
            capture_output=True,
            text=True,
        )
        assert made.returncode == 0, made.stdout + made.stderr
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [
                    *(environment / "bin" / "python", folder / "mine" / "_wsgi.py"),
                    *("--host", "127.0.0.1", "--port", str(self.port)),
                ],
                cwd=folder,
                env=environ,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + 60
        while True:
            try:
                if self.ask("GET", "/health").status_code == 200:
                    return
            except requests.ConnectionError:
                assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)

    def ask(self, method: str, path: str, body: Any = None) -> requests.Response:
        return requests.request(
            method, f"http://127.0.0.1:{self.port}{path}", json=body, timeout=60
        )

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def package(environment: Path, backend: str, tmp_path: Path) -> Iterator[Package]:
    served = Package(environment, tmp_path, backend, SECRET)
    yield served
    served.stop()


def test_the_packages_server_speaks_for_the_backend(package: Package, committed: Services) -> None:
    with committed.sessions.begin() as session:
        project = world.project(session)
        version = world.form_version(session, project, 1).id
    assert package.ask("GET", "/health").json()["status"] == "UP"
    task = {**world.task_payload(1, version), "project": 12}
    foreign = {**world.task_payload(2, None), "project": 12}
    body = {"tasks": [task, foreign], "project": PROJECT, "params": {"context": None}}
    # Before /setup too: the package alone would refuse.
    answered = package.ask("POST", "/predict", body)
    assert answered.status_code == 200, answered.text
    first, second = answered.json()["results"]
    name = "orders-0-zero-shot"
    assert first["model_version"] == second["model_version"] == name
    assert first["result"]
    assert second["result"] == []
    setup = package.ask("POST", "/setup", {"project": PROJECT, "schema": "<View></View>"})
    assert setup.json() == {"model_version": name}
    versions = package.ask("GET", "/versions?project=12").json()["versions"]
    assert versions == [name]


def test_a_drawn_box_is_answered_with_its_text(package: Package, committed: Services) -> None:
    with committed.sessions.begin() as session:
        project = world.project(session)
        version = world.form_version(session, project, 1).id
    task = world.task_payload(1, version)
    body = {"tasks": [task], "project": PROJECT, "params": {"context": None}}
    [known] = package.ask("POST", "/predict", body).json()["results"]
    drawn = next(item for item in known["result"] if item["type"] == "rectanglelabels")
    text = next(
        item["value"]["text"]
        for item in known["result"]
        if item["type"] == "textarea" and item["id"] == drawn["id"]
    )
    context = {"result": [{**drawn, "id": "mine"}]}
    [answer] = package.ask("POST", "/predict", {**body, "params": {"context": context}}).json()[
        "results"
    ]
    texts = [item["value"]["text"] for item in answer["result"] if item["type"] == "textarea"]
    assert texts == [text]


def test_an_event_is_in_the_inbox_before_the_answer(package: Package, committed: Services) -> None:
    event = {"action": "ANNOTATION_CREATED", "project": {"id": 12}, "annotation": {"id": 7}}
    answer = package.ask("POST", "/webhook", event)
    assert answer.status_code == 201
    with committed.sessions.begin() as session:
        delivery = session.get_one(WebhookDelivery, answer.json()["delivery"])
        assert (delivery.action, delivery.payload["annotation"]) == (
            "ANNOTATION_CREATED",
            {"id": 7},
        )


def test_start_training_asks_the_backend(package: Package, committed: Services) -> None:
    with committed.sessions.begin() as session:
        world.project(session)
    answer = package.ask("POST", "/webhook", {"action": "START_TRAINING", "project": {"id": 12}})
    assert answer.status_code == 201
    with committed.sessions.begin() as session:
        assert session.scalars(select(Job.kind)).all() == ["consider_training"]


def test_what_is_wrong_is_a_sentence_without_a_traceback(
    environment: Path, backend: str, tmp_path: Path
) -> None:
    served = Package(environment, tmp_path, backend, "another secret")
    try:
        answers = [
            served.ask("POST", "/setup", {"project": PROJECT, "schema": ""}),
            served.ask("POST", "/predict", {"tasks": [], "project": PROJECT}),
            served.ask("POST", "/webhook", {"action": "X"}),
        ]
    finally:
        served.stop()
    for answer in answers:
        assert answer.status_code == 401
        assert "FIELDLOOP_WEBHOOK_SECRET differs from that of the backend." in answer.text
        assert "Traceback" not in answer.text


def test_a_backend_that_is_away_is_named(environment: Path, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    served = Package(environment, tmp_path, url, SECRET)
    try:
        answers = [
            served.ask("POST", "/setup", {"project": PROJECT, "schema": ""}),
            served.ask("POST", "/webhook", {"action": "X"}),
        ]
    finally:
        served.stop()
    for answer in answers:
        assert answer.status_code == 503
        assert f"does not answer at {url} (FIELDLOOP_BACKEND_URL)" in answer.text
