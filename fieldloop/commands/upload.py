"""``fieldloop upload``: bring files and folders into a project."""

from __future__ import annotations

import getpass
import json
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from db.config import Settings
from fieldloop.uploading import (
    About,
    Following,
    Sent,
    Uploader,
    counted,
    files_under,
)


@click.command()
@click.argument(
    "paths",
    metavar="PATH...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, exists=True),
)
@click.option("--collection", help="A tag for all of them, e.g. one layout or one supplier.")
@click.option("--notes", help="A note kept with each document.")
@click.option("--project", help="Title or id of the project. [default: the first]")
@click.option("--by", help="Who uploads. [default: the name of your login]")
@click.option(
    "--wait", is_flag=True, help="Wait until each has its task in Label Studio, or failed."
)
@click.option(
    "--patience",
    default=300.0,
    show_default=True,
    help="With --wait: seconds without any progress after which waiting ends.",
)
@click.option("--dry-run", is_flag=True, help="List what would be uploaded, and upload nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print what became of each file as JSON.")
def upload(
    paths: tuple[Path, ...],
    collection: str | None,
    notes: str | None,
    project: str | None,
    by: str | None,
    wait: bool,
    patience: float,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Upload each PATH, a file or a folder with all that is in it, to the running backend.

    Hidden files and folders are left out. The same file twice is kept once; a changed file under a known name
    becomes its next version. Exits with 1 if a file was refused, or with --wait could not be processed.
    """
    files = files_under(paths)
    if dry_run:
        _list(files, as_json)
        return
    settings = Settings.from_environ(needs=())
    about = About(by or _login(), collection, notes, project)
    screen = Console(stderr=True, emoji=False)
    with Uploader(settings) as uploader:
        uploader.check(project)
        sent = _send(uploader, files, about, screen)
        if wait:
            sent = _follow(uploader, sent, patience, screen)
    _report(sent, as_json, settings, waited=wait)
    sys.exit(1 if any(one.bad or (wait and one.stage == "processing") for one in sent) else 0)


def _list(files: list[Path], as_json: bool) -> None:
    if as_json:
        rows = [{"path": str(path), "bytes": path.stat().st_size} for path in files]
        click.echo(json.dumps({"dry_run": True, "files": rows}, indent=2))
        return
    for path in files:
        click.echo(path)
    click.echo(f"{len(files)} files would be uploaded.", err=True)


def _send(uploader: Uploader, files: list[Path], about: About, screen: Console) -> list[Sent]:
    sent: list[Sent] = []
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[files]}"),
        TimeElapsedColumn(),
        console=screen,
    ) as bar:
        task = bar.add_task("Uploading", total=sum(_size(path) for path in files), files="")
        for number, path in enumerate(files, 1):
            bar.update(task, files=f"{number}/{len(files)}")
            result = uploader.send(path, about, lambda more: bar.advance(task, more))
            sent.append(result)
            if result.error:
                screen.print(
                    f"{path}: {result.error['message']}", style="red", markup=False, highlight=False
                )
    return sent


def _follow(uploader: Uploader, sent: list[Sent], patience: float, screen: Console) -> list[Sent]:
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=screen,
    ) as bar:
        task = bar.add_task("Processing", total=len(sent))
        return Following(uploader, sent, patience).until_done(
            lambda done: bar.update(task, completed=done)
        )


def _report(sent: list[Sent], as_json: bool, settings: Settings, *, waited: bool) -> None:
    if as_json:
        click.echo(json.dumps({"files": [one.to_json() for one in sent]}, indent=2))
        return
    click.echo(f"{len(sent)} files: {counted(sent)}.")
    if waited:
        for one in sent:
            why = one.error["message"] if one.error else "nothing moves; see `fieldloop status`."
            if one.stage in {"failed", "processing"}:
                click.echo(f"{one.path}: {one.stage}: {why}", err=True)
    if any(one.document_id for one in sent):
        click.echo(f"See {settings.public_url}/console")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "cli"
