"""One turn of the loop on sample documents: upload, wait, review, wait, compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.exc import OperationalError

from db.errors import RecordError
from db.models import ModelKind, ModelVersion, Project, ReadingState, RunState
from db.projects import by_title, schema_of
from db.registry import live_model
from db.training_decisions import training_situation
from fieldloop.demo import record
from fieldloop.demo.accuracy import Comparison, compare, measure
from fieldloop.demo.backend import Backend
from fieldloop.demo.generator import Sample
from fieldloop.demo.reviewer import Changes, Reviewer
from fieldloop.demo.samples import DemoSet
from fieldloop.demo.waiting import Screen, Stand, Step, wait
from ml_backend.field_specs import names_of, specs_of
from ml_backend.policy import Policy
from ml_backend.schema import FieldSchema
from ml_backend.services import Services

BATCH = 8
"""Documents per upload request."""
_ACTIVE = (RunState.QUEUED, RunState.RUNNING)


class CannotDemo(RecordError):
    """The stack, its project or the wishes do not allow a demo; the message says what to do."""


@dataclass(frozen=True)
class Turn:
    """What one turn did. ``runs`` in the order they were asked for; ``known``: documents that were there already."""

    project: Project
    known: int
    already_reviewed: int
    changes: Changes
    runs: tuple[record.Run, ...]
    before: ModelVersion
    after: ModelVersion
    comparison: Comparison

    @property
    def trained(self) -> bool:
        return any(run.state is RunState.SUCCEEDED for run in self.runs)

    @property
    def nothing_new(self) -> bool:
        """Every document had been reviewed before: there was nothing to learn."""
        return self.changes == Changes()

    @property
    def refusal(self) -> str | None:
        """Why the last run's model did not go live."""
        return next((run.gate_reason or run.error for run in reversed(self.runs)), None)

    @property
    def turned(self) -> bool:
        """Whether the loop did what it is for. A gate that keeps a trained model live does its work too."""
        if self.after.kind is ModelKind.ZERO_SHOT:
            return False
        if self.after.id != self.before.id:
            return self.comparison.gained
        return self.nothing_new or self.trained


class Loop:
    """The demo's steps on a running stack. ``patience``: seconds without any progress after which it gives up."""

    def __init__(
        self, services: Services, schema: FieldSchema, screen: Screen, *, patience: float
    ) -> None:
        self._services = services
        self._schema = schema
        self._screen = screen
        self._patience = patience
        self._backend = Backend(services.settings)

    def project(self) -> Project:
        """The live project, if the stack is up and the project has the demo's fields. Raises CannotDemo."""
        self._backend.check()
        try:
            with self._services.sessions.begin() as session:
                project = by_title(session, self._schema.title)
                rows = schema_of(session, project.id, project.schema_version) if project else None
        except OperationalError as error:
            raise CannotDemo(
                "Postgres does not answer at DATABASE_URL. Start the stack with `fieldloop up`, or see "
                "`fieldloop status` and `fieldloop logs postgres`."
            ) from error
        if project is None:
            raise CannotDemo(
                f"There is no project {self._schema.title!r}: the live one was set up with other fields "
                "(FIELDLOOP_FIELDS). The demo must not mix its samples with your documents; run it in a stack of "
                "its own: FIELDLOOP_HOME=demo-home fieldloop up."
            )
        if rows != list(self._schema.rows):
            raise CannotDemo(
                f"The project {project.title!r} has other fields than the demo by now. Run `fieldloop init` without "
                "FIELDLOOP_FIELDS to bring the demo's fields back, or run the demo in a stack of its own: "
                "FIELDLOOP_HOME=demo-home fieldloop up."
            )
        if project.label_studio_id is None:
            raise CannotDemo(
                f"The project {project.title!r} is not set up in Label Studio yet; run `fieldloop init`."
            )
        self._services.label_studio.project(project.label_studio_id)
        return project

    def check_size(self, project: Project, seed: int, reviewed: int) -> None:
        """Raises CannotDemo if so few reviews start no training."""
        policy = Policy.from_settings(project.settings)
        with self._services.sessions.begin() as session:
            there = training_situation(session, project.id).reviewed
            done = record.reviewed_of(session, project.id, seed)
        needed = max(policy.min_new, policy.min_documents - there)
        if not done and reviewed < needed:
            raise CannotDemo(
                f"--reviewed {reviewed} is too few: this project trains from {policy.min_documents} reviewed "
                f"documents and {policy.min_new} new ones; ask for at least {needed}."
            )

    def turn(self, project: Project, demo: DemoSet) -> Turn:
        """Do it all. Raises RecordError where a step fails or nothing moves."""
        versions, known = self._upload(project, demo)
        self._until_shown(versions)
        unseen = {versions[sample.name]: sample for sample in demo.unseen}
        with self._services.sessions.begin() as session:
            since = record.now(session)
        annotations, changes, already = self._review(project, demo, versions)
        runs: tuple[record.Run, ...] = ()
        if annotations:
            self._until_mirrored(project, annotations)
            runs = self._until_trained(project, since)
            self._until_refreshed(project, unseen)
        return self._compared(project, unseen, known, already, changes, runs)

    def _upload(self, project: Project, demo: DemoSet) -> tuple[dict[str, UUID], int]:
        step = self._screen.step("upload", "Upload", len(demo.samples))
        versions: dict[str, UUID] = {}
        known = 0
        for start in range(0, len(demo.samples), BATCH):
            batch = demo.samples[start : start + BATCH]
            for sample, taken in zip(
                batch, self._backend.upload(project.title, batch), strict=True
            ):
                versions[sample.name] = taken.version_id
                known += taken.outcome == "unchanged"
            step.show(Stand(len(versions), len(demo.samples)))
        step.end(f"{known} were there already" if known else "")
        return versions, known

    def _until_shown(self, versions: Mapping[str, UUID]) -> None:
        """Wait until every document is read, extracted and shown as a task."""
        step = self._screen.step("read", "Read, extract, make tasks", len(versions))

        def look() -> Stand:
            with self._services.sessions.begin() as session:
                shown = record.shown(session, versions.values())
            failed = [one.problem for one in shown.values() if one.state is ReadingState.FAILED]
            if failed:
                raise CannotDemo(
                    f"{len(failed)} of the sample documents could not be read: {failed[0]} "
                    "See `fieldloop logs worker`."
                )
            read = sum(one.state is not ReadingState.RECEIVED for one in shown.values())
            tasks = sum(one.task is not None for one in shown.values())
            return Stand(tasks, len(versions), f"{read} read")

        self._wait(
            step,
            look,
            "the worker should read documents and make their tasks. See `fieldloop status`, `fieldloop logs worker`.",
        )

    def _review(
        self, project: Project, demo: DemoSet, versions: Mapping[str, UUID]
    ) -> tuple[list[int], Changes, int]:
        """Review what nobody has reviewed yet; Label Studio's ids of the annotations."""
        step = self._screen.step("review", "Review in Label Studio", len(demo.to_review))
        with self._services.sessions.begin() as session:
            shown = record.shown(session, versions.values())
            choices = names_of(specs_of(session, project.id))
        reviewer = Reviewer(self._services.label_studio)
        annotations: list[int] = []
        changes, already = Changes(), 0
        for number, sample in enumerate(demo.to_review, start=1):
            place = shown[versions[sample.name]]
            if place.reviewed or place.task is None:
                already += 1
            else:
                done = reviewer.review(place.task, sample.truth, choices)
                annotations.append(done.annotation)
                changes += done.changes
            step.show(
                Stand(number, len(demo.to_review), f"{changes.kept} values kept as they were")
            )
        step.end(f"{already} were reviewed before" if already else "")
        return annotations, changes, already

    def _until_mirrored(self, project: Project, annotations: list[int]) -> None:
        step = self._screen.step("mirror", "Corrections reach Postgres", len(annotations))

        def look() -> Stand:
            with self._services.sessions.begin() as session:
                return Stand(record.mirrored(session, project.id, annotations), len(annotations))

        self._wait(
            step,
            look,
            "the mirror should bring annotations into the record. See `fieldloop logs sync` and `fieldloop doctor`.",
        )

    def _until_trained(self, project: Project, since: datetime) -> tuple[record.Run, ...]:
        """Wait until a new model goes live, or until every run has ended without one.

        The run on unreviewed documents too, which may follow a run that went live, is not waited for.
        """
        step = self._screen.step("train", "Retrain by itself", 1)
        seen: list[record.Run] = []

        def look() -> Stand:
            with self._services.sessions.begin() as session:
                seen[:] = record.runs_since(session, project.id, since)
                situation = training_situation(session, project.id)
                decision = record.last_decision(session, project.id)
            ended = [run for run in seen if run.state not in _ACTIVE]
            active = [run for run in seen if run.state in _ACTIVE]
            failed = bool(ended) and ended[-1].state is RunState.FAILED
            went_live = any(run.gate_passed for run in ended)
            all_ended = not active and (failed or situation.new_answers == 0)
            finished = bool(ended) and (went_live or all_ended)
            note = active[-1].progress or "waiting for the worker" if active else decision or ""
            return Stand(len(ended), len(ended) if finished else len(ended) + 1, note)

        self._wait(
            step,
            look,
            "the policy should start a training run and the worker should finish it. See `fieldloop logs worker`; "
            "the table retrain_decisions says why it did not train.",
        )
        if not any(run.state is RunState.SUCCEEDED for run in seen):
            raise CannotDemo(
                f"The training run failed: {seen[-1].error} See `fieldloop logs worker`."
            )
        return tuple(seen)

    def _until_refreshed(self, project: Project, unseen: Mapping[UUID, Sample]) -> None:
        step = self._screen.step("refresh", "New predictions", len(unseen))

        def look() -> Stand:
            with self._services.sessions.begin() as session:
                live = live_model(session, project.id)
                if live is None:
                    return Stand(0, len(unseen))
                done = record.refreshed(session, list(unseen), live.id)
                return Stand(done, len(unseen), live.name)

        self._wait(
            step,
            look,
            "the worker should give every open task a prediction of the live model. See `fieldloop logs worker`.",
        )

    def _compared(
        self,
        project: Project,
        unseen: Mapping[UUID, Sample],
        known: int,
        already: int,
        changes: Changes,
        runs: tuple[record.Run, ...],
    ) -> Turn:
        names = {version: sample.name for version, sample in unseen.items()}
        truths = [sample.truth for sample in unseen.values()]
        with self._services.sessions.begin() as session:
            live = live_model(session, project.id)
            firsts = record.first_models(session, list(unseen))
            if live is None or not firsts:
                raise CannotDemo("The project has no live model; run `fieldloop init`.")
            specs = specs_of(session, project.id)
            old = record.answers(session, names, {key: m.id for key, m in firsts.items()})
            new = record.answers(session, names, dict.fromkeys(unseen, live.id))
        return Turn(
            project=project,
            known=known,
            already_reviewed=already,
            changes=changes,
            runs=runs,
            before=min(firsts.values(), key=lambda model: model.number),
            after=live,
            comparison=compare(measure(truths, old, specs), measure(truths, new, specs)),
        )

    def _wait(self, step: Step, look: Callable[[], Stand], what: str) -> None:
        wait(step, look, patience=self._patience, what=what)
        step.end()
