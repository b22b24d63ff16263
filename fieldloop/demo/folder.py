"""Samples as files: each PDF with its truth beside it as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from fieldloop.demo.generator import Sample


def write(folder: Path, samples: Iterable[Sample]) -> int:
    """Write them, over files of the same names; how many."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for sample in samples:
        (folder / sample.name).write_bytes(sample.pdf)
        truth = json.dumps(sample.truth.to_dict(), ensure_ascii=False, indent=1)
        (folder / sample.name).with_suffix(".json").write_text(truth + "\n", encoding="utf-8")
        count += 1
    return count
