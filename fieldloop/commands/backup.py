"""``fieldloop backup``: database and blobs in one file."""

from __future__ import annotations

from pathlib import Path

import click

from db.backup import back_up
from db.blobs import open_blobs
from db.config import Settings
from db.errors import RecordError


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, writable=True, path_type=Path))
def backup(file: Path) -> None:
    """Write the database and all blobs to FILE, a tar that only you can read."""
    settings = Settings.from_environ(needs=("DATABASE_URL", "BLOB_URL"))
    try:
        manifest = back_up(settings.database_url, open_blobs(settings.blob_url), file)
    except RecordError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{file}: database at revision {manifest.revision}, {len(manifest.blobs)} blobs.")
