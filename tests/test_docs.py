"""The docs say what the program does: every command, every link, every translation."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from fieldloop.describe import describe

CHECKOUT = Path(__file__).parents[1]
PAGES = sorted([*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")


def test_the_command_line_reference_is_current():
    written = (CHECKOUT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    assert describe() == written, "run python -m fieldloop.describe > docs/reference/cli.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in LINK.findall(text):
        link = urlsplit(target)
        if link.scheme:
            continue
        wanted = (page.parent / link.path).resolve() if link.path else page
        assert wanted.exists(), f"{page.name} links to {target}"
        if link.fragment and wanted.suffix == ".md":
            assert link.fragment in anchors(wanted), f"{page.name} links to {target}"


def anchors(page: Path) -> set[str]:
    """The names of a page's headings, as code hosts make them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


def test_guides_for_users_are_there_in_both_languages():
    for page in (CHECKOUT / "docs").rglob("*.pt-BR.md"):
        assert page.with_name(page.name.replace(".pt-BR", "")).exists(), page.name
    english_only = {"query-the-past.md"}
    for page in (CHECKOUT / "docs" / "howto").glob("*.md"):
        if ".pt-BR" not in page.name and page.name not in english_only:
            assert page.with_suffix(".pt-BR.md").exists(), f"{page.name} has no twin in Portuguese"


def test_commands_in_the_docs_exist():
    known = set(re.findall(r"^## `fieldloop ([a-z -]+)`", describe(), re.MULTILINE))
    first = {name.split()[0] for name in known}
    for page in PAGES:
        code = re.findall(
            r"```sh\n(.*?)```|`([^`\n]+)`", page.read_text(encoding="utf-8"), re.DOTALL
        )
        for block in (part for pair in code for part in pair):
            for name in re.findall(r"(?:^|/|\s)fieldloop ([a-z][a-z-]+)", block):
                assert name in first, f"{page.name} speaks of `fieldloop {name}`"
