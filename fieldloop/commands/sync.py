"""``fieldloop sync``: mirror Label Studio into the record."""

from __future__ import annotations

import logging
import signal
import threading

import click

from db.config import Settings
from fieldloop.commands._field_reader import SchemaReader
from sync.services import NEEDS, Services


def _services() -> Services:
    return Services.open(Settings.from_environ(needs=NEEDS), SchemaReader)


@click.group()
def sync() -> None:
    """Mirror Label Studio into the record."""


@sync.command()
def run() -> None:
    """Mirror until stopped. Several may run: one leads, the others stand by."""
    from sync.worker import Worker

    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    Worker(_services(), stop).run()
