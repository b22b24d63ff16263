"""``fieldloop worker``: read, extract, publish, train: run the jobs of the record."""

from __future__ import annotations

import logging

import click
from redis import RedisError

from db.config import Settings
from fieldloop.stack.errors import StackError
from fieldloop.stack.herd import Herd
from fieldloop.stack.worker import GRACE_SECONDS, prepare, work, work_off


@click.command()
@click.option("--burst", is_flag=True, help="Run what is due now, then end.")
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    envvar="FIELDLOOP_WORKER_PROCESSES",
    help="How many jobs run at once.",
)
@click.option(
    "--grace",
    type=click.FloatRange(0),
    default=GRACE_SECONDS,
    show_default=True,
    help="Seconds a running job may go on after SIGTERM; then it is stopped and tried again later.",
)
def worker(burst: bool, processes: int, grace: float) -> None:
    """Run jobs until told to stop. Start as many as you like, on as many hosts; they share one Redis."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s"
    )
    settings = Settings.from_environ()
    if burst:
        try:
            count = work_off(settings)
        except RedisError as error:
            raise StackError(f"REDIS_URL: Redis cannot be reached: {error}.") from error
        click.echo(f"{count} jobs were due.")
        return
    prepare()
    if processes == 1:
        work(settings, grace=grace)
    else:
        Herd(processes, lambda: work(settings, grace=grace)).run()
