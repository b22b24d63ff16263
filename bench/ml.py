"""How long Label Studio waits for the backend: ``python -m bench.ml``.

The real gunicorn with its real settings, a Postgres whose commits wait for the disk, and requests as Label Studio
sends them: a connection of its own each, JSON of real size. Prints one Markdown row per figure with its target.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import func, select

from db.blobs import open_blobs
from db.migrate import upgrade
from db.models import WebhookDelivery
from db.session import SessionFactory, make_engine, make_session_factory
from db.words import PageWords, make_page
from tests.conftest import new_database
from tests.extraction.forms import form
from tests.local_servers import running_postgres, running_redis
from tests.ml_backend import world

SECRET = "a-webhook-secret-of-benchmarks"  # noqa: S105
LABEL_STUDIO = "http://127.0.0.1:1"
PROJECT = 12
FIELDS = [f"field_{number:02}" for number in range(20)]
TARGET_MS = 50.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.ml", description=__doc__)
    parser.add_argument("--submitters", type=int, default=50)
    parser.add_argument("--events", type=int, default=20, help="events per submitter")
    parser.add_argument(
        "--pause", type=float, default=1.0, help="seconds between two submits of one reviewer"
    )
    parser.add_argument("--predictions", type=int, default=100)
    given = parser.parse_args()
    missed = 0
    print("| figure | p50 | p99 | target | met |\n|---|---|---|---|---|", flush=True)
    with (
        running_postgres(durable=True) as postgres,
        running_redis() as redis,
        new_database(postgres) as database,
        backend(database, redis) as (port, sessions),
    ):
        for name, times, share in figures(given, port, sessions):
            p50, p99 = (quantile(times, q) for q in (0.5, 0.99))
            met = {"p50": p50, "p99": p99}.get(share, 0.0) < TARGET_MS
            missed += not met
            target, said = f"{share} < {TARGET_MS:.0f} ms", "yes" if met else "NO"
            print(
                f"| {name} | {p50:.1f} ms | {p99:.1f} ms | {target if share else '–'} | {said if share else ''} |",
                flush=True,
            )
    sys.exit(1 if missed else 0)


def figures(
    given: argparse.Namespace, port: int, sessions: SessionFactory
) -> Iterator[tuple[str, list[float], str]]:
    """(what, milliseconds, the share that has a target)."""
    asyncio.run(
        submitting(port, 8, 5, 0.0)
    )  # both processes have connected and imported everything
    many, each = given.submitters, given.events
    before = count(sessions)
    times = asyncio.run(submitting(port, many, each, given.pause))
    yield f"/webhook, {many} reviewers who submit every {given.pause:g} s", times, "p99"
    started = time.perf_counter()
    times = asyncio.run(submitting(port, many, each, 0.0))
    rate = many * each / (time.perf_counter() - started)
    yield f"/webhook, {many} clients without any pause ({rate:.0f} events/s)", times, ""
    stored = count(sessions) - before
    if stored != 2 * many * each:
        raise SystemExit(f"{2 * many * each} events were acknowledged and {stored} are stored")
    with sessions.begin() as session:
        project = world.project(session, label_studio_id=PROJECT, url=LABEL_STUDIO)
        known = [
            world.read_version(session, project, [page(n)], name=f"{n}.pdf").id
            for n in range(given.predictions)
        ]
    yield "/predict, one page of 450 words, read for the first time", predicting(port, known), "p50"
    yield "/predict, the same again", predicting(port, known), "p50"
    yield "/predict, a drawn box", predicting(port, known, drawn=True), "p50"
    yield "/setup", asking(port, known), ""


def count(sessions: SessionFactory) -> int:
    with sessions.begin() as session:
        return session.scalar(select(func.count()).select_from(WebhookDelivery)) or 0


def page(number: int) -> PageWords:
    """A form with five values, and prose around them: about 450 words."""
    made = form(number).document.pages[0]
    words = list(zip(made.texts, [tuple(map(float, box)) for box in made.boxes], strict=True))
    for line in range(40):
        y = 500.0 + 7 * line
        for position in range(10):
            x = 40.0 + 52 * position
            words.append((f"word{line}{position}", (x, y, x + 40, y + 6)))
    return make_page(0, made.width, made.height, words)


# Webhooks


def event(number: int) -> bytes:
    """ANNOTATION_CREATED with twenty fields, about 25 kB as Label Studio sends it."""
    place = {"x": 10.0, "y": 10.0, "width": 20.0, "height": 3.0, "rotation": 0}
    shared = {"to_name": "img", "original_width": 1250, "original_height": 1667, "item_index": 0}
    result = []
    for name in FIELDS:
        key = uuid.uuid4().hex[:10]
        box = {**place, "rectanglelabels": [name]}
        text = {**place, "text": [f"{name} {number}"]}
        result.append(
            {**shared, "id": key, "type": "rectanglelabels", "from_name": "label", "value": box}
        )
        result.append({**shared, "id": key, "type": "textarea", "from_name": "text", "value": text})
    body = {
        "action": "ANNOTATION_CREATED",
        "annotation": {"id": number, "result": result, "unique_id": str(uuid.uuid4())},
        "project": {"id": PROJECT, "title": "Bench", "label_config": "x" * 6000, "token": "t" * 40},
        "task": {"id": number, "data": {"pages": ["http://pages/1.png"] * 3, "help": "x" * 3000}},
    }
    return json.dumps(body).encode()


async def submitting(port: int, many: int, each: int, pause: float) -> list[float]:
    """Milliseconds from the connection to the answer; every answer must be 201."""

    async def submitter(number: int) -> list[float]:
        taken = []
        await asyncio.sleep(pause * number / many)
        for turn in range(each):
            request = _post("/webhook", event(number * each + turn))
            started = time.perf_counter()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            status = await reader.readline()
            await reader.read()
            taken.append((time.perf_counter() - started) * 1000)
            writer.close()
            if b" 201 " not in status:
                raise SystemExit(f"/webhook answered {status!r}")
            await asyncio.sleep(max(0.0, pause - (time.perf_counter() - started)))
        return taken

    return [one for times in await asyncio.gather(*map(submitter, range(many))) for one in times]


def _post(path: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"X-Fieldloop-Secret: {SECRET}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


# Predictions


def predicting(port: int, versions: list[uuid.UUID], *, drawn: bool = False) -> list[float]:
    times = []
    box = {
        "x": 16.0,
        "y": 4.6,
        "width": 9.0,
        "height": 2.0,
        "rotation": 0,
        "rectanglelabels": ["customer"],
    }
    entry = {"id": "new", "type": "rectanglelabels", "item_index": 0, "value": box}
    for number, version in enumerate(versions):
        body = {
            "project": f"{PROJECT}.0",
            "tasks": [world.task_payload(number, version)],
            "params": {"context": {"result": [entry]} if drawn else None},
        }
        times.append(_timed(port, "predict", body, lambda answer: answer["results"][0]["result"]))
    return times


def asking(port: int, versions: list[uuid.UUID]) -> list[float]:
    body = {"project": f"{PROJECT}.0"}
    return [_timed(port, "setup", body, lambda answer: answer["model_version"]) for _ in versions]


def _timed(port: int, path: str, body: dict[str, Any], filled: Any) -> float:
    started = time.perf_counter()
    answer = requests.post(f"http://127.0.0.1:{port}/ml/{SECRET}/{path}", json=body, timeout=60)
    taken = (time.perf_counter() - started) * 1000
    if answer.status_code != 200 or not filled(answer.json()):
        raise SystemExit(f"/{path} answered {answer.status_code}: {answer.text[:200]}")
    return taken


def quantile(times: list[float], share: float) -> float:
    return statistics.quantiles(times, n=1000, method="inclusive")[round(share * 1000) - 1]


@contextmanager
def backend(database: str, redis: str) -> Iterator[tuple[int, SessionFactory]]:
    """gunicorn as `fieldloop serve` starts it, on a free port."""
    upgrade(database)
    engine = make_engine(database)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with tempfile.TemporaryDirectory(prefix="fieldloop-bench-") as folder:
        blobs = (Path(folder) / "blobs").as_uri()
        open_blobs(blobs)
        settings = {
            "DATABASE_URL": database,
            "REDIS_URL": redis,
            "BLOB_URL": blobs,
            "LABEL_STUDIO_URL": LABEL_STUDIO,
            "LABEL_STUDIO_API_KEY": "none-is-needed-here",
            "FIELDLOOP_WEBHOOK_SECRET": SECRET,
            "FIELDLOOP_SIGNING_KEY": "a-signing-key-of-benchmarks",
            "FIELDLOOP_BIND": f"127.0.0.1:{port}",
        }
        server = subprocess.Popen(
            [sys.executable, "-m", "fieldloop", "serve"],
            env={**os.environ, **settings, "FIELDLOOP_HOME": folder},
            cwd=Path(__file__).parents[1],
        )
        try:
            _wait(server, port)
            yield port, make_session_factory(engine)
        finally:
            server.terminate()
            server.wait(timeout=30)
            engine.dispose()


def _wait(server: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            if requests.get(f"http://127.0.0.1:{port}/health", timeout=1).ok:
                return
        except requests.RequestException:
            if server.poll() is not None or time.monotonic() > deadline:
                raise
        time.sleep(0.1)


if __name__ == "__main__":
    main()
