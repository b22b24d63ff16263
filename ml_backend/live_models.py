"""The model that answers now: looked up in the record, loaded once per version, kept in memory.

Every question asks the record which version is live, so a promotion or a rollback takes effect on the next
prediction of every process.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version as installed
from typing import Protocol

from sqlalchemy.orm import Session

from db.blobs import BlobStore
from db.models import ModelKind, ModelVersion, Project
from db.registry import NewModel, live_model, point_alias, register_model
from db.training_runs import lock_project
from ml_backend.extraction.fields import Document, Extraction, FieldSpec
from ml_backend.extraction.zero_shot import ZeroShotExtractor
from ml_backend.field_specs import specs_of
from ml_backend.services import Services

# Asked of what is installed, not of the modules: importing scikit-learn takes longer than Label Studio waits.
_LIBRARIES = ("numpy", "scipy", "scikit-learn", "skops")
KEPT = 4
"""Models held in memory at once, across projects."""


class Extractor(Protocol):
    def predict(self, documents: Sequence[Document]) -> list[Extraction]: ...


@dataclass(frozen=True)
class LivePredictor:
    """A loaded model version. ``name`` is the one model version string."""

    name: str
    project_id: int
    model_version_id: int
    kind: ModelKind
    schema_version: int
    extractor: Extractor

    def predict(self, documents: Sequence[Document]) -> list[Extraction]:
        return self.extractor.predict(documents)


class _Cache:
    """Loaded models by id; model versions never change, so nothing in it goes stale."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: OrderedDict[tuple[int, str], LivePredictor] = OrderedDict()

    def get(self, key: tuple[int, str]) -> LivePredictor | None:
        with self._lock:
            found = self._loaded.get(key)
            if found is not None:
                self._loaded.move_to_end(key)
            return found

    def put(self, key: tuple[int, str], predictor: LivePredictor) -> None:
        with self._lock:
            self._loaded[key] = predictor
            while len(self._loaded) > KEPT:
                self._loaded.popitem(last=False)


_CACHE = _Cache()


def ensure_live(session: Session, project_id: int, *, by: str = "provisioning") -> ModelVersion:
    """The live model version; before anything was learnt, one that reads fields by their labels.

    A zero-shot version belongs to one schema: when the schema changed and nothing was learnt yet, a new one
    takes its place.
    """
    project = session.get_one(Project, project_id)
    live = live_model(session, project_id)
    if live is not None and _serves(live, project):
        return live
    lock_project(session, project_id)  # and look again: another process may have made it
    live = live_model(session, project_id)
    if live is not None and _serves(live, project):
        return live
    version = register_model(
        session,
        project_id,
        slug_of(project),
        NewModel(
            kind=ModelKind.ZERO_SHOT,
            schema_version=project.schema_version,
            created_by=by,
            libraries={name: installed(name) for name in _LIBRARIES},
            notes="Reads fields by their labels and types; nothing was learnt yet.",
        ),
    )
    why = (
        "No model yet." if live is None else "The field schema changed before a model was trained."
    )
    point_alias(session, version, by=by, notes=why)
    return version


def _serves(live: ModelVersion, project: Project) -> bool:
    return live.kind is not ModelKind.ZERO_SHOT or live.schema_version == project.schema_version


def slug_of(project: Project) -> str:
    """The project's title as the first part of its model names: letters, digits and hyphens."""
    letters = "".join(c if c.isascii() and c.isalnum() else "-" for c in project.title.lower())
    return "-".join(part for part in letters.split("-") if part)[:32] or f"project-{project.id}"


def live_predictor(services: Services, project_id: int) -> LivePredictor:
    """The live model of a project, ready to predict. Raises BlobMissing, ArtifactError."""
    with services.sessions.begin() as session:
        version = ensure_live(session, project_id)
        known = _CACHE.get(_key(version))
        if known is not None:
            return known
        specs = specs_of(session, project_id, version.schema_version)
    return load(services.blobs, version, specs)


def load(blobs: BlobStore, version: ModelVersion, specs: Sequence[FieldSpec]) -> LivePredictor:
    """A model version, from memory or from its blob."""
    cached = _CACHE.get(_key(version))
    if cached is not None:
        return cached
    extractor: Extractor
    if version.artefact_sha256 is None:
        extractor = ZeroShotExtractor(specs)
    else:
        from ml_backend.extraction.artifact import from_bytes

        extractor = from_bytes(blobs.get(version.artefact_sha256))
    predictor = LivePredictor(
        name=version.name,
        project_id=version.project_id,
        model_version_id=version.id,
        kind=version.kind,
        schema_version=version.schema_version,
        extractor=extractor,
    )
    _CACHE.put(_key(version), predictor)
    return predictor


def _key(version: ModelVersion) -> tuple[int, str]:
    # The name is part of the key: ids start again in another database, names carry the artefact's hash.
    return version.id, version.name
