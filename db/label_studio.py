"""Label Studio's HTTP API as both services use it.

Label Studio's SDK makes what is made once, when a project is set up (:meth:`LabelStudio.create`). The mirror and
the pipeline talk plain HTTP: importing the SDK costs seconds and over 100 MB in every process, and it offers
neither the incremental query nor bounded bodies.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from db.label_studio_errors import BadAnswer, LabelStudioError, NotFound, refused, said
from db.label_studio_http import Connection

READ_SECONDS = 60.0
ATTEMPTS = 4
PAGE_SIZE = 500
IDS_PAGE_SIZE = 5000


class LabelStudio:
    """One Label Studio. Safe to share between threads; connects when first used."""

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        attempts: int = ATTEMPTS,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        self.url = url.rstrip("/")
        self._api_key = api_key
        self._read_seconds = read_seconds
        self._connection = Connection(
            self.url, api_key, attempts=attempts, read_seconds=read_seconds
        )

    def __repr__(self) -> str:
        return f"LabelStudio({self.url!r})"

    def create(self, what: Callable[[Any], Any]) -> int:
        """Let the SDK make something, such as ``create(lambda sdk: sdk.projects.create(title="Invoices"))``; its id.

        Raises what every call here raises.
        """
        import httpx
        from label_studio_sdk.client import LabelStudio as Sdk
        from label_studio_sdk.core.api_error import ApiError

        try:
            with httpx.Client(timeout=self._read_seconds, trust_env=False) as client:
                sdk = Sdk(base_url=self.url, api_key=self._api_key, httpx_client=client)
                return int(what(sdk).id)
        except ApiError as error:
            body = error.body if isinstance(error.body, dict) else {}
            raise refused(int(error.status_code or 500), said(body), "its SDK") from error
        except httpx.HTTPError as error:
            raise self._connection.unreachable(None) from error

    # People and versions

    def whoami(self) -> dict[str, Any]:
        """The user the token belongs to: id, email …"""
        return self._object("GET", "/api/current-user/whoami")

    def version(self) -> str:
        """Its release, e.g. "1.23.2"; "" where it does not say."""
        return str(self._object("GET", "/api/version").get("release") or "")

    def users(self) -> dict[int, str]:
        """User id → e-mail, of everybody in the organization."""
        answer = self._connection.ask("GET", "/api/users/")
        rows = answer.get("results", []) if isinstance(answer, dict) else answer
        return {int(row["id"]): str(row.get("email") or "") for row in rows if "id" in row}

    # Projects

    def projects(self) -> list[dict[str, Any]]:
        """Every project the token sees: id, title …"""
        found: list[dict[str, Any]] = []
        page = 1
        while True:
            answer = self._object("GET", "/api/projects/", params={"page": page, "page_size": 100})
            rows = self._rows(answer, "results")
            found += rows
            if len(found) >= int(answer.get("count", 0)) or not rows:
                return found
            page += 1

    def project(self, project: int) -> dict[str, Any]:
        """One project's row. Raises NotFound."""
        return self._object("GET", f"/api/projects/{project}/")

    def counters(self, project: int) -> dict[str, int]:
        """task_number, total_annotations_number, total_predictions_number: a cheap look for changes."""
        names = ("task_number", "total_annotations_number", "total_predictions_number")
        answer = self._object(
            "GET", f"/api/projects/{project}/", params={"include": ",".join(("id", *names))}
        )
        return {name: int(answer[name] or 0) for name in names if name in answer}

    def update_project(self, project: int, values: Mapping[str, Any]) -> dict[str, Any]:
        return self._object("PATCH", f"/api/projects/{project}/", body=dict(values))

    def set_model_version(self, project: int, name: str) -> bool:
        """Which model version's predictions Label Studio orders tasks by.

        False: it holds no prediction of this version yet, and refuses a version it has never seen.
        """
        try:
            self.update_project(project, {"model_version": name})
        except LabelStudioError as error:
            if error.status != 400:
                raise
            return False
        return True

    # Tasks

    def create_tasks(self, project: int, tasks: Sequence[Mapping[str, Any]]) -> list[int]:
        """Import tasks, each {"data": …, "predictions": […]}; their ids in order."""
        answer = self._object(
            "POST",
            f"/api/projects/{project}/import",
            params={"return_task_ids": "true"},
            body=list(tasks),
        )
        ids = answer.get("task_ids")
        if not isinstance(ids, list) or len(ids) != len(tasks):
            raise BadAnswer(f"Label Studio imported {len(tasks)} tasks and did not tell their ids.")
        return [int(task_id) for task_id in ids]

    def task(self, task: int) -> dict[str, Any]:
        """One task with its annotations and predictions. Raises NotFound."""
        return self._object("GET", f"/api/tasks/{task}/")

    def update_task(self, task: int, values: Mapping[str, Any]) -> dict[str, Any]:
        """Change a task; ``data`` is replaced as a whole. Raises NotFound."""
        return self._object("PATCH", f"/api/tasks/{task}/", body=dict(values))

    def tasks(
        self, project: int, *, page: int = 1, page_size: int = PAGE_SIZE
    ) -> tuple[list[dict[str, Any]], int]:
        """One page of tasks by id, with annotations, and the number of all. A page past the end is empty."""
        return self._task_page(
            {"project": project, "page": page, "page_size": page_size}, ["tasks:id"]
        )

    def all_tasks(self, project: int, *, page_size: int = PAGE_SIZE) -> Iterator[dict[str, Any]]:
        """Every task by id, with annotations. Raises BadAnswer if the pages do not add up to the total."""
        seen, page = 0, 1
        while True:
            rows, total = self.tasks(project, page=page, page_size=page_size)
            yield from rows
            seen, page = seen + len(rows), page + 1
            if seen >= total:
                return
            if not rows:
                raise BadAnswer(
                    f"Label Studio said project {project} has {total} tasks and showed {seen}."
                )

    def tasks_changed_since(
        self, project: int, moment: datetime, *, page_size: int = PAGE_SIZE
    ) -> Iterator[dict[str, Any]]:
        """Tasks whose ``updated_at`` is later than ``moment``, oldest change first, with annotations."""
        query = {
            "filters": {
                "conjunction": "and",
                "items": [
                    {
                        "filter": "filter:tasks:updated_at",
                        "operator": "greater",
                        "type": "Datetime",
                        "value": moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                    }
                ],
            }
        }
        page = 1
        while True:
            params = {"project": project, "page": page, "page_size": page_size}
            rows, total = self._task_page(params, ["tasks:updated_at", "tasks:id"], query)
            yield from rows
            if not rows or page * page_size >= total:
                return
            page += 1

    def task_ids(self, project: int) -> list[int]:
        """The ids of all tasks. Raises BadAnswer if the pages do not add up: half a list is worse than none."""
        ids: list[int] = []
        page = 1
        while True:
            params = {
                "project": project,
                "include": "id",
                "page": page,
                "page_size": IDS_PAGE_SIZE,
            }
            rows, total = self._task_page(params, ["tasks:id"], everything=False)
            ids += [int(row["id"]) for row in rows]
            if len(ids) >= total:
                return ids
            if not rows:
                raise BadAnswer(
                    f"Label Studio said project {project} has {total} tasks and named {len(ids)}."
                )
            page += 1

    def _task_page(
        self,
        params: Mapping[str, Any],
        ordering: Sequence[str],
        query: Mapping[str, Any] | None = None,
        *,
        everything: bool = True,
    ) -> tuple[list[dict[str, Any]], int]:
        asked = {"ordering": list(ordering), **(query or {})}
        full = {"fields": "all"} if everything else {}
        try:
            answer = self._object(
                "GET", "/api/tasks/", params={**params, **full, "query": json.dumps(asked)}
            )
        except NotFound as error:
            if params.get("page", 1) > 1 and "page" in str(error).lower():
                return [], 0
            raise
        rows = self._rows(answer, "tasks")
        total = answer.get("total")
        if not isinstance(total, int):
            raise BadAnswer("Label Studio listed tasks without saying how many there are.")
        return rows, total

    def annotation(self, annotation: int) -> dict[str, Any]:
        """One annotation. Raises NotFound."""
        return self._object("GET", f"/api/annotations/{annotation}/")

    def create_annotation(self, task: int, values: Mapping[str, Any]) -> dict[str, Any]:
        """Submit an annotation of a task: {"result": …, "lead_time": …, "parent_prediction": …}."""
        return self._object("POST", f"/api/tasks/{task}/annotations/", body=dict(values))

    def update_annotation(self, annotation: int, values: Mapping[str, Any]) -> dict[str, Any]:
        return self._object("PATCH", f"/api/annotations/{annotation}/", body=dict(values))

    def export(self, project: int) -> list[dict[str, Any]]:
        """Every task with its annotations, as Label Studio exports them; predictions are ids only."""
        answer = self._connection.ask(
            "GET",
            f"/api/projects/{project}/export",
            params={"exportType": "JSON", "download_all_tasks": "true"},
            read_seconds=600.0,
        )
        if not isinstance(answer, list):
            raise BadAnswer(f"The export of project {project} is not a list.")
        return answer

    # Predictions

    def create_predictions(self, project: int, rows: Sequence[Mapping[str, Any]]) -> int:
        """Import predictions in bulk, each {task, result, score, model_version}; how many were taken."""
        answer = self._object(
            "POST",
            f"/api/projects/{project}/import/predictions",
            body=list(rows),
            read_seconds=300.0,
        )
        created = int(answer.get("created", 0))
        if created != len(rows):
            raise BadAnswer(f"Label Studio took {created} of {len(rows)} predictions.")
        return created

    # HTTP

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """GET a path; its JSON. For the parts of the API that have no method of their own here."""
        return self._connection.ask("GET", path, params=params)

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """POST, PATCH, PUT or DELETE; the answer's JSON, None where it has no body."""
        return self._connection.ask(method, path, body=body)

    def _object(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        answer = self._connection.ask(method, path, **options)
        if not isinstance(answer, dict):
            raise BadAnswer(f"Label Studio answered {path} with something else than an object.")
        return answer

    @staticmethod
    def _rows(answer: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
        rows = answer.get(key)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise BadAnswer(f"Label Studio's answer has no list {key!r}.")
        return rows
