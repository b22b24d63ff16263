"""Programs the supervisor's tests run: a server on a port, a step, one that crashes."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

from fieldloop.stack.parts import Part, port_is_open

SERVER = """
import signal, socket, sys, time
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
signal.signal(signal.SIGTERM, lambda *_: (print("stopped", flush=True), sys.exit(0)))
print("listening", flush=True)
while True:
    connection, _ = server.accept()
    connection.close()
"""
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def server(
    name: str, port: int, cwd: Path, *, needs: tuple[str, ...] = (), adoptable: bool = True
) -> Part:
    """A TCP server that says when it stops."""
    return Part(
        name=name,
        command=(sys.executable, "-c", SERVER, str(port)),
        cwd=cwd,
        needs=needs,
        is_ready=lambda: port_is_open("127.0.0.1", port),
        adoptable=adoptable,
        port=port,
        port_setting=f"FIELDLOOP_{name.upper()}_PORT",
        address=f"127.0.0.1:{port}",
    )


def step(name: str, code: str, cwd: Path, *, needs: tuple[str, ...] = ()) -> Part:
    """A program that ends."""
    return Part(name=name, command=(sys.executable, "-c", code), cwd=cwd, needs=needs, step=True)
