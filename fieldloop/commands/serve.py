"""``fieldloop serve``: the backend by gunicorn: Label Studio's ML contract, the documents API and the console."""

from __future__ import annotations

import os
import sys

import click

from db.config import Settings


@click.command()
def serve() -> None:
    """Serve at FIELDLOOP_BIND, with FIELDLOOP_WEB_WORKERS processes of FIELDLOOP_WEB_THREADS threads each."""
    Settings.from_environ()  # a sentence about a missing setting now, rather than gunicorn's traceback
    config = "python:ml_backend.gunicorn_config"
    os.execv(  # noqa: S606 - this process becomes the server, so that signals reach it
        sys.executable,
        [sys.executable, "-m", "gunicorn", "-c", config, "ml_backend.wsgi:app"],
    )
