"""Which extraction an annotation started from, and what that extraction had said."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from db import mirror
from db.models import ExtractionValue
from sync.states import ShownPrediction, Snapshot, State
from sync.values import Predicted, around


@dataclass(frozen=True)
class Unrecorded:
    """A prediction Label Studio shows that the record does not have: one it asked us for by itself."""

    task_id: int
    extraction_id: int
    shown: ShownPrediction


@dataclass(frozen=True)
class Origin:
    """Where a reviewer began. ``extraction_id`` None: from nothing of ours."""

    extraction_id: int | None = None
    predicted: Mapping[str, Predicted] | None = None
    problem: str | None = None


class Origins:
    """The extractions and predictions of some tasks; ids of tasks are ``tasks.id``."""

    def __init__(self) -> None:
        self.unrecorded: list[Unrecorded] = []
        self._extraction_of: dict[tuple[int, int], int] = {}
        """(task, Label Studio's prediction id) → extraction."""
        self._shown: dict[tuple[int, int], frozenset[str]] = {}
        """(task, Label Studio's prediction id) → regions it shows."""
        self._of_version: dict[int, list[int]] = {}
        """Task → extractions of its document version, oldest first."""
        self._values: dict[int, list[ExtractionValue]] = {}

    @classmethod
    def load(
        cls,
        session: Session,
        snapshots: Mapping[int, Snapshot],
        versions: Mapping[int, UUID],
        *,
        needed: Collection[int],
    ) -> Origins:
        """``versions``: document version by task. ``needed``: tasks whose annotations get events.

        Predictions that Label Studio took in bulk have no id in the record yet; they get it here.
        """
        origins = cls()
        shown_tasks = [pk for pk, snapshot in snapshots.items() if snapshot.predictions]
        interesting = [pk for pk in {*shown_tasks, *needed} if pk in versions]
        if not interesting:
            return origins
        by_version: dict[UUID, list[mirror.ExtractionRow]] = {}
        for row in mirror.extractions_of(session, {versions[pk] for pk in interesting}):
            by_version.setdefault(row.document_version_id, []).append(row)
        recorded: dict[int, dict[int, str]] = {}
        for prediction in mirror.predictions_of(session, interesting):
            recorded.setdefault(prediction.task_id, {})[prediction.extraction_id] = (
                prediction.model_version
            )
            if prediction.label_studio_id is not None:
                key = (prediction.task_id, prediction.label_studio_id)
                origins._extraction_of[key] = prediction.extraction_id
            else:
                name = prediction.model_version
                for shown in snapshots[prediction.task_id].predictions:
                    if shown.model_version == name:
                        prediction.label_studio_id = shown.id
                        break
        for pk in interesting:
            extractions = by_version.get(versions[pk], [])
            origins._of_version[pk] = [row.id for row in extractions]
            by_model = {row.model_version: row.id for row in extractions}
            for shown in snapshots[pk].predictions:
                extraction = by_model.get(shown.model_version)
                if extraction is None:
                    continue
                origins._extraction_of.setdefault((pk, shown.id), extraction)
                origins._shown[pk, shown.id] = shown.region_ids
                if extraction not in recorded.setdefault(pk, {}):
                    recorded[pk][extraction] = shown.model_version
                    origins.unrecorded.append(Unrecorded(pk, extraction, shown))
        wanted = {e for pk in needed for e in origins._of_version.get(pk, [])}
        origins._values = mirror.values_by_extraction(session, wanted)
        return origins

    def of(self, task_id: int, state: State) -> Origin:
        """Where the reviewer of this state began."""
        parent = state.parent_prediction
        if parent is None:
            return self._by_regions(task_id, state)
        extraction = self._extraction_of.get((task_id, parent))
        if extraction is None:
            origin = self._by_regions(task_id, state)
            if origin.extraction_id is not None:
                return origin
            return Origin(
                problem=f"It started from prediction {parent}, which is none of ours; its values count as added."
            )
        return self._origin(extraction, self._shown.get((task_id, parent)))

    def _by_regions(self, task_id: int, state: State) -> Origin:
        """Who submits through the API may leave the prediction out; regions keep their ids all the same."""
        extractions = self._of_version.get(task_id)
        if not extractions:
            return Origin()
        regions = {entry.get("id") for entry in state.result if isinstance(entry, dict)}
        best, most = None, 0
        for extraction in extractions:
            shared = sum(v.region_id in regions for v in self._values.get(extraction, []))
            if shared >= most and shared:
                best, most = extraction, shared
        return Origin() if best is None else self._origin(best, None)

    def _origin(self, extraction: int, shown: frozenset[str] | None) -> Origin:
        predicted = {
            value.region_id: Predicted(
                region_id=value.region_id,
                field=value.field,
                row=value.row,
                text=value.text,
                page=value.page,
                box=around(value.spans, value.page),
                confidence=value.confidence,
            )
            for value in self._values.get(extraction, [])
            if shown is None or value.region_id in shown
        }
        return Origin(extraction, predicted)
