"""Fieldloop behind the server of the PyPI package ``label-studio-ml`` 1.0.9, for those who run that.

    label-studio-ml init mine --script ml_backend/label_studio_ml_adapter.py:Fieldloop
    FIELDLOOP_BACKEND_URL=… FIELDLOOP_WEBHOOK_SECRET=… label-studio-ml start mine

The package pins Flask 1.1 and cannot share an environment with the backend, so this file needs nothing but the
package itself (requirements-label-studio-ml.lock), and everything is asked of the running backend over HTTP.

The package has its own idea of a model's version: the number of a training job of its own, or "INITIAL".
Label Studio compares the version of /setup with that of a prediction and asks again while they differ, so
both must be the backend's. That is the package's ``JobManager`` to tell, and this module brings one.
"""

from __future__ import annotations

import os
import threading
from typing import Any, NoReturn

import requests
from flask import Response, abort, jsonify, request
from label_studio_ml import api
from label_studio_ml.exceptions import AnswerException
from label_studio_ml.model import JobManager, LabelStudioMLBase, LabelStudioMLManager

SECRET_HEADER = "X-Fieldloop-Secret"  # noqa: S105 - the name of a header
# Label Studio itself waits 100 s for a prediction, 3 s for /setup and 1 s for an event.
PREDICT_SECONDS, SETUP_SECONDS, EVENT_SECONDS = 95.0, 2.5, 5.0

# The package passes the project on to neither its jobs nor the model; a request is one thread's.
_request = threading.local()


class Fieldloop(LabelStudioMLBase):  # type: ignore[misc]  # the package has no types
    """The model: every prediction is the backend's."""

    def __init__(
        self, label_config: str | None = None, train_output: Any = None, **kwargs: Any
    ) -> None:
        # Not the package's own: that parses the label config, which only the backend has to understand.
        self.label_config = label_config
        self.train_output = train_output or {}
        self.parsed_label_config: dict[str, Any] = {}
        self.hostname = kwargs.get("hostname", "")
        self.access_token = ""

    def predict(self, tasks: list[Any], **kwargs: Any) -> list[Any]:
        """One entry per task, never a null; with ``context`` the answer to a box a reviewer drew."""
        body = {
            "tasks": tasks,
            "project": getattr(_request, "project", None) or _project_of(tasks),
            "label_config": self.label_config,
            "params": {"context": kwargs.get("context")},
        }
        results: list[Any] = _ask("POST", "/predict", PREDICT_SECONDS, body)["results"]
        return results

    def fit(self, tasks: Any, workdir: str | None = None, **kwargs: Any) -> dict[str, Any]:
        """Pass the event on; the backend decides by itself when to train."""
        del tasks, workdir
        return _pass_on(kwargs.get("event"), kwargs.get("data") or {})


class Jobs(JobManager):  # type: ignore[misc]
    """In place of the package's jobs: there is one, the backend's live model."""

    def get_result(self, model_version: str | None = None) -> dict[str, Any]:
        del model_version
        body = {"project": getattr(_request, "project", None)}
        return {"job_id": _ask("POST", "/setup", SETUP_SECONDS, body)["model_version"]}


class Manager(LabelStudioMLManager):  # type: ignore[misc]
    """The package's, which asks our jobs and remembers for which project it is asked."""

    @classmethod
    def get_job_manager(cls) -> Jobs:
        return Jobs()

    @classmethod
    def fetch(cls, project: Any = None, *args: Any, **kwargs: Any) -> Any:
        _request.project = project
        return super().fetch(project, *args, **kwargs)

    @classmethod
    def predict(
        cls,
        tasks: list[Any],
        project: Any = None,
        label_config: str | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        # Also after a restart of this server, when Label Studio has not called /setup yet.
        cls.fetch(project, label_config)
        return super().predict(tasks, project, label_config, *args, **kwargs)

    @classmethod
    def webhook(cls, event: str, data: dict[str, Any]) -> dict[str, Any]:
        # At once: Label Studio must not hear 201 before the event is in the record.
        try:
            return _pass_on(event, data)
        except AnswerException as error:  # the package catches it everywhere but here
            abort(error.status, error.msg)


def _versions() -> Response:
    """Label Studio asks by GET; the package answers POST only."""
    query = {name: request.args[name] for name in ("project",) if name in request.args}
    return jsonify(_ask("GET", "/versions", SETUP_SECONDS, query=query))


def _pass_on(event: str | None, data: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = _ask("POST", "/webhook", EVENT_SECONDS, {**data, "action": event})
    return answer


def _project_of(tasks: list[Any]) -> str:
    first = tasks[0] if tasks and isinstance(tasks[0], dict) else {}
    return str(first.get("project") or "")


def _ask(
    method: str, path: str, seconds: float, body: Any = None, query: dict[str, str] | None = None
) -> Any:
    """The backend's answer; on failure a sentence, as the package sends it to Label Studio."""
    url = os.environ.get("FIELDLOOP_BACKEND_URL", "http://127.0.0.1:9090").rstrip("/")
    try:
        answer = requests.request(
            method,
            url + path,
            json=body,
            params=query,
            headers={SECRET_HEADER: os.environ.get("FIELDLOOP_WEBHOOK_SECRET", "")},
            timeout=seconds,
        )
    except requests.RequestException:
        _refuse(503, f"Fieldloop's backend does not answer at {url} (FIELDLOOP_BACKEND_URL).")
    if answer.status_code >= 300:
        _refuse(answer.status_code, _reason(answer))
    return answer.json()


def _reason(answer: requests.Response) -> str:
    try:
        body = answer.json()
    except ValueError:
        body = {}
    if answer.status_code == 401:
        return "FIELDLOOP_WEBHOOK_SECRET differs from that of the backend."
    error = body.get("error") if isinstance(body, dict) else None
    said = error.get("message") if isinstance(error, dict) else None
    return str(said or f"Fieldloop's backend answered {answer.status_code}.")


def _refuse(status: int, sentence: str) -> NoReturn:
    # The package would add its traceback if there were none.
    raise AnswerException(status, sentence, {"traceback": ""})


# The package's server has one manager, made before anybody could name another.
api._manager = Manager()
api._server.add_url_rule("/versions", "fieldloop_versions", _versions, methods=["GET"])
