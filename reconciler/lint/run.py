"""`validate`'s warnings: what the server accepts but will not do as written. Pure, from the manifests alone.

rules.py has the rules as data. starting.py, values.py, characters.py, written.py and addresses.py check the
bots of one kind, one instance after another; doubles.py checks several kinds; triggers.py compares what the
bots of a kind match. Here their remarks become warnings: those of ignored rules are left out, and what many
bots share gets one warning.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.domain.desired import Desired, DesiredBot, DesiredInstance
from reconciler.domain.errors import Position
from reconciler.domain.findings import Warning
from reconciler.domain.kinds import KINDS, Kind
from reconciler.domain.text import near, quoted
from reconciler.domain.versions import NEWEST, Version
from reconciler.lint.context import of_kinds
from reconciler.lint.rules import RULES, UNKNOWN
from reconciler.manifests.known import Look

_UNREAD = "never-read"
_NO_EFFECT = "no-effect"
_KNOWN = frozenset(rule.id for rule in RULES)
_LIMITED = {
    path: [field for field in kind.fields.values() if field.bot_types or field.trigger_types]
    for path, kind in KINDS.items()
}
"""The fields of each kind that have an effect for some bots only."""

_NAMED = 2
"""How many bots a warning names before it only counts them."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a repository says about rules, by their ids: those that are ignored, and those that are errors."""

    ignored: frozenset[str] = frozenset()
    errors: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Said:
    """What a rule says of an instance.

    own: whether it is about the instance's manifest, and not a file that it inherits from. nth: of those with
    this place, rule and subject. bot: its name, "" for the settings.
    """

    at: Position
    own: bool
    rule: str
    nth: int
    bot: str
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """What the rules find in one instance alone.

    useful: the places in other files, which it inherits from, of values that have an effect for some bot.
    unknown: ids that no rule has, and where they are named.
    """

    said: Sequence[Said]
    useful: frozenset[Position]
    unknown: Sequence[tuple[Position, Sequence[str]]]


def look(server: Version) -> Look:
    """What the rules find in each instance, as `seen` takes it."""
    return Look(f"lint {server}", lambda instance: _encoded(examine(instance, server)))


def seen(value: Any) -> Found:
    """What a look has seen."""
    said, useful, unknown = value
    return Found(
        [Said(Position(*at), *rest) for at, *rest in said],
        frozenset(Position(*at) for at in useful),
        [(Position(*at), ids) for at, ids in unknown],
    )


def _encoded(found: Found) -> object:
    return [
        [[_place(one.at), one.own, one.rule, one.nth, one.bot, one.text] for one in found.said],
        sorted(map(_place, found.useful)),
        [[_place(at), ids] for at, ids in found.unknown],
    ]


def _place(at: Position) -> list[Any]:
    return [at.file, at.line, at.column]


def lint(desired: Desired, server: Version = NEWEST, policy: Policy = Policy()) -> list[Warning]:
    """All warnings about the manifests, in the order of their places. server: its version."""
    return warnings({one.name: examine(one, server) for one in desired.instances}, policy)


def examine(instance: DesiredInstance, server: Version) -> Found:
    """What the rules find in an instance, which has origins."""
    useful = _useful(instance)
    contexts = list(of_kinds(instance, server, useful))
    said = []
    for rule in RULES:
        if not rule.holds(server) or rule.id in instance.ignored:
            continue
        seen = Counter[tuple[Position, int]]()
        for remark in rule.remarks(contexts):
            bot = remark.subject if isinstance(remark.subject, DesiredBot) else None
            if bot and rule.id in bot.ignored:
                continue
            at, own = remark.at, remark.at.file == instance.at.file
            nth = seen[at, id(remark.subject)]
            said.append(Said(at, own, rule.id, nth, bot.name if bot else "", remark.text))
            seen[at, id(remark.subject)] += 1
    shared = frozenset(at for at in useful if at.file != instance.at.file)
    return Found(said, shared, list(_unknown(instance)))


def warnings(found: Mapping[str, Found], policy: Policy) -> list[Warning]:
    """What was found in instances, by their names, as warnings: what many bots share gets one."""
    useful = frozenset[Position]().union(*(one.useful for one in found.values()))
    places: dict[tuple[Position, str, int], list[tuple[str, Said]]] = {}
    for instance, one in found.items():
        for said in one.said:
            if said.rule not in policy.ignored and not (said.rule == _NO_EFFECT and said.at in useful):
                places.setdefault((said.at, said.rule, said.nth), []).append((instance, said))
    made = [
        Warning(at, rule, f"{_whose(at, those)}: {those[0][1].text}", rule in policy.errors, those[0][1].text)
        for (at, rule, _), those in places.items()
    ]
    if UNKNOWN not in policy.ignored:
        made += _of_unknown(found.values(), error=UNKNOWN in policy.errors)
    return sorted(made)


def unread(server: Version | None, kind: Kind) -> frozenset[str]:
    """The fields of a kind that a server of this version stores and never reads; none of an unknown one."""
    if server is None or not any(rule.id == _UNREAD and rule.holds(server) for rule in RULES):
        return frozenset()
    return kind.unused if kind.uses_fallback else kind.unused | {"fallbackId"}


def _useful(instance: DesiredInstance) -> frozenset[Position]:
    """The places of the values that have an effect for some bot: defaults and anchors are shared."""
    return frozenset(
        origin.at
        for bot in instance.bots
        for field in _LIMITED[bot.kind.path]
        if field.applies(bot.fields.get("botType"), bot.fields.get("triggerType"))
        and (origin := bot.origins.get(field.name))
    )


def _whose(at: Position, those: list[tuple[str, Said]]) -> str:
    """The bots that a warning is about, the first few by name."""
    everywhere = len({instance for instance, _ in those}) > 1 or not those[0][1].own
    names = list(
        dict.fromkeys(
            (f"{said.bot}@{instance}" if everywhere else said.bot)
            if said.bot
            else f"the settings of {quoted(instance)}"
            for instance, said in those
        )
    )
    shown = ", ".join(quoted(name) if not name.startswith("the ") else name for name in names[:_NAMED])
    return f"{shown} and {len(names) - _NAMED} more" if len(names) > _NAMED else shown


def _unknown(instance: DesiredInstance) -> Iterator[tuple[Position, list[str]]]:
    """Ids that no rule has, by bot and for the instance."""
    named = [(instance.at, instance.ignored)]
    for bot in instance.bots:
        origin = bot.origins.get("silence")
        named.append((origin.at if origin else bot.at, bot.ignored - instance.ignored))
    for at, ids in named:
        if UNKNOWN not in ids | instance.ignored and (unknown := ids - _KNOWN):
            yield at, sorted(unknown)


def _of_unknown(found: Iterable[Found], *, error: bool) -> Iterator[Warning]:
    """Warnings about ids that no rule has, each once: at the first bot or instance that names it."""
    seen: set[str] = set()
    for at, ids in (each for one in found for each in one.unknown):
        for name in ids:
            if name not in seen:
                seen.add(name)
                text = f"there is no rule {quoted(name)}{near(name, sorted(_KNOWN))}: correct or remove it"
                yield Warning(at, UNKNOWN, text, error)
