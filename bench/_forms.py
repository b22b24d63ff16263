"""The labelled forms of ../shared/bench, read once, and how answers for them are judged."""

from __future__ import annotations

import gzip
import importlib.util
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from db.words import WordSource, make_page
from fieldloop.labelled_files import WordFiles
from ml_backend.extraction.fields import Document, Extraction, FieldSpec, FieldType, Label, Labels

SHARED = Path(__file__).parents[2] / "shared" / "bench"
MAIN_FIELDS = {
    "adbuy": ("advertiser", "contract_num", "flight_from", "flight_to", "gross_amount"),
    "sroie": ("company", "date", "address", "total"),
}
TYPES = {
    "date": FieldType.DATE,
    "price": FieldType.NUMBER,
    "docnum": FieldType.IDENTIFIER,
    "number": FieldType.IDENTIFIER,
}
STRICT = {"party": "string", "docnum": "number"}


@dataclass
class Task:
    """One split: what is learnt from, what is asked, and the rest."""

    train: list[str]
    test: list[str]
    pool: list[str]


@dataclass
class Forms:
    """A data set: documents, labels, accepted strings, and the kind of match per field."""

    name: str
    documents: dict[str, Document]
    labels: dict[str, list[dict[str, Any]]]
    gold: dict[str, dict[str, list[str]]]
    kinds: dict[str, str]
    specs: tuple[FieldSpec, ...] = field(default=())

    @property
    def fields(self) -> tuple[str, ...]:
        return MAIN_FIELDS[self.name]

    def task(self, size: int, seed: int) -> Task:
        (path,) = (SHARED / self.name / "splits").glob(f"*-train_{size}-test_*-SD_{seed}.json")
        split = json.loads(path.read_text())
        train, test = ([p for p in split[part] if self._has(p)] for part in ("train", "test"))
        used = {*split["train"], *split["test"]}
        return Task(train, test, [p for p in sorted(self.documents) if p not in used])

    def _has(self, name: str) -> bool:
        return name in self.documents and any(f in self.gold.get(name, {}) for f in self.fields)

    def reviewed(self, names: Sequence[str]) -> list[Labels]:
        return [
            Labels(
                tuple(
                    Label(x["field"], x["page"], tuple(x["bbox"]), x["text"])
                    for x in self.labels.get(name, ())
                    if x["field"] in self.fields
                ),
                complete=False,
            )
            for name in names
        ]

    def of(self, names: Sequence[str]) -> list[Document]:
        return [self.documents[name] for name in names]


def load(name: str, cache: Path) -> Forms:
    """Reads PDFs once and keeps their words in `cache`. Exits with a sentence where data is missing."""
    folder = SHARED / name
    if not folder.exists():
        sys.exit(f"{folder} is missing: the extraction benchmark needs the shared data beside it.")
    gold = json.loads((folder / "gold.json").read_text())
    kinds = json.loads((folder / "fields.json").read_text())
    lines = (folder / "labels.jsonl").read_text().splitlines()
    labels = {row["pdf"]: row["labels"] for row in map(json.loads, lines)}
    documents = _pdfs(folder, cache) if (folder / "pdfs").exists() else _words(folder)
    specs = tuple(
        FieldSpec(f, FieldType.DATE if f == "date" else TYPES.get(kinds[f], FieldType.TEXT))
        for f in MAIN_FIELDS[name]
    )
    return Forms(name, documents, labels, gold, kinds, specs)


def _pdfs(folder: Path, cache: Path) -> dict[str, Document]:
    paths = sorted((folder / "pdfs").iterdir())
    reader = WordFiles(cache)
    found = reader.documents([str(path) for path in paths], f"Reading {folder.name}")
    for problem in reader.problems:
        print(problem, file=sys.stderr)
    return {p.name: Document(p.name, d.pages) for p, d in zip(paths, found, strict=True)}


def _words(folder: Path) -> dict[str, Document]:
    found = {}
    for path in sorted((folder / "words").iterdir()):
        pages = json.loads(gzip.decompress(path.read_bytes()))["pages"]
        name = path.name.removesuffix(".json.gz") + ".pdf"
        found[name] = Document(
            name,
            [
                make_page(
                    number,
                    page["W"],
                    page["H"],
                    [(w["t"], (w["x0"], w["y0"], w["x1"], w["y1"])) for w in page["words"]],
                    sizes=[w["s"] for w in page["words"]],
                    source=WordSource.OCR,
                )
                for number, page in enumerate(pages)
            ],
        )
    return found


def metric() -> Any:
    """The benchmark's own judge, `harness/metric.py`."""
    spec = importlib.util.spec_from_file_location("metric", SHARED / "harness" / "metric.py")
    if spec is None or spec.loader is None:
        sys.exit(f"{SHARED / 'harness'} is missing.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass
class Marked:
    """A system's answers for one test set. `answers`: (field, confidence, right, filled)."""

    scores: dict[str, Any]
    strict_f1: float
    answers: list[tuple[str, float, bool, bool]]
    wanted: int
    wrong: list[tuple[str, str, list[str], str | None]]


def marked(forms: Forms, names: Sequence[str], answers: Sequence[Extraction]) -> Marked:
    judge = metric()
    best: dict[str, dict[str, tuple[str, float, bool]]] = {}
    for name, answer in zip(names, answers, strict=True):
        own = best.setdefault(name, {})
        for value in answer.values:
            if value.field not in own or value.confidence > own[value.field][1]:
                own[value.field] = (value.text, value.confidence, value.filled)
    kinds = {f: forms.kinds[f] for f in forms.fields}
    strict = {f: STRICT.get(kind, kind) for f, kind in kinds.items()}
    rows, wrong, wanted = [], [], 0
    for name in names:
        for f, kind in kinds.items():
            accepted = forms.gold[name].get(f)
            given = best[name].get(f)
            wanted += bool(accepted)
            right = bool(accepted and given and judge.matches(kind, given[0], accepted))
            if given:
                rows.append((f, given[1], right, given[2]))
            if accepted and not right:
                wrong.append((name, f, accepted, given[0] if given else None))
    return Marked(
        judge.score(forms.gold, best, kinds, names),
        judge.score(forms.gold, best, strict, names)["micro_f1"],
        rows,
        wanted,
        wrong,
    )
