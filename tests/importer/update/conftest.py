"""Fixtures for updates of manifests."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.sandbox import Sandbox
from tests.importer.update.bench import Bench
from tests.support import World


@pytest.fixture
def bench(tmp_path: Path, sandbox: Sandbox, world: World) -> Bench:
    """Manifests below an empty directory, and an empty server."""
    return Bench(tmp_path, sandbox, world)
