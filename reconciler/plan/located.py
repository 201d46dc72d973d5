"""A plan, with where its differences are declared: what a reviewer looks for next. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from reconciler.domain.desired import Desired, DesiredInstance
from reconciler.domain.origins import Trace
from reconciler.domain.plan import Change, FieldChange, InstancePlan, Of, Plan, Verb
from reconciler.domain.records import replace

Edited = Callable[[Iterable[str]], str]
"""The last commit that changed any of these files, "" where that is not known."""


def located(plan: Plan, desired: Desired, edited: Edited) -> Plan:
    """The plan with the manifests of its instances, and the origins and variables of its changes.

    A change that comes from an edit names its commit.
    """
    declared = {one.name: one for one in desired.instances}
    return replace(
        plan,
        instances=tuple(
            _instance(one, declared[one.name], edited) if one.name in declared else one
            for one in plan.instances
        ),
    )


def _instance(planned: InstancePlan, declared: DesiredInstance, edited: Edited) -> InstancePlan:
    traces = {bot.name: bot.traces for bot in declared.bots}
    settings = {path: one.traces for path, one in declared.settings.items()}
    changes = tuple(
        _change(
            change,
            settings.get(change.kind.path, {})
            if change.of is Of.SETTINGS
            else traces.get(change.bot, {})
            if change.of is Of.BOT
            else {},
            declared.vars or {},
            edited,
        )
        for change in planned.changes
    )
    return replace(
        planned, changes=changes, manifest=declared.at.file, answering=answering(declared, changes)
    )


def answering(declared: DesiredInstance, changes: Iterable[Change]) -> int:
    """How many bots of an instance may answer, apart from those that these changes write or report."""
    written = {change.bot for change in changes if change.of is Of.BOT and change.verb is not Verb.CONFLICT}
    return sum(bot.fields.get("enabled", True) is True for bot in declared.bots if bot.name not in written)


def _change(
    change: Change, traces: Mapping[str, Trace], variables: Mapping[str, str], edited: Edited
) -> Change:
    if not change.fields:
        return change
    used = {
        name: variables[name]
        for each in change.fields
        if each.name in traces
        for name in traces[each.name].variables
        if name in variables
    }
    origins = (
        () if change.verb in {Verb.CREATE, Verb.MOVE} else tuple(dict.fromkeys(_origins(change, traces)))
    )
    reason = change.reason
    if change.cause in {"pending", "both"} and (
        commit := edited(place.rpartition(":")[0] or place for place in origins)
    ):
        reason = f"{reason} (commit {commit})"
    return replace(change, origins=origins, vars=used, reason=reason)


def _origins(change: Change, traces: Mapping[str, Trace]) -> Iterator[str]:
    """Where the values that differ are declared."""
    own = f"{change.at.file}:{change.at.line}" if change.at is not None else ""
    for each in change.fields:
        trace = traces.get(each.name)
        for place in (own,) if trace is None else _places(each, trace.places):
            if place or own:
                yield place or own


def _places(each: FieldChange, places: tuple[str, ...]) -> Iterator[str]:
    """The places of a value, or of those texts of a list that differ."""
    before, after = each.before, each.after
    if not isinstance(after, tuple) or len(places) != len(after):
        yield from places
        return
    old = before if isinstance(before, tuple) else ()
    for number, (place, text) in enumerate(zip(places, after, strict=True)):
        if number >= len(old) or old[number] != text:
            yield place
