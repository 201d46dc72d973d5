"""What must be true after a run, judged by rows, calls and the world as it was made, not by our own rules."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from reconciler.domain.desired import Desired
from reconciler.domain.plan import Call, Plan, Verb
from reconciler.domain.results import Outcome, Results
from reconciler.sandbox.app import Served
from reconciler.sandbox.store import Row
from tests.support import Json
from tests.worlds.generators import OWNER, Pair, World, creds_id
from tests.worlds.stage import Stage

Rows = Mapping[str, Row]


def same(one: Json, other: Json) -> bool:
    """null, "" and [] are one to the server."""
    return (
        (one or None) == (other or None) if one in (None, "", []) or other in (None, "", []) else one == other
    )


def carries(row: Row, name: str) -> bool:
    """Whether a bot's description has our marker for this name."""
    pattern = rf"\[\s*{OWNER}\s*:\s*{re.escape(name)}\s*\]"
    return re.search(pattern, row["description"] or "", re.IGNORECASE) is not None


def conflicts(plan: Plan, instance: str) -> set[str]:
    """The names that the plan gives up."""
    return {c.bot for c in plan.changes() if c.verb is Verb.CONFLICT and c.instance == instance}


def changed(before: Rows, after: Rows) -> set[str]:
    """The ids of the rows that are not as they were."""
    return {id for id in before if after.get(id) != before[id]}


def obstacles(world: World, pair: Pair) -> list[str]:
    """What can justify giving a bot up: without any of these every declared bot must get its place."""
    declared = world.manifest["bots"]
    names = {old: name for name, bot in declared.items() for old in (name, *bot.get("previously", ()))}
    owners = [names.get(whose, "?" if whose == "?" else "") for whose in world.whose.values()]
    pruned = [whose for whose in world.whose.values() if pair.prune and whose not in (*names, "", "?")]
    found = [
        f"{name} wants a credential that is not there"
        for name, bot in declared.items()
        if bot.get("openaiCreds") == "nobody"
    ]
    found += [f"{name} is there more than once" for name in declared if owners.count(name) > 1]
    found += [f"{whose} is to be deleted, but is there twice" for whose in pruned if pruned.count(whose) > 1]
    if owners.count("?") or owners.count("") > len(pruned):
        found.append("bots that are not ours to move")
    return found


def settled(world: World, rows: Iterable[Row], given_up: set[str]) -> None:
    """Every declared bot that is not given up is there exactly once, as declared."""
    rows = list(rows)
    for name, bot in world.manifest["bots"].items():
        if name in given_up:
            continue
        found = [row for row in rows if carries(row, name)]
        assert len(found) == 1, f"{name} is there {len(found)} times"
        [row] = found
        declared = {**world.manifest["defaults"], **bot}
        if "openaiCredsId" in bot:
            declared.pop("openaiCreds")
        if "openaiCreds" in declared:
            declared["openaiCredsId"] = creds_id(world.instance, declared.pop("openaiCreds"))
        if (text := declared.pop("description", None)) is not None:
            _described(row["description"], text, name)
        for field in ("onDrift", "previously"):
            declared.pop(field, None)
        wrong = {n: (row[n], value) for n, value in declared.items() if not same(row[n], value)}
        assert not wrong, f"{name}: {wrong}"


def _described(stored: str, text: str, name: str) -> None:
    """The declared text, cut if it must be, then our marker, then perhaps a stamp."""
    assert len(stored) <= 255
    shown, marker, stamp = stored.partition(f"[{OWNER}:{name}]")
    assert marker
    assert re.fullmatch("(~[0-9a-f]{8})?", stamp)
    shown = shown.rstrip()
    assert shown == text.rstrip() or (
        shown.endswith("…") and text.startswith(shown[:-1]) and len(stored) > 240
    )


def untouched(pair: Pair, before: Rows, after: Rows, adopted: Iterable[str] = ()) -> None:
    """Nobody's, foreign and orphaned bots are byte for byte as they were; only what is ours may change.

    A bot without a marker may be adopted: then it has a declared bot's key or trigger. adopted: the ids of
    those that a run before this one did that to, or began to.
    """
    for world in pair.worlds:
        declared = world.manifest["bots"]
        names = {name for bot in declared.values() for name in bot.get("previously", ())} | set(declared)
        for id, whose in world.whose.items():
            if id in adopted or after.get(id) == before.get(id):
                continue
            if whose == "":
                assert any(_like(before[id], bot) for bot in declared.values()), f"{id} is nobody's"
            else:
                assert whose in names or (pair.prune and whose != "?"), f"{id} is {whose}'s"
            if id not in after:
                assert whose, f"{id}, nobody's, was deleted"


def _like(row: Row, bot: Mapping[str, Json]) -> bool:
    """Whether a row has the key or the trigger of a declared bot."""
    keys = ("assistantId",) if bot["botType"] == "assistant" else ("model", "maxTokens")
    parts = {"keyword": ("triggerOperator", "triggerValue"), "advanced": ("triggerValue",)}
    names = parts.get(bot["triggerType"], ())
    key = row["botType"] == bot["botType"] and all(row[name] == bot[name] for name in keys)
    trigger = row["triggerType"] == bot["triggerType"] != "none"
    return key or (trigger and all(row[name] == bot[name] for name in names))


def done(results: Results) -> None:
    """Every change is applied."""
    not_applied = [result for result in results.results if result.outcome is not Outcome.APPLIED]
    assert not not_applied, not_applied


def same_conflicts(world: World, planned: Plan, last: Plan) -> None:
    """What is given up stays the same, but for what a lost bot leaves behind.

    A bot that was to be recreated is gone while several carry names that it had: nobody can tell which it is.
    Where one carries such a name, it takes the lost bot's place, and is in nobody's way any more.
    """
    given_up, first = conflicts(last, world.instance), conflicts(planned, world.instance)
    several = {
        name
        for name, bot in world.manifest["bots"].items()
        if sum(whose in bot.get("previously", ()) for whose in world.whose.values()) > 1
    }
    there = set(world.whose.values())
    heirs = any(
        name in there and not there.isdisjoint(bot.get("previously", ()))
        for name, bot in world.manifest["bots"].items()
    )
    assert given_up - several <= first - several
    assert heirs or given_up - several == first - several


def converges(stage: Stage, pair: Pair, desired: Desired) -> None:
    """One apply brings what is declared, without a refused call, and the next plan is empty."""
    stage.sandbox.calls.clear()
    plan = stage.plan(desired, pair)
    frugal(plan, stage.apply(plan), stage.sandbox.calls)
    second = stage.plan(desired, pair)
    assert not second.writes, second
    for world in pair.worlds:
        given_up = conflicts(second, world.instance)
        assert given_up == conflicts(plan, world.instance)
        settled(world, stage.rows(instance=world.instance).values(), given_up)


def frugal(plan: Plan, results: Results, calls: Iterable[Served]) -> None:
    """No call is refused, every change is applied, and no call is made that the plan does not account for."""
    writes = [call for call in calls if call.writes]
    refused = [call for call in writes if call.status not in (200, 201)]
    assert not refused, refused
    changes = [change for change in plan.changes() if change.verb.writes]
    done(results)
    assert len(results.results) == len(changes)
    steps = Counter(step.call for instance in plan.instances for step in instance.steps)
    verbs = plan.counts()
    anew = verbs[Verb.REPLACE]
    assert len(writes) <= len(changes) + anew + steps[Call.FALLBACK] + steps[Call.PARK]
    assert steps[Call.PARK] < max(1, len(changes)), "three that all wait for each other take two"
    touched = {id for change in changes for id in change.ids}
    for call in writes:
        if call.method in ("PUT", "DELETE"):
            assert call.path.split("/")[3] in touched, call
    assert (
        sum("/openai/create/" in call.path for call in writes) == verbs[Verb.CREATE] + verbs[Verb.MOVE] + anew
    )


def honest(results: Results, rows: Rows, settings_before: Rows, settings: Rows) -> None:
    """What is reported as applied is so, unless something landed late."""
    for result in results.results:
        change = result.change
        if result.outcome is not Outcome.APPLIED:
            assert result.detail
        elif change.verb is Verb.DELETE:
            assert change.ids[0] not in rows
        else:
            assert result.id is not None
            assert carries(rows[result.id], change.bot)
            for id, row in settings_before.items():
                if row["openaiIdFallback"] in change.ids:
                    assert settings[id]["openaiIdFallback"] == result.id


def fallback_kept(plan: Plan, results: Results, before: Rows, after: Rows) -> None:
    """The settings' fallback is the bot that it was, by its new id if that was recreated."""
    new = {r.change.ids[0]: r.id for r in results.results if r.change.verb is Verb.REPLACE}
    gone = {c.ids[0] for c in plan.changes() if c.verb is Verb.DELETE}
    for id, row in before.items():
        was = row["openaiIdFallback"]
        expected = None if was in gone else new.get(was, was)
        assert after[id]["openaiIdFallback"] == expected
        if was == expected:
            assert after[id] == row
        else:
            rest = row.keys() - {"openaiIdFallback", "updatedAt"}
            assert {n: after[id][n] for n in rest if row[n] is not None} == {
                n: row[n] for n in rest if row[n] is not None
            }


def until(so: Callable[[], bool]) -> None:
    """Waits for something that other processes bring about."""
    end = time.monotonic() + 60
    while not so():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.001)
