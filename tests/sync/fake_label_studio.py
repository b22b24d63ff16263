"""As much of Label Studio's API as the mirror uses, in memory and over real HTTP; its ways are those of 1.23.2.

Webhooks are not sent but collected in ``outbox``, so that a test can lose, repeat and reorder them.
"""

from __future__ import annotations

import copy
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "0123456789abcdef0123456789abcdef01234567"
Row = dict[str, Any]


class Refused(Exception):
    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


def _rising_clock() -> Callable[[], datetime]:
    """A tenth of a second between any two things people do, beginning an hour ago."""
    last = datetime.now(UTC) - timedelta(hours=1)

    def now() -> datetime:
        nonlocal last
        last += timedelta(seconds=0.1)
        return last

    return now


class Studio:
    """The data, and what people do to it. ``clock`` is its clock; a test may set it and have it jump."""

    def __init__(self, *, reuse_ids: bool = False) -> None:
        self.lock = threading.RLock()
        self.clock: Callable[[], datetime] = _rising_clock()
        self.reuse_ids = reuse_ids
        self.users = {1: "ana@example.org", 2: "bia@example.org"}
        self.projects: dict[int, Row] = {}
        self.tasks: dict[int, Row] = {}
        self.annotations: dict[int, Row] = {}
        self.outbox: list[Row] = []
        self.requests: list[tuple[str, str]] = []
        self._ids = {name: itertools.count(1) for name in ("project", "task", "annotation")}

    # What people do

    def create_project(self, title: str = "Invoices") -> int:
        number = next(self._ids["project"])
        self.projects[number] = {"id": number, "title": title, "created_at": self._now()}
        return number

    def delete_project(self, project: int) -> None:
        with self.lock:
            for task in [t["id"] for t in self.tasks.values() if t["project"] == project]:
                self._drop_task(task)
            del self.projects[project]

    def import_tasks(self, project: int, rows: list[Row]) -> list[int]:
        """Tasks as {"data", "annotations", "predictions"}; one event without what is in them."""
        with self.lock:
            made = []
            for row in rows:
                number = self._next("task", self.tasks)
                now = self._now()
                self.tasks[number] = {
                    "id": number,
                    "project": project,
                    "data": row.get("data", {}),
                    "meta": {},
                    "created_at": now,
                    "updated_at": now,
                    "is_labeled": False,
                    "predictions": copy.deepcopy(row.get("predictions", [])),
                }
                for annotation in row.get("annotations", []):
                    self._new_annotation(number, annotation, 1)
                made.append(number)
            told = [self._bare(self.tasks[number]) for number in made]
            self._tell("TASKS_CREATED", project, tasks=told)
            return made

    def annotate(self, task: int, result: list[Row], *, user: int = 1, **values: Any) -> int:
        with self.lock:
            number = self._new_annotation(task, {"result": result, **values}, user)
            self._touch(task)
            self._tell_annotation("ANNOTATION_CREATED", number)
            return number

    def edit(self, annotation: int, *, user: int = 1, **values: Any) -> None:
        with self.lock:
            row = self.annotations[annotation]
            row |= {**copy.deepcopy(values), "updated_by": user, "updated_at": self._now()}
            self._touch(row["task"])
            self._tell_annotation("ANNOTATION_UPDATED", annotation)

    def delete_annotation(self, annotation: int) -> None:
        with self.lock:
            row = self.annotations.pop(annotation)
            self._touch(row["task"])
            project = self.tasks[row["task"]]["project"]
            self._tell("ANNOTATIONS_DELETED", project, annotations=[{"id": annotation}])

    def delete_tasks(self, tasks: list[int], *, silent: bool = False) -> None:
        """``silent``: as DELETE /api/projects/<id>/tasks/ does it, without an event."""
        with self.lock:
            project = self.tasks[tasks[0]]["project"]
            for task in tasks:
                self._drop_task(task)
            if not silent:
                self._tell("TASKS_DELETED", project, tasks=[{"id": task} for task in tasks])

    def move_annotation(self, annotation: int, task: int) -> None:
        """As "remove duplicates" does it: without an event, and without touching the task."""
        with self.lock:
            self.annotations[annotation]["task"] = task

    def change_data(self, task: int, data: Row) -> None:
        with self.lock:
            self.tasks[task]["data"] = data
            self._touch(task)

    # Inside

    def _now(self) -> str:
        return self.clock().isoformat(timespec="microseconds").replace("+00:00", "Z")

    def _next(self, kind: str, rows: dict[int, Row]) -> int:
        return max(rows, default=0) + 1 if self.reuse_ids else next(self._ids[kind])

    def _new_annotation(self, task: int, values: Row, user: int) -> int:
        number = self._next("annotation", self.annotations)
        now = self._now()  # one reading for both times, as nearly in Label Studio
        self.annotations[number] = {
            "id": number,
            "task": task,
            "project": self.tasks[task]["project"],
            "result": [],
            "was_cancelled": False,
            "ground_truth": False,
            "lead_time": 1.5,
            "parent_prediction": None,
            "completed_by": user,
            "updated_by": user,
            "created_at": now,
            "updated_at": now,
            **copy.deepcopy(values),
        }
        self.tasks[task]["is_labeled"] = True
        return number

    def _touch(self, task: int) -> None:
        self.tasks[task]["updated_at"] = self._now()

    def _drop_task(self, task: int) -> None:
        del self.tasks[task]
        for number in [a["id"] for a in self.annotations.values() if a["task"] == task]:
            del self.annotations[number]

    @staticmethod
    def _bare(task: Row) -> Row:
        return {k: copy.deepcopy(v) for k, v in task.items() if k != "predictions"}

    def _tell_annotation(self, action: str, annotation: int) -> None:
        row = self.annotations[annotation]
        task = self.tasks[row["task"]]
        self._tell(action, task["project"], annotation=copy.deepcopy(row), task=self._bare(task))

    def _tell(self, action: str, project: int, **content: Any) -> None:
        row = {**self.projects[project], "token": "must-never-be-stored"}
        self.outbox.append({"action": action, "project": row, **content})

    # What the API shows

    # Rows are shown, not copied: they are written out before the lock is let go.

    def whole(self, tasks: list[Row]) -> list[Row]:
        by_task = self._by_task()
        return [
            {**task, "annotations": [self._shown(a) for a in by_task.get(task["id"], ())]}
            for task in tasks
        ]

    def exported(self, tasks: list[Row]) -> list[Row]:
        by_task = self._by_task()
        return [
            {
                **{k: v for k, v in task.items() if k != "predictions"},
                "annotations": by_task.get(task["id"], []),
            }
            for task in tasks
        ]

    def _by_task(self) -> dict[int, list[Row]]:
        found: dict[int, list[Row]] = {}
        for annotation in self.annotations.values():
            found.setdefault(annotation["task"], []).append(annotation)
        return found

    def _shown(self, annotation: Row) -> Row:
        user = annotation["completed_by"]
        return {**annotation, "completed_by": {"id": user, "email": self.users[user]}}

    def answer(self, method: str, path: str, query: dict[str, list[str]]) -> Any:
        parts = [part for part in path.split("/") if part][1:]
        match parts:
            case ["current-user", "whoami"]:
                return {"id": 1, "email": self.users[1]}
            case ["users"]:
                return [{"id": key, "email": value} for key, value in self.users.items()]
            case ["projects"]:
                rows = list(self.projects.values())
                return {"count": len(rows), "results": rows}
            case ["projects", number]:
                return self._project(int(number))
            case ["projects", number, "export"]:
                self._project(int(number))
                wanted = [int(i) for i in query.get("ids[]", [])] or list(self.tasks)
                return self.exported([self.tasks[i] for i in wanted if self._is_of(i, int(number))])
            case ["tasks"]:
                return self._list(query)
            case ["tasks", number]:
                if int(number) not in self.tasks:
                    raise Refused(404, "Not found.")
                return self.whole([self.tasks[int(number)]])[0]
            case ["annotations", number]:
                if int(number) not in self.annotations:
                    raise Refused(404, "Not found.")
                return self._shown(self.annotations[int(number)])
        raise Refused(404, f"No such page: {method} {path}")

    def _is_of(self, task: int, project: int) -> bool:
        return task in self.tasks and self.tasks[task]["project"] == project

    def _project(self, number: int) -> Row:
        if number not in self.projects:
            raise Refused(404, "Not found.")
        tasks = [t for t in self.tasks.values() if t["project"] == number]
        live = [a for a in self.annotations.values() if a["project"] == number]
        return {
            **self.projects[number],
            "task_number": len(tasks),
            "total_annotations_number": sum(not a["was_cancelled"] for a in live),
            "total_predictions_number": 0,
        }

    def _list(self, query: dict[str, list[str]]) -> Row:
        project = int(query["project"][0])
        self._project(project)
        asked = json.loads(query.get("query", ["{}"])[0])
        rows = [t for t in self.tasks.values() if t["project"] == project]
        for item in asked.get("filters", {}).get("items", []):
            column = item["filter"].rpartition(":")[2]
            value = item["value"]
            if column == "updated_at":
                limit = datetime.fromisoformat(value)
                rows = [t for t in rows if datetime.fromisoformat(t["updated_at"]) > limit]
            else:
                rows = [t for t in rows if t[column] > value]
        if "selectedItems" in asked:
            chosen = set(asked["selectedItems"]["included"])
            rows = [t for t in rows if t["id"] in chosen]
        for key in reversed(asked.get("ordering", [])):
            column = key.rpartition(":")[2]
            rows.sort(key=lambda t, c=column: t[c], reverse=key.startswith("-"))
        page, size = int(query.get("page", ["1"])[0]), int(query["page_size"][0])
        shown = rows[(page - 1) * size : page * size]
        if query.get("fields") == ["all"]:
            tasks = self.whole(shown)
        else:
            names = query["include"][0].split(",")
            tasks = [{name: t[name] for name in names} for t in shown]
        return {"total": len(rows), "total_annotations": 0, "total_predictions": 0, "tasks": tasks}


def _encode(answer: Any) -> bytes:
    return json.dumps(answer).encode()


@contextmanager
def serving(studio: Studio, *, encode: Callable[[Any], bytes] = _encode) -> Iterator[str]:
    """The studio's address while the block runs. ``encode`` writes its answers."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            with studio.lock:
                studio.requests.append(("GET", self.path))
                if self.headers.get("Authorization") != f"Token {TOKEN}":
                    status, answer = 401, {"detail": "Invalid token."}
                else:
                    try:
                        status = 200
                        answer = studio.answer("GET", parts.path, parse_qs(parts.query))
                    except Refused as refusal:
                        status, answer = refusal.status, {"detail": str(refusal)}
                content = encode(answer)
            self.send_response_only(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
