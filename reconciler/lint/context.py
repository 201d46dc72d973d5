"""What a check gets and what it returns: an instance of the manifests, and remarks with their places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from reconciler.domain.desired import DesiredBot, DesiredInstance, DesiredSettings
from reconciler.domain.errors import Position
from reconciler.domain.kinds import Value
from reconciler.domain.versions import NEWEST, Version
from reconciler.lint import triggers
from reconciler.routing.values import enabled, modern
from reconciler.yaml import MappingNode, Node, SequenceNode

Subject = DesiredBot | DesiredSettings


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
    """An instance on a server of some version.

    useful: the ids of the nodes whose value has an effect for some bot of any instance.
    """

    instance: DesiredInstance
    version: Version = NEWEST
    useful: frozenset[int] = frozenset()

    @property
    def bots(self) -> tuple[DesiredBot, ...]:
        """The instance's bots."""
        return self.instance.bots

    def answering(self) -> list[DesiredBot]:
        """The bots that are enabled."""
        return [bot for bot in self.bots if enabled(bot.fields)]

    @cached_property
    def compared(self) -> triggers.Compared:
        """How the triggers of the instance's bots hide each other."""
        return triggers.compare(self.bots, modern(self.version))

    def holders(self) -> Iterator[tuple[Subject, Mapping[str, Value]]]:
        """The settings and the bots, which share fields."""
        for settings in self.instance.settings.values():
            yield settings, settings.fields
        for bot in self.bots:
            yield bot, bot.fields

    def effective(self, bot: DesiredBot, field: str) -> tuple[Subject, Value | None]:
        """A field's declared value: the bot's, else that of the settings, which a create copies."""
        if field not in bot.fields and (settings := self.instance.settings_of(bot.kind)):
            return settings, settings.fields.get(field)
        return bot, bot.fields.get(field)
