"""Which instance the server's rows belong to: each answer is checked before it is trusted.

A cache, a proxy or a broken server may answer with the rows of another instance, or with one row twice. Every
row has an id, and all but those of 2.2's settings say which instance they belong to: no id may appear in
answers for two instances, an instance's rows belong to one instance, and no two instances are the same one.
A list of bots is incomplete where a credential of the instance shows more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from reconciler.domain.errors import InstanceError
from reconciler.domain.observed import ObservedInstance, RemoteBot, RemoteCredential
from reconciler.domain.records import replace
from reconciler.domain.text import is_id
from reconciler.evolution import answers
from reconciler.evolution.masking import Secrets
from reconciler.evolution.parsing import NotUnderstood

T = TypeVar("T")


class Belonging:
    """The instances and rows of one server, from all that was read of it so far."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._rows: dict[str, str] = {}
        self.mixed: dict[str, str] = {}
        """Instances whose rows another instance's answer has too, and that instance: neither is trusted."""

    def known(self, ids: Iterable[tuple[str, str]]) -> None:
        """Add instances and their ids, from a list or a plan. An instance's rows must have its id."""
        for name, ident in ids:
            if ident:
                self._ids.setdefault(name, ident)
                self._names.setdefault(ident, name)

    def settle(self, ids: Mapping[str, str]) -> None:
        """Replace what the answers said about the mixed instances by the server's list."""
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
        """Check the rows of an answer, given the id and the instanceId of each. Raises NotUnderstood."""
        seen: set[object] = set()
        for ident, home in rows:
            if isinstance(home, str) and home:
                self._check_home(instance, home)
            if not is_id(ident):
                continue
            if ident in seen:
                raise NotUnderstood(f"it has {ident!r} twice")
            seen.add(ident)
            if (other := self._rows.setdefault(ident, instance)) != instance:
                self._mix(instance, other)
                raise NotUnderstood(f"it has {ident!r}, which the instance {other!r} also has")

    def disbelieved(self, instance: str, secrets: Secrets) -> str:
        """Why what was read of an instance is not trusted, a sentence; "" where it is."""
        if (other := self.mixed.get(instance)) is None:
            return ""
        return (
            f"The server returns the same rows for the instances {secrets.shown(instance)} and "
            f"{secrets.shown(other)}, so neither is used. Check what is in front of the server, such as a "
            "proxy or a cache."
        )

    def _check_home(self, instance: str, home: str) -> None:
        if self._ids.setdefault(instance, home) != home:
            raise NotUnderstood("it has rows of another instance, by their instanceId")
        if (other := self._names.setdefault(home, instance)) != instance:
            self._mix(instance, other)
            raise NotUnderstood(f"it has rows of the instance {other!r}, by their instanceId")

    def _mix(self, instance: str, other: str) -> None:
        self.mixed.setdefault(instance, other)
        self.mixed.setdefault(other, instance)


def hidden(bots: Iterable[RemoteBot], users: frozenset[str]) -> frozenset[str]:
    """The bots that an instance's credentials show as their users, and the list of its bots does not show."""
    ids = {bot.id for bot in bots}
    return frozenset() if "" in ids else users - ids


def check_whole(instance: str, bots: Iterable[RemoteBot], users: frozenset[str]) -> None:
    """Raises InstanceError for an incomplete list of bots. instance: its name, as it may be shown."""
    if absent := hidden(bots, users):
        raise InstanceError(
            f"The server's list of the bots of the instance {instance} is incomplete: a credential shows the "
            f"bot {min(absent)}, and the list does not. Try again. If the error persists, check what is in "
            "front of the server, such as a proxy or a cache."
        )


def with_confirmed_users(observed: Mapping[str, ObservedInstance]) -> dict[str, ObservedInstance]:
    """The instances, without the users of credentials that the lists of bots contradict.

    Deleting a credential deletes the bots that use it: one source is not enough to say that there are none.
    """
    users: dict[object, set[str]] = {}
    doubtful = False
    for one in observed.values():
        for bot in one.bots:
            if bot.kind.credential is None:
                continue
            users.setdefault(bot.fields.get(bot.kind.credential), set()).add(bot.id)
            doubtful = doubtful or bot.kind.credential in dict(bot.unread) or "it" in dict(bot.unread)

    def confirmed(there: Mapping[str, RemoteCredential]) -> dict[str, RemoteCredential]:
        return {
            name: replace(each, users=None)
            if each.users is not None and (doubtful or not users.get(each.id, set()) <= each.users)
            else each
            for name, each in there.items()
        }

    return {
        name: replace(
            one,
            credentials=None if one.credentials is None else confirmed(one.credentials),
            shared_creds={owner: confirmed(there) for owner, there in one.shared_creds.items()},
        )
        for name, one in observed.items()
    }
