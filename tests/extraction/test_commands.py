"""bench-extract, extract and evaluate on real PDFs, without a database."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from reportlab.pdfgen.canvas import Canvas

from fieldloop.cli import main
from ml_backend.extraction.fields import FieldType
from ml_backend.extraction.guess_types import guess_specs, guess_type
from tests.extraction.forms import Form, form


def as_pdf(made: Form, path: Path) -> None:
    page = made.document.pages[0]
    canvas = Canvas(str(path), pagesize=(page.width, page.height))
    canvas.setFont("Courier", 10)
    for text, (x0, _, _, y1) in zip(page.texts, page.boxes.tolist(), strict=True):
        canvas.drawString(x0, page.height - y1 + 1.5, text)
    canvas.save()


def row_of(made: Form, path: Path, *, labelled: bool = True) -> dict[str, Any]:
    labels = [
        {"field": x.field, "page": x.page, "bbox": list(x.box), "text": x.text}
        for x in made.labels.labels
    ]
    return {"pdf": path.name, "labels": labels} if labelled else {"pdf": path.name}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """train.jsonl, test.jsonl, pool.jsonl, labelled.jsonl and their PDFs."""
    home = tmp_path_factory.mktemp("forms")
    sets = {"train": range(8), "test": range(100, 104), "pool": range(200, 206)}
    for name, seeds in sets.items():
        rows = []
        for seed in seeds:
            path = home / f"{seed}.pdf"
            as_pdf(form(seed), path)
            rows.append(row_of(form(seed), path, labelled=name == "train"))
        (home / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    labelled = [row_of(form(seed), home / f"{seed}.pdf") for seed in sets["test"]]
    (home / "labelled.jsonl").write_text("".join(json.dumps(row) + "\n" for row in labelled))
    return home


def run(*arguments: object) -> Any:
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def model(folder: Path) -> Path:
    done = run(
        "bench-extract",
        folder / "train.jsonl",
        folder / "test.jsonl",
        folder / "predictions.jsonl",
        "--words-cache",
        folder / "words",
        "--save",
        folder / "model.skops",
    )
    assert done.exit_code == 0, done.output
    return folder / "model.skops"


def answers(path: Path) -> dict[tuple[str, str], str]:
    best: dict[tuple[str, str], tuple[float, str]] = {}
    for line in path.read_text().splitlines():
        row = json.loads(line)
        key = (Path(row["pdf"]).stem, row["field"])
        best[key] = max(best.get(key, (-1.0, "")), (row["score"], row["text"]))
        x0, y0, x1, y1 = row["bbox"]
        assert x0 < x1
        assert y0 < y1
    return {key: text for key, (_, text) in best.items()}


def share_right(path: Path) -> float:
    found = answers(path)
    truth = {(str(s), f): t for s in range(100, 104) for f, t in form(s).truth.items()}
    return sum(found.get(key) == text for key, text in truth.items()) / len(truth)


def test_bench_extract_answers_for_unseen_files(folder, model):
    assert share_right(folder / "predictions.jsonl") >= 0.9
    assert len(list((folder / "words").iterdir())) == 12


def test_the_pool_is_read_and_said(folder, model):
    done = run(
        "bench-extract",
        folder / "train.jsonl",
        folder / "test.jsonl",
        folder / "with-pool.jsonl",
        "--pool",
        folder / "pool.jsonl",
        "--words-cache",
        folder / "words",
        "--json",
    )
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["pool"] == 6
    assert report["problems"] == []
    assert share_right(folder / "with-pool.jsonl") >= 0.9


def test_without_examples_names_and_aliases_find_values(folder):
    schema = folder / "fields.yaml"
    schema.write_text(
        "project: Orders\nfields:\n"
        "  - {name: order_id, type: identifier, aliases: [Order No]}\n"
        "  - {name: amount, type: number, aliases: [Total]}\n"
    )
    empty = folder / "empty.jsonl"
    empty.write_text("")
    out = folder / "zero.jsonl"
    done = run("bench-extract", empty, folder / "test.jsonl", out, "--fields", schema)
    assert done.exit_code == 0, done.output
    assert answers(out)["100", "order_id"] == form(100).truth["order_id"]
    refused = run("bench-extract", empty, folder / "test.jsonl", out)
    assert refused.exit_code == 1
    assert "--fields" in refused.output


def test_a_line_that_is_no_row_is_named(folder):
    broken = folder / "broken.jsonl"
    broken.write_text('{"pdf": "0.pdf"}\n{"labels": []}\n')
    done = run("bench-extract", broken, folder / "test.jsonl", folder / "none.jsonl")
    assert done.exit_code == 1
    assert "broken.jsonl, line 2" in done.output


def test_a_file_that_cannot_be_read_stops_no_other(folder, model):
    (folder / "noise.pdf").write_bytes(b"not a document")
    rows = [{"pdf": "noise.pdf"}, {"pdf": "missing.pdf"}, {"pdf": "101.pdf"}]
    asked = folder / "odd.jsonl"
    asked.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = folder / "odd-out.jsonl"
    done = run("bench-extract", folder / "train.jsonl", asked, out, "--json")
    problems = json.loads(done.stdout.splitlines()[-1])["problems"]
    assert [("noise" in p, "missing" in p) for p in problems] == [(True, False), (False, True)]
    assert {key[0] for key in answers(out)} == {"101"}


def test_stored_words_are_documents_too(folder):
    page = form(3).document.pages[0]
    words = [
        {"t": t, "x0": b[0], "y0": b[1], "x1": b[2], "y1": b[3]}
        for t, b in zip(page.texts, page.boxes.tolist(), strict=True)
    ]
    stored = {"pages": [{"W": page.width, "H": page.height, "words": words}]}
    (folder / "3.json.gz").write_bytes(gzip.compress(json.dumps(stored).encode()))
    asked = folder / "stored.jsonl"
    asked.write_text('{"pdf": "3.json.gz"}\n')
    out = folder / "stored-out.jsonl"
    assert run("bench-extract", folder / "train.jsonl", asked, out).exit_code == 0
    assert answers(out)["3.json", "amount"] == form(3).truth["amount"]


def test_extract_prints_values_and_says_what_it_could_not_read(folder, model):
    done = run("extract", folder / "102.pdf", "--model", model, "--json")
    assert done.exit_code == 0, done.output
    values = {v["field"]: v["text"] for v in json.loads(done.stdout)["values"]}
    assert values["order_id"] == form(102).truth["order_id"]
    shown = run("extract", folder / "102.pdf", folder / "nowhere.pdf", "--model", model)
    assert shown.exit_code == 1
    assert form(102).truth["order_id"] in shown.output
    assert "nowhere.pdf" in shown.output
    assert run("extract", folder / "102.pdf").exit_code == 2


def test_extract_refuses_what_is_no_model(folder):
    done = run("extract", folder / "102.pdf", "--model", folder / "102.pdf")
    assert done.exit_code == 1
    assert "not a Fieldloop model" in done.output


def test_evaluate_marks_a_model_on_labelled_files(folder, model):
    done = run("evaluate", folder / "labelled.jsonl", "--model", model, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["documents"] == 4
    assert found["micro"]["f1"] >= 0.9
    table = run("evaluate", folder / "labelled.jsonl", "--model", model)
    assert "order_id" in table.output
    assert run("evaluate", folder / "labelled.jsonl").exit_code == 2


def test_types_are_guessed_from_labelled_texts():
    assert guess_type(["03/04/20", "12.05.2021", "2020-01-02"]) is FieldType.DATE
    assert guess_type(["$1,200.00", "R$ 12,50", "9.00"]) is FieldType.NUMBER
    assert guess_type(["950658-1", "A-771", "4377378"]) is FieldType.IDENTIFIER
    assert guess_type(["Alder Mills", "12 Elm Street"]) is FieldType.TEXT
    specs = guess_specs([("item.price", "1.50"), ("item.name", "Nail"), ("total", "3.00")])
    assert [spec.name for spec in specs] == ["item", "total"]
    assert [column.name for column in specs[0].columns] == ["name", "price"]
