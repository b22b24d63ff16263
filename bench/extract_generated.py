"""Extraction of the project's own generated documents, tables across pages included, and of AI Builder's samples.

Learns from 10 documents of each layout and answers for others of another seed; then without any document. Prints
Markdown.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path

from bench._forms import SHARED
from fieldloop.demo.generator import LAYOUTS, Sample, generate
from fieldloop.labelled_files import WordFiles, schema_specs
from ml_backend.extraction.estimator import FieldExtractor
from ml_backend.extraction.evaluation import Evaluation, evaluate
from ml_backend.extraction.fields import Document, FieldSpec
from ml_backend.extraction.zero_shot import ZeroShotExtractor

SCHEMA = Path(__file__).parents[1] / "fieldloop" / "demo" / "fields.yaml"


def read(samples: list[Sample], folder: Path, cache: Path) -> list[Document]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for sample in samples:
        path = folder / sample.name
        path.write_bytes(sample.pdf)
        paths.append(str(path))
    reader = WordFiles(cache, ink=True)
    found = reader.documents(paths, "Reading")
    for problem in reader.problems:
        print(problem)
    return found


def shown(title: str, found: Evaluation, samples: list[Sample]) -> None:
    rows = f"{100 * found.rows_right / max(found.rows_total, 1):.1f} % of {found.rows_total}"
    print(f"\n#### {title}: {found.documents} documents\n")
    print(
        f"**{100 * found.micro.f1:.1f}** F1 of {found.micro.support} values (P {100 * found.micro.precision:.1f},"
        f" R {100 * found.micro.recall:.1f}), rows whole {rows}, invented for absent fields"
        f" {100 * (found.invented_share or 0):.1f} %, calibration error {found.ece:.3f}\n"
    )
    single = [score for name, score in found.fields.items() if "." not in name]
    right = sum(score.tp for score in single) / sum(score.support for score in single)
    print(f"Values outside tables that are found and right: **{100 * right:.1f} %**\n")
    print("| field | values | P | R |\n|---|---|---|---|")
    for name, score in found.fields.items():
        print(
            f"| {name} | {score.support} | {100 * score.precision:.1f} | {100 * score.recall:.1f} |"
        )
    layout = {s.name: f"{s.truth.layout}-{s.truth.language}" for s in samples}
    misses = Counter(layout[Path(d).name] for d, _, right in found.outcomes if not right)
    print("\nWrong values by layout: " + ", ".join(f"{k} {n}" for k, n in misses.most_common(8)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=10, help="documents of each layout to learn")
    parser.add_argument("--test", type=int, default=6, help="documents of each layout to answer")
    parser.add_argument("--scanned", type=float, default=0.0, help="share of scans")
    parser.add_argument(
        "--words-cache", type=Path, default=Path(tempfile.gettempdir()) / "fieldloop-bench-words"
    )
    options = parser.parse_args()
    specs: tuple[FieldSpec, ...] = schema_specs(SCHEMA)
    with tempfile.TemporaryDirectory() as home:
        train = list(
            generate(seed=1, count=options.each * len(LAYOUTS), scanned_share=options.scanned)
        )
        test = list(
            generate(seed=2, count=options.test * len(LAYOUTS), scanned_share=options.scanned)
        )
        documents = read(train, Path(home) / "train", options.words_cache)
        questions = read(test, Path(home) / "test", options.words_cache)
    print(f"### Generated documents, {options.each} of each of {len(LAYOUTS)} layouts")
    truth = [s.truth.labels() for s in test]
    started = time.process_time()
    extractor = FieldExtractor(specs).fit(documents, [s.truth.labels() for s in train])
    fit = time.process_time() - started
    shown(
        f"Learnt in {fit:.0f} s of CPU",
        evaluate(truth, questions, extractor.predict(questions), specs),
        test,
    )
    zero = ZeroShotExtractor(specs).predict(questions)
    shown("Without any document", evaluate(truth, questions, zero, specs), test)
    if not SHARED.exists():
        print(
            f"{SHARED} is missing: AI Builder's samples are measured by pytest where it is there."
        )


if __name__ == "__main__":
    main()
