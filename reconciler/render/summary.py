"""What every format says of a plan as a whole: the counts, the credentials, what was not planned. Pure.

Only `unverified`, `unmanaged` and the names in `listed` hold text from manifests and servers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from reconciler.domain import safe
from reconciler.domain.groups import Group, folder, ranges
from reconciler.domain.markers import NO_MARKER
from reconciler.domain.plan import Change, Of, Plan, Verb
from reconciler.domain.text import count
from reconciler.render import values
from reconciler.render.effects import is_left


def counts(plan: Plan) -> str:
    """The plan in one line."""
    rows = [c for c in plan.changes() if c.of is not Of.BOT and c.verb is Verb.UNMANAGED and not c.ids]
    unread = Counter(row.of for row in rows)
    number = Counter(c.verb for c in plan.changes() if c.of is Of.BOT and not is_left(c))
    keys, settings = plan.counts(Of.CREDENTIAL), plan.counts(Of.SETTINGS)
    every = number + Counter(keys) + Counter(settings)
    broken = sum(instance.problem is not None for instance in plan.instances)
    writes = [f"{number[verb]} to {verb}" for verb in Verb if verb.writes and number[verb]]
    writes += [
        f"{count(keys[verb], 'credential')} to {verb}" for verb in Verb if verb.writes and keys.get(verb)
    ]
    saved = {c.instance for c in plan.changes() if c.of is Of.SETTINGS and c.verb.writes}
    if saved:
        writes.append(f"settings of {count(len(saved), 'instance')} to write")
    asides = [
        (every[Verb.BLOCKED], "change", " blocked"),
        (every[Verb.CONFLICT], "conflict", ""),
        (len(plan.limits), "limit", " exceeded"),
        (every[Verb.ORPHAN], "bot", " no longer declared, kept"),
        (every[Verb.FORGET], "bot", " not managed any more"),
        (every[Verb.SWITCHED_OFF], "bot", " switched off"),
        (every[Verb.WITHDRAWN], "change", " withdrawn"),
        (number[Verb.UNMANAGED], "unmanaged bot", ""),
        (keys.get(Verb.UNMANAGED, 0) - unread[Of.CREDENTIAL], "old credential", " kept"),
        (unread.total(), "row", " not understood"),
        (broken, "instance", " with a problem"),
    ]
    aside = "".join(f"; {count(some, noun)}{rest}" for some, noun, rest in asides if some)
    if writes:
        return f"Plan: {', '.join(writes)}, {plan.in_sync} in sync{aside}"
    read = count(len(plan.instances) - broken, "instance")
    head = "Nothing to apply" if plan.problems else "No changes"
    return f"{head}. {count(plan.in_sync, 'bot')} in sync on {read}{aside}."


def credentials(plan: Plan) -> Iterator[str]:
    """How many declared credentials are in which state, in one line; no line without any."""
    stand = Counter(standing for instance in plan.instances for standing in instance.credentials.values())
    if stand:
        parts = [f"{number} {standing}" for standing, number in sorted(stand.items())]
        yield f"Credentials: {', '.join(parts)}."


def before(plan: Plan) -> str:
    """What a plan against a base or a review says of the changes that it does not make; "" without any."""
    number = sum(change.verb is Verb.BEFORE for change in plan.changes())
    if not number:
        return ""
    head = "1 change is" if number == 1 else f"{number} changes are"
    it, made = ("it is", "is") if number == 1 else ("they are", "are")
    if plan.base:
        return f"{head} not of this pull request: {it} also planned without it, and {made} not made"
    return f"{head} not part of this plan, and {made} not made"


def approval(plan: Plan) -> str:
    """How deletes beyond the limits are approved, or that they are; "" where there are none."""
    if plan.approved:
        return "The deletes exceed a limit, and were approved."
    if not plan.approval:
        return ""
    return (
        "To delete them all the same, in this plan and no other, add the label "
        f"allow-deletes-{plan.approval} to the pull request, or pass --allow-deletes {plan.approval}."
    )


# -- credentials that are not compared ---------------------------------------------------------


class Unverified(NamedTuple):
    """Credentials or fields whose secret is not available, for the same kind of reason.

    missing: whether an apply needs it. text: what that means, and why. labels: an instance and a label each.
    """

    missing: bool
    text: str
    labels: tuple[tuple[str, str], ...]


def unverified(plan: Plan) -> list[Unverified]:
    """What is not compared as its secret is not available; missing credentials come first."""
    found: dict[tuple[bool, bool, str], list[tuple[str, tuple[str, str]]]] = {}
    for instance in plan.instances:
        for name, why in instance.unverified.items():
            standing = instance.credentials.get(name)
            missing = standing == "missing"
            label = name if standing is None else f"credential {name}"
            # Without the name of the variable or of the file.
            kind = (not missing, standing is None, why.partition(" ")[2])
            found.setdefault(kind, []).append((why, (instance.name, label)))
    return [
        Unverified(
            not later,
            f"{_means(not later, is_field, len(each))}: {_whys([why for why, _ in each])}",
            tuple(one for _, one in each),
        )
        for (later, is_field, _), each in sorted(found.items(), key=lambda item: item[0][0])
    ]


def _means(missing: bool, is_field: bool, number: int) -> str:
    if missing:
        one, more = (
            "it is missing, and an apply needs its key",
            "they are missing, and an apply needs their keys",
        )
    elif is_field:
        one, more = "it is not compared", "they are not compared"
    else:
        one, more = "its key is not compared", "their keys are not compared"
    return one if number == 1 else more


def _whys(whys: list[str]) -> str:
    others = len(set(whys)) - 1
    return f"{whys[0]}, and {others} more" if others else whys[0]


# -- names ------------------------------------------------------------------------------------


def listed(names: Iterable[str], room: int) -> str:
    """Names, those that count up as ranges, on one line that is safe to show; what does not fit is counted.

    room: characters.
    """
    parts = [(safe.line(text), number) for text, number in ranges(names)]
    shown: list[str] = []
    left = sum(number for _, number in parts)
    for text, number in parts:
        if shown and room < len(text) + len(" and 9999 more"):
            break
        shown.append(values.clip(text, max(room, 20)))
        room -= len(text) + 2
        left -= number
    return f"{', '.join(shown)} and {left} more" if left else ", ".join(shown)


def radius(names: tuple[str, ...], plan: Plan) -> tuple[str, str]:
    """How many of the plan's instances these are, and the folder that has all of them, "" for none."""
    every = len(plan.instances)
    if len(names) == every:
        return f"all {count(every, 'instance')}", ""
    return f"{len(names)} of {count(every, 'instance')}", folder(names, plan) if len(names) > 1 else ""


# -- bots that are not ours -------------------------------------------------------------------


def unmanaged(plan: Plan) -> list[Change]:
    """The bots that nothing declares and that are not ours."""
    return [c for c in plan.changes() if c.of is Of.BOT and c.verb is Verb.UNMANAGED]


def known_by(change: Change) -> list[str]:
    """What a person knows an unmanaged bot by: description, trigger, model, since when."""
    bot = change.before
    facts = []
    if bot is not None:
        fields = bot.fields
        if text := str(fields.get("description", "")).strip():
            facts.append(values.clip(f'"{safe.line(text)}"', 60))
        trigger = [str(fields[name]) for name in ("triggerType", "triggerOperator") if fields.get(name)]
        if value := fields.get("triggerValue"):
            trigger.append(f'"{values.clip(safe.line(str(value)), 40)}"')
        facts += [safe.line(" ".join(trigger))] if trigger else []
        facts += [safe.line(str(fields[name])) for name in ("model", "assistantId") if fields.get(name)][:1]
        facts += ["disabled"] if fields.get("enabled") is False else []
        facts += [f"since {safe.line(bot.created[:10])}"] if bot.created else []
    if change.reason != NO_MARKER or not facts:
        facts.append(safe.line(change.reason))
    described = bot is not None and bot.fields.get("description")
    return facts if described or not change.ids else [*facts, f"id {safe.line(change.ids[0])}"]


# -- what calls do that changes do not show ----------------------------------------------------

Also = Mapping[tuple[str, str], Sequence[str]]
"""Sentences about what the calls of a change do beyond its fields, by its instance and label."""


def also(plan: Plan) -> Also:
    """Those of all changes."""
    return {(one.name, label): said for one in plan.instances for label, said in values.also(one).items()}


def also_of(group: Group, also: Also) -> list[str]:
    """Those of a group; counted, where they are not the same on all instances."""
    found = Counter(said for each in group.alike for said in also.get((each.instance, each.label), ()))
    every = len(group.alike)
    return [said if number == every else f"{said} (on {number} of {every})" for said, number in found.items()]
