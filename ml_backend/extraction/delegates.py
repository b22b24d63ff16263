"""Which model learns the fields that are not runs of words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from ml_backend.extraction.checkbox import CheckboxModel
from ml_backend.extraction.fields import FieldSpec, FieldType
from ml_backend.extraction.signature import SignatureModel
from ml_backend.extraction.tables import TableModel

Delegate: TypeAlias = TableModel | CheckboxModel | SignatureModel

_MODELS: dict[FieldType, type[Delegate]] = {
    FieldType.TABLE: TableModel,
    FieldType.CHECKBOX: CheckboxModel,
    FieldType.SIGNATURE: SignatureModel,
}


def delegate_for(spec: FieldSpec, seed: int) -> Delegate:
    return _MODELS[spec.type](spec, seed)


def delegate_from(spec: FieldSpec, state: Mapping[str, Any]) -> Delegate:
    """The model whose `to_state` gave `state`."""
    return _MODELS[spec.type].from_state(state)
