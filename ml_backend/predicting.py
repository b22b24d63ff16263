"""Extractions of stored words by the live model, and the predictions that show them; no file is opened here."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from uuid import UUID

from db import documents as record
from db import extractions
from db.errors import RecordError
from db.models import PageImage
from db.regions import PageSize
from db.words import unpack
from ml_backend.extracting import to_rows
from ml_backend.extraction.errors import ExtractionError
from ml_backend.extraction.fields import Document as Words
from ml_backend.field_specs import names_of, specs_of
from ml_backend.live_models import LivePredictor
from ml_backend.regions import Prediction, Sheet, prediction_of
from ml_backend.services import Services

BATCH = 50
"""Documents whose words are in memory at once."""

log = logging.getLogger(__name__)


class NotExtracted(RecordError):
    """The model could not read a document."""

    def __init__(self, version_id: UUID, model: str, error: Exception) -> None:
        said = str(error) if isinstance(error, RecordError | ExtractionError) else ""
        super().__init__(
            f"The model {model} could not read the document version {version_id}: "
            f"{said or type(error).__name__}"
        )


def predict_versions(
    services: Services, predictor: LivePredictor, version_ids: Sequence[UUID]
) -> dict[UUID, Prediction]:
    """The predictions of document versions by this model; what it has read before comes from the record.

    Versions of other projects, unknown, erased or unread ones, and those the model fails on are left out.
    """
    found: dict[UUID, Prediction] = {}
    for start in range(0, len(version_ids), BATCH):
        batch = version_ids[start : start + BATCH]
        shown = dict(stored(services, predictor, batch))
        missing = [key for key in batch if key not in shown]
        if missing:
            extract_missing(services, predictor, missing)
            shown |= stored(services, predictor, missing)
        found |= {key: prediction for key, (_, prediction) in shown.items()}
    return found


def stored(
    services: Services, predictor: LivePredictor, version_ids: Sequence[UUID]
) -> Mapping[UUID, tuple[int, Prediction]]:
    """Document version → its extraction by this model and the prediction that shows it, from the record."""
    found: dict[UUID, tuple[int, Prediction]] = {}
    with services.sessions.begin() as session:
        ours = extractions.readable(session, predictor.project_id, version_ids)
        read = extractions.by_version(session, ours, predictor.model_version_id)
        values = extractions.values_of_many(session, read.values())
        known = names_of(specs_of(session, predictor.project_id))
        for key, extraction in read.items():
            sheets = sheets_of(record.images_of(session, key))
            shown = prediction_of(values.get(extraction, []), sheets, known=known)
            found[key] = (extraction, shown)
    return found


def extract_missing(
    services: Services, predictor: LivePredictor, version_ids: Sequence[UUID]
) -> list[NotExtracted]:
    """Let the model read those it has not read, and record it; what it failed on, each with its reason.

    One document that breaks the model costs no other its extraction.
    """
    project_id, model_id = predictor.project_id, predictor.model_version_id
    with services.sessions.begin() as session:
        ours = extractions.readable(session, project_id, version_ids)
        missing = ours - extractions.by_version(session, ours, model_id).keys()
        packed = {key: record.words_of(session, key) for key in version_ids if key in missing}
    failures: list[NotExtracted] = []
    for key, data in packed.items():
        if data is None:
            continue
        started = time.monotonic()
        try:
            (extraction,) = predictor.predict([Words(str(key), unpack(data))])
            rows = to_rows(extraction, predictor.name)
        except Exception as error:
            log.warning("%s failed on document version %s", predictor.name, key, exc_info=error)
            failures.append(NotExtracted(key, predictor.name, error))
            continue
        with services.sessions.begin() as session:
            # It may have been erased meanwhile: then nothing of it may come back.
            if extractions.readable(session, project_id, [key], keep=True):
                extractions.record(
                    session,
                    key,
                    model_id,
                    rows,
                    {name: float(sure) for name, sure in extraction.absent.items()},
                    seconds=time.monotonic() - started,
                )
    return failures


def sheets_of(images: Sequence[PageImage]) -> list[Sheet]:
    """Sizes of the pages in points and pixels, in page order."""
    return [
        Sheet(PageSize(image.width_pt, image.height_pt), (image.width_px, image.height_px))
        for image in images
    ]
