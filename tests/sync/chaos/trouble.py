"""The seeded trouble: who is killed when, and what happens to webhooks and to Label Studio's answers."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field

import redis

from tests.sync.chaos.stack import Stack
from tests.sync.proxy import Fault, Plan, Request

VICTIMS = ("web", "worker", "sync", "standby", "redis", "postgres", "sync", "web")


@dataclass
class Trouble:
    """Runs until stopped; ``told`` says what it did."""

    stack: Stack
    seed: int
    kill_every: float = 6.0
    told: list[str] = field(default_factory=list)
    webhooks: dict[str, int] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self.stack.to_web.plan = self._webhook_plan(random.Random(f"{self.seed}/webhooks"))
        self.stack.to_studio.plan = self._answer_plan(random.Random(f"{self.seed}/answers"))
        self._thread = threading.Thread(target=self._kill, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self.stack.heal()

    def _kill(self) -> None:
        chance = random.Random(f"{self.seed}/kills")
        while not self._stop.wait(chance.expovariate(1 / self.kill_every)):
            name = chance.choice(VICTIMS)
            part = self.stack.parts[name]
            part.kill()
            self.told.append(f"kill -9 {name}")
            if name != "redis" and chance.random() < 0.3:
                self._flush()
            if self._stop.wait(chance.uniform(0.1, 2.5)):
                break
            part.start()
            if name in {"postgres", "redis"}:
                part.wait()

    def _flush(self) -> None:
        try:
            with redis.Redis.from_url(self.stack.redis_url, socket_timeout=2) as client:
                client.flushall()
            self.told.append("redis flushed")
        except redis.RedisError:
            self.told.append("redis was away when it was to be flushed")

    def _webhook_plan(self, chance: random.Random) -> Plan:
        lock = threading.Lock()
        faults = (
            ("passed", 0.60, None),
            ("dropped", 0.12, Fault(drop=True)),
            ("answer lost", 0.06, Fault(swallow=True)),
            ("duplicated", 0.08, Fault(again=2)),
            # Label Studio waits a second for an answer and goes on; the event arrives all the same, after others.
            ("delayed past others", 0.08, Fault(delay=1.6)),
            ("refused", 0.06, Fault(status=503)),
        )

        def plan(request: Request) -> Fault | None:
            with lock:
                name, fault = _pick(chance, faults)
                self.webhooks[name] = self.webhooks.get(name, 0) + 1
            return fault

        return plan

    def _answer_plan(self, chance: random.Random) -> Plan:
        lock = threading.Lock()
        faults = (
            ("passed", 0.86, None),
            ("500", 0.03, Fault(status=500)),
            ("429", 0.03, Fault(status=429, headers=(("Retry-After", "1"),))),
            ("slow", 0.03, Fault(delay=2.0)),
            ("no answer", 0.02, Fault(drop=True)),
            ("cut short", 0.03, Fault(cut=0.6)),
        )

        def plan(request: Request) -> Fault | None:
            with lock:
                name, fault = _pick(chance, faults)
                self.answers[name] = self.answers.get(name, 0) + 1
            return fault

        return plan


def _pick(
    chance: random.Random, faults: tuple[tuple[str, float, Fault | None], ...]
) -> tuple[str, Fault | None]:
    (picked,) = chance.choices(faults, weights=[weight for _, weight, _ in faults])
    return picked[0], picked[2]


def settle(stack: Stack, seconds: float) -> None:
    """Let the mirror come to rest, by itself."""
    time.sleep(seconds)
