"""The parts of the demo that need no stack: its documents, its measure, its patience, the sample command."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click.testing
import pytest
from rich.console import Console

from fieldloop.commands.init import DEMO_FIELDS
from fieldloop.commands.sample import sample as sample_command
from fieldloop.demo.accuracy import Accuracy, compare, measure
from fieldloop.demo.generator import LAYOUTS, Truth, generate
from fieldloop.demo.samples import demo_set, name_prefix, seed_of
from fieldloop.demo.waiting import NothingMoves, Screen, Stand, wait
from ml_backend.extraction.fields import Extraction, FieldSpec, Span, Value
from ml_backend.field_specs import to_specs
from ml_backend.schema import load


@pytest.fixture(scope="module")
def specs() -> Sequence[FieldSpec]:
    return to_specs(load(DEMO_FIELDS).rows)


@pytest.fixture(scope="module")
def truths() -> list[Truth]:
    return [one.truth for one in generate(2, 8)]


def answers(truths: Sequence[Truth]) -> dict[str, Extraction]:
    """Extractions that say exactly what is true."""
    return {
        truth.name: Extraction(
            truth.name,
            tuple(
                Value(v.field, v.text, v.normalised, None, (Span(v.page, v.box),), 0.9, v.row)
                for v in truth.values
            ),
        )
        for truth in truths
    }


def test_a_demo_shows_every_layout_and_reviews_each_supplier_as_often() -> None:
    made = demo_set(4, 24, 16)
    assert len(made.samples) == 24
    assert {one.truth.layout for one in made.samples} == set(LAYOUTS)
    reviewed = Counter((one.truth.layout, one.truth.language) for one in made.to_review)
    assert set(reviewed.values()) == {2}
    unseen = {(one.truth.layout, one.truth.language) for one in made.unseen}
    assert unseen == set(reviewed)


def test_demo_names_differ_and_tell_their_seed() -> None:
    first, second = demo_set(4, 13, 8), demo_set(5, 13, 8)
    names = [one.name for one in (*first.samples, *second.samples)]
    assert len(set(names)) == 26
    assert all(one.name == one.truth.name for one in first.samples)
    assert {seed_of(name) for name in names} == {4, 5}
    assert all(one.name.startswith(name_prefix(4)) for one in first.samples)
    assert seed_of("demo-report.pdf") is None
    assert seed_of("invoice-1-a.pdf") is None


def test_the_truth_measured_against_itself_is_all_right(
    truths: list[Truth], specs: Sequence[FieldSpec]
) -> None:
    right = measure(truths, answers(truths), specs)
    result = compare(measure(truths, {}, specs), right)
    assert result.documents == 8
    assert result.gained
    assert result.f1_after == 1.0
    assert result.rows.after.share == 1.0
    assert all(line.after.share == 1.0 for line in result.lines)


def test_not_in_this_document_is_an_answer_and_an_invention_is_wrong(
    truths: list[Truth], specs: Sequence[FieldSpec]
) -> None:
    without = [t for t in truths if "due_date" in t.absent]
    given = answers(truths)
    invented = Value("due_date", "1 May 2024", "2024-05-01", None, (Span(0, (0, 0, 9, 9)),), 0.9)
    name = without[0].name
    given[name] = replace(given[name], values=(*given[name].values, invented))
    result = compare(measure(truths, answers(truths), specs), measure(truths, given, specs))
    line = next(one for one in result.lines if one.field == "due_date")
    assert line.before == Accuracy(8, 8)
    assert line.after == Accuracy(7, 8)
    assert not result.gained


def test_a_missed_and_an_invented_cell_both_cost(
    truths: list[Truth], specs: Sequence[FieldSpec]
) -> None:
    given = answers(truths)
    name = truths[0].name
    values = list(given[name].values)
    at = next(i for i, v in enumerate(values) if v.field == "item.amount")
    values[at] = replace(values[at], text="0.07", normalised="0.07")
    given[name] = replace(given[name], values=tuple(values))
    result = compare(measure(truths, given, specs), measure(truths, answers(truths), specs))
    line = next(one for one in result.lines if one.field == "item.amount")
    cells = sum(v.field == "item.amount" for t in truths for v in t.values)
    assert line.before == Accuracy(cells - 1, cells + 1)
    assert result.rows.before == Accuracy(cells - 1, cells)


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def __call__(self) -> float:
        return self.now


def test_waiting_ends_when_all_is_done_however_long_it_takes() -> None:
    screen = Screen(Console(quiet=True))
    step = screen.step("read", "Read", 1000)
    clock, done = Clock(), iter(range(1001))
    end = wait(
        step,
        lambda: Stand(next(done), 1000),
        patience=2,
        what="",
        sleep=clock.sleep,
        clock=clock,
    )
    assert end.finished
    step.end()
    assert set(screen.seconds) == {"read"}


def test_waiting_gives_up_when_nothing_moves_and_says_where_to_look() -> None:
    screen = Screen(Console(quiet=True))
    step = screen.step("read", "Read", 4)
    clock = Clock()
    with pytest.raises(NothingMoves, match=r"30 s \(3 of 4, 3 read\): see `fieldloop logs worker`"):
        wait(
            step,
            lambda: Stand(3, 4, "3 read"),
            patience=30,
            what="see `fieldloop logs worker`",
            sleep=clock.sleep,
            clock=clock,
        )
    assert 30 < clock.now < 32


def test_a_changing_note_counts_as_movement() -> None:
    step = Screen(Console(quiet=True)).step("train", "Train", 1)
    clock, looks = Clock(), iter(range(100))

    def look() -> Stand:
        number = next(looks)
        return Stand(int(number == 99), 1, f"fold {number}")

    assert wait(step, look, patience=1, what="", sleep=clock.sleep, clock=clock).finished


def test_sample_writes_documents_and_their_truth(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "samples"
    arguments = [
        str(folder),
        "--documents",
        "3",
        "--layout",
        "contract",
        "--language",
        "pt",
        "--json",
    ]
    result = click.testing.CliRunner().invoke(sample_command, arguments)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["documents"] == 3
    pdfs = sorted(folder.glob("*.pdf"))
    assert len(pdfs) == 3
    for path in pdfs:
        truth = Truth.from_dict(json.loads(path.with_suffix(".json").read_text("utf-8")))
        assert (truth.name, truth.layout, truth.language) == (path.name, "contract", "pt")
        assert path.read_bytes().startswith(b"%PDF")


def test_sample_names_a_folder_it_cannot_write_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = click.testing.CliRunner().invoke(sample_command, [str(tmp_path / "file" / "x")])
    assert result.exit_code == 1
    assert "cannot be written to" in result.output
