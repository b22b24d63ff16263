"""``fieldloop init``: set the project up in the record and in Label Studio; changes only what differs."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from db.config import Settings
from ml_backend.provisioning import provision
from ml_backend.schema import load
from ml_backend.services import Services

DEMO_FIELDS = Path(__file__).parents[1] / "demo" / "fields.yaml"


@click.command()
@click.option(
    "--fields",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Field schema file. [default: FIELDLOOP_FIELDS, or the demo's]",
)
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def init(fields: Path | None, dry_run: bool, as_json: bool) -> None:
    """Set the project up in the record and in Label Studio, and prove that both hear each other."""
    settings = Settings.from_environ()
    schema = load(fields or settings.fields_path or DEMO_FIELDS)
    report = provision(Services.open(settings, name="fieldloop-init"), schema, dry_run=dry_run)
    if as_json:
        click.echo(json.dumps(asdict(report), indent=2))
        return
    for change in report.changes or ["Nothing to change."]:
        click.echo(f"  {change}")
    for note in report.notes:
        click.echo(f"  Note: {note}", err=True)
    if report.verified:
        click.echo(
            f"Project {report.project!r} is set up: {settings.label_studio_public_url}/projects/{report.label_studio_id}"
            f" (model {report.model_version}); a webhook went round and came back."
        )
