"""One running product for the acceptance tests of a session."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.browser import Album
from tests.acceptance.stack import Stack, running_stack

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole product, set up with the demo's fields and a policy that does not let a test wait."""
    home = tmp_path_factory.mktemp("stack")
    if os.geteuid() == 0:  # Postgres runs as another user and must reach its folder
        for folder in (home, *home.parents[:2]):
            folder.chmod(0o711)
    with running_stack(home) as stack:
        yield stack


@pytest.fixture
def album(request: pytest.FixtureRequest) -> Album:
    """Screenshots of this test, kept in test-artefacts/."""
    return Album(CHECKOUT / "test-artefacts" / request.node.name)
