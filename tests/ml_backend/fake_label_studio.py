"""A stand-in for Label Studio that speaks HTTP and can be told to fail; for faults a real one does not have.

Happy paths are tested on the real one.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from flask import Flask, Response, jsonify, request
from werkzeug.serving import make_server

Fault = Callable[[], Response]


class FakeLabelStudio:
    """Tasks and predictions in memory. ``faults``: what to answer instead, one per matching request."""

    def __init__(self) -> None:
        self.tasks: dict[int, dict[str, Any]] = {}
        self.project: dict[str, Any] = {"id": 12, "model_version": "Fieldloop"}
        self.calls: list[tuple[str, str]] = []
        self.faults: dict[tuple[str, str], list[tuple[bool, int]]] = {}
        self._ids = itertools.count(100)
        self._lock = threading.Lock()
        self._server = make_server("127.0.0.1", 0, self._app(), threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> FakeLabelStudio:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def fail(
        self, method: str, path: str, status: int, *, times: int = 1, after: bool = False
    ) -> None:
        """Answer the next requests of a path that ends so with ``status``; ``after``: having done what was asked."""
        self.faults[(method, path)] = [(after, status)] * times

    def versions_of(self, task: int) -> list[str]:
        return [prediction["model_version"] for prediction in self.tasks[task]["predictions"]]

    def add_task(self, data: dict[str, Any], predictions: list[dict[str, Any]]) -> int:
        number = next(self._ids)
        now = datetime.now(UTC).isoformat()
        self.tasks[number] = {
            "id": number,
            "data": data,
            "created_at": now,
            "updated_at": now,
            "annotations": [],
            "predictions": [{**one, "id": next(self._ids)} for one in predictions],
        }
        return number

    def _fault(self) -> tuple[bool, int] | None:
        for (method, path), answers in self.faults.items():
            if request.method == method and request.path.rstrip("/").endswith(path) and answers:
                return answers.pop(0)
        return None

    def _app(self) -> Flask:
        app = Flask(__name__)

        @app.before_request
        def before() -> tuple[Response, int] | None:
            self.calls.append((request.method, request.path))
            fault = self._fault()
            if fault is None or fault[0]:
                request.environ["after"] = fault
                return None
            return jsonify({"detail": "told to fail"}), fault[1]

        @app.after_request
        def after(answer: Response) -> Response:
            fault = request.environ.get("after")
            if fault is None:
                return answer
            failed = jsonify({"detail": "told to fail afterwards"})
            failed.status_code = fault[1]
            return failed

        @app.post("/api/projects/<int:project>/import")
        def create(project: int) -> dict[str, Any]:
            with self._lock:
                ids = [self.add_task(row["data"], row["predictions"]) for row in request.json or []]
            return {"task_ids": ids, "task_count": len(ids)}

        @app.post("/api/projects/<int:project>/import/predictions")
        def predictions(project: int) -> tuple[dict[str, Any], int] | dict[str, Any]:
            rows = request.json or []
            unknown = [row["task"] for row in rows if row["task"] not in self.tasks]
            if unknown:
                return {"detail": f"no such tasks: {unknown}"}, 400
            for row in rows:
                self.tasks[row["task"]]["predictions"].append({**row, "id": next(self._ids)})
            return {"created": len(rows)}

        @app.route("/api/projects/<int:project>/", methods=["GET", "PATCH"])
        def one_project(project: int) -> dict[str, Any]:
            if request.method == "PATCH":
                self.project |= request.json or {}
            return self.project

        @app.route("/api/tasks/<int:task>/", methods=["GET", "PATCH"])
        def one_task(task: int) -> tuple[dict[str, Any], int] | dict[str, Any]:
            found = self.tasks.get(task)
            if found is not None and request.method == "PATCH":
                found |= request.json or {}
            return found if found is not None else ({"detail": "Not found."}, 404)

        @app.get("/api/tasks/")
        def list_tasks() -> dict[str, Any]:
            json.loads(request.args["query"])
            return {"tasks": list(self.tasks.values()), "total": len(self.tasks)}

        return app
