"""A server of each version that is served, with a person at it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reconciler.sandbox import Sandbox
from tests.apply.stage import Stage
from tests.support import World

VERSIONS = ("2.3.6", "2.2.3")


@pytest.fixture(scope="module")
def _servers() -> Iterator[dict[str, Sandbox]]:
    with Sandbox(version=VERSIONS[0]) as newer, Sandbox(version=VERSIONS[1]) as older:
        yield {VERSIONS[0]: newer, VERSIONS[1]: older}


@pytest.fixture(params=VERSIONS)
def stage(request: pytest.FixtureRequest, _servers: dict[str, Sandbox]) -> Iterator[Stage]:
    """An empty server; the test runs on each version."""
    sandbox = _servers[request.param]
    sandbox.clear()
    with World(sandbox.url, sandbox.api_key) as world:
        yield Stage(sandbox, world)
