"""What the commands about models, training and fields have in common."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import click

from db.config import Settings
from ml_backend.errors import BadRequest
from ml_backend.services import Services


@contextmanager
def services_for(command: str) -> Iterator[Services]:
    """The record, the blobs and the queue; what is refused ends the command with its sentence."""
    settings = Settings.from_environ(needs=("DATABASE_URL", "BLOB_URL", "REDIS_URL"))
    with Services.opened(settings, name=f"fieldloop-{command}") as services:
        try:
            yield services
        except BadRequest as error:
            raise click.ClickException(str(error)) from error


def login() -> str:
    """The name of the person at the keyboard."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "cli"


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
