"""The targets of one instance's declared bots, and why some of them have none. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from reconciler.domain import shared_credentials
from reconciler.domain.credential_versions import CredentialVersions
from reconciler.domain.desired import DesiredBot
from reconciler.domain.hidden import Hidden
from reconciler.domain.observed import RemoteBot
from reconciler.domain.plan import Change, Verb
from reconciler.domain.records import replace
from reconciler.domain.uniqueness import Claim, holds, takes
from reconciler.plan import differ, settings
from reconciler.plan.inputs import Inputs
from reconciler.plan.target import Target, target_of

Targets = Mapping[str, Target]
"""By the bot's name, in the order of the manifest."""


def conflict(instance: str, bot: DesiredBot, reason: str, ids: Sequence[str]) -> Change:
    """The report of a declared bot that cannot be written."""
    return Change(instance, bot.name, Verb.CONFLICT, reason, tuple(ids), at=bot.at, kind=bot.kind)


def find(given: Inputs, draft: settings.Draft) -> tuple[Targets, list[Change]]:
    """The target of every declared bot that can be planned, and the conflicts of the others.

    draft: of the settings, which a create copies. Bots with a blocked change are in neither.
    """
    declared = {bot.name for bot in given.desired.bots}
    conflicts = [
        Change(given.name, name, Verb.CONFLICT, ambiguous.reason, ambiguous.ids, kind=given.kind)
        for name, ambiguous in given.matches.conflicts.items()
        if name not in declared
    ]
    targets: dict[str, Target] = {}
    holders = _Holders(given)
    for bot in given.desired.bots:
        if bot.name in given.blocked:
            continue
        found = _target(given, draft, bot, holders)
        if isinstance(found, Target):
            targets[bot.name] = found
        else:
            conflicts.append(found)
    if why := _no_settings(given, draft, targets):
        creates = [target.bot for target in targets.values() if target.found is None]
        conflicts += [conflict(given.name, bot, why, ()) for bot in creates]
        targets = {name: target for name, target in targets.items() if target.found is not None}
    return _without_stale_triggers(given, targets), conflicts


def first_creates(given: Inputs, draft: settings.Draft, targets: Targets) -> frozenset[str]:
    """The creates that go first, since the first one makes the settings: those that use no shared credential.

    Empty where there are settings, and where all creates are alike.
    """
    if given.kind.credential is None or given.observed.settings_of(given.kind) is None or draft.after.exists:
        return frozenset()
    own_ids = {credential.id for credential in (given.observed.credentials or {}).values()}
    own = {
        name: target.fields[given.kind.credential] in own_ids
        or (target.bot.creds is not None and target.bot.creds_owner is None)
        for name, target in targets.items()
        if target.found is None
    }
    return frozenset(name for name in own if own[name] and not all(own.values()))


class _Holders:
    """Which bots hold a claim. Looked at for rotations only."""

    def __init__(self, given: Inputs) -> None:
        self._given = given

    def other_holds(self, own: RemoteBot) -> bool:
        """Whether another bot holds what this one takes, so that the server refuses any change to it."""
        return any(self._ids.get(claim, set()) - {own.id} for claim in takes(self._given.kind, own.fields))

    @cached_property
    def _ids(self) -> Mapping[Claim, set[str]]:
        found: dict[Claim, set[str]] = {}
        for bot in self._given.observed.bots:
            for claim in holds(self._given.kind, bot.fields):
                found.setdefault(claim, set()).add(bot.id)
        return found


def _target(given: Inputs, draft: settings.Draft, bot: DesiredBot, holders: _Holders) -> Target | Change:
    """The target of a bot, or its conflict."""
    if (ambiguous := given.matches.conflicts.get(bot.name)) is not None:
        return conflict(given.name, bot, ambiguous.reason, ambiguous.ids)
    versions: CredentialVersions | str | None = None
    if bot.creds is not None:
        versions = given.credentials.versions(given.name, bot.creds, bot.creds_owner)
    if isinstance(versions, str):
        return conflict(given.name, bot, versions, ())
    found = given.matches.found.get(bot.name)
    leaves = (
        found is not None
        and versions is not None
        and versions.leaves(found.remote.fields.get("openaiCredsId"))
    )
    target = target_of(
        bot,
        found,
        versions,
        draft.after,
        given.options.owner,
        recreate=given.options.replace or bot.on_drift == "replace",
        late=leaves and found is not None and holders.other_holds(found.remote),
        former=given.former.bots.get(bot.name, frozenset()),
    )
    if why := _unavailable(given, target):
        return conflict(given.name, bot, why, () if target.remote is None else (target.remote.id,))
    return target


def _unavailable(given: Inputs, target: Target) -> str:
    """Why the bot cannot be written now: a value that is to be sent is not available here. "" when it can."""
    if not given.options.needs_keys or not target.differs:
        return ""
    sent = set(target.fields) if target.found is None or target.recreate else set()
    sent |= {change.name for change in differ.changes(target.start, target.fields, given.kind)}
    for name, value in target.fields.items():
        if name in sent and isinstance(value, Hidden) and value.real is None:
            return f"its {name} cannot be sent: {value.why}"
    return ""


def _no_settings(given: Inputs, draft: settings.Draft, targets: Targets) -> str:
    """Why no bot can be created, "" when one can.

    The first create makes the settings, which accept no credential that another instance's settings have. So
    where there are no settings, bots with a shared credential alone cannot be created.
    """
    creates = [target for target in targets.values() if target.found is None]
    if (
        given.kind.credential is None
        or draft.after.exists
        or not creates
        or not all(target.bot.creds_owner for target in creates)
    ):
        return ""
    missing = "the instance has no settings yet, and"
    if draft.problem:
        return f"{missing} they cannot be created: {draft.problem}"
    only = "the server creates them only with a credential of the instance's own, not with a shared one"
    if names := settings.own_names(given.desired, given.observed.credentials or {}):
        return f"{missing} {only}: name one in its settings, {shared_credentials.named(names[0])}"
    own = shared_credentials.own(given.desired.local)
    return f"{missing} {only}: {own}; the bots can go on using the shared one"


def _without_stale_triggers(given: Inputs, targets: Targets) -> Targets:
    """The targets, without trigger values that a bot does not use and that a bot to be written needs."""
    takers: dict[Claim, set[str]] = {}
    for name, target in targets.items():
        if target.differs:
            for claim in takes(given.kind, target.fields):
                takers.setdefault(claim, set()).add(name)
    if not takers:
        return targets
    found: dict[str, Target] = {}
    for name, target in targets.items():
        cleared = differ.without_stale_trigger(target.bot, target.fields)
        # Only what clearing would free counts: a bot that needs anything else of it would still wait.
        freed = holds(given.kind, target.fields) - holds(given.kind, cleared)
        needed = any(takers.get(claim, set()) - {name} for claim in freed)
        found[name] = replace(target, fields=cleared) if needed else target
    return found
