"""Fixtures for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reconciler.sandbox import Sandbox
from tests.support import World


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
    options.openai_enabled, options.latency, options.pause = True, 0.0, 0.0
    _server.clear()
    return _server


@pytest.fixture
def world(sandbox: Sandbox) -> Iterator[World]:
    """The sandbox, to be set up and read by hand. Its own calls count in sandbox.calls: clear those first."""
    with World(sandbox.url, sandbox.api_key) as world:
        yield world
