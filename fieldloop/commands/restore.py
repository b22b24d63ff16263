"""``fieldloop restore``: a backup back into an empty database and a blob store."""

from __future__ import annotations

from pathlib import Path

import click

from db.backup import restore as restore_backup
from db.backup import verify
from db.blobs import open_blobs
from db.config import Settings
from db.errors import RecordError
from db.migrate import upgrade
from db.roles import ensure_reader


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--verify-only", is_flag=True, help="Check every hash and change nothing.")
def restore(file: Path, verify_only: bool) -> None:
    """Restore FILE into the empty database DATABASE_URL and the blob store BLOB_URL."""
    try:
        if verify_only:
            manifest = verify(file)
            click.echo(
                f"{file} is whole: revision {manifest.revision}, {len(manifest.blobs)} blobs."
            )
            return
        settings = Settings.from_environ(needs=("DATABASE_URL", "BLOB_URL"))
        manifest = restore_backup(file, settings.database_url, open_blobs(settings.blob_url))
        upgrade(settings.database_url)
        problem = ensure_reader(settings.database_url, settings.reader_password)
    except RecordError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Restored the backup of {manifest.created_at}: {len(manifest.blobs)} blobs.")
    if problem:
        click.echo(problem, err=True)
