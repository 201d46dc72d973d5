"""Random servers: after an import, plan has nothing but adoptions, whatever the server holds."""

from __future__ import annotations

import re

import pytest

from reconciler.domain.plan import Verb
from tests.importer.new.conftest import Here, unexpected
from tests.importer.new.servers import OPENAI_KEY, fill
from tests.support import World


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(("seed", "instances", "bots"), [(1, 30, 300), (2, 4, 60), (3, 12, 60), (4, 30, 60)])
def test_a_plan_after_an_import_has_nothing_but_adoptions(
    here: Here, seed: int, instances: int, bots: int, full: bool
) -> None:
    there, written = check(here, seed, instances, bots, full, hostile=seed != 1)
    assert written >= (0.95 if seed == 1 else 0.6) * there, "most are in a manifest"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 200))
def test_the_same_of_many_more(here: Here, seed: int) -> None:
    check(here, seed, 1 + seed % 30, 120, full=seed % 2 == 0, hostile=seed % 3 > 0)


def check(here: Here, seed: int, instances: int, bots: int, full: bool, *, hostile: bool) -> tuple[int, int]:
    """Imports a random server; returns how many bots it has, and how many of them are in manifests."""
    fill(here.server, seed, instances, bots, hostile=hostile)
    there = _everything(here)
    result = here.run("import", *(["--full"] if full else []))
    assert result.exit_code == 0, result.stderr
    assert here.run("fmt", "--check").output == "", "what import writes is canonical"
    plan = here.plan()
    assert not unexpected(plan)
    assert all(instance.problem is None for instance in plan.instances)
    written = {change.ids[0] for change in plan.changes() if change.verb in (Verb.ADOPT, Verb.UPDATE)}
    said = {ident for ident in there if f": bot {ident}" in result.stderr}
    assert len(written | said) + plan.in_sync == len(there), "each bot is in a manifest, or said"
    assert OPENAI_KEY not in str(here.files())
    return len(there), len(written) + plan.in_sync


def _everything(here: Here) -> set[str]:
    """The ids of all bots of the server."""
    with World(here.server.sandbox.url, here.server.sandbox.api_key) as world:
        names = [one["name"] for one in world.done("GET", "/instance/fetchInstances")]
        return {bot["id"] for name in names for bot in world.bots(name)}


def test_an_adopted_import_is_in_sync(here: Here) -> None:
    fill(here.server, 5, 8, 60, hostile=False)
    assert here.run("import").exit_code == 0
    before = here.files()
    here.adopt()
    plan = here.plan()
    assert not plan.writes
    assert not [change for change in plan.changes() if change.verb is not Verb.UNMANAGED]
    here.forget()
    assert here.run("import").exit_code == 0
    after = here.files()
    for files in (before, after):  # a long text had to make room for the marker
        files.update({path: re.sub("description: xxx.*", "", text) for path, text in files.items()})
    assert before == after, "names come from the markers now, and are the same"
