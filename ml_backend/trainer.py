"""One training run, from the frozen dataset to the gate's verdict.

Transactions are short and hold no fit: load, then learn, then record. The model goes live in the transaction
that records it, so nobody sees one without the other.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import datasets, registry, training_runs
from db.errors import BlobMissing
from db.jobs import enqueue
from db.models import (
    DatasetMember,
    DocumentVersion,
    Job,
    ModelKind,
    ModelVersion,
    Project,
    RunState,
    TrainingRun,
)
from ml_backend.extraction.artifact import ArtifactError, to_bytes, versions
from ml_backend.extraction.encoding import SheetCache
from ml_backend.extraction.errors import NothingToLearn
from ml_backend.extraction.estimator import FieldExtractor
from ml_backend.extraction.fields import Document, Extraction, FieldSpec
from ml_backend.field_specs import names_of, specs_of
from ml_backend.gate import Verdict, judge
from ml_backend.held_out import Example, Marks, figures, folds_of, from_plain, mark, to_plain
from ml_backend.live_models import ensure_live, load, slug_of
from ml_backend.services import Services
from ml_backend.training_data import documents_of, example_of, pool_of, words_hashes

MOST_POOL = 200
SELF_TRAIN_POOL = 10
"""Unreviewed documents from which learning on them too is worth a second run."""

log = logging.getLogger(__name__)
Progress = Callable[[str, int, int], None]


class RunBusy(Exception):
    """Another run of the project is alive; this one waits."""


class RunLost(Exception):
    """The run was declared dead or cancelled while it worked; its result is not recorded."""


@dataclass(frozen=True)
class _Plan:
    run_id: UUID
    project_id: int
    slug: str
    dataset_id: int
    schema_version: int
    specs: tuple[FieldSpec, ...]
    examples: tuple[Example, ...]
    pool: tuple[Document, ...]
    parameters: Mapping[str, Any]
    seed: int
    self_train: bool
    live: ModelVersion
    live_specs: tuple[FieldSpec, ...]


def train(
    services: Services, run_id: UUID, progress: Progress, *, take_over: bool = False
) -> list[UUID]:
    """Run it to its end; returns the jobs it asks for, to be nudged.

    ``take_over``: the worker that ran it is dead, begin it again. Raises RunBusy before anything is done,
    RunLost if the run was taken away. A run that cannot learn is failed with its reason and raises nothing.
    """
    plan = _prepare(services, run_id, take_over)
    if plan is None:
        return []
    try:
        return _learn(services, plan, progress)
    except NothingToLearn as error:
        with services.sessions.begin() as session:
            training_runs.fail_run(session, run_id, str(error))
        return []


def _prepare(services: Services, run_id: UUID, take_over: bool) -> _Plan | None:
    with services.sessions.begin() as session:
        if take_over and training_runs.heartbeat(session, run_id):
            run: TrainingRun | None = session.get_one(TrainingRun, run_id)
        else:
            run = training_runs.start_run(session, run_id)
        if run is None:
            state = session.get_one(TrainingRun, run_id).state
            if state is RunState.QUEUED:
                raise RunBusy
            return None
        project = session.get_one(Project, run.project_id)
        members = datasets.reviewed(session, project.id)
        pool = pool_of(session, project.id, MOST_POOL)
        read = [member.document_version_id for member in members]
        dataset = datasets.freeze_dataset(
            session,
            project.id,
            project.schema_version,
            members,
            created_by="worker",
            # The fit reads the words as well, and tells print from values on documents nobody reviewed.
            also=words_hashes(session, [*read, *pool]),
        )
        self_train = bool(run.parameters.get("self_train", False))
        parameters = {"self_train": self_train, "pool": [str(version) for version in pool]}
        training_runs.bind_dataset(session, run_id, dataset.id, parameters)
        live = ensure_live(session, project.id)
        specs = specs_of(session, project.id)
        live_specs = specs_of(session, project.id, live.schema_version)
    with services.sessions.begin() as session:
        loaded = [example_of(session, member, specs) for member in members]
        unreviewed = documents_of(session, pool)
    return _Plan(
        run_id=run_id,
        project_id=project.id,
        slug=slug_of(project),
        dataset_id=dataset.id,
        schema_version=project.schema_version,
        specs=specs,
        examples=tuple(example for example in loaded if example is not None),
        pool=tuple(unreviewed),
        parameters=parameters,
        seed=run.seed,
        self_train=self_train,
        live=live,
        live_specs=live_specs,
    )


def _learn(services: Services, plan: _Plan, progress: Progress) -> list[UUID]:
    if not plan.examples:
        raise NothingToLearn("no reviewed documents: submit at least one in Label Studio")
    cache = SheetCache()
    marks = _held_out(plan, cache, progress)
    live_marks = _live_marks(services, plan)
    verdict = judge(marks, live_marks)
    folds = len(folds_of(plan.examples, slow=plan.self_train))
    progress("fit", folds, folds + 1)
    extractor = _fit(plan, plan.examples, cache)
    data = to_bytes(extractor)
    artefact = services.blobs.put(data)
    details = services.blobs.put(json.dumps(to_plain(marks), sort_keys=True).encode())
    progress("record", folds + 1, folds + 1)
    with services.sessions.begin() as session:
        return _record(session, plan, artefact, len(data), details, marks, live_marks, verdict)


def _fit(plan: _Plan, examples: Sequence[Example], cache: SheetCache) -> FieldExtractor:
    extractor = FieldExtractor(plan.specs, seed=plan.seed, self_train=plan.self_train)
    return extractor.fit(
        [example.document for example in examples],
        [example.labels for example in examples],
        pool=plan.pool,
        cache=cache,
    )


def _held_out(plan: _Plan, cache: SheetCache, progress: Progress) -> dict[str, Marks]:
    """The candidate's marks on every document, each by a model that had not seen it."""
    folds = folds_of(plan.examples, slow=plan.self_train)
    marks: dict[str, Marks] = {}
    for number, held in enumerate(folds):
        progress("evaluate", number, len(folds) + 1)
        rest = [e for position, e in enumerate(plan.examples) if position not in set(held)]
        tested = [plan.examples[position] for position in held]
        for example, extraction in zip(
            tested, _predict_without(plan, rest, tested, cache), strict=True
        ):
            marks[example.key] = mark(example, extraction, plan.specs)
    return marks


def _predict_without(
    plan: _Plan, rest: Sequence[Example], tested: Sequence[Example], cache: SheetCache
) -> list[Extraction]:
    documents = [example.document for example in tested]
    try:
        return (
            _fit(plan, rest, cache).predict(documents) if rest else [_nothing(d) for d in documents]
        )
    except NothingToLearn:
        # All that could be learnt stands in the documents held out: answering nothing is the honest score.
        return [_nothing(document) for document in documents]


def _nothing(document: Document) -> Extraction:
    return Extraction(document.id, (), {})


def _live_marks(services: Services, plan: _Plan) -> dict[str, Marks] | None:
    """The live model's marks on documents it did not learn from.

    On documents of its own dataset: what it was marked with when it was made, if the annotation is still the
    same. On all others: what it reads now. None if it cannot be loaded.
    """
    with services.sessions.begin() as session:
        known, details = _learnt_from(session, plan.live)
    marks: dict[str, Marks] = {}
    if details is not None:
        try:
            marks = from_plain(json.loads(services.blobs.get(details)))
        except BlobMissing:
            log.warning(
                "the held-out marks of %s are gone; it is judged on new documents", plan.live.name
            )
    wanted = {example.key for example in plan.examples}
    names = set(names_of(plan.specs))
    # A field that was removed since counts for neither.
    marks = {key: value.only(names) for key, value in marks.items() if key in wanted}
    fresh = [e for e in plan.examples if e.key.partition("/")[0] not in known]
    try:
        predictor = load(services.blobs, plan.live, plan.live_specs)
    except (BlobMissing, ArtifactError) as error:
        log.warning("the live model %s cannot be loaded: %s", plan.live.name, error)
        return None
    extractions = predictor.predict([example.document for example in fresh])
    for example, extraction in zip(fresh, extractions, strict=True):
        marks[example.key] = mark(example, extraction, plan.specs)
    return marks


def _learnt_from(session: Session, version: ModelVersion) -> tuple[set[str], str | None]:
    """Hashes of the documents a version learnt from, and the blob of its held-out marks."""
    if version.dataset_id is None or version.training_run_id is None:
        return set(), None
    hashes = session.scalars(
        select(DocumentVersion.sha256)
        .join(DatasetMember, DatasetMember.document_version_id == DocumentVersion.id)
        .where(DatasetMember.dataset_id == version.dataset_id)
    )
    run = session.get_one(TrainingRun, version.training_run_id)
    return set(hashes), run.parameters.get("held_out_sha256")


def _record(
    session: Session,
    plan: _Plan,
    artefact: str,
    size: int,
    details: str,
    marks: Mapping[str, Marks],
    live_marks: Mapping[str, Marks] | None,
    verdict: Verdict,
) -> list[UUID]:
    parameters = {**plan.parameters, "held_out_sha256": details}
    if not training_runs.bind_dataset(session, plan.run_id, plan.dataset_id, parameters):
        raise RunLost
    version = registry.register_model(
        session,
        plan.project_id,
        plan.slug,
        registry.NewModel(
            kind=ModelKind.SELF_TRAINED if plan.self_train else ModelKind.TRAINED,
            schema_version=plan.schema_version,
            created_by="worker",
            artefact_sha256=artefact,
            artefact_bytes=size,
            training_run_id=plan.run_id,
            dataset_id=plan.dataset_id,
            libraries=versions(),
        ),
    )
    registry.record_metrics(
        session, plan.run_id, version.id, "candidate", figures(list(marks.values()), plan.specs)
    )
    if live_marks:
        registry.record_metrics(
            session,
            plan.run_id,
            plan.live.id,
            "live",
            figures(list(live_marks.values()), plan.specs),
        )
    # Someone may have promoted another version by hand while this one was fitted: theirs stands.
    moved = registry.live_model(session, plan.project_id)
    passed, reason = verdict.passed, verdict.reason
    if moved is not None and moved.id != plan.live.id:
        passed, reason = False, f"Another version, {moved.name}, went live meanwhile. {reason}"
    if not training_runs.finish_run(session, plan.run_id, gate_passed=passed, gate_reason=reason):
        raise RunLost
    jobs: list[UUID] = []
    if passed:
        registry.point_alias(session, version, by="gate", notes=reason)
        job = enqueue(
            session,
            kind="refresh_predictions",
            subject=str(version.id),
            project_id=plan.project_id,
            created_by="worker",
        )
        jobs.append(job.id)
    # A run that waits already brings its own follow-up.
    waiting = training_runs.queued_run(session, plan.project_id)
    if not plan.self_train and len(plan.pool) >= SELF_TRAIN_POOL and waiting is None:
        jobs.append(_follow_up(session, plan, version).id)
    return jobs


def _follow_up(session: Session, plan: _Plan, version: ModelVersion) -> Job:
    """The self-trained model follows the plain one and must pass the same gate."""
    run = training_runs.request_run(
        session,
        plan.project_id,
        reason=f"Learn from {len(plan.pool)} unreviewed documents too, after {version.name}.",
        requested_by="policy",
        seed=plan.seed,
    )
    run.parameters = {"self_train": True}
    return enqueue(
        session,
        kind="train",
        subject=str(run.id),
        project_id=plan.project_id,
        created_by="worker",
    )
