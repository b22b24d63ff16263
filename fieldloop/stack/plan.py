"""Which parts this machine has to run, and what every one of them must know, from what the operator gave."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from db.config import Settings
from db.errors import ConfigError
from fieldloop.stack import label_studio, postgres, valkey
from fieldloop.stack.errors import StackError
from fieldloop.stack.folder import Secrets, StateFolder
from fieldloop.stack.parts import Part, WorkerHeard, http_answers, reachable
from fieldloop.stack.settings import HOME

HOST_SETTING = "FIELDLOOP_HOST"
BACKEND_PORT_SETTING = "FIELDLOOP_BACKEND_PORT"
DEFAULT_PORTS = {
    label_studio.PORT_SETTING: 8080,
    BACKEND_PORT_SETTING: 9090,
    postgres.PORT_SETTING: 55432,
    valkey.PORT_SETTING: 56379,
}
# What other terminals need to know of the operator's own settings, beside everything named FIELDLOOP_.
_SHARED = (
    *("DATABASE_URL", "REDIS_URL", "BLOB_URL"),
    *("LABEL_STUDIO_URL", "LABEL_STUDIO_PUBLIC_URL", "LABEL_STUDIO_API_KEY"),
)
_SHARED_PREFIXES = ("FIELDLOOP_", "AWS_")


@dataclass(frozen=True)
class Plan:
    """The stack as it is to run."""

    folder: StateFolder
    parts: tuple[Part, ...]
    made: Mapping[str, str]
    """Settings made here: addresses of local parts, and secrets."""
    given: Mapping[str, str]
    """Settings of the operator's that other terminals need too."""
    environ: Mapping[str, str]
    """The environment of our own programs."""
    settings: Settings
    local_postgres: postgres.LocalPostgres | None
    login: tuple[str, str] | None
    """E-mail and password of the first user; None where Label Studio is the operator's."""


def make_plan(folder: StateFolder, environ: Mapping[str, str]) -> Plan:
    """Lay out the stack. Creates the state folder and the secrets; starts nothing.

    ``environ`` holds what the operator asked for, see ``settings.given_environment``.
    """
    folder.create()
    secrets = Secrets.load_or_make(folder.secrets_file)
    ports = ports_of(environ)
    _no_port_twice(ports)
    host = environ.get(HOST_SETTING, "").strip() or "127.0.0.1"
    backend_port = ports[BACKEND_PORT_SETTING]
    made = {
        HOME: str(folder.path),
        "FIELDLOOP_WEBHOOK_SECRET": secrets.webhook_secret,
        "FIELDLOOP_SIGNING_KEY": secrets.signing_key,
        "FIELDLOOP_READER_PASSWORD": secrets.reader_password,
        "FIELDLOOP_BACKEND_URL": f"http://{reachable(host)}:{backend_port}",
    }
    parts: list[Part] = []

    server = None
    databases: tuple[str, ...] = ()
    if not environ.get("DATABASE_URL"):
        server = postgres.LocalPostgres(folder, secrets, ports[postgres.PORT_SETTING])
        made["DATABASE_URL"] = server.url
        parts += [*server.parts()]
        databases = ("databases",)
    queue: tuple[str, ...] = ()
    if not environ.get("REDIS_URL"):
        made["REDIS_URL"] = valkey.url(secrets, ports[valkey.PORT_SETTING])
        parts.append(valkey.part(folder, secrets, ports[valkey.PORT_SETTING]))
        queue = ("redis",)
    if not environ.get("BLOB_URL"):
        made["BLOB_URL"] = folder.blobs.as_uri()

    annotation: tuple[str, ...] = ()
    login = None
    if not label_studio.external(environ):
        local = _label_studio(folder, secrets, environ, host, ports, server)
        made["LABEL_STUDIO_URL"] = local.url
        made["LABEL_STUDIO_API_KEY"] = secrets.label_studio_token
        made["FIELDLOOP_LABEL_STUDIO_FILES"] = str(local.served)
        parts += local.parts(needs=databases)
        annotation = ("label-studio",)
        login = (local.user, secrets.label_studio_password)

    made = {name: value for name, value in made.items() if name == HOME or not environ.get(name)}
    everything = {**environ, **made}
    settings = Settings.from_environ(everything)
    parts += _own_parts(host, backend_port, settings, databases, queue, annotation)
    given = {
        name: value
        for name, value in environ.items()
        if value and name not in made and (name in _SHARED or name.startswith(_SHARED_PREFIXES))
    }
    return Plan(folder, tuple(parts), made, given, everything, settings, server, login)


def _label_studio(
    folder: StateFolder,
    secrets: Secrets,
    environ: Mapping[str, str],
    host: str,
    ports: Mapping[str, int],
    server: postgres.LocalPostgres | None,
) -> label_studio.LocalLabelStudio:
    port = ports[label_studio.PORT_SETTING]
    database = environ.get("FIELDLOOP_LABEL_STUDIO_DATABASE_URL", "")
    if not database:
        if server is not None:
            database = server.label_studio_url
        else:
            url = environ["DATABASE_URL"]
            postgres.ensure_database_beside(url)
            database = postgres.beside(url)
    venv = environ.get(label_studio.VENV_SETTING, "")
    return label_studio.LocalLabelStudio(
        folder=folder,
        secrets=secrets,
        port=port,
        host=host,
        public_url=environ.get("LABEL_STUDIO_PUBLIC_URL", "") or f"http://127.0.0.1:{port}",
        user=environ.get(label_studio.USER_SETTING, "") or label_studio.DEFAULT_USER,
        database_url=database,
        venv=(Path(venv).expanduser().absolute() if venv else label_studio.default_venv(folder)),
        installs=not venv,
    )


def _own_parts(
    host: str,
    port: int,
    settings: Settings,
    databases: tuple[str, ...],
    queue: tuple[str, ...],
    annotation: tuple[str, ...],
) -> list[Part]:
    here = Path.cwd()  # relative paths in settings are meant from where `up` was called
    ourselves = (sys.executable, "-m", "fieldloop")
    # These wait for Postgres and Redis, not for Label Studio: on a first start that would be a minute.
    ready = ("migrate", *queue)
    heard = WorkerHeard(settings.redis_url)
    return [
        Part(
            name="migrate",
            command=(*ourselves, "migrate"),
            cwd=here,
            needs=databases,
            step=True,
            ready_seconds=900,
        ),
        Part(
            name="backend",
            command=(
                *(sys.executable, "-m", "gunicorn", "-c", "python:ml_backend.gunicorn_config"),
                "ml_backend.wsgi:app",
            ),
            cwd=here,
            needs=ready,
            environ={"FIELDLOOP_BIND": f"{host}:{port}"},
            is_ready=lambda: http_answers(f"http://{reachable(host)}:{port}/health"),
            ready_seconds=300,  # it imports a lot; on a busy machine that takes long
            host=host,
            port=port,
            port_setting=BACKEND_PORT_SETTING,
            address=settings.public_url,
        ),
        Part(
            name="worker",
            command=(*ourselves, "worker"),
            cwd=here,
            needs=ready,
            prepare=heard.begin,
            is_ready=heard,
            ready_seconds=300,
            stop_seconds=30,
        ),
        Part(
            name="sync",
            command=(*ourselves, "sync", "run"),
            cwd=here,
            needs=(*ready, *annotation),
            settle_seconds=2,
        ),
        Part(
            name="init",
            command=(*ourselves, "init"),
            cwd=here,
            needs=("backend", *annotation),
            step=True,
            ready_seconds=600,
        ),
    ]


def ports_of(environ: Mapping[str, str]) -> dict[str, int]:
    """The port of each local part, by the name of its setting. Raises ConfigError."""
    return {name: _port(environ, name) for name in DEFAULT_PORTS}


def _port(environ: Mapping[str, str], name: str) -> int:
    text = environ.get(name, "").strip() or str(DEFAULT_PORTS[name])
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise ConfigError(name, f"must be a port from 1 to 65535; it is {text!r}.")
    if int(text) < 1024 and os.geteuid() != 0:
        raise ConfigError(name, f"is {text}: ports below 1024 are for root; choose a higher one.")
    return int(text)


def _no_port_twice(ports: Mapping[str, int]) -> None:
    seen: dict[int, str] = {}
    for name, port in ports.items():
        if port in seen:
            raise StackError(f"{seen[port]} and {name} are both {port}; give each its own port.")
        seen[port] = name
