"""Instances that are as they are declared, each planned as soon as it was read. Pure.

Only where its plan depends on no other instance: nothing of it is written or reported, so that no bot moves,
and none of its credentials is created, rotated or deleted. Then what it leaves for the plan of all is its
drafts, and of its bots what is asked about the bots of others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from sys import intern
from typing import NamedTuple

from reconciler.domain import credential_versions
from reconciler.domain.desired import Desired, DesiredBot, DesiredInstance, Fields
from reconciler.domain.hidden import Hidden
from reconciler.domain.kinds import Value
from reconciler.domain.observed import Observed, ObservedInstance, RemoteBot, RemoteCredential
from reconciler.domain.records import replace
from reconciler.plan.credentials import CredentialIndex
from reconciler.plan.draft import Draft
from reconciler.plan.options import Options
from reconciler.plan.planner import Drafts, inputs_of, reviewed


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
    if seen.problem is not None or seen.unread or not _are_steady((desired, *owners), seen):
        return None
    every = Desired((desired,), owners)
    alone = Observed("", {desired.name: seen})
    observed = replace(alone, parts={seen.server: alone}) if seen.server else alone
    index = CredentialIndex(every, alone, options)
    inputs = inputs_of(every, observed, options, {seen.server: index}, "")
    drafts = {part: reviewed(given) for part, given in inputs.items()}
    if any(map(_does_or_says, drafts.values())):
        return None
    found = (item for given in inputs.values() for item in given.matches.found.items())
    return Settled(
        {part: replace(draft, desired=_shortened(draft.desired)) for part, draft in drafts.items()},
        tuple(_short(one.remote, intern(f"[{options.owner}:{name}]")) for name, one in found),
    )


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
