"""The whole stack as processes that can be killed: Postgres, Redis, Label Studio, two webs, worker, two syncs."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg
import redis
import requests

from db.label_studio import LabelStudio
from db.migrate import upgrade
from fieldloop.stack.valkey import program
from tests.label_studio import LabelStudioServer, running_label_studio
from tests.local_servers import binaries
from tests.sync.proxy import Proxy, running_proxy

SECRET = "chaos-webhook-secret"
CHECKOUT = Path(__file__).parents[3]
READY_SECONDS = 120.0


@dataclass
class Process:
    """A part that can be killed and started again."""

    name: str
    command: Sequence[str]
    folder: Path
    environ: dict[str, str] = field(default_factory=dict)
    user: str | None = None
    ready: Callable[[], bool] = lambda: True
    running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        as_user = {} if self.user is None else {"user": self.user, "group": "nogroup"}
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.running = subprocess.Popen(
                self.command,
                env={"PATH": os.environ["PATH"], "HOME": str(self.folder), **self.environ},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **as_user,
            )

    def kill(self, number: int = signal.SIGKILL) -> None:
        """The process and all it started, at once."""
        if self.running is None:
            return
        try:
            family = psutil.Process(self.running.pid).children(recursive=True)
            os.killpg(self.running.pid, number)
        except (ProcessLookupError, psutil.NoSuchProcess):
            family = []
        # Postgres gives each of its processes a group of its own.
        for child in family:
            with suppress(psutil.NoSuchProcess):
                child.send_signal(number)
        self.running.wait(timeout=60)
        psutil.wait_procs(family, timeout=30)
        self.running = None

    def wait(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not self.ready():
            if time.monotonic() > deadline or (self.running and self.running.poll() is not None):
                log = (self.folder / f"{self.name}.log").read_text(errors="replace")
                raise RuntimeError(f"{self.name} is not ready:\n{log[-3000:]}")
            time.sleep(0.1)


@dataclass
class Stack:
    """What a chaos run plays with."""

    parts: dict[str, Process]
    database_url: str
    redis_url: str
    studio: LabelStudio
    """Label Studio itself, without a proxy: what the crowd and the judge talk to."""
    to_studio: Proxy
    """Between us and Label Studio."""
    to_web: Proxy
    """Between Label Studio's webhooks and us."""
    environ: dict[str, str]
    folder: Path

    def heal(self) -> None:
        """No faults, and every part up."""
        self.to_studio.plan = self.to_web.plan = lambda request: None
        for part in self.parts.values():
            if part.running is None or part.running.poll() is not None:
                part.running = None
                part.start()
            part.wait()

    def fieldloop(self, *arguments: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Run one of our commands against this stack."""
        return subprocess.run(
            [sys.executable, "-m", "fieldloop", *arguments],
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), **self.environ},
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


@contextmanager
def running_stack(given: LabelStudioServer | None = None) -> Iterator[Stack]:
    """Everything on free ports in a temporary folder; Postgres keeps what it has confirmed.

    ``given``: a Label Studio that runs already, on another Postgres; else one of its own on this one.
    """
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="fieldloop-chaos-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o755)
        postgres, server_url = _postgres(folder)
        postgres.start()
        stack.callback(postgres.kill, signal.SIGINT)
        postgres.wait()
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE fieldloop")
        database_url = server_url.replace("/postgres", "/fieldloop")
        upgrade(database_url)
        queue, redis_url = _redis(folder)
        queue.start()
        stack.callback(queue.kill)
        queue.wait()
        server = given or stack.enter_context(running_label_studio(server_url))
        to_studio = stack.enter_context(running_proxy(Proxy(server.url)))
        web_port = _free_port()
        to_web = stack.enter_context(running_proxy(Proxy(f"http://127.0.0.1:{web_port}")))
        environ = {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "BLOB_URL": (folder / "blobs").as_uri(),
            "LABEL_STUDIO_URL": to_studio.url,
            "LABEL_STUDIO_API_KEY": server.token,
            "FIELDLOOP_BACKEND_URL": to_web.url,
            "FIELDLOOP_WEBHOOK_SECRET": SECRET,
            "FIELDLOOP_SIGNING_KEY": "chaos-signing-key-0",
            "FIELDLOOP_BIND": f"127.0.0.1:{web_port}",
            "FIELDLOOP_HOME": str(folder),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "PYTHONPATH": str(CHECKOUT),
        }
        parts = {"postgres": postgres, "redis": queue}
        for part in _ours(folder, environ, web_port):
            parts[part.name] = part
            part.start()
            stack.callback(part.kill)
        for part in parts.values():
            part.wait()
        yield Stack(
            parts,
            database_url,
            redis_url,
            LabelStudio(server.url, server.token),
            to_studio,
            to_web,
            environ,
            folder,
        )


def _ours(folder: Path, environ: dict[str, str], web_port: int) -> list[Process]:
    python = [sys.executable, "-m"]

    def answers() -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{web_port}/health", timeout=1).ok
        except requests.RequestException:
            return False

    web = [*python, "gunicorn", "-c", "python:ml_backend.gunicorn_config", "ml_backend.wsgi:app"]
    return [
        Process("web", web, folder, environ, ready=answers),
        Process("worker", [*python, "fieldloop", "worker"], folder, environ),
        Process("sync", [*python, "fieldloop", "sync", "run"], folder, environ),
        Process("standby", [*python, "fieldloop", "sync", "run"], folder, environ),
    ]


def _postgres(folder: Path) -> tuple[Process, str]:
    data = folder / "postgres"
    user = "nobody" if os.geteuid() == 0 else None
    data.mkdir(mode=0o700)
    if user:
        shutil.chown(data, user, "nogroup")
    as_user = {} if user is None else {"user": user, "group": "nogroup"}
    subprocess.run(
        [
            *(binaries() / "initdb", "-D", data, "-U", "fieldloop", "-A", "trust"),
            *("--encoding=UTF8", "--locale=C", "--no-instructions", "--no-sync"),
        ],
        check=True,
        capture_output=True,
        cwd="/",
        **as_user,
    )
    port = _free_port()
    url = f"postgresql://fieldloop@127.0.0.1:{port}/postgres"

    def answers() -> bool:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    options = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "max_connections": "150",
        "shared_buffers": "64MB",
    }
    command = [str(binaries() / "postgres"), "-D", str(data)]
    for name, value in options.items():
        command += ["-c", f"{name}={value}"]
    return Process("postgres", command, folder, user=user, ready=answers), url


def _redis(folder: Path) -> tuple[Process, str]:
    port = _free_port()
    url = f"redis://127.0.0.1:{port}/0"

    def answers() -> bool:
        try:
            with redis.Redis.from_url(url, socket_timeout=1) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    command = [program(), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    return Process("redis", command, folder, ready=answers), url


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
