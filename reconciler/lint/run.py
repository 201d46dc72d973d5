"""`validate`'s warnings: what the server accepts but will not do as written. Pure, from the manifests alone.

rules.py has the rules as data; starting.py, values.py, characters.py and written.py check one instance after
another; triggers.py compares what the bots of an instance match. Here their remarks become
warnings: those of ignored rules are left out, and what many bots share gets one warning.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain

from reconciler.domain.desired import Desired, DesiredBot, DesiredInstance
from reconciler.domain.errors import Position
from reconciler.domain.findings import Warning
from reconciler.domain.kinds import KINDS, Kind
from reconciler.domain.text import near, quoted
from reconciler.domain.versions import NEWEST, Version
from reconciler.lint.context import Remark, of_kinds
from reconciler.lint.rules import RULES, UNKNOWN

_UNREAD = "never-read"
_NAMED = 2
"""How many bots a warning names before it only counts them."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a repository says about rules, by their ids: those that are ignored, and those that are errors."""

    ignored: frozenset[str] = frozenset()
    errors: frozenset[str] = frozenset()


def lint(desired: Desired, server: Version = NEWEST, policy: Policy = Policy()) -> list[Warning]:
    """All warnings about the manifests, in the order of their places. server: its version."""
    useful = _useful(desired)
    places: dict[tuple[Position, str, int], list[tuple[DesiredInstance, Remark]]] = {}
    for instance in desired.instances:
        contexts = list(of_kinds(instance, server, useful))
        for rule in RULES:
            if not rule.check or not rule.holds(server) or rule.id in instance.ignored | policy.ignored:
                continue
            seen = Counter[tuple[Position, int]]()
            for remark in chain.from_iterable(map(rule.check, contexts)):
                if isinstance(remark.subject, DesiredBot) and rule.id in remark.subject.ignored:
                    continue
                at = remark.at
                nth = seen[at, id(remark.subject)]
                seen[at, id(remark.subject)] += 1
                places.setdefault((at, rule.id, nth), []).append((instance, remark))
    warnings = [
        Warning(at, rule, f"{_whose(at, remarks)}: {remarks[0][1].text}", remark=remarks[0][1].text)
        for (at, rule, _), remarks in places.items()
    ]
    return [
        replace(warning, error=warning.rule in policy.errors)
        for warning in sorted([*warnings, *_unknown(desired)])
        if warning.rule not in policy.ignored
    ]


def unread(server: Version | None, kind: Kind) -> frozenset[str]:
    """The fields of a kind that a server of this version stores and never reads; none of an unknown one."""
    if server is None or not any(rule.id == _UNREAD and rule.holds(server) for rule in RULES):
        return frozenset()
    return kind.unused if kind.uses_fallback else kind.unused | {"fallbackId"}


def _useful(desired: Desired) -> frozenset[int]:
    """The ids of the nodes whose value has an effect for some bot: defaults and anchors are shared."""
    limited = {
        kind.path: [field for field in kind.fields.values() if field.bot_types or field.trigger_types]
        for kind in KINDS.values()
    }
    return frozenset(
        id(origin.value)
        for instance in desired.instances
        for bot in instance.bots
        for field in limited[bot.kind.path]
        if field.applies(bot.fields.get("botType"), bot.fields.get("triggerType"))
        and (origin := bot.origins.get(field.name))
    )


def _whose(at: Position, remarks: list[tuple[DesiredInstance, Remark]]) -> str:
    """The bots that a warning is about, the first few by name."""
    instances = {instance.name for instance, _ in remarks}
    everywhere = len(instances) > 1 or remarks[0][0].at.file != at.file
    names = list(
        dict.fromkeys(
            (f"{remark.subject.name}@{instance.name}" if everywhere else remark.subject.name)
            if isinstance(remark.subject, DesiredBot)
            else f"the settings of {quoted(instance.name)}"
            for instance, remark in remarks
        )
    )
    shown = ", ".join(quoted(name) if not name.startswith("the ") else name for name in names[:_NAMED])
    return f"{shown} and {len(names) - _NAMED} more" if len(names) > _NAMED else shown


def _unknown(desired: Desired) -> Iterator[Warning]:
    """Warnings about ids that no rule has, each once: at the first bot or instance that names it."""
    known = {rule.id for rule in RULES}
    seen: set[str] = set()
    for instance in desired.instances:
        named = [(instance.at, instance.ignored)]
        for bot in instance.bots:
            origin = bot.origins.get("silence")
            named.append((origin.at if origin else bot.at, bot.ignored - instance.ignored))
        for at, ids in named:
            if UNKNOWN in ids | instance.ignored:
                continue
            for name in sorted(ids - seen - known):
                seen.add(name)
                yield Warning(
                    at,
                    UNKNOWN,
                    f"there is no rule {quoted(name)}{near(name, sorted(known))}: correct or remove it",
                )
