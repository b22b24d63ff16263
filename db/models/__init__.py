"""Every table of the record; importing this package fills ``Base.metadata``."""

from __future__ import annotations

from db.models.annotations import (
    Annotation,
    AnnotationEvent,
    AnnotationValue,
    EventKind,
    EventSource,
    ValueOutcome,
)
from db.models.documents import (
    Document,
    DocumentVersion,
    DocumentWords,
    PageImage,
    ReadingState,
    Task,
)
from db.models.extractions import Extraction, ExtractionValue, Prediction
from db.models.jobs import Job, JobState
from db.models.projects import Field, Project
from db.models.registry import (
    Dataset,
    DatasetMember,
    Metric,
    ModelAlias,
    ModelKind,
    ModelVersion,
    RetrainDecision,
    RunState,
    TrainingRun,
)
from db.models.sync import (
    DeliveryState,
    Erasure,
    SyncCursor,
    SyncRun,
    SyncState,
    WebhookDelivery,
)

__all__ = [
    "Annotation",
    "AnnotationEvent",
    "AnnotationValue",
    "Dataset",
    "DatasetMember",
    "DeliveryState",
    "Document",
    "DocumentVersion",
    "DocumentWords",
    "Erasure",
    "EventKind",
    "EventSource",
    "Extraction",
    "ExtractionValue",
    "Field",
    "Job",
    "JobState",
    "Metric",
    "ModelAlias",
    "ModelKind",
    "ModelVersion",
    "PageImage",
    "Prediction",
    "Project",
    "ReadingState",
    "RetrainDecision",
    "RunState",
    "SyncCursor",
    "SyncRun",
    "SyncState",
    "Task",
    "TrainingRun",
    "ValueOutcome",
    "WebhookDelivery",
]
