"""Extraction, measured on the labelled forms of ../shared/bench: ``make bench-extract``.

One process reads every form once; the harness of the shared data, which runs ``fieldloop bench-extract`` per split,
gives the same figures. Prints Markdown. ``--only curve,unseen,absent,calibration,time,zero`` picks sections.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench._forms import SHARED, Forms, Marked, Task, load, marked, metric
from ml_backend.extraction.artifact import from_bytes, to_bytes
from ml_backend.extraction.calibration import expected_calibration_error
from ml_backend.extraction.encoding import SheetCache
from ml_backend.extraction.estimator import FieldExtractor
from ml_backend.extraction.fields import Document, FieldSpec
from ml_backend.extraction.lexicon import normal_form, squeeze
from ml_backend.extraction.masking import without_words
from ml_backend.extraction.zero_shot import ZeroShotExtractor

FAR = 0.5
"""Page-1 word overlap (Jaccard) with every learnt document below which a layout is new."""
SECTIONS = ("curve", "unseen", "absent", "calibration", "time", "zero")
NAIVE = {
    "advertiser": ("Advertiser", "Client", "Customer"),
    "contract_num": ("Contract", "Contract #", "Order", "Order #", "Invoice #"),
    "flight_from": ("Flight", "Flight Dates", "Start Date", "From"),
    "flight_to": ("Flight", "Flight Dates", "End Date", "To"),
    "gross_amount": ("Gross", "Gross Amount", "Total", "Gross Total"),
}
"""A few obvious words per field, as somebody types them who does not look at the forms."""


def fitted(forms: Forms, task: Task, cache: SheetCache, *, pool: bool, seed: int) -> FieldExtractor:
    extractor = FieldExtractor(forms.specs, seed=seed, self_train=pool)
    others = forms.of(task.pool) if pool else []
    return extractor.fit(forms.of(task.train), forms.reviewed(task.train), others, cache)


def runs(
    forms: Forms, size: int, seeds: Sequence[int], cache: SheetCache, *, pool: bool
) -> Iterator[tuple[Task, FieldExtractor, Marked]]:
    for seed in seeds:
        task = forms.task(size, seed)
        extractor = fitted(forms, task, cache, pool=pool, seed=seed)
        yield task, extractor, marked(forms, task.test, extractor.predict(forms.of(task.test)))


def mean(values: Sequence[float]) -> str:
    return f"{100 * statistics.mean(values):.1f}"


def curve(forms: Forms, sizes: Sequence[int], seeds: Sequence[int], cache: SheetCache) -> None:
    print(f"\n### Learning curve, {forms.name}, micro-F1, mean of {len(seeds)} seeds\n")
    names = " | ".join(forms.fields)
    print(f"| documents | pool | F1 | lowest - highest seed | P | R | strict | {names} |")
    print("|" + "---|" * (7 + len(forms.fields)))
    for pool in (False, True) if forms.name == "adbuy" else (False,):
        for size in sizes:
            found = [m for _, _, m in runs(forms, size, seeds, cache, pool=pool)]
            scores = [m.scores for m in found]
            f1 = [s["micro_f1"] for s in scores]
            fields = " | ".join(mean([s["field_f1"][f] for s in scores]) for f in forms.fields)
            print(
                f"| {size} | {'yes' if pool else 'no'} | **{mean(f1)}** | {mean([min(f1)])} - {mean([max(f1)])}"
                f" | {mean([s['micro_p'] for s in scores])} | {mean([s['micro_r'] for s in scores])}"
                f" | {mean([m.strict_f1 for m in found])} | {fields} |",
                flush=True,
            )


def unseen(forms: Forms, seeds: Sequence[int], cache: SheetCache) -> None:
    """Test documents unlike every learnt one, after 10 documents."""
    print(
        "\n### Layouts nobody labelled, 10 documents\n\n| pool | values | P | R | F1 |\n|---|---|---|---|---|"
    )
    prints = {name: _first_page(document) for name, document in forms.documents.items()}
    for pool in (False, True):
        right = given = wanted = 0
        for task, extractor, _ in runs(forms, 10, seeds, cache, pool=pool):
            far = [
                t for t in task.test if all(_alike(prints[t], prints[s]) < FAR for s in task.train)
            ]
            found = marked(forms, far, extractor.predict(forms.of(far)))
            right += sum(ok for _, _, ok, _ in found.answers)
            given += len(found.answers)
            wanted += found.wanted
        print(
            f"| {'yes' if pool else 'no'} | {wanted} | {100 * right / given:.1f} | {100 * right / wanted:.1f}"
            f" | **{200 * right / (given + wanted):.1f}** |",
            flush=True,
        )


def _first_page(document: Document) -> frozenset[str]:
    texts = document.pages[0].texts if document.pages else ()
    return frozenset(normal_form(t) for t in texts if t.isalpha())


def _alike(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / max(len(a | b), 1)


def absent(forms: Forms, seeds: Sequence[int], cache: SheetCache) -> None:
    """Fields made absent by taking the value's words off every page: how often is a value invented?"""
    print(
        "\n### Absent fields, 50 documents: invented values, and recall of the values that are there\n"
    )
    print("| pool | level | invented | recall | precision |\n|---|---|---|---|---|")
    judge = metric()
    for pool in (False, True):
        rows: list[tuple[str, float, bool, bool]] = []
        blank: list[tuple[bool, bool]] = []
        wanted = 0
        for task, extractor, found in runs(forms, 50, seeds, cache, pool=pool):
            rows += found.answers
            wanted += found.wanted
            for name in task.test:
                for f in forms.fields:
                    if f in forms.gold[name]:
                        values = extractor.predict([_masked(forms, name, f)])[0].values
                        own = [v for v in values if v.field == f]
                        # A copy in a longer word, or written another way, is still there: nothing is invented.
                        if not any(
                            judge.matches(forms.kinds[f], v.text, forms.gold[name][f]) for v in own
                        ):
                            blank.append((bool(own), any(v.filled for v in own)))
        for at, level in enumerate(("suggest", "fill")):
            kept = [right for _, _, right, filled in rows if filled or level == "suggest"]
            invented = sum(b[at] for b in blank) / len(blank)
            print(
                f"| {'yes' if pool else 'no'} | {level} | **{100 * invented:.1f} %** of {len(blank)}"
                f" | {100 * sum(kept) / wanted:.1f} | {100 * sum(kept) / len(kept):.1f} |",
                flush=True,
            )


def _masked(forms: Forms, name: str, f: str) -> Document:
    document = forms.documents[name]
    texts = [
        *forms.gold[name][f],
        *(x["text"] for x in forms.labels.get(name, ()) if x["field"] == f),
    ]
    words = frozenset(squeeze(word) for text in texts for word in text.split()) - {""}
    whole = words | {squeeze(text) for text in texts}
    return Document(document.id, tuple(without_words(page, whole) for page in document.pages))


def calibration(forms: Forms, seeds: Sequence[int], cache: SheetCache) -> None:
    print("\n### Calibration, 50 documents")
    for pool in (False, True):
        found = [m for _, _, m in runs(forms, 50, seeds, cache, pool=pool)]
        answers = [answer for m in found for answer in m.answers]
        wanted = sum(m.wanted for m in found)
        confidence = np.array([a[1] for a in answers])
        right = np.array([a[2] for a in answers])
        print(f"\n{'With' if pool else 'Without'} the pool\n\n| confidence | values | right | |")
        print("|---|---|---|---|")
        for low in np.arange(0, 1, 0.1):
            inside = (confidence >= low) & (confidence < low + 0.1 + (low > 0.85))
            if inside.any():
                share = float(right[inside].mean())
                print(
                    f"| {low:.1f} - {low + 0.1:.1f} | {inside.sum()} | {share:.2f} | {'█' * round(20 * share)} |"
                )
        order = np.argsort(-confidence, kind="stable")
        precision = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
        enough = np.flatnonzero(precision >= 0.95)
        taken = (int(enough.max()) + 1) / wanted if len(enough) else 0.0
        error = expected_calibration_error(confidence.tolist(), right.tolist())
        print(
            f"\nExpected calibration error **{error:.3f}**; **{100 * taken:.1f} %** of all fields can be accepted unseen at 95 % precision.\n"
        )


def timing(forms: Forms) -> None:
    print("\n### Time and memory (CPU seconds of one core, words already read)\n")
    print(
        "| documents | fit | fit, features kept | self-trained | model bytes | load ms | ms a page |"
    )
    print("|---|---|---|---|---|---|---|")
    for size in (10, 150):
        task, cache = forms.task(size, 0), SheetCache(1000)
        seconds = []
        for pool in (False, False, True):
            started = time.process_time()
            extractor = fitted(forms, task, cache, pool=pool, seed=0)
            seconds.append(time.process_time() - started)
        data = to_bytes(extractor)
        started = time.process_time()
        loaded = from_bytes(data)
        load_ms = 1000 * (time.process_time() - started)
        documents = forms.of(task.test)
        loaded.predict(documents)
        pages = sum(len(loaded.encode(d).tokens.pages) for d in documents)
        started = time.process_time()
        loaded.predict(documents)
        page_ms = 1000 * (time.process_time() - started) / pages
        print(
            f"| {size} | {seconds[0]:.1f} s | {seconds[1]:.1f} s | {seconds[2]:.1f} s | {len(data)} | {load_ms:.0f} | {page_ms:.1f} |",
            flush=True,
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\nPeak memory of the run: {peak:.0f} MB.")


def zero(forms: Forms, seeds: Sequence[int]) -> None:
    print(
        "\n### Zero-shot, no document\n\n| words given | F1 | P | R | per field |\n|---|---|---|---|---|"
    )
    plain = forms.specs
    obvious = tuple(replace(spec, aliases=NAIVE.get(spec.name, ())) for spec in plain)
    named: tuple[tuple[str, tuple[FieldSpec, ...]], ...] = (
        ("field names", plain),
        ("names and obvious aliases", obvious),
    )
    for title, specs in named:
        extractor = ZeroShotExtractor(specs)
        found = []
        for seed in seeds:
            task = forms.task(10, seed)
            found.append(marked(forms, task.test, extractor.predict(forms.of(task.test))).scores)
        fields = ", ".join(f"{f} {mean([s['field_f1'][f] for s in found])}" for f in forms.fields)
        print(
            f"| {title} | **{mean([s['micro_f1'] for s in found])}** | {mean([s['micro_p'] for s in found])}"
            f" | {mean([s['micro_r'] for s in found])} | {fields} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(SECTIONS))
    parser.add_argument("--sizes", default="5,10,50,150")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--sroie", default="50,200", help="training receipts, or nothing")
    parser.add_argument(
        "--words-cache", type=Path, default=Path(tempfile.gettempdir()) / "fieldloop-bench-words"
    )
    options = parser.parse_args()
    if not SHARED.exists():
        print(f"{SHARED} is missing: extraction is not measured.")
        return
    seeds = [int(seed) for seed in options.seeds.split(",")]
    sizes = [int(size) for size in options.sizes.split(",")]
    wanted = options.only.split(",")
    forms, cache = load("adbuy", options.words_cache), SheetCache(1000)
    if "curve" in wanted:
        curve(forms, sizes, seeds, cache)
        if options.sroie:
            receipts = load("sroie", options.words_cache)
            curve(receipts, [int(n) for n in options.sroie.split(",")], seeds, SheetCache(1000))
    if "unseen" in wanted:
        unseen(forms, seeds, cache)
    if "absent" in wanted:
        absent(forms, seeds, cache)
    if "calibration" in wanted:
        calibration(forms, seeds, cache)
    if "time" in wanted:
        timing(forms)
    if "zero" in wanted:
        zero(forms, seeds)


if __name__ == "__main__":
    main()
