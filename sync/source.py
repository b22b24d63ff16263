"""What the mirror asks Label Studio: tasks after an id, changes after a time, tasks by id, and second looks.

Every list is read from its last key on, never by page number: tasks that come, go or change while it is read
would move the pages, and one task would slip through between two of them. An answer that does not add up is
refused: half a list is worse than none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from db.label_studio import LabelStudio
from db.label_studio_errors import BadAnswer, NotFound
from sync.states import moment, number_of

PAGE = 200
INDEX_PAGE = 2000
BY_ID = 100
# What Label Studio works out for its data manager, task by task and annotation by annotation, and nobody here
# reads: a third of the time it takes for whole tasks. A release that knows no "omit" sends it as before.
UNREAD = (
    *(
        "annotations_results",
        "predictions_results",
        "annotations_ids",
        "predictions_model_versions",
    ),
    *("annotators", "drafts", "draft_exists", "avg_lead_time", "storage_filename", "file_upload"),
    *("created_username", "created_ago", "state"),
)
_WHOLE = {"fields": "all", "omit": ",".join(UNREAD)}


@dataclass(frozen=True, slots=True)
class Listed:
    """A task in a list without contents."""

    id: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Identity:
    """What makes a Label Studio project this one and no other of the same number."""

    id: int
    created_at: str


class Source:
    """One project of one Label Studio."""

    def __init__(self, client: LabelStudio, project: int) -> None:
        self._client = client
        self.project = project

    def identity(self) -> Identity:
        """Raises NotFound where the project is gone."""
        row = self._client.project(self.project)
        created = row.get("created_at")
        if row.get("id") != self.project or not isinstance(created, str):
            raise BadAnswer(f"Label Studio answers for project {self.project} with something else.")
        return Identity(self.project, created)

    def is_listed(self) -> bool:
        """Whether the list of all projects names it: the second look at a project."""
        return any(row.get("id") == self.project for row in self._client.projects())

    def counters(self) -> dict[str, int]:
        return self._client.counters(self.project)

    def newest_change(self) -> datetime | None:
        """The last ``updated_at`` of any task; None without tasks."""
        rows, _ = self._page({"page_size": 1, "include": "id,updated_at"}, ["-tasks:updated_at"])
        return _listed(rows[0]).updated_at if rows else None

    def index_after(self, after: int) -> tuple[list[Listed], bool]:
        """Tasks with ids above ``after`` by id, without contents, and whether these were the last."""
        params = {"page_size": INDEX_PAGE, "include": "id,updated_at"}
        rows, total = self._page(params, ["tasks:id"], [_filter("id", "Number", "greater", after)])
        listed = [_listed(row) for row in rows]
        _must_rise([task.id for task in listed], after)
        return listed, len(rows) >= total

    def tasks_after(self, after: int) -> tuple[list[dict[str, Any]], bool]:
        """Whole tasks with ids above ``after`` by id, and whether these were the last."""
        params = {"page_size": PAGE, **_WHOLE}
        rows, total = self._page(params, ["tasks:id"], [_filter("id", "Number", "greater", after)])
        _must_rise([number_of(row) or 0 for row in rows], after)
        return rows, len(rows) >= total

    def changed_since(self, since: datetime) -> Iterator[list[Listed]]:
        """Tasks whose ``updated_at`` is later than ``since``, oldest change first, without contents.

        A task may come twice: one that changes meanwhile comes again with its new time.
        """
        page_size, at = INDEX_PAGE, since
        while True:
            params = {"page_size": page_size, "include": "id,updated_at"}
            value = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            filters = [_filter("updated_at", "Datetime", "greater", value)]
            rows, total = self._page(params, ["tasks:updated_at", "tasks:id"], filters)
            listed = [_listed(row) for row in rows]
            yield listed
            if len(rows) >= total:
                return
            last = listed[-1].updated_at
            # The last moment may be shared by tasks beyond the page, so it is asked for again.
            earlier = [task.updated_at for task in listed if task.updated_at < last]
            if earlier:
                at = max(earlier)
            else:
                page_size *= 2

    def tasks_by_id(self, ids: Sequence[int]) -> list[dict[str, Any]]:
        """Those of these tasks that are there, whole. At most ``BY_ID`` at once."""
        chosen = {"all": False, "included": list(ids)}
        params = {"page_size": len(ids), **_WHOLE}
        rows, total = self._page(params, ["tasks:id"], selected=chosen)
        wanted = set(ids)
        if len(rows) != total or any(number_of(row) not in wanted for row in rows):
            raise BadAnswer("Label Studio was asked for tasks by id and answered with others.")
        return rows

    def task_exists(self, task: int) -> bool:
        """A look at this very task: only a plain "not found" says no."""
        try:
            return number_of(self._client.get(f"/api/tasks/{task}/")) == task
        except NotFound:
            return False

    def annotation(self, annotation: int) -> dict[str, Any] | None:
        """A look at this very annotation; None if it is not found."""
        try:
            row = self._client.annotation(annotation)
        except NotFound:
            return None
        if number_of(row) != annotation:
            raise BadAnswer(f"Label Studio was asked for annotation {annotation} and told another.")
        return row

    def export(self, ids: Sequence[int]) -> list[dict[str, Any]]:
        """These tasks as Label Studio exports them: another road to the same annotations."""
        rows = self._client.get(
            f"/api/projects/{self.project}/export",
            params={"exportType": "JSON", "download_all_tasks": "true", "ids[]": list(ids)},
        )
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise BadAnswer(f"The export of project {self.project} is not a list of tasks.")
        return rows

    def _page(
        self,
        params: Mapping[str, Any],
        ordering: Sequence[str],
        filters: Sequence[Mapping[str, Any]] = (),
        *,
        selected: Mapping[str, Any] | None = None,
    ) -> tuple[list[dict[str, Any]], int]:
        query: dict[str, Any] = {"ordering": list(ordering)}
        if filters:
            query["filters"] = {"conjunction": "and", "items": list(filters)}
        if selected:
            query["selectedItems"] = dict(selected)
        answer = self._client.get(
            "/api/tasks/", {"project": self.project, **params, "query": json.dumps(query)}
        )
        rows = answer.get("tasks") if isinstance(answer, dict) else None
        total = answer.get("total") if isinstance(answer, dict) else None
        if not isinstance(rows, list) or not isinstance(total, int):
            raise BadAnswer("Label Studio's list of tasks has no 'tasks' or no 'total'.")
        if not all(isinstance(row, dict) for row in rows):
            raise BadAnswer("Label Studio's list of tasks holds something else than tasks.")
        if len(rows) < min(int(params["page_size"]), total):
            raise BadAnswer(
                f"Label Studio said there are {total} tasks and showed {len(rows)} on a page of "
                f"{params['page_size']}."
            )
        return rows, total


def _filter(column: str, kind: str, operator: str, value: Any) -> dict[str, Any]:
    return {
        "filter": f"filter:tasks:{column}",
        "operator": operator,
        "type": kind,
        "value": value,
    }


def _listed(row: Mapping[str, Any]) -> Listed:
    number, updated = number_of(row), moment(row.get("updated_at"))
    if number is None or updated is None:
        raise BadAnswer("Label Studio listed a task without its id or updated_at.")
    return Listed(number, updated)


def _must_rise(ids: Sequence[int], after: int) -> None:
    for number in ids:
        if number <= after:
            raise BadAnswer("Label Studio's list of tasks is not in the order that was asked for.")
        after = number
