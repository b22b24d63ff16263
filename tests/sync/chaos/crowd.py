"""A scripted crowd at work in Label Studio's real API, and what it remembers of what it did."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from db.label_studio import LabelStudio
from db.label_studio_errors import LabelStudioError
from sync.states import read_annotation
from tests.sync.mirroring import region

LABELS = ("total", "date")
# What the label config of a provisioned project shows beside the pages.
DATA: dict[str, Any] = {
    "pages": ["http://pages/1.png"],
    "name": "chaos.pdf",
    "warnings": "",
    "look": "",
    "help": "",
    "absent_options": [{"value": name} for name in LABELS],
}


@dataclass(frozen=True)
class Did:
    """A state of an annotation that Label Studio confirmed to somebody of the crowd."""

    annotation: int
    updated_at: str
    sha256: str


@dataclass
class Crowd:
    """Some reviewers of one project, each a thread with a chance of its own."""

    studio: LabelStudio
    project: int
    seed: int
    people: int = 4
    pause: float = 0.15
    did: list[Did] = field(default_factory=list)
    actions: dict[str, int] = field(default_factory=dict)
    refused: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self, tasks: int) -> None:
        """Bring the first tasks; whoever cannot do that before the trouble begins has made a mistake."""
        self.studio.create_tasks(self.project, [{"data": DATA}] * tasks)
        for number in range(self.people):
            chance = random.Random(f"{self.seed}/{number}")
            thread = threading.Thread(target=self._work, args=(chance,), daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def delete_everything(self) -> None:
        """DELETE /api/projects/<id>/tasks/: no webhook, no trace."""
        self._try(
            "delete all", lambda: self.studio.send("DELETE", f"/api/projects/{self.project}/tasks/")
        )

    def import_tasks(self, count: int, *, annotated: bool = False) -> None:
        rows: list[dict[str, Any]] = [{"data": DATA} for _ in range(count)]
        if annotated:
            rows = [
                {**row, "annotations": [{"result": region("i", text="imported")}]} for row in rows
            ]
        self._try("import", lambda: self.studio.create_tasks(self.project, rows))

    def _work(self, chance: random.Random) -> None:
        mine: list[int] = []
        while not self._stop.is_set():
            time.sleep(chance.expovariate(1 / self.pause))
            try:
                self._something(chance, mine)
            except LabelStudioError:
                with self._lock:
                    self.refused += 1

    def _something(self, chance: random.Random, mine: list[int]) -> None:
        what = chance.random()
        if what < 0.35 or not mine:
            self._annotate(chance, mine)
        elif what < 0.70:
            self._edit(chance, mine)
        elif what < 0.80:
            number = mine.pop(chance.randrange(len(mine)))
            self._try("delete", lambda: self.studio.send("DELETE", f"/api/annotations/{number}/"))
        elif what < 0.86:
            self.import_tasks(chance.randint(1, 5), annotated=chance.random() < 0.5)
        elif what < 0.93:
            task = self._any_task(chance)
            if task is not None:
                self._try("delete task", lambda: self.studio.send("DELETE", f"/api/tasks/{task}/"))
        else:
            self._delete_several(chance)

    def _annotate(self, chance: random.Random, mine: list[int]) -> None:
        task = self._any_task(chance)
        if task is None:
            self.import_tasks(5)
            return
        skips = chance.random() < 0.15
        body = {
            "result": [] if skips else self._result(chance),
            "was_cancelled": skips,
            "lead_time": round(chance.uniform(1, 60), 1),
        }
        row = self._try(
            "skip" if skips else "create", lambda: self.studio.create_annotation(task, body)
        )
        if row is not None:
            mine.append(int(row["id"]))
            self._remember(row)

    def _edit(self, chance: random.Random, mine: list[int]) -> None:
        number = chance.choice(mine)
        # Sometimes twice in a breath, as impatient people do.
        for _ in range(1 + (chance.random() < 0.3)):
            body = {"result": self._result(chance)}
            row = self._try("update", lambda body=body: self.studio.update_annotation(number, body))
            if row is None:
                if number in mine:
                    mine.remove(number)
                return
            self._remember(row)

    def _delete_several(self, chance: random.Random) -> None:
        tasks = [t for t in (self._any_task(chance) for _ in range(4)) if t is not None]
        if len(tasks) < 3:
            return
        body = {"selectedItems": {"all": False, "included": tasks}, "filters": None}
        path = f"/api/dm/actions?id=delete_tasks&project={self.project}"
        self._try("delete tasks", lambda: self.studio.send("POST", path, body))

    def _any_task(self, chance: random.Random) -> int | None:
        params = {"project": self.project, "include": "id", "page_size": 100, "page": 1}
        rows = self.studio.get("/api/tasks/", params).get("tasks", [])
        return int(chance.choice(rows)["id"]) if rows else None

    @staticmethod
    def _result(chance: random.Random) -> list[dict[str, Any]]:
        found = []
        for number in range(chance.randint(1, 3)):
            text = None if chance.random() < 0.1 else f"{chance.random():.6f}"
            x = round(chance.uniform(0, 70), 3)
            found += region(f"r{number}", chance.choice(LABELS), text, x=x)
        return found

    def _remember(self, row: dict[str, Any]) -> None:
        state = read_annotation(row, lambda number: None)
        with self._lock:
            self.did.append(Did(state.id, state.updated_at.isoformat(), state.sha256))

    def _try(self, name: str, act: Callable[[], Any]) -> Any:
        """None where Label Studio refused, as it does while Postgres is away or what was meant is gone."""
        try:
            answer = act()
        except LabelStudioError:
            with self._lock:
                self.refused += 1
            return None
        with self._lock:
            self.actions[name] = self.actions.get(name, 0) + 1
        return answer if answer is not None else True
