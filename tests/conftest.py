"""Fixtures for all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from reconciler.sandbox import Sandbox
from tests.support import WHOLE, World

# `--hypothesis-profile=night` takes the other one.
settings.register_profile("night", max_examples=WHOLE, deadline=None, derandomize=False)
settings.register_profile("everyday", max_examples=3 * WHOLE // 10, deadline=None)
settings.load_profile("everyday")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first: so no process is left with one of them when the others are done."""
    items.sort(key=lambda item: item.path.parent.name not in {"workflows", "worlds"})


@pytest.fixture(scope="session", autouse=True)
def _caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Caches of the tests alone."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(os.environ, "XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def _server() -> Iterator[Sandbox]:
    with Sandbox() as server:
        yield server


@pytest.fixture
def sandbox(_server: Sandbox) -> Sandbox:
    """An empty sandbox on a port of its own; sandbox.writes are the writing calls that it answered.

    One server serves all tests of a process in turn, since starting one takes longer than most tests.
    """
    options = _server.options
    options.disabled, options.latency, options.pause = frozenset(), 0.0, 0.0
    _server.clear()
    return _server


@pytest.fixture
def world(sandbox: Sandbox) -> Iterator[World]:
    """The sandbox, to be set up and read by hand. Its own calls count in sandbox.calls: clear those first."""
    with World(sandbox.url, sandbox.api_key) as world:
        yield world
