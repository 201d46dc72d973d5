"""The stage that the tests of this directory share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.worlds.stage import Stage

SEED = int(os.environ.get("WORLDS_SEED", "1"))
"""Of the long runs, so that their results can be cited and repeated."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A sandbox for worlds; put() makes it this test's own."""
    with Stage(tmp_path_factory.mktemp("worlds")) as stage:
        yield stage
