"""A plan of chosen bots alone: what they need is planned with them, and nothing is said of the rest. Pure.

A chosen bot that is created gets what it needs: the credential that it names, where the server has no version
of it, and the settings of its instance, where these do not exist. Keys are not compared, as a rotation moves
other bots too. Where another bot holds what a chosen one needs, the chosen one is a conflict.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from reconciler.domain import credential_versions
from reconciler.domain.desired import Desired, DesiredInstance
from reconciler.domain.errors import ReconcilerError
from reconciler.domain.observed import Observed, ObservedInstance, RemoteCredential
from reconciler.domain.plan import Change, InstancePlan, Of, Plan, Verb
from reconciler.domain.records import dataclass, replace
from reconciler.domain.text import near, quoted
from reconciler.plan.located import answering
from reconciler.plan.switch import Address, address, matches

_NEEDED = frozenset({Verb.CREATE, Verb.CONFLICT})
"""What is planned of a credential that a chosen bot names."""


@dataclass(frozen=True, slots=True)
class Targets:
    """The bots that are chosen. credentials: those that they name, (instance, name)."""

    addresses: tuple[Address, ...]
    credentials: frozenset[tuple[str, str]] = frozenset()

    def match(self, bot: str, instance: str) -> bool:
        """Whether a bot is chosen."""
        return any(matches(bot, one.bot) and matches(instance, one.instance) for one in self.addresses)

    def have(self, change: Change) -> bool:
        """Whether a change is one of a chosen bot, or of what it needs. A move is one on both instances."""
        if change.of is Of.BOT:
            ends = (change.instance, change.other) if change.other else (change.instance,)
            return any(self.match(change.name, instance) for instance in ends)
        if change.of is Of.CREDENTIAL:
            return change.verb in _NEEDED and (change.instance, change.bot) in self.credentials
        return change.verb is not Verb.FORGET

    def have_any(self, instance: DesiredInstance) -> bool:
        """Whether any bot that an instance declares is chosen."""
        return any(self.match(bot.name, instance.name) for bot in instance.bots)


def parse(texts: Iterable[str]) -> tuple[Address, ...]:
    """The addresses that --target names. Raises ReconcilerError."""
    found = tuple(address(text) for text in texts)
    for one in found:
        if one.is_id:
            raise ReconcilerError(f"{quoted(str(one))} names a bot by its id: write BOT@INSTANCE.")
    return found


def targets(addresses: tuple[Address, ...], desired: Iterable[Desired]) -> Targets:
    """The bots of these addresses, with the credentials that they name in any of these manifests."""
    chosen = Targets(addresses)
    names = {
        (bot.creds_owner or one.name, bot.creds)
        for each in desired
        for one in each.instances
        for bot in one.bots
        if bot.creds is not None and chosen.match(bot.name, one.name)
    }
    return replace(chosen, credentials=frozenset(names))


def with_needed_settings(desired: Desired, observed: Observed, chosen: Targets) -> Desired:
    """The manifests with the settings of those instances alone where a chosen bot needs them."""
    return replace(
        desired,
        instances=tuple(
            _with_needed_settings(one, observed.instances.get(one.name), chosen) for one in desired.instances
        ),
    )


def _with_needed_settings(
    one: DesiredInstance, seen: ObservedInstance | None, chosen: Targets
) -> DesiredInstance:
    """Those of the kinds of its chosen bots that do not exist."""
    rows = {} if seen is None else seen.settings
    kinds = {bot.kind.path for bot in one.bots if chosen.match(bot.name, one.name)}
    needed = {path for path, row in rows.items() if not row.exists and path in kinds}
    return replace(one, settings={path: each for path, each in one.settings.items() if path in needed})


def without_keys(observed: Observed) -> Observed:
    """What was read, as if no key had been compared: nothing is rotated."""

    return replace(observed, instances={name: _without_keys(one) for name, one in observed.instances.items()})


def _without_keys(one: ObservedInstance) -> ObservedInstance:
    def unknown(there: Mapping[str, RemoteCredential]) -> dict[str, RemoteCredential]:
        return {name: replace(credential, same=None) for name, credential in there.items()}

    stored = credential_versions.by_name(one.credentials or {})
    return replace(
        one,
        credentials=None if one.credentials is None else unknown(one.credentials),
        clashes={name: why for name, why in one.clashes.items() if name not in stored},
        shared_creds={owner: unknown(each) for owner, each in one.shared_creds.items()},
    )


def check(chosen: Targets, every: Desired, plan: Plan) -> None:
    """Raises ReconcilerError for an address that no bot has, declared or in the plan."""
    declared = [(bot.name, one.name) for one in every.instances for bot in one.bots]
    there = [(change.label, change.instance) for change in plan.changes() if change.of is Of.BOT]
    for one in chosen.addresses:
        if not any(Targets((one,)).match(*place) for place in (*declared, *there)):
            names = [f"{bot}@{instance}" for bot, instance in declared]
            raise ReconcilerError(f"no bot matches {quoted(str(one))}{near(str(one), names)}.")


def only(plan: Plan, desired: Desired, chosen: Targets) -> Plan:
    """The plan without what is not chosen, and with a note that says so."""
    declared = {one.name: one for one in desired.instances}
    instances = [_only(one, declared.get(one.name), chosen) for one in plan.instances]
    kept = [
        one
        for one in instances
        if one.changes
        or one.problem is not None
        or (one.name in declared and chosen.have_any(declared[one.name]))
    ]
    return replace(plan, instances=tuple(kept), notes=(_note(chosen.addresses), *plan.notes))


def _only(plan: InstancePlan, declared: DesiredInstance | None, chosen: Targets) -> InstancePlan:
    changes = tuple(change for change in plan.changes if chosen.have(change))
    if declared is None:
        return replace(plan, changes=changes)
    bots = [bot.name for bot in declared.bots if chosen.match(bot.name, plan.name)]
    names = {name for instance, name in chosen.credentials if instance == plan.name}
    values = tuple(f" of {bot}" for bot in bots)
    differ = {change.bot for change in changes if change.of is Of.BOT}
    return replace(
        plan,
        changes=changes,
        in_sync=0 if plan.problem is not None else sum(bot not in differ for bot in bots),
        credentials={name: one for name, one in plan.credentials.items() if name in names},
        unverified={
            name: why for name, why in plan.unverified.items() if name in names or name.endswith(values)
        },
        answering=answering(declared, changes),
    )


def _note(addresses: Sequence[Address]) -> str:
    names = ", ".join(str(one) for one in addresses[:3]) + (", …" if len(addresses) > 3 else "")
    return (
        f"only {names} and what it needs was looked at: other bots and settings were not, and keys of "
        "credentials were not compared"
    )
