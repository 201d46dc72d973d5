"""What a check gets and what it returns: an instance's bots of one kind, and remarks with their places."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Literal

from reconciler.domain.desired import DesiredBot, DesiredInstance, DesiredSettings
from reconciler.domain.errors import Position
from reconciler.domain.kinds import KINDS, Kind, Type, Value
from reconciler.domain.origins import Origin, Source
from reconciler.domain.records import dataclass
from reconciler.domain.versions import NEWEST, Version
from reconciler.lint import triggers
from reconciler.routing.choice import uses_fallback
from reconciler.routing.values import enabled, modern
from reconciler.yaml import MappingNode, Node, ScalarNode, SequenceNode, index

_REWRITTEN: Version = (2, 3, 0)
"""Since when the kinds share their code, which reads and sends less."""

Subject = DesiredBot | DesiredSettings

FIELDS = tuple(
    {
        name: None
        for kind in KINDS.values()
        for name, field in {**kind.fields, **kind.settings}.items()
        if field.type in (Type.TEXT, Type.TEXTS) and field.hides != "whole"
    }
)

LIMITED = {
    path: [field for field in kind.fields.values() if field.bot_types or field.trigger_types]
    for path, kind in KINDS.items()
}
"""The fields of each kind that have an effect for some bots only."""

Place = tuple[str, int]
"""Where a value begins: the file, and the index of the character."""


def place(origin: Origin) -> Place:
    """Where the value begins, found faster than its line and column."""
    return origin.source.file, index(origin.value)


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that the server accepts but will not do as written.

    subject, field: whose value it is about, and the manifest's name of the field. text: what is wrong, then
    what to do. item: which one of a list.
    """

    subject: Subject
    field: str
    text: str
    item: int | None = None

    @property
    def at(self) -> Position:
        """Where the value stands, else its bot or settings."""
        origin = self.subject.origins.get(self.field)
        if origin is None:
            return self.subject.at
        node: Node = origin.value
        if self.item is not None:
            if isinstance(node, MappingNode) and node.value:  # `ignoreJids: {merge: [...]}`
                node = node.value[0][1]
            if isinstance(node, SequenceNode) and self.item < len(node.value):
                node = node.value[self.item]
        return origin.source.at(node)


@dataclass(frozen=True)
class Context:
    """The bots and settings of one kind, of an instance on a server of some version.

    useful: where the values are that have an effect for some bot of the instance.
    """

    instance: DesiredInstance
    kind: Kind
    version: Version = NEWEST
    useful: Container[Place] = ()

    @cached_property
    def bots(self) -> tuple[DesiredBot, ...]:
        """The instance's bots of this kind."""
        return tuple(bot for bot in self.instance.bots if bot.kind is self.kind)

    @property
    def settings(self) -> DesiredSettings | None:
        """The settings of this kind."""
        return self.instance.settings_of(self.kind)

    @property
    def uses_fallback(self) -> bool:
        """Whether the server reads the settings' fallback."""
        return uses_fallback(self.kind, self.version)

    @property
    def unread(self) -> frozenset[str]:
        """The fields that the server stores and never reads."""
        return self.kind.unused if self.version >= _REWRITTEN else frozenset()

    @property
    def passed_key(self) -> Literal["", "instance", "global"]:
        """The key of its own that the server sends along to a bot's URL."""
        return "global" if self.kind.passes_key and self.version < _REWRITTEN else self.kind.passes_key

    def answering(self) -> list[DesiredBot]:
        """The bots that are enabled."""
        return [bot for bot in self.bots if enabled(bot.fields)]

    @cached_property
    def compared(self) -> triggers.Compared:
        """How the triggers of the bots hide each other."""
        return triggers.compare(self.bots, modern(self.version))

    @cached_property
    def holders(self) -> tuple[tuple[Subject, Mapping[str, Value]], ...]:
        """The settings and the bots, which share fields."""
        own = ((self.settings, self.settings.fields),) if self.settings else ()
        return (*own, *((bot, bot.fields) for bot in self.bots))

    @cached_property
    def written(self) -> Sequence[tuple[Subject, str, Source, int | None, ScalarNode]]:
        """Every scalar of the fields that are texts or lists of them: subject, field, source, item, node."""
        found: list[tuple[Subject, str, Source, int | None, ScalarNode]] = []
        names = self.has(FIELDS)
        for subject, _ in self.holders:
            for name in names:
                if origin := subject.origins.get(name):
                    node = origin.value
                    if isinstance(node, MappingNode) and node.value:  # `ignoreJids: {merge: [...]}`
                        node = node.value[0][1]
                    if isinstance(node, ScalarNode):
                        found.append((subject, name, origin.source, None, node))
                    elif isinstance(node, SequenceNode):
                        found += (
                            (subject, name, origin.source, item, each)
                            for item, each in enumerate(node.value)
                            if isinstance(each, ScalarNode)
                        )
        return found

    def has(self, names: Sequence[str]) -> Sequence[str]:
        """Those of the names that are fields of this kind, or of its settings."""
        return [name for name in names if name in self.kind.fields or name in self.kind.settings]

    def effective(self, subject: Subject, field: str) -> tuple[Subject, Value | None]:
        """A field's declared value: the bot's, else that of the settings, which a create copies."""
        if field not in subject.fields and self.settings:
            return self.settings, self.settings.fields.get(field)
        return subject, subject.fields.get(field)


def of_kinds(instance: DesiredInstance, version: Version, useful: Container[Place]) -> Iterator[Context]:
    """What is declared of each kind, in the order of KINDS."""
    declared = {bot.kind.path for bot in instance.bots} | instance.settings.keys()
    for path, kind in KINDS.items():
        if path in declared:
            yield Context(instance, kind, version, useful)
