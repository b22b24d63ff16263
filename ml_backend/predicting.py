"""Extractions of stored words by the live model, and the predictions that show them; no file is opened here."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from uuid import UUID

from db import documents as record
from db import extractions
from db.models import PageImage
from db.regions import PageSize
from db.words import PageWords, unpack
from ml_backend.extracting import to_rows
from ml_backend.extraction.fields import Document as Words
from ml_backend.field_specs import names_of, specs_of
from ml_backend.live_models import LivePredictor
from ml_backend.regions import Prediction, Sheet, prediction_of
from ml_backend.services import Services


def predict_versions(
    services: Services, project_id: int, predictor: LivePredictor, version_ids: Sequence[UUID]
) -> dict[UUID, Prediction]:
    """The predictions of document versions by this model; what it has read before comes from the record.

    A version without words is left out.
    """
    with services.sessions.begin() as session:
        packed = {key: record.words_of(session, key) for key in version_ids}
    words = {key: unpack(data) for key, data in packed.items() if data is not None}
    extract_missing(services, predictor, words)
    found: dict[UUID, Prediction] = {}
    with services.sessions.begin() as session:
        known = names_of(specs_of(session, project_id))
        for key in words:
            extraction = extractions.find(session, key, predictor.model_version_id)
            if extraction is None:
                continue
            sheets = sheets_of(record.images_of(session, key))
            values = extractions.values_of(session, extraction.id)
            found[key] = prediction_of(values, sheets, known=known)
    return found


def extract_missing(
    services: Services, predictor: LivePredictor, documents: Mapping[UUID, Sequence[PageWords]]
) -> None:
    """Extract those of the documents this model version has not read, and record it."""
    with services.sessions.begin() as session:
        missing = {
            version_id: pages
            for version_id, pages in documents.items()
            if extractions.find(session, version_id, predictor.model_version_id) is None
        }
    for version_id, pages in missing.items():
        started = time.monotonic()
        (extraction,) = predictor.predict([Words(str(version_id), pages)])
        rows = to_rows(extraction, predictor.name)
        with services.sessions.begin() as session:
            extractions.record(
                session,
                version_id,
                predictor.model_version_id,
                rows,
                {name: float(sure) for name, sure in extraction.absent.items()},
                seconds=time.monotonic() - started,
            )


def sheets_of(images: Sequence[PageImage]) -> list[Sheet]:
    """Sizes of the pages in points and pixels, in page order."""
    return [
        Sheet(PageSize(image.width_pt, image.height_pt), (image.width_px, image.height_px))
        for image in images
    ]
