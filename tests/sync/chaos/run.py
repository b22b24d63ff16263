"""One seed: a project of its own, a crowd, trouble, and the judgement."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.sync.chaos.crowd import Crowd
from tests.sync.chaos.judge import Judgement, judge
from tests.sync.chaos.stack import Stack
from tests.sync.chaos.trouble import Trouble
from tests.sync.proxy import Request

_FIELDS = """
project: {title}
fields:
  - name: total
    type: number
    label: {{en: Total, pt: Total}}
  - name: date
    type: date
    label: {{en: Date, pt: Data}}
"""


@dataclass
class Outcome:
    seed: int
    judgement: Judgement
    actions: dict[str, int] = field(default_factory=dict)
    refused: int = 0
    kills: dict[str, int] = field(default_factory=dict)
    webhooks: dict[str, int] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)


def run_seed(stack: Stack, seed: int, *, seconds: float, people: int = 4) -> Outcome:
    """Everything the crowd does and everything that goes wrong follows from the seed, but for the threads' timing."""
    stack.heal()
    title = f"Chaos {seed} {int(time.time())}"
    project = _project(stack, title)
    acked = _Acked(stack)
    crowd = Crowd(stack.studio, project, seed, people=people)
    trouble = Trouble(stack, seed)
    crowd.start(tasks=12)
    trouble.start()
    time.sleep(seconds / 2)
    if seed % 2:
        crowd.delete_everything()
        crowd.import_tasks(8, annotated=True)
    time.sleep(seconds / 2)
    crowd.stop()
    trouble.stop()
    judgement = judge(stack, project, title, list(crowd.did), acked.stop())
    return Outcome(
        seed,
        judgement,
        dict(crowd.actions),
        crowd.refused,
        dict(Counter(word.removeprefix("kill -9 ") for word in trouble.told)),
        dict(trouble.webhooks),
        dict(trouble.answers),
        trouble.told,
    )


def _project(stack: Stack, title: str) -> int:
    path = stack.folder / "fields.yaml"
    path.write_text(_FIELDS.format(title=title), encoding="utf-8")
    answer = stack.fieldloop("init", "--fields", str(path), "--json")
    if answer.returncode != 0:
        raise RuntimeError(f"fieldloop init: {answer.stdout}{answer.stderr}")
    return int(json.loads(answer.stdout)["label_studio_id"])


class _Acked:
    """Notes the deliveries the web confirmed; whoever confirms must have committed."""

    def __init__(self, stack: Stack) -> None:
        self._proxy = stack.to_web
        self._forward = stack.to_web.forward
        self._seen: set[int] = set()
        self._lock = threading.Lock()
        stack.to_web.forward = self._note  # type: ignore[method-assign]

    def _note(self, request: Request) -> tuple[int, list[tuple[str, str]], bytes]:
        status, headers, body = self._forward(request)
        if status == 201:
            number = json.loads(body).get("delivery")
            if isinstance(number, int):
                with self._lock:
                    self._seen.add(number)
        return status, headers, body

    def stop(self) -> set[int]:
        self._proxy.forward = self._forward  # type: ignore[method-assign]
        return self._seen
