"""A whole server: imported, adopted, edited by many hands, and brought back into the manifests."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from reconciler.cli.commands import main
from reconciler.domain.desired import Desired
from reconciler.manifests.load import load
from reconciler.manifests.source import Source
from reconciler.yaml import end, index
from tests.importer.new.conftest import Here
from tests.importer.new.servers import fill, serving
from tests.importer.update.messy import prompt, text

NEVER = ("botType", "triggerType", "openaiCredsId", "description", "model", "assistantId", "functionUrl")


@pytest.fixture
def imported(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Here]:
    """The manifests of a server with about 300 bots, which are ours."""
    monkeypatch.chdir(tmp_path)
    with serving(tmp_path_factory.mktemp("server")) as server:
        fill(server, 1, 30, 300, hostile=False)
        here = Here(server, tmp_path)
        assert here.run("import").exit_code == 0
        served = server.sandbox
        env = {"EVOLUTION_API_URL": served.url, "EVOLUTION_API_KEY": served.api_key}
        CliRunner().invoke(main, ["apply", "--yes"], env=env)
        yield here


def test_two_hundred_drifts(imported: Here) -> None:
    desired = load(Path("bots"))
    before = imported.files()
    adopted = imported.plan()
    assert not adopted.writes
    drifts = _drifts(imported, desired, 200)
    changed = _lines(desired, drifts)

    result = imported.run("import", "--update")

    assert result.exit_code == 0, result.stderr[-2000:]
    assert len(drifts) == 200
    assert imported.plan() == adopted
    after = imported.files()
    assert after.keys() >= before.keys()
    assert all(file.endswith(".md") for file in after.keys() - before.keys())  # drifted from a shared prompt
    for file, old in before.items():
        lines = iter(after[file].split("\n"))
        for number, line in enumerate(old.split("\n"), 1):
            if not file.endswith(".md") and (file, number) not in changed:
                assert line in lines, f"{file}:{number}: {line!r} is gone"


def _drifts(here: Here, desired: Desired, many: int) -> set[tuple[str, str, str]]:
    """Changes as many declared fields on the server; returns instances, bots and fields."""
    pick = random.Random(7)  # noqa: S311 - it guards nothing
    rows: dict[str, dict[str, Any]] = {row["id"]: row for row in asyncio.run(here.server.store.all("bots"))}
    by_marker = {}
    instances = {row["id"]: row["name"] for row in asyncio.run(here.server.store.all("instances"))}
    for row in rows.values():
        if "[gitops:" in (row["description"] or ""):
            name = row["description"].partition("[gitops:")[2].partition("]")[0]
            by_marker[instances[row["instanceId"]], name] = row
    fields = [
        (instance.name, bot.name, name, value)
        for instance in desired.instances
        for bot in instance.bots
        for name, value in bot.fields.items()
        if name not in NEVER
    ]
    found: set[tuple[str, str, str]] = set()
    for instance, bot, name, value in pick.sample(fields, len(fields)):
        if len(found) == many:
            break
        match value:
            case bool():
                new: Any = not value
            case int():
                new = value + 5000 + len(found)
            case str():
                choices = (
                    ["startsWith", "endsWith"]
                    if name == "triggerOperator"
                    else [f"{text(pick, 3)} {len(found)}"]
                )
                new = pick.choice(choices)
            case _:
                new = [prompt(pick) if pick.random() < 0.5 else item + "!" for item in value] + ["novo"]
        if new != (list(value) if isinstance(value, tuple) else value):
            asyncio.run(here.server.store.update("bots", by_marker[instance, bot]["id"], {name: new}))
            found.add((instance, bot, name))
    return found


def _lines(desired: Desired, drifts: set[tuple[str, str, str]]) -> set[tuple[str, int]]:
    """The lines that the drifted fields stand on, by file."""
    found = set()
    for instance in desired.instances:
        for bot in instance.bots:
            for name, origin in bot.origins.items():
                if (instance.name, bot.name, name) in drifts:
                    source = origin.source
                    assert isinstance(source, Source)
                    places = source.places
                    first, last = places(index(origin.key))[0], places(end(origin.value))[0]
                    file = Path(source.file).relative_to("bots").as_posix()
                    found |= {(file, line) for line in range(first, last + 1)}
    return found
