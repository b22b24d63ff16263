"""The whole loop, once around, as a newcomer, a reviewer and an operator live it."""

from __future__ import annotations

import pytest

from fieldloop.demo.generator import FIELDS, Sample, generate
from fieldloop.demo.reviewer import Reviewer
from tests.acceptance import reviewing
from tests.acceptance.browser import Album, new_page
from tests.acceptance.stack import Stack

pytestmark = [pytest.mark.label_studio, pytest.mark.browser]

TASK = """
SELECT t.label_studio_id FROM tasks t JOIN predictions p ON p.task_id = t.id
WHERE t.document_version_id = %s AND p.model_version = %s
"""
VALUES = """
SELECT v.field, v.text, v.outcome, v.text_source, e.actor
FROM annotation_values v JOIN annotation_events e ON e.id = v.event_id JOIN tasks t ON t.id = e.task_id
WHERE t.label_studio_id = %s AND v.outcome <> 'removed'
"""
LIVE = "SELECT model_version, kind FROM live_models"


def samples(count: int) -> list[Sample]:
    """One supplier's template, which the zero-shot model reads only in part; one page each."""
    made = generate(seed=11, count=4 * count, layouts=("label_above",), languages=("en",))
    return [sample for sample in made if len(sample.truth.pages) == 1][:count]


def test_once_around(stack: Stack, album: Album) -> None:
    first, *others, last = samples(10)
    zero_shot = stack.rows(LIVE)[0][0]
    (task,) = stack.eventually(TASK, stack.upload(first.name, first.pdf), zero_shot)[0]

    typed, drawn = correct_in_the_browser(stack, album, first, task)

    values = {row[0]: row[1:] for row in stack.eventually(VALUES, task)}
    assert values["customer_name"] == (typed, values["customer_name"][1], "reviewer", stack.email)
    text, outcome, source, actor = values["total"]
    assert (text, source, actor) == (drawn, "reviewer", stack.email)
    assert outcome in {"added", "corrected"}

    # Enough of them, and a better model goes live by itself.
    versions = {sample.name: stack.upload(sample.name, sample.pdf) for sample in others}
    for sample in others[:6]:
        (number,) = stack.eventually(TASK, versions[sample.name], zero_shot)[0]
        Reviewer(stack.label_studio).review(number, sample.truth, FIELDS)
    ((name, kind),) = stack.eventually(f"{LIVE} WHERE kind <> 'zero_shot'", seconds=600)
    assert name != zero_shot
    assert kind in {"trained", "self_trained"}

    # It fills in what nobody has looked at yet, and every new document.
    for sample in others[6:]:
        assert stack.eventually(TASK, versions[sample.name], name, seconds=300)
    (task,) = stack.eventually(TASK, stack.upload(last.name, last.pdf), name)[0]
    truth = {value.field: value.text for value in last.truth.values}
    with new_page(album) as page:
        reviewing.open_task(page, stack, task)
        album.take(page, "filled-in-by-the-new-model")
        shown = reviewing.all_region_texts(page)
    assert ("Total", truth["total"]) in shown
    assert ("Document number", truth["document_number"]) in shown


def correct_in_the_browser(
    stack: Stack, album: Album, sample: Sample, task: int
) -> tuple[str, str]:
    """Type over one value, take one away and draw it anew; what was typed, and what appeared by itself."""
    truth = {value.field: value for value in sample.truth.values if value.row is None}
    total = truth["total"]
    with new_page(album) as page:
        reviewing.open_task(page, stack, task)
        album.take(page, "opened")
        shown = dict(reviewing.region_texts(page))
        assert shown, "the task opens with values"
        if "Customer name" not in shown:
            reviewing.draw(page, "Customer name", truth["customer_name"].box, sample.truth.pages[0])
        reviewing.type_text(page, "Customer name", "Typed by a Reviewer Ltd")
        if "Total" in shown:
            reviewing.delete_region(page, "Total")
        reviewing.draw(page, "Total", total.box, sample.truth.pages[total.page])
        reviewing.expect_text(page, "Total", total.text)
        album.take(page, "drawn-and-filled")
        reviewing.submit(page)
        album.take(page, "submitted")
    return "Typed by a Reviewer Ltd", total.text
