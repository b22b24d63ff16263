"""A Label Studio in memory over real HTTP, with a proxy in front of it, and a mirror of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis as redis_client
from hypothesis import settings

from sync.services import Mirrored, Services
from tests.conftest import Database
from tests.sync.fake_label_studio import Studio, serving
from tests.sync.mirroring import mirrored, services_for
from tests.sync.proxy import Proxy, running_proxy

# A busy machine is no failure.
settings.register_profile("mirror", deadline=None)
settings.load_profile("mirror")


@pytest.fixture
def studio() -> Studio:
    studio = Studio()
    studio.create_project()
    return studio


@pytest.fixture
def proxy(studio: Studio) -> Iterator[Proxy]:
    with serving(studio) as url, running_proxy(Proxy(url)) as proxy:
        yield proxy


@pytest.fixture
def services(committed_database: Database, redis: redis_client.Redis, proxy: Proxy) -> Services:
    return services_for(committed_database, redis, proxy.url)


@pytest.fixture
def project(services: Services) -> Mirrored:
    return mirrored(services, 1)
