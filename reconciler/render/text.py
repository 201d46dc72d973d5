"""A plan as text for a person at a terminal. Every foreign text goes through `safe`.

Shows everything that an apply changes, and the same change on many instances once: under a head that names
them. The fewer instances a head names, the earlier it stands, so what differs from the others comes first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.domain import safe
from reconciler.domain.groups import Group, groups, problems
from reconciler.domain.plan import InstancePlan, Of, Plan, Verb
from reconciler.domain.records import dataclass, field
from reconciler.domain.text import count
from reconciler.render import calls, effects, rerouted, summary
from reconciler.render.change import FIELD, change, sentence, wrapped
from reconciler.render.summary import Also, listed, radius
from reconciler.render.values import Paint, plain

_SCREEN = 22  # lines that a terminal shows with the prompt below them
_UNMANAGED = 2  # unmanaged bots that are shown, where there are more than one more
_ROUTES = 8  # messages that are answered differently, at most
_NAMES = 70  # columns for the names of instances


def plan(plan: Plan, *, paint: Paint = plain, width: int = 100, dangers: bool = True) -> str:
    """The counts, then what differs; at the end what is dangerous, and after a long text the counts again.

    width: of the terminal. dangers: False where a question that follows says what is dangerous.
    """
    head = list(wrapped(summary.counts(plan), width, "  "))
    shown = [*(paint(line, "bold") for line in head), *_remarks(plan, paint, width)]
    shown += _routing(plan, paint, width)
    also = summary.also(plan)
    instances = {one.name: one for one in plan.instances}
    for section in _sections(plan):
        shown += ["", *_section(section, plan, instances, also, paint, width)]
    shown += _asides(plan, width)
    if dangers and (found := ending(plan, width)):
        shown += ["", *(paint(line, "red") for line in found)]
    if len(shown) > _SCREEN:
        shown += ["", *(paint(line, "bold") for line in head)]
    return safe.inert("\n".join(shown) + "\n")


def _routing(plan: Plan, paint: Paint, width: int) -> Iterator[str]:
    """Who answers differently."""
    for said in rerouted.heads(plan):
        yield from (paint(line, "red" if plan.routing else None) for line in wrapped(f"{said}.", width, "  "))
    if plan.routing:
        yield "Who answers:"
    routing = plan.routing or ()
    for one in routing[:_ROUTES]:
        names = listed(one.instances, _NAMES) if len(one.instances) > 1 else safe.line(one.instances[0])
        line = f"  {rerouted.message(one)}: {rerouted.who(one.before)} → {rerouted.who(one.after)}  ({names})"
        yield from wrapped(line, width, FIELD)
    if len(routing) > _ROUTES:
        yield f"  and {count(len(routing) - _ROUTES, 'message')} more"


def _remarks(plan: Plan, paint: Paint, width: int) -> Iterator[str]:
    """The credentials, the limits and the notes."""
    yield from summary.credentials(plan)
    for missing, text, labels in summary.unverified(plan):
        (instance, label), *others = labels
        name = (
            f"{count(len(labels), 'credential')}"
            if others
            else f"{safe.line(label)} of {safe.line(instance)}"
        )
        yield from sentence(f"  ! {name}", "red" if missing else "yellow", safe.line(text), paint, width)
    for limit in plan.limits:
        yield from sentence("  ! limit", "red", safe.line(limit), paint, width)
    if said := summary.approval(plan):
        yield from wrapped(f"    {safe.line(said)}", width, FIELD)
    for note in plan.notes:
        yield from wrapped(safe.line(note), width, "  ")


def ending(plan: Plan, width: int) -> list[str]:
    """What is dangerous, a sentence each."""
    shown = [line for said in effects.dangers(plan) for line in wrapped(f"{said}.", width, "  ")]
    if names := effects.silenced(plan):
        shown += wrapped(f"Without a bot that answers: {listed(names, _NAMES)}", width, "  ")
    return shown


def _asides(plan: Plan, width: int) -> Iterator[str]:
    """What has nothing to do with what an apply does, in few lines."""
    if said := summary.before(plan):
        yield from ("", *wrapped(f"{said}.", width, "  "))
    if found := summary.unmanaged(plan):
        where = len({change.instance for change in found})
        yield ""
        yield from wrapped(
            f"{count(len(found), 'unmanaged bot')} on {count(where, 'instance')}, never written to:",
            width,
            "  ",
        )
        most = len(found) if len(found) <= _UNMANAGED + 1 else _UNMANAGED
        for each in found[:most]:
            facts = ", ".join(summary.known_by(each))
            yield from wrapped(f"  ? {safe.line(each.instance)}: {facts}", width, FIELD)
        if len(found) > most:
            yield f"    and {len(found) - most} more"


# -- what is alike on the same instances ------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Section:
    """What is planned for the same instances, in the same way."""

    names: tuple[str, ...]
    groups: list[Group] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    calls: list[list[calls.Sentence]] = field(default_factory=list)


def _sections(plan: Plan) -> list[_Section]:
    """The sections: those of the fewest instances first, then in the plan's order."""
    found: dict[tuple[str, ...], _Section] = {}

    def of(names: tuple[str, ...]) -> _Section:
        return found.setdefault(names, _Section(names))

    for why, names in problems(plan):
        of(names).problems.append(why)
    for group in groups(plan):
        verb = group.shown.verb
        if verb is not Verb.BEFORE and not (verb is Verb.UNMANAGED and group.shown.of is Of.BOT):
            of(group.instances).groups.append(group)
    for names, sentences in calls.lists(plan):
        of(names).calls.append(sentences)
    order = {one.name: number for number, one in enumerate(plan.instances)}
    return sorted(found.values(), key=lambda section: (len(section.names), order[section.names[0]]))


def _section(
    section: _Section,
    plan: Plan,
    instances: Mapping[str, InstancePlan],
    also: Also,
    paint: Paint,
    width: int,
) -> Iterator[str]:
    alone = len(section.names) == 1
    if alone:
        yield from _head(instances[section.names[0]], paint, width)
    else:
        many, folder = radius(section.names, plan)
        where = f"{many}, all of {safe.line(folder)}" if folder else many
        room = max(min(_NAMES, width - len(where) - 4), 20)
        first, *rest = wrapped(f"{listed(section.names, room)}  ({where})", width, "  ")
        yield paint(first, "bold")
        yield from rest
    for why in section.problems:
        yield from sentence("  ! problem", "red", safe.line(why), paint, width)
    for group in sorted(section.groups, key=lambda group: not group.shown.verb.writes):
        yield from change(group.shown, group.origins, group.alike, paint, width)
        if group.shown.verb.writes:
            for said in summary.also_of(group, also):
                yield from wrapped(f"{FIELD}{said}", width, FIELD + "  ")
    for sentences in section.calls:
        yield "    calls, in this order:" if alone else "    calls on each, in this order:"
        for number, (call, about, why) in enumerate(sentences, 1):
            reason = f": {safe.line(why)}" if why else ""
            yield from wrapped(f"{number:>7}. {call} {safe.line(about)}{reason}", width, " " * 9)


def _head(instance: InstancePlan, paint: Paint, width: int) -> list[str]:
    notes = [f"{instance.in_sync} in sync"] if instance.in_sync else []
    notes += [
        f"credential {safe.line(name)} {standing}"
        for name, standing in instance.credentials.items()
        if standing != "present"
    ]
    name = safe.line(instance.name)
    first, *rest = wrapped(f"{name}  ({'; '.join(notes)})" if notes else name, width, "    ", len(name))
    return [paint(name, "bold") + first.removeprefix(name), *rest]
