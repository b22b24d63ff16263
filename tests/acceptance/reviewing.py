"""What a reviewer does in Label Studio's editor, by mouse and keyboard."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from db.regions import Box
from ml_backend.studio_links import task_link
from tests.acceptance.stack import Stack

WAIT = 120_000


def open_task(page: Page, stack: Stack, task: int) -> None:
    """Open a task by the link the console gives; log in if asked to."""
    project = stack.rows("SELECT label_studio_id FROM projects")[0][0]
    page.goto(task_link(stack.settings, project, task))
    if "/user/login" in page.url:
        page.fill("#email", stack.email)
        page.fill("#password", stack.password)
        page.click("button[type=submit]")
    page.wait_for_url(re.compile(rf"/projects/{project}/data\?.*task={task}"), timeout=WAIT)
    expect(page.locator("canvas").first).to_be_visible(timeout=WAIT)
    page.wait_for_function(
        "[...document.images].some(i => i.src.startsWith('blob:') && i.naturalWidth > 500)",
        timeout=WAIT,
    )


def region_texts(page: Page) -> list[tuple[str, str]]:
    """Label and text of the regions in view: the list is long, and only those exist."""
    rows = page.evaluate(
        """[...document.querySelectorAll('.lsf-tree__node')].map(row => [
             row.querySelector('.lsf-outliner-item__title').innerText,
             row.querySelector('.lsf-textarea-tag__input')?.value ?? ''])"""
    )
    return [(label.strip(), text) for label, text in rows]


def all_region_texts(page: Page) -> set[tuple[str, str]]:
    """Label and text of every region, read while scrolling through the list."""
    found = set(region_texts(page))
    page.locator(".lsf-tree__node").first.hover()
    while True:
        page.mouse.wheel(0, 300)
        page.wait_for_timeout(300)
        more = set(region_texts(page))
        if more <= found:
            return found
        found |= more


def rows_of(page: Page, label: str) -> Locator:
    """Every row of a field, of those in view."""
    title = page.locator(".lsf-outliner-item__title", has_text=re.compile(f"^{re.escape(label)}$"))
    return page.locator(".lsf-tree__node", has=title)


def region_row(page: Page, label: str) -> Locator:
    """The row of a field that stands once in the document."""
    row = rows_of(page, label).first
    expect(row).to_be_visible(timeout=WAIT)
    return row


def type_text(page: Page, label: str, text: str) -> None:
    """Replace the text of a field's region in the list."""
    field = region_row(page, label).locator(".lsf-textarea-tag__input")
    field.click()
    field.fill(text)
    field.press("Enter")
    expect(field).to_have_value(text)


def expect_text(page: Page, label: str, text: str) -> None:
    """The field's region shows this text in the list."""
    field = region_row(page, label).locator(".lsf-textarea-tag__input")
    expect(field).to_have_value(text, timeout=WAIT)


def delete_region(page: Page, label: str) -> None:
    """Select a field's region in the list and take it away."""
    region_row(page, label).locator(".lsf-outliner-item__title").click()
    page.keyboard.press("Backspace")
    expect(rows_of(page, label)).to_have_count(0)


def draw(page: Page, label: str, box: Box, size: tuple[float, float]) -> None:
    """Choose a label and drag a box on the page that is shown; ``box`` and ``size`` in points."""
    page.keyboard.press(
        "Escape"
    )  # a label chosen while a region is selected would relabel that region
    page.locator(".fl-rail .lsf-label", has_text=re.compile(rf"^{re.escape(label)}\s*\S?$")).click()
    canvas = page.locator("canvas").first.bounding_box()
    assert canvas is not None
    across, down = canvas["width"] / size[0], canvas["height"] / size[1]
    x0, y0 = canvas["x"] + (box[0] - 2) * across, canvas["y"] + (box[1] - 2) * down
    x1, y1 = canvas["x"] + (box[2] + 2) * across, canvas["y"] + (box[3] + 2) * down
    page.mouse.move(x0, y0)
    page.mouse.down()
    page.mouse.move((x0 + x1) / 2, (y0 + y1) / 2, steps=4)
    page.mouse.move(x1, y1, steps=4)
    page.mouse.up()


def submit(page: Page) -> None:
    """Submit, and wait until Label Studio has taken it."""
    with page.expect_response(
        lambda answer: "/annotations" in answer.url and answer.request.method == "POST",
        timeout=WAIT,
    ) as answer:
        page.get_by_role("button", name=re.compile("^Submit")).click()
    assert answer.value.status == 201, answer.value.text()
