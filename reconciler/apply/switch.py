"""Switch bots off or on by hand: read, write, read again, and say what goes on nevertheless.

A disabled bot goes on answering the sessions that it has, and is still started where it is the fallback of
the settings. Both are read after it is off.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import reduce
from typing import NoReturn

from reconciler.apply import applier
from reconciler.apply.state import Stop
from reconciler.domain import markers
from reconciler.domain.desired import Desired, DesiredInstance, SecretRef
from reconciler.domain.errors import InstanceError, Position, ReconcilerError, ServerError
from reconciler.domain.kinds import KINDS, Kind
from reconciler.domain.observed import Observed, RemoteBot
from reconciler.domain.plan import Plan, bot_label
from reconciler.domain.records import dataclass, replace
from reconciler.domain.reports import Switched, SwitchReport
from reconciler.domain.results import Outcome, Result
from reconciler.domain.text import quoted
from reconciler.evolution.client import Client
from reconciler.evolution.concurrent import side_by_side
from reconciler.evolution.confirming import misplaced
from reconciler.evolution.fetch import fetch
from reconciler.plan import switch as planning
from reconciler.plan.switch import Address, Choice, Switch

_NOWHERE = Position("", 1, 1)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was named: the bots, the plan that switches them, and what cannot be switched, a sentence each."""

    switch: Switch
    bots: tuple[Choice, ...]
    plan: Plan
    problems: tuple[str, ...]

    @property
    def dry(self) -> SwitchReport:
        """What a run would do."""
        bots = [
            Switched(
                one.instance,
                one.label,
                one.bot.fields.get("enabled") is True,
                note=one.why,
                kind=one.bot.kind,
            )
            for one in self.bots
        ]
        return SwitchReport(self.switch.on, tuple(bots), self.problems, dry=True)


async def choose_across(
    clients: Mapping[str, Client], addresses: Sequence[Address], switch: Switch
) -> dict[str, Chosen]:
    """The same on those servers that are named, by their names.

    What is wrong with one of several is a problem of its own. Raises ServerError where there is one.
    """

    async def on(server: str, asked: Sequence[Address]) -> Chosen:
        try:
            return await choose(clients[server], asked, switch)
        except ReconcilerError as error:
            if not server:
                raise
            return Chosen(switch, (), Plan(clients[server].url, switch.owner, ()), (str(error),))

    asked = {server: found for server in clients if (found := planning.on_server(addresses, server))}
    chosen = await asyncio.gather(*(on(server, found) for server, found in asked.items()))
    return dict(zip(asked, chosen, strict=True))


async def choose(client: Client, addresses: Sequence[Address], switch: Switch) -> Chosen:
    """Read the instances, and choose the bots that are named. Raises ServerError."""
    names, problems = await _instances(client, addresses)
    if not names:
        return Chosen(switch, (), Plan(client.url, switch.owner, ()), tuple(problems))
    wanted = Desired(tuple(DesiredInstance(name, (), _NOWHERE) for name in names))
    observed = await fetch(client, wanted, lambda instance, bots, kind: False)
    chosen = _chosen(client, observed, addresses, switch)
    if found := await misplaced(client, chosen.plan):
        chosen = _chosen(client, observed.without(found), addresses, switch)
    return replace(chosen, problems=(*problems, *chosen.problems))


async def _instances(client: Client, addresses: Iterable[Address]) -> tuple[list[str], list[str]]:
    """The instances that are named, and sentences about globs that match none."""
    names = {each.instance for each in addresses if not planning.is_glob(each.instance)}
    problems = []
    if globs := dict.fromkeys(each.instance for each in addresses if planning.is_glob(each.instance)):
        listed = await client.instances()
        for glob in globs:
            found = {name for name in listed if planning.matches(name, glob)}
            if not found:
                problems.append(f"no instance of the server matches {quoted(glob)}")
            names |= found
    return sorted(names), problems


def _chosen(client: Client, observed: Observed, addresses: Sequence[Address], switch: Switch) -> Chosen:
    bots: list[Choice] = []
    problems: list[str] = []
    plans = []
    for seen in observed.instances.values():
        if seen.problem is not None:
            problems.append(seen.problem)
            continue
        found, wrong = planning.choose(addresses, seen, switch)
        bots += found
        problems += wrong
        plans.append(planning.plan(seen, found, switch))
    problems += [] if problems else planning.unmatched(addresses, observed.instances, bots, switch)
    return Chosen(switch, tuple(bots), Plan(client.url, switch.owner, tuple(plans)), tuple(problems))


async def run_across(
    clients: Mapping[str, Client],
    chosen: Mapping[str, Chosen],
    stop: Stop,
    on_bug: Callable[[Exception], object],
    *,
    close_sessions: bool = False,
) -> SwitchReport:
    """The same on several servers, side by side. chosen: by the servers' names."""

    async def on(server: str) -> SwitchReport:
        own = Stop(whole=stop) if server else stop
        try:
            report = await run(clients[server], chosen[server], own, on_bug, close_sessions=close_sessions)
        except ServerError as error:
            if not server:
                raise
            report = replace(chosen[server].dry, problems=(str(error),), dry=False)
        return report.of(server)

    return reduce(SwitchReport.beside, await asyncio.gather(*map(on, chosen)))


async def run(
    client: Client,
    chosen: Chosen,
    stop: Stop,
    on_bug: Callable[[Exception], object],
    *,
    close_sessions: bool = False,
) -> SwitchReport:
    """Switch the bots. Read what those that are off go on answering, and end that if it is asked for.

    on_bug: is called with an unexpected error that ends an instance's run.
    """
    results = await applier.apply(client, chosen.plan, _no_key, stop=stop, on_bug=on_bug)
    ended = {(one.change.instance, one.change.label): one for one in results.results}
    seen = await _seen(client, results.results)
    labels = {one.bot.id: (one.instance, bot_label(one.label, one.bot.kind)) for one in chosen.bots}
    bots = {one.bot.id: _switched(chosen, one, ended.get(labels[one.bot.id]), seen) for one in chosen.bots}
    report = SwitchReport(chosen.switch.on, tuple(bots.values()), chosen.problems)
    if not chosen.switch.on:
        report = await _what_goes_on(client, bots, report, stop, close_sessions=close_sessions)
    return replace(report, signal=stop.number)


def _switched(chosen: Chosen, one: Choice, result: Result | None, seen: Mapping[str, RemoteBot]) -> Switched:
    """How a bot ended. seen: the bots whose calls were not applied as they are now, by id."""
    blank = Switched(one.instance, one.label, None, kind=one.bot.kind)
    if result is None:
        return replace(blank, on=one.bot.fields.get("enabled") is True, note=one.why)
    if result.outcome is Outcome.APPLIED:
        note = result.detail
        if not one.ours and not chosen.switch.on:
            note = "; ".join(filter(None, [note, "it has no marker of ours, so no mark was left"]))
        return replace(blank, on=chosen.switch.on, outcome=result.outcome, note=note)
    if (now := seen.get(one.bot.id)) is None:
        return replace(blank, outcome=result.outcome, note=result.detail)
    on, note = now.fields.get("enabled") is True, result.detail
    text = str(now.fields.get("description", ""))
    if not (on or chosen.switch.on) and one.ours and not markers.switched_off(text, chosen.switch.owner):
        note += "; it is off, but without its mark an apply may switch it on again"
    return replace(blank, on=on, outcome=result.outcome, note=note)


async def _seen(client: Client, results: Iterable[Result]) -> dict[str, RemoteBot]:
    """The bots of the instances where a call was not applied, by id, where they can be read."""
    unsure = (one.change for one in results if one.outcome in {Outcome.FAILED, Outcome.STALE})
    wanted = {(change.instance, change.kind.path) for change in unsure}
    found: dict[str, RemoteBot] = {}
    for instance, path in sorted(wanted):
        try:
            bots = await client.find(instance, KINDS[path])
        except ServerError:
            break
        except InstanceError:
            continue
        found |= {bot.id: bot for bot in bots if "enabled" in bot.fields}
    return found


def _no_key(ref: SecretRef, name: str) -> NoReturn:
    raise ReconcilerError(f"the key of {name} is not needed to switch a bot.")


# -- what goes on -----------------------------------------------------------------------------


async def _what_goes_on(
    client: Client, bots: Mapping[str, Switched], report: SwitchReport, stop: Stop, *, close_sessions: bool
) -> SwitchReport:
    """The report with what the bots that are off go on answering."""
    found = dict(bots)
    instances: dict[str, list[str]] = {}
    for id, one in bots.items():
        if one.on is False:
            instances.setdefault(one.instance, []).append(id)
    closed = 0

    async def look(instance: str) -> None:
        nonlocal closed
        if stop.asked:
            why = f"the run ended early: {stop.why}"
            found.update({id: replace(found[id], unread=why) for id in instances[instance]})
            return
        for id in instances[instance]:
            kind = found[id].kind
            one = replace(found[id], fallback=await _fallback(client, instance, kind) == id)
            try:
                contacts = await client.open_sessions(instance, id, kind)
                if close_sessions and contacts:
                    await _end(client, instance, kind, contacts, stop)
                    before, contacts = contacts, await client.open_sessions(instance, id, kind)
                    closed += len({*before} - {*contacts})
                found[id] = replace(one, sessions=len(contacts))
            except (InstanceError, ServerError) as error:
                found[id] = replace(one, unread=str(error))

    await side_by_side(list(instances), look, client.concurrency)
    left = close_sessions and any(one.on is False and one.sessions != 0 for one in found.values())
    return replace(report, bots=tuple(found.values()), closed=closed, left=left)


async def _end(client: Client, instance: str, kind: Kind, contacts: Iterable[str], stop: Stop) -> None:
    """End the sessions of these contacts. The read after it shows what is left."""
    for contact in contacts:
        if stop.asked:
            break
        with suppress(InstanceError):
            await client.end_sessions(instance, contact, kind)


async def _fallback(client: Client, instance: str, kind: Kind) -> str | None:
    """The id of the bot that the settings of a kind have as the fallback; None where that is not known."""
    try:
        return (await client.settings(instance, kind)).fallback
    except (InstanceError, ServerError):
        return None
