"""Instances that are as they are declared, each planned as soon as it was read. Pure.

Only where its plan depends on no other instance: nothing of it is written or reported, so that no bot moves,
and none of its credentials is created, rotated or deleted. Then what it leaves for the plan of all is its
drafts, and of its bots what is asked about the bots of others.

Most instances of a fleet are so at a glance: each bot is there under its own marker, with the very values
that are declared, and nothing else is. That is found by comparing values alone, for a fifth of what a plan
costs; whatever is not that simple is planned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from sys import intern
from typing import NamedTuple

from reconciler.domain import credential_versions, markers
from reconciler.domain.credential_versions import CredentialVersions
from reconciler.domain.desired import Desired, DesiredBot, DesiredInstance, Fields
from reconciler.domain.hidden import Hidden
from reconciler.domain.kinds import KINDS, Value
from reconciler.domain.observed import Observed, ObservedInstance, RemoteBot, RemoteCredential
from reconciler.domain.records import replace
from reconciler.plan.credentials import CredentialIndex
from reconciler.plan.draft import Draft
from reconciler.plan.options import Options
from reconciler.plan.planner import Drafts, inputs_of, reviewed

_WITH_CREDENTIALS = frozenset(path for path, kind in KINDS.items() if kind.credential)
"""The kinds that are planned of each instance."""


class Settled(NamedTuple):
    """The drafts of an instance, and its bots with no more than the marker and the credential."""

    drafts: Drafts
    bots: tuple[RemoteBot, ...]


def settle(
    desired: DesiredInstance, owners: Iterable[DesiredInstance], seen: ObservedInstance, options: Options
) -> Settled | None:
    """What an instance leaves behind that is as it is declared; None for one that is not.

    owners: the declared instances whose credentials its bots use. seen: without the clashes of credentials.
    """
    owners = tuple(owners)
    if seen.problem is not None or seen.unread or _is_plainly_different(desired, seen, options.owner):
        return None
    if not _are_steady((desired, *owners), seen):
        return None
    every, alone, index = _alone(desired, owners, seen, options)
    observed = replace(alone, parts={seen.server: alone}) if seen.server else alone
    inputs = inputs_of(every, observed, options, {seen.server: index}, "")
    drafts = {part: reviewed(given) for part, given in inputs.items()}
    if any(map(_does_or_says, drafts.values())):
        return None
    found = (item for given in inputs.values() for item in given.matches.found.items())
    return Settled(
        {part: replace(draft, desired=_shortened(draft.desired)) for part, draft in drafts.items()},
        tuple(_short(one.remote, intern(f"[{options.owner}:{name}]")) for name, one in found),
    )


def at_a_glance(
    desired: DesiredInstance, owners: Iterable[DesiredInstance], seen: ObservedInstance, options: Options
) -> Settled | None:
    """As settle, by comparing values alone; None wherever that does not tell, and only a plan does.

    The settings of an instance that is given need not be read: nothing of it is created.
    """
    owners = tuple(owners)
    kinds = _WITH_CREDENTIALS | {bot.kind.path for bot in desired.bots}
    if desired.settings or seen.settings or options.replace or kinds & seen.off.keys():
        return None
    if seen.problem is not None or seen.unread or len(seen.bots) != len(desired.bots):
        return None
    found = _by_name(seen.bots, options.owner)
    if found is None or not _are_steady((desired, *owners), seen):
        return None
    _, _, index = _alone(desired, owners, seen, options)
    parts: dict[str, tuple[list[RemoteBot], set[str]]] = {
        path: ([], set()) for path in KINDS if path in kinds
    }
    for bot in desired.bots:
        there, description = found.get(bot.name, (None, ""))
        if there is None or not _is_the_same(bot, there, description, options.owner):
            return None
        left, taken = parts[bot.kind.path]
        if bot.kind.credential is not None:
            id = there.fields.get(bot.kind.credential)
            if type(id) is not str or (bot.creds is not None and id != _current(index, desired.name, bot)):
                return None
            taken.add(id)
        left.append(_short(there, intern(f"[{options.owner}:{bot.name}]")))
    return Settled(
        {
            (desired.name, path): Draft(
                replace(desired, bots=(), credentials=desired.credentials if KINDS[path].credential else ()),
                (),
                taken=frozenset(taken),
                in_sync=len(left),
            )
            for path, (left, taken) in parts.items()
        },
        tuple([bot for left, _ in parts.values() for bot in left]),
    )


def _by_name(bots: Iterable[RemoteBot], owner: str) -> dict[str, tuple[RemoteBot, str]] | None:
    """Each bot by the name in its marker, and its description without the stamp.

    None where one is not ours alone, by one marker in the form that we write, or is marked as switched off.
    """
    found: dict[str, tuple[RemoteBot, str]] = {}
    for bot in bots:
        text = bot.fields.get("description")
        if bot.unread or type(text) is not str or text.count("[") != 1:
            return None
        marker = markers.pattern(owner).search(text)
        if marker is None or marker[4]:
            return None
        written = f"[{owner}:{marker[1]}]"
        if not marker[0].startswith(written):
            return None
        found[marker[1]] = bot, text[: marker.start()] + written + text[marker.end() :]
    return found


def _is_the_same(bot: DesiredBot, there: RemoteBot, description: str, owner: str) -> bool:
    """Whether the values of a bot are the very ones that are declared.

    description: that of the bot, without the stamp.
    """
    if bot.kind is not there.kind or bot.on_drift == "replace":
        return False
    for name, value in bot.fields.items():
        stored = there.fields.get(name)
        if name == "description":
            if type(value) is not str or markers.describe(value, owner, bot.name) != description:
                return False
        elif value is stored:
            pass  # most texts are, as they are held once
        elif value != stored or type(value) is not type(stored):
            return False
        if isinstance(value, Hidden) and value.real is None:
            return False
    return True


def _is_plainly_different(desired: DesiredInstance, seen: ObservedInstance, owner: str) -> bool:
    """Whether a bot with our marker is missing or has another value, so that there is something to do.

    False where that takes a closer look.
    """
    names = {
        (bot.kind, markers.name_of(str(bot.fields.get("description", "")), owner)): bot.fields
        for bot in seen.bots
    }
    return any(
        (there := names.get((bot.kind, bot.name))) is None
        or any(
            name != "description" and _are_plainly_different(value, there.get(name))
            for name, value in bot.fields.items()
        )
        for bot in desired.bots
    )


def _are_plainly_different(value: Value, stored: Value | None) -> bool:
    """Whether they differ, and neither is empty or hides something."""
    if value == stored or stored is None or value in ("", ()) or stored in ("", ()):
        return False
    return not (isinstance(value, Hidden) or isinstance(stored, Hidden))


def _current(index: CredentialIndex, instance: str, bot: DesiredBot) -> str:
    """The id of the credential that a bot names; "" for none. Of a steady one there is no other version."""
    versions = index.versions(instance, bot.creds or "", bot.creds_owner)
    return versions.current if isinstance(versions, CredentialVersions) else ""


def _alone(
    desired: DesiredInstance, owners: tuple[DesiredInstance, ...], seen: ObservedInstance, options: Options
) -> tuple[Desired, Observed, CredentialIndex]:
    """The instance as if there was no other."""
    every = Desired((desired,), owners)
    alone = Observed("", {desired.name: seen})
    return every, alone, CredentialIndex(every, alone, options)


def _are_steady(declaring: Iterable[DesiredInstance], seen: ObservedInstance) -> bool:
    """Whether each declared credential is there in one version, with its key as far as that is known."""
    return all(
        _is_steady(
            one, (seen.credentials if one.name == seen.name else seen.shared_creds.get(one.name)) or {}
        )
        for one in declaring
    )


def _is_steady(declaring: DesiredInstance, there: Mapping[str, RemoteCredential]) -> bool:
    stored = credential_versions.by_name(there)
    found = (credential_versions.declared(one.name, stored, makes=True) for one in declaring.credentials)
    return all(one is not None and not one.new and not one.old for one in found)


def _does_or_says(draft: Draft) -> bool:
    """Whether a draft has more than bots in sync."""
    return any(
        (draft.changes, draft.before, draft.after, draft.leaves, draft.rotations, draft.old, draft.left)
    )


def _shortened(desired: DesiredInstance) -> DesiredInstance:
    """The instance without the bots that its plan says nothing of."""
    return replace(desired, bots=tuple(filter(_is_unverified, desired.bots)))


def _is_unverified(bot: DesiredBot) -> bool:
    """Whether a value of it is not available here."""
    return any(isinstance(value, Hidden) and value.real is None for value in bot.fields.values())


def _short(bot: RemoteBot, marker: str) -> RemoteBot:
    """A bot with what is asked about the bots of other instances."""
    fields = _fields(marker, bot.kind.credential, bot.fields.get(bot.kind.credential or ""))
    return RemoteBot(bot.id, fields, instance_id=intern(bot.instance_id), kind=bot.kind)


@lru_cache(1000)
def _fields(marker: str, credential: str | None, id: Value | None) -> Fields:
    """The fields of such a bot, the same for bots of one name that share a credential."""
    if credential is None or id is None:
        return {"description": marker}
    return {"description": marker, credential: id}
