"""Random manifests and random drifts: a plan is empty afterwards, and only lines of what drifted changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest

from reconciler.domain.desired import DesiredInstance
from reconciler.domain.kinds import OPENAI
from reconciler.manifests.load import load
from reconciler.yaml import emit
from tests.importer.update.bench import Bench
from tests.importer.update.messy import SETTINGS, Messy, untouched


@pytest.mark.parametrize("seed", range(40))
def test_only_what_drifted_changes(seed: int, bench: Bench) -> None:
    check(seed, bench)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40, 600))
def test_the_same_of_many_more(seed: int, bench: Bench) -> None:
    check(seed, bench)


def check(seed: int, bench: Bench) -> None:
    messy = Messy(seed)
    messy.write()
    files: dict[str, str | bytes] = {path: said + "\n" for path, said in messy.files.items()}
    files["loja.yaml"] = messy.file.content
    if messy.folder:
        files["_defaults.yaml"] = emit.mapping(messy.folder)
    bench.put(files, {"loja": ("main",)})
    [instance] = load(bench.bots).instances

    drifts = messy.drifts(_declared(instance))
    for name, fields in drifts.items():
        if name == SETTINGS:
            bench.drift_settings("loja", **fields)
        else:
            bench.drift("loja", name, **fields)
    bench.sandbox.calls.clear()
    report = bench.update()

    assert not bench.sandbox.writes
    assert not report.failed
    assert not bench.plan().writes
    after = bench.contents()
    text = after["loja.yaml"]
    assert after.get("_defaults.yaml") == bench.before.get("_defaults.yaml")
    assert text.startswith(messy.file.mark)
    assert text.count(b"\r\n") == (text.count(b"\n") if messy.file.newline == "\r\n" else 0)
    _contains(text[len(messy.file.mark) :].decode().split(messy.file.newline), untouched(messy.file, drifts))
    if not drifts:
        assert after == bench.before
        assert not report.edited


def _contains(lines: Sequence[str], wanted: Iterable[str]) -> None:
    """All wanted lines are there in their order."""
    at = iter(lines)
    for line in wanted:
        assert line in at, f"{line!r} is gone, or stands elsewhere"


def _declared(instance: DesiredInstance) -> dict[str, dict[str, Any]]:
    found = {bot.name: _plain(bot.fields) for bot in instance.bots}
    return found | ({SETTINGS: _plain(of.fields)} if (of := instance.settings_of(OPENAI)) else {})


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}
