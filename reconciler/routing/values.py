"""What is routed: an instance's bots and settings, and a message. And what comes out: who answers."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property

from reconciler.domain.kinds import KINDS, Kind, Value
from reconciler.domain.records import dataclass, field
from reconciler.domain.versions import NEWEST, Version

CONTACT = "5511999999999@s.whatsapp.net"
"""The JID of a message that names none: some contact."""


class Rule(StrEnum):
    """What decides. Those from ALL to CONTAINS are tried in this order."""

    IGNORED = "ignored"
    SESSION = "session"
    ALL = "all"
    ADVANCED = "advanced"
    EQUALS = "equals"
    REGEX = "regex"
    STARTS_WITH = "startsWith"
    ENDS_WITH = "endsWith"
    CONTAINS = "contains"
    FALLBACK = "fallback"
    NOTHING = "nothing"


STEPS = (
    *(Rule.ALL, Rule.ADVANCED, Rule.EQUALS, Rule.REGEX, Rule.STARTS_WITH, Rule.ENDS_WITH),
    Rule.CONTAINS,
)
"""How the server looks for a trigger that matches."""


@dataclass(frozen=True, slots=True)
class Bot:
    """A bot of a manifest or of the server. name: unique among the bots of its kind in the instance."""

    name: str
    kind: Kind
    fields: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Settings:
    """An instance's settings of a kind. fallback: a bot's name, "" for none."""

    fields: Mapping[str, Value] = field(default_factory=dict)
    fallback: str = ""


NO_SETTINGS = Settings()


@dataclass(frozen=True)
class Instance:
    """What answers on an instance: bots of all kinds, settings by the kind's path, the server's version."""

    bots: tuple[Bot, ...]
    settings: Mapping[str, Settings] = field(default_factory=dict)
    version: Version = NEWEST

    @cached_property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds that have bots."""
        paths = {bot.kind.path for bot in self.bots}
        return tuple(kind for path, kind in KINDS.items() if path in paths)

    @cached_property
    def steps(self) -> Mapping[str, Mapping[Rule, tuple[Bot, ...]]]:
        """By a kind's path, the enabled bots of each step that has any."""
        found: dict[str, dict[Rule, list[Bot]]] = {kind.path: {} for kind in self.kinds}
        for bot in self.bots:
            if enabled(bot.fields) and (rule := step(bot.fields, self.version)):
                found[bot.kind.path].setdefault(rule, []).append(bot)
        return {
            path: {rule: tuple(bots[rule]) for rule in STEPS if rule in bots} for path, bots in found.items()
        }

    def of(self, kind: Kind) -> Settings:
        """The settings of a kind."""
        return self.settings.get(kind.path, NO_SETTINGS)

    def bot(self, kind: Kind, name: str) -> Bot | None:
        """The bot of a kind that has this name."""
        return next((bot for bot in self.bots if bot.name == name and bot.kind is kind), None)

    def value(self, bot: Bot, name: str) -> Value | None:
        """A bot's field, as a create completes it: its own, else that of the settings, else the default."""
        for fields in (bot.fields, self.of(bot.kind).fields):
            if name in fields:
                return fields[name]
        return bot.kind.fields[name].default


@dataclass(frozen=True, slots=True)
class Message:
    """A message. from_me: the number itself sent it. session: the bot whose session with the JID is open."""

    text: str
    jid: str = CONTACT
    from_me: bool = False
    session: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Who of a kind answers a message, by which rule.

    bots: any one of them, since the server has no order between them; none when nobody answers.
    chosen: the same, and those that then say nothing. broken: bots whose triggers are errors of the server;
    the message is lost when one of them is tried before another matches. undecided: bots of which it is not
    known whether their triggers match.
    """

    rule: Rule
    bots: tuple[str, ...] = ()
    chosen: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()

    @property
    def silent(self) -> bool:
        """Whether nobody may answer."""
        return not self.bots or len(self.bots) < len(self.chosen) or bool(self.broken or self.undecided)


def enabled(fields: Mapping[str, Value]) -> bool:
    """Whether the bot takes part at all. A bot that does not say so does."""
    return fields.get("enabled", True) is True


def modern(version: Version) -> bool:
    """Whether the server's image runs Node 24 rather than Node 20."""
    return version >= (2, 3, 3)


def step(fields: Mapping[str, Value], version: Version) -> Rule | None:
    """The step at which a bot is asked; None for one that no message starts."""
    match fields.get("triggerType"):
        case "all":
            return Rule.ALL
        case "none":
            return Rule.ALL if version >= (2, 3, 0) else None
        case "advanced":
            return Rule.ADVANCED
        case "keyword" if (operator := fields.get("triggerOperator")) in STEPS[2:]:
            return Rule(str(operator))
    return None
