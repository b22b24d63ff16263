"""A fitted extractor as plain values: strings, numbers and arrays, no objects of this package.

What is stored so can be read without running code, and stays readable when classes move.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_matrix

from ml_backend.extraction.anchors import Reference
from ml_backend.extraction.announced import Lead
from ml_backend.extraction.calibration import Calibration
from ml_backend.extraction.chains import Shape
from ml_backend.extraction.decoding import Pair
from ml_backend.extraction.delegates import delegate_from
from ml_backend.extraction.fields import spec_from_dict, spec_to_dict
from ml_backend.extraction.learning import State
from ml_backend.extraction.spans import SpanModel
from ml_backend.extraction.token_model import make_model

if TYPE_CHECKING:
    from ml_backend.extraction.estimator import FieldExtractor

PARAMETERS = ("seed", "self_train", "head_pages", "tail_pages", "c", "hints")


def to_plain(extractor: FieldExtractor) -> dict[str, Any]:
    """`from_plain` is the inverse; weights are kept as float32."""
    header: dict[str, Any] = {
        "fields": [spec_to_dict(spec) for spec in extractor.fields],
        "parameters": {name: getattr(extractor, name) for name in PARAMETERS},
    }
    plain: dict[str, Any] = {}
    if hasattr(extractor, "state_"):
        state: State = extractor.state_
        header["state"] = {
            "shapes": [asdict(shape) for shape in state.shapes],
            "pairs": [asdict(pair) for pair in state.pairs],
            "calibration": asdict(state.calibration),
            "learnt": list(state.learnt),
            "lead": [asdict(lead) if lead else None for lead in state.lead],
            "empty_boxes": state.empty_boxes,
        }
        plain["span_weights"] = state.spans.weights
        header["span_lengths"] = [lengths.tolist() for lengths in state.spans.lengths]
        header["span_values"] = [[str(v) for v in known.tolist()] for known in state.spans.known]
        header["pages"] = [extractor.head_, extractor.tail_]
        header["day_first"] = extractor.day_first_
        plain["words"] = state.reference.words
        for name, matrix in (
            ("first", state.reference.first),
            ("everywhere", state.reference.everywhere),
        ):
            plain[f"{name}_columns"] = matrix.indices.astype(np.int32)
            plain[f"{name}_rows"] = matrix.indptr.astype(np.int32)
        if state.model is not None:
            plain["kept"] = state.model.kept
            plain["weights"] = state.model.weights
            plain["bias"] = state.model.bias
        header["delegates"] = {
            name: model.to_state() for name, model in sorted(extractor.delegates_.items())
        }
    plain["header"] = json.dumps(header, sort_keys=True)
    return plain


def from_plain(plain: dict[str, Any]) -> dict[str, Any]:
    """The attributes of the extractor."""
    header = json.loads(plain["header"])
    attributes: dict[str, Any] = dict(header["parameters"])
    attributes["fields"] = tuple(spec_from_dict(spec) for spec in header["fields"])
    if "state" not in header:
        return attributes
    stored = header["state"]
    words = plain["words"]
    first, everywhere = (
        csr_matrix(
            (
                np.ones(len(plain[f"{name}_columns"]), dtype=np.float32),
                plain[f"{name}_columns"],
                plain[f"{name}_rows"],
            ),
            shape=(len(plain[f"{name}_rows"]) - 1, len(words)),
        )
        for name in ("first", "everywhere")
    )
    calibration = stored["calibration"]
    attributes["state_"] = State(
        model=make_model(plain["kept"], plain["weights"], np.asarray(plain["bias"]))
        if "kept" in plain
        else None,
        reference=Reference(words, first, everywhere),
        shapes=tuple(Shape(**shape) for shape in stored["shapes"]),
        pairs=tuple(
            Pair(**{**pair, "offsets": tuple(pair["offsets"])}) for pair in stored["pairs"]
        ),
        spans=SpanModel(
            np.asarray(plain["span_weights"]),
            tuple(np.asarray(lengths) for lengths in header["span_lengths"]),
            tuple(
                np.asarray([int(v) for v in known], dtype=np.uint64)
                for known in header["span_values"]
            ),
        ),
        calibration=Calibration(
            **{
                **calibration,
                "bias": tuple(calibration["bias"]),
                "fill": tuple(calibration["fill"]),
            }
        ),
        learnt=tuple(stored["learnt"]),
        empty_boxes=stored["empty_boxes"],
        lead=tuple(
            # Models of the first releases do not say how sure a silent label is.
            Lead(**{"absent": 0.5, **lead}) if lead else None
            for lead in stored.get("lead", ())
        ),  # older models have none
    )
    attributes["head_"], attributes["tail_"] = header["pages"]
    attributes["day_first_"] = header["day_first"]
    specs = {spec.name: spec for spec in attributes["fields"]}
    attributes["delegates_"] = {
        name: delegate_from(specs[name], stored) for name, stored in header["delegates"].items()
    }
    return attributes
