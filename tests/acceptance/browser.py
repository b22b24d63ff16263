"""A real Chromium that looks at the real Label Studio, and keeps what it saw as pictures."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Without these a sandboxed network makes Chromium wait for hosts of its own.
QUIET = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium() -> str:
    """The browser of this machine; without one the test is left out, and says so."""
    found = os.environ.get("CHROMIUM_PATH") or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        pytest.skip(
            "NO BROWSER: the reviewer's side is not tested. Install Debian's package chromium or set CHROMIUM_PATH."
        )
    return found


class Album:
    """Pictures of a test, in order, kept as artefacts."""

    def __init__(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self._folder = folder
        self._count = 0

    def take(self, page: Page, name: str) -> Path:
        self._count += 1
        path = self._folder / f"{self._count:02}-{name}.png"
        page.screenshot(path=str(path))
        return path


@contextmanager
def new_page(album: Album | None = None, *, width: int = 1366, height: int = 768) -> Iterator[Page]:
    """A page in a fresh profile, the size of a laptop's screen; ``album`` gets a picture of a failure."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(QUIET))
        try:
            page = browser.new_page(viewport={"width": width, "height": height})
            try:
                yield page
            except BaseException:
                if album is not None:
                    album.take(page, "failed")
                raise
        finally:
            browser.close()
