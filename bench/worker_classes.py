"""What a job costs before it does anything, by the three ways RQ runs one: in the worker, forked, a fresh interpreter.

``python -m bench.worker_classes`` starts a Postgres and a Redis for the run and prints one Markdown row per way.
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
import time
import uuid

from redis import Redis
from rq import SimpleWorker, SpawnWorker, Worker
from rq.serializers import JSONSerializer

from db import jobs
from db.migrate import upgrade
from db.nudges import nudge, queue
from db.session import SessionFactory, make_engine, make_session_factory
from fieldloop.stack.worker import prepare
from tests.conftest import new_database
from tests.local_servers import running_postgres, running_redis

WAYS = {"in the worker": SimpleWorker, "forked": Worker, "a fresh interpreter": SpawnWorker}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=40)
    parser.add_argument("--slow-jobs", type=int, default=3, help="for the fresh interpreter")
    options = parser.parse_args()
    logging.disable(logging.WARNING)  # jobs of a kind nobody knows fail, on purpose
    with (
        running_postgres() as postgres,
        running_redis() as redis,
        new_database(postgres) as url,
        tempfile.TemporaryDirectory() as folder,
    ):
        upgrade(url)
        os.environ |= {
            "DATABASE_URL": url,
            "REDIS_URL": f"{redis}/0",
            "BLOB_URL": f"file://{folder}",
            "LABEL_STUDIO_URL": "http://127.0.0.1:1",
            "LABEL_STUDIO_API_KEY": "none",
            "FIELDLOOP_WEBHOOK_SECRET": "x" * 16,
            "FIELDLOOP_SIGNING_KEY": "x" * 16,
        }
        began = time.perf_counter()
        prepare()
        print(f"imports before the first job: {time.perf_counter() - began:.1f} s\n")
        print("| way | ms per job |\n|---|---|")
        engine = make_engine(url)
        sessions = make_session_factory(engine)
        for name, way in WAYS.items():
            count = options.slow_jobs if way is SpawnWorker else options.jobs
            print(f"| {name} | {1000 * _seconds(way, sessions, redis, count) / count:.0f} |")
        engine.dispose()


def _seconds(way: type, sessions: SessionFactory, redis: str, count: int) -> float:
    connection = Redis.from_url(f"{redis}/0")
    connection.flushdb()
    with sessions.begin() as session:
        made = [
            jobs.enqueue(session, kind="none", subject=str(uuid.uuid4()), created_by="bench").id
            for _ in range(count)
        ]
    nudge(connection, made)
    worker = way([queue(connection)], connection=connection, serializer=JSONSerializer)
    began = time.perf_counter()
    worker.work(burst=True, logging_level="ERROR")
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
