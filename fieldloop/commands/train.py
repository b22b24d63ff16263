"""``fieldloop train``: ask for a training run now."""

from __future__ import annotations

import sys
import time
from uuid import UUID

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from sqlalchemy import select

from db import browse
from db.models import Job, JobState, Project, RetrainDecision, RunState, TrainingRun
from db.training_decisions import training_situation
from fieldloop.commands._asking import login, print_json, services_for
from ml_backend.documents_api import asking, doing
from ml_backend.policy import Policy, decide
from ml_backend.services import Services

_LOOK_SECONDS = 0.5


@click.command()
@click.option("--project", help="Title or id of the project. [default: the first]")
@click.option("--note", help="Why; kept with the request.")
@click.option("--by", help="Who asks. [default: the name of your login]")
@click.option("--wait", is_flag=True, help="Wait for the end of the run and say what came of it.")
@click.option(
    "--patience",
    default=3600.0,
    show_default=True,
    help="With --wait: seconds after which waiting ends; the run goes on.",
)
@click.option("--dry-run", is_flag=True, help="Say what the policy thinks, and ask for nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def train(
    project: str | None,
    note: str | None,
    by: str | None,
    wait: bool,
    patience: float,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Ask for a training run now, without waiting for the policy.

    A worker does it; a run that is on its way already ends first. Exits with 1 if the run failed; a model that
    the gate kept back is no failure.
    """
    with services_for("train") as services:
        with services.sessions.begin() as session:
            found = asking.project_of(session, project)
        if dry_run:
            _say_decision(services, found.id, as_json)
            return
        asked = doing.start_training(services, found.id, by=by or login(), notes=note)
        if not wait:
            if as_json:
                print_json({"job": str(asked.job_id), "reason": asked.reason})
            else:
                click.echo(
                    f"Asked for a run. {asked.reason} `fieldloop models` shows what comes of it."
                )
            return
        run = _follow(services, asked.job_id, patience)
        _report(services, run, as_json)
    sys.exit(0 if run.state is RunState.SUCCEEDED else 1)


def _say_decision(services: Services, project_id: int, as_json: bool) -> None:
    """What the policy would do by itself."""
    with services.sessions.begin() as session:
        project = session.get_one(Project, project_id)
        situation = training_situation(session, project_id)
    decision = decide(situation, Policy.from_settings(project.settings))
    if as_json:
        print_json(
            {
                "would_train": decision.train,
                "reason": decision.reason,
                "reviewed": situation.reviewed,
                "new_answers": situation.new_answers,
            }
        )
    else:
        would = "would train" if decision.train else "would not train"
        click.echo(f"By itself the policy {would}: {decision.reason}")


def _follow(services: Services, job_id: UUID, patience: float) -> TrainingRun:
    """Watch the job that asks the policy, then the run it starts, to its end."""
    screen = Console(stderr=True, emoji=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    end = time.monotonic() + patience
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        shown = bar.add_task("waiting for a worker", total=None)
        while True:
            run = _run_of(services, job_id)
            if run is not None:
                if run.state in {RunState.SUCCEEDED, RunState.FAILED}:
                    return run
                step = run.progress
                bar.update(
                    shown,
                    description=str(step.get("step", run.state.value)),
                    completed=step.get("done", 0),
                    total=step.get("total"),
                )
            if time.monotonic() > end:
                raise click.ClickException(
                    f"The run is not over after {patience:.0f} s (--patience); is a worker running? "
                    "It goes on without us."
                )
            time.sleep(_LOOK_SECONDS)


def _run_of(services: Services, job_id: UUID) -> TrainingRun | None:
    """The run that the policy's job has started, None before that. Raises ClickException if there comes none."""
    with services.sessions.begin() as session:
        asked = session.get_one(Job, job_id)
        subject = session.scalar(
            select(Job.subject).where(Job.kind == "train", Job.parent_id == job_id)
        )
        if subject is not None:
            return session.get_one(TrainingRun, UUID(subject))
        if asked.state is JobState.DONE:
            said = session.scalar(
                select(RetrainDecision.reason)
                .where(RetrainDecision.project_id == asked.project_id)
                .order_by(RetrainDecision.id.desc())
                .limit(1)
            )
            raise click.ClickException(f"No run was started. {said or ''}".strip())
        if asked.state in {JobState.FAILED, JobState.CANCELLED}:
            raise click.ClickException(f"No run was started: {asked.error or asked.state.value}.")
    return None


def _report(services: Services, run: TrainingRun, as_json: bool) -> None:
    with services.sessions.begin() as session:
        row = browse.training_run(session, run.id)
    if as_json:
        print_json(row)
    elif run.state is RunState.FAILED:
        click.echo(f"The run failed: {run.error}", err=True)
    else:
        fate = "is live" if run.gate_passed else "was kept back"
        click.echo(f"{row['model_version']} {fate}. {run.gate_reason}")
