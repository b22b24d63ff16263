"""A fitted extractor ⇄ bytes: a skops file, without pickle, the same bytes for the same model.

skops names the parts of a file by memory addresses and the zip keeps the time of writing; both are
rewritten here, so that equal models have equal hashes.
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import numpy
import scipy
import sklearn
import skops
from skops.io import dumps, loads

from ml_backend.extraction.errors import ExtractionError
from ml_backend.extraction.estimator import FieldExtractor

FORMAT = 4
TRUSTED = ("ml_backend.extraction.estimator.FieldExtractor",)
_EPOCH = (1980, 1, 1, 0, 0, 0)
_SCHEMA = "schema.json"
_VERSIONS = "fieldloop.json"


class ArtifactError(ExtractionError):
    """The bytes are not a model this version can read."""


def versions() -> dict[str, str]:
    """What a model is stored with. Only `format` and the major versions decide on loading."""
    return {
        "format": str(FORMAT),
        "numpy": numpy.__version__,
        "scipy": scipy.__version__,
        "scikit-learn": sklearn.__version__,
        "skops": skops.__version__,
    }


def to_bytes(extractor: FieldExtractor) -> bytes:
    if not hasattr(extractor, "state_"):
        raise ArtifactError("this extractor has not been fitted; fit it before storing it")
    return _canonical(dumps(extractor))


def from_bytes(data: bytes) -> FieldExtractor:
    """Raises ArtifactError for other bytes, other formats and types that are not on the list."""
    stored = stored_versions(data)
    for name, version in versions().items():
        major = version.split(".")[0]
        if stored.get(name, "").split(".")[0] != major:
            raise ArtifactError(
                f"the model was stored with {name} {stored.get(name, 'unknown')}, this program has "
                f"{version}; train the model again or install the stored version"
            )
    try:
        extractor = loads(data, trusted=list(TRUSTED))
    except Exception as error:
        raise ArtifactError(f"the model cannot be loaded: {error}") from error
    if not isinstance(extractor, FieldExtractor):
        raise ArtifactError(f"the file holds a {type(extractor).__name__}, not a FieldExtractor")
    return extractor


def stored_versions(data: bytes) -> dict[str, str]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return dict(json.loads(archive.read(_VERSIONS)))
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise ArtifactError("these bytes are not a Fieldloop model") from error


def _canonical(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        schema = json.loads(archive.read(_SCHEMA))
        renamed: dict[str, str] = {}
        numbers: dict[int, int] = {}
        _renumber(schema, numbers, renamed)
        members = {new: archive.read(old) for old, new in renamed.items()}
    members[_SCHEMA] = json.dumps(schema, sort_keys=True).encode()
    members[_VERSIONS] = json.dumps(versions(), sort_keys=True).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, date_time=_EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, members[name], compresslevel=1)
    return out.getvalue()


def _renumber(node: Any, numbers: dict[int, int], renamed: dict[str, str]) -> None:
    """Replace object addresses and the file names made of them by their order of appearance."""
    if isinstance(node, list):
        for item in node:
            _renumber(item, numbers, renamed)
        return
    if not isinstance(node, dict):
        return
    if isinstance(node.get("__id__"), int):
        node["__id__"] = numbers.setdefault(node["__id__"], len(numbers) + 1)
    if isinstance(node.get("file"), str):
        suffix = node["file"].rpartition(".")[2]
        node["file"] = renamed.setdefault(node["file"], f"part-{len(renamed):03d}.{suffix}")
    for key in sorted(node):
        _renumber(node[key], numbers, renamed)
