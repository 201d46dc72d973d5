"""The rules at work: what they find in an instance. Pure, from the manifests alone.

rules.py has the rules as data. starting.py, values.py, characters.py, written.py and addresses.py check the
bots of one kind, one instance after another; doubles.py checks several kinds; triggers.py compares what the
bots of a kind match. found.py makes warnings of their remarks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache

from reconciler.domain.desired import Desired, DesiredBot, DesiredInstance
from reconciler.domain.errors import Position
from reconciler.domain.findings import Warning
from reconciler.domain.kinds import Kind
from reconciler.domain.origins import Origin
from reconciler.domain.text import near, quoted
from reconciler.domain.versions import NEWEST, Version
from reconciler.lint.context import LIMITED, Place, of_kinds, place
from reconciler.lint.found import UNKNOWN, Found, Policy, Said, warnings
from reconciler.lint.rules import RULES, Rule

_UNREAD = "never-read"
_KNOWN = frozenset(rule.id for rule in RULES)


def lint(desired: Desired, server: Version = NEWEST, policy: Policy | None = None) -> list[Warning]:
    """All warnings about the manifests, in the order of their places. server: its version."""
    return warnings({one.name: examine(one, server) for one in desired.instances}, policy or Policy())


def examine(instance: DesiredInstance, server: Version) -> Found:
    """What the rules find in an instance, which has origins."""
    useful = _useful(instance)
    contexts = list(of_kinds(instance, server, useful))
    said = []
    seen = Counter[tuple[str, Position, int]]()
    for rule in _rules(server):
        if rule.id in instance.ignored:
            continue
        for remark in rule.remarks(contexts):
            bot = remark.subject if isinstance(remark.subject, DesiredBot) else None
            if bot and rule.id in bot.ignored:
                continue
            at = remark.at
            what, own = (rule.id, at, id(remark.subject)), at.file == instance.at.file
            said.append(Said(at, own, rule.id, seen[what], bot.name if bot else "", remark.text))
            seen[what] += 1
    shared = frozenset(one.at for one in useful.values() if one.source.file != instance.at.file)
    return Found(said, shared, list(_unknown(instance)))


@cache
def _rules(server: Version) -> Sequence[Rule]:
    """The rules that apply to a server of this version."""
    return [rule for rule in RULES if rule.holds(server)]


def unread(server: Version | None, kind: Kind) -> frozenset[str]:
    """The fields of a kind that a server of this version stores and never reads; none of an unknown one."""
    if server is None or not any(rule.id == _UNREAD and rule.holds(server) for rule in RULES):
        return frozenset()
    return kind.unused if kind.uses_fallback else kind.unused | {"fallbackId"}


def _useful(instance: DesiredInstance) -> dict[Place, Origin]:
    """Where the values are that have an effect for some bot: defaults and anchors are shared."""
    found: dict[Place, Origin] = {}
    for bot in instance.bots:
        bot_type, trigger_type = bot.fields.get("botType"), bot.fields.get("triggerType")
        for field in LIMITED[bot.kind.path]:
            if field.applies(bot_type, trigger_type) and (origin := bot.origins.get(field.name)):
                found[place(origin)] = origin
    return found


def _unknown(instance: DesiredInstance) -> Iterator[tuple[Position, dict[str, str]]]:
    """Ids that no rule has, by bot and for the instance, and what is said of each."""
    named = [(instance.at, instance.ignored)]
    for bot in instance.bots:
        origin = bot.origins.get("silence")
        named.append((origin.at if origin else bot.at, bot.ignored - instance.ignored))
    for at, ids in named:
        if UNKNOWN not in ids | instance.ignored and (unknown := ids - _KNOWN):
            known = sorted(_KNOWN)
            yield (
                at,
                {
                    name: f"there is no rule {quoted(name)}{near(name, known)}: correct or remove it"
                    for name in sorted(unknown)
                },
            )
