"""``fieldloop erase``: really remove a document, leaving a row that says so."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import click
from sqlalchemy import Engine

from db.blobs import open_blobs
from db.config import Settings
from db.erase import erase_document, find_document
from db.errors import RecordError
from db.label_studio import LabelStudio
from db.label_studio_errors import LabelStudioError, NotFound
from db.session import make_engine, make_session_factory


@contextmanager
def _disposed(engine: Engine) -> Iterator[None]:
    try:
        yield
    finally:
        engine.dispose()


def _erase_tasks(tasks: Sequence[int]) -> None:
    """Label Studio holds the values too; what cannot be deleted there is named, never passed over."""
    settings = Settings.from_environ(needs=())
    left = list(tasks)
    if settings.label_studio_url and settings.label_studio_api_key:
        studio = LabelStudio(settings.label_studio_url, settings.label_studio_api_key)
        try:
            while left:
                with suppress(NotFound):
                    studio.send("DELETE", f"/api/tasks/{left[0]}/")
                left.pop(0)
        except LabelStudioError as error:
            click.echo(str(error), err=True)
    if left:
        numbers = ", ".join(str(number) for number in left)
        raise click.ClickException(
            f"Delete in Label Studio too, or the mirror finds it again: task {numbers}."
        )


@click.command()
@click.argument("document")
@click.option("--reason", required=True, help="Why; kept in the record.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(document: str, reason: str, dry_run: bool, yes: bool) -> None:
    """Remove DOCUMENT (its id or name): bytes, words, images, values and history."""
    settings = Settings.from_environ(needs=("DATABASE_URL", "BLOB_URL"))
    blobs = open_blobs(settings.blob_url)
    engine = make_engine(settings.database_url)
    with _disposed(engine), make_session_factory(engine)() as session:
        try:
            found = find_document(session, document)
        except RecordError as error:
            raise click.ClickException(str(error)) from error
        erased = erase_document(session, found, reason=reason, erased_by=getpass.getuser())
        for name, count in erased.counts.items():
            if count:
                click.echo(f"{count:8} {name}")
        if dry_run:
            session.rollback()
            click.echo("Nothing was removed: this was a dry run.")
            return
        if not yes and not click.confirm("Remove all this for ever?"):
            session.rollback()
            raise click.Abort
        session.commit()
    # After the commit: a blob without a row is garbage, a row without its blob would be damage.
    for sha256 in erased.blobs:
        blobs.delete(sha256)
    click.echo(f"The document {erased.document_id} was removed.")
    if erased.models:
        click.echo(
            f"These models learnt from it; retrain, then retire them: {', '.join(erased.models)}."
        )
    _erase_tasks(erased.label_studio_tasks)
