"""Random servers whose instances are declared as groups: what is shared, a plan only adopts."""

from __future__ import annotations

import pytest

from tests.importer.new.conftest import Here, unexpected
from tests.importer.new.kinds import fill_kinds
from tests.importer.new.servers import CANARY, OPENAI_KEY, fill

GROUPS = ("--group", "todas=*")


@pytest.mark.parametrize(("seed", "instances", "bots"), [(1, 30, 200), (2, 4, 60), (3, 12, 60), (4, 30, 60)])
def test_openai_bots(here: Here, seed: int, instances: int, bots: int) -> None:
    fill(here.server, seed, instances, bots, hostile=seed % 2 == 0)
    check(here)


@pytest.mark.parametrize("seed", range(6))
def test_bots_of_every_kind(here: Here, seed: int) -> None:
    fill_kinds(here.server, seed, 6, 3, hostile=seed % 2 == 1)
    check(here)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 180))
def test_the_same_of_many_more(here: Here, seed: int) -> None:
    if seed % 2:
        fill(here.server, seed, 1 + seed % 30, 120, hostile=seed % 3 > 0)
    else:
        fill_kinds(here.server, seed, 8, 3, hostile=seed % 3 > 0)
    check(here)


def check(here: Here) -> None:
    """Imports the server in groups; a second import changes nothing."""
    result = here.run("import", *GROUPS)
    assert result.exit_code == 0, result.stderr
    assert here.run("fmt", "--check").output == "", "what import writes is canonical"
    plan = here.plan()
    assert not unexpected(plan)
    assert all(instance.problem is None for instance in plan.instances)
    files = here.files()
    assert OPENAI_KEY not in str(files)
    assert CANARY not in str(files)
    here.run("import", *GROUPS)
    assert here.files() == files
