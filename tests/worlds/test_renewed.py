"""For any pair of worlds: an apply that rotates a credential leaves what another would, and a new key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, event, given, seed, settings
from hypothesis import strategies as st

from reconciler.domain import markers
from reconciler.sandbox.store import Row
from tests.support import Json, often
from tests.worlds import oracle
from tests.worlds.conftest import SEED
from tests.worlds.generators import DEFAULTS, INSTANCES, Pair, World, creds_id, pairs
from tests.worlds.proxy import PASS, Fault, Proxy
from tests.worlds.stage import Stage

OLD = creds_id(INSTANCES[0], "main")
KEY = "sk-the-new-one"
DEAD = Fault("dead", forward=False, answer=b"", cut=True)

_RUN = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], print_blob=True
)


def _apart(pair: Pair) -> Pair:
    """The same, but that no other world names a credential as the first one's is named."""
    named = ('"openaiCreds": "main"', '"openaiCreds": "second"')
    worlds: list[World] = []
    for world in pair.worlds:
        text = json.dumps(world.manifest)
        worlds.append(replace(world, manifest=json.loads(text.replace(*named) if worlds else text)))
    return replace(pair, worlds=tuple(worlds))


def _rotates(pair: Pair) -> Pair:
    """The same, with a credential of the first world declared."""
    first, *others = pair.worlds
    manifest = {**first.manifest, "credentials": {"main": {"apiKey": "!secret-file ../key"}}}
    return replace(pair, worlds=(replace(first, manifest=manifest), *others))


def _what_is(stage: Stage) -> list[tuple[str, dict[str, Json]]]:
    """Bots and settings, without what differs from run to run, and old and new credential as one.

    Without stamps: a bot that no rotation can move by itself is written by an update of its own, which leaves
    one, where it needed none before.
    """
    bots = {id: f"{row['instanceId']} {row['description']}" for id, row in stage.rows().items()}
    found = []
    for table in ("bots", "settings"):
        for row in stage.rows(table).values():
            kept = {name: value for name, value in row.items() if name not in _FLEETING}
            if table == "settings":  # where null is, the API's default comes with the first save
                kept |= {name: DEFAULTS[name] for name in DEFAULTS if row[name] is None}
            if table == "settings" and row["openaiIdFallback"]:
                kept["openaiIdFallback"] = bots[row["openaiIdFallback"]].partition(" ")[2]
            if table == "bots" and row["description"]:
                kept["description"] = markers.unstamped(str(row["description"]), "gitops")
            kept["openaiCredsId"] = "main" if _is_main(stage, row) else row["openaiCredsId"]
            found.append((table, kept))
    return sorted(found, key=repr)


_FLEETING = ("id", "instanceId", "createdAt", "updatedAt")


def _is_main(stage: Stage, row: Row) -> bool:
    creds: Mapping[str, Row] = stage.rows("creds")
    return bool(row["openaiCredsId"] == OLD or creds[row["openaiCredsId"]]["apiKey"] == KEY)


def _ends_alike(stage: Stage, pair: Pair, calls: int | None) -> None:
    pair = _apart(pair)
    plain = stage.put(pair)
    before = stage.rows()
    first = stage.plan(plain, pair)
    oracle.done(stage.apply(first))
    expected = _what_is(stage)

    (stage.directory / "key").write_text(KEY)
    desired = stage.put(_rotates(pair))
    plan = stage.plan(desired, pair)
    if calls is not None:
        with Proxy(lambda: stage.port) as proxy:
            proxy.meet([], [*[PASS] * calls, *[DEAD] * 500])
            stage.apply(plan, stage.server(proxy.url))
        lost = before.keys() - stage.rows().keys()
        assert lost <= {id for change in first.changes() for id in change.ids if change.verb.writes}
        plan = stage.plan(desired, pair)
    oracle.done(stage.apply(plan))
    if calls is None:  # a replacement that was interrupted loses what nobody declared
        assert _what_is(stage) == expected
    assert not stage.plan(desired, pair).writes
    assert KEY in {row["apiKey"] for row in stage.rows("creds").values()}
    for instance in plan.instances:
        for step in instance.steps:
            event(f"call: {step.call}")


_CALLS = st.sampled_from((None, None, 0, 1, 2, 3, 4, 6, 8))


@settings(_RUN, max_examples=often(50))
@given(pair=pairs(), calls=_CALLS)
def test_any_pair_of_worlds(stage: Stage, pair: Pair, calls: int | None) -> None:
    _ends_alike(stage, pair, calls)


@pytest.mark.slow
@seed(SEED)
@settings(_RUN, max_examples=1000)
@given(pair=pairs(), calls=_CALLS)
def test_any_pair_of_worlds_at_length(stage: Stage, pair: Pair, calls: int | None) -> None:
    _ends_alike(stage, pair, calls)
