"""Whose the rows of a server are: each answer is checked before it is believed.

A cache, a proxy or a broken server may answer with the rows of another instance, or with one row twice. Every
row has an id, and all but those of 2.2's settings say which instance they belong to: no id may stand in two
answers for two instances, an instance's rows belong to one instance, and no two instances are the same one.
A list of bots is not whole where a credential of the instance shows more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from reconciler.domain.errors import InstanceError
from reconciler.domain.observed import RemoteBot
from reconciler.domain.text import is_id
from reconciler.evolution import answers
from reconciler.evolution.masking import Secrets
from reconciler.evolution.parsing import NotUnderstood

T = TypeVar("T")


class Belonging:
    """What is known of one server, from all that was read of it so far."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._rows: dict[str, str] = {}
        self.mixed: dict[str, str] = {}
        """Instances whose rows another instance's answer has too, and that instance: neither is believed."""

    def known(self, ids: Iterable[tuple[str, str]]) -> None:
        """Instances and their ids, by the server's list or a plan: an instance's rows must have its id."""
        for name, ident in ids:
            if ident:
                self._ids.setdefault(name, ident)
                self._names.setdefault(ident, name)

    def settle(self, ids: Mapping[str, str]) -> None:
        """By the server's list, in the place of what the answers of the instances said that are mixed."""
        for name in self.mixed:
            self._names.pop(self._ids.pop(name, ""), None)
        self._rows = {ident: name for ident, name in self._rows.items() if name not in self.mixed}
        self.mixed = {}
        self.known(ids.items())

    def checked(self, instance: str, read: Callable[[object], T]) -> Callable[[object], T]:
        """A reader of an answer that also checks that its rows are this instance's."""

        def read_and_check(data: object) -> T:
            found = read(data)
            self.check(instance, answers.homes(data))
            return found

        return read_and_check

    def check(self, instance: str, rows: Iterable[tuple[object, object]]) -> None:
        """Check the rows of an answer, by the id and the instanceId of each. Raises NotUnderstood."""
        seen: set[object] = set()
        for ident, home in rows:
            if isinstance(home, str) and home:
                self._check_home(instance, home)
            if not is_id(ident):
                continue
            if ident in seen:
                raise NotUnderstood(f"it holds {ident!r} twice")
            seen.add(ident)
            if (other := self._rows.setdefault(ident, instance)) != instance:
                self._mix(instance, other)
                raise NotUnderstood(f"it holds {ident!r}, which the instance {other!r} has too")

    def disbelieved(self, instance: str, secrets: Secrets) -> str:
        """Why what was read of an instance is not believed, a sentence; "" where it is."""
        if (other := self.mixed.get(instance)) is None:
            return ""
        return (
            f"What the server shows of the instance {secrets.shown(instance)} is not believed: it shows the "
            f"same of {secrets.shown(other)}. Look at what stands in front of it, such as a proxy or a cache."
        )

    def _check_home(self, instance: str, home: str) -> None:
        if self._ids.setdefault(instance, home) != home:
            raise NotUnderstood("it holds rows of another instance, by their instanceId")
        if (other := self._names.setdefault(home, instance)) != instance:
            self._mix(instance, other)
            raise NotUnderstood(f"it holds rows of the instance {other!r}, by their instanceId")

    def _mix(self, instance: str, other: str) -> None:
        self.mixed.setdefault(instance, other)
        self.mixed.setdefault(other, instance)


def hidden(bots: Iterable[RemoteBot], users: frozenset[str]) -> frozenset[str]:
    """The bots of an instance that its credentials show as their users, and the list of its bots does not."""
    ids = {bot.id for bot in bots}
    return frozenset() if "" in ids else users - ids


def check_whole(instance: str, bots: Iterable[RemoteBot], users: frozenset[str]) -> None:
    """Raises InstanceError for a list of bots that is not whole. instance: its name, as it may be shown."""
    if absent := hidden(bots, users):
        raise InstanceError(
            f"The server's list of the bots of the instance {instance} is not whole: a credential shows bot "
            f"{min(absent)}, and the list does not. Try again; if it is so again, look at what stands in "
            "front of the server, such as a proxy or a cache."
        )
