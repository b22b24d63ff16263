"""``fieldloop migrate``: bring the database to the revision of this program."""

from __future__ import annotations

import click

from db.config import Settings
from db.migrate import head, upgrade
from db.roles import READER, ensure_reader


@click.command()
def migrate() -> None:
    """Bring the database to this program's revision and let the reading role read it."""
    settings = Settings.from_environ(needs=("DATABASE_URL",))
    upgrade(settings.database_url)
    click.echo(f"The database is at revision {head()}.")
    problem = ensure_reader(settings.database_url, settings.reader_password)
    click.echo(problem or f"The role {READER} can read it.", err=problem is not None)
