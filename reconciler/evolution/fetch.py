"""The fetch stage: what the server has, for every instance that the manifests name.

Reads only. Instances are read side by side, the reads of one instance one after the other. What is wrong
with one instance becomes its problem; what is wrong with the server ends the fetch with one ServerError.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress

from reconciler.domain import credential_versions
from reconciler.domain.desired import Desired, DesiredInstance
from reconciler.domain.errors import InstanceError, Position, ReconcilerError
from reconciler.domain.keys import Keys
from reconciler.domain.observed import Observed, ObservedInstance, RemoteCredential
from reconciler.domain.records import replace
from reconciler.evolution import problems
from reconciler.evolution.answers import Listed
from reconciler.evolution.belonging import with_confirmed_users
from reconciler.evolution.clashes import New, clashes, to_create
from reconciler.evolution.client import Client
from reconciler.evolution.concurrent import side_by_side
from reconciler.evolution.observing import NeedsSettings, Observer, Seen, Settle
from reconciler.evolution.stored_credentials import Declared, StoredCredentials, declared

Others = Callable[[str], bool]
"""Whether an instance is read that no manifest declares."""

Owned = Mapping[str, Mapping[str, RemoteCredential]]
"""The credentials of instances, by instance and name."""

_NO_KEYS = Keys()

OnRead = Callable[[int, int], None]
"""Takes how many instances are read, and how many there are."""


def _say_nothing(number: int, of: int) -> None:
    pass


async def fetch(
    client: Client,
    desired: Desired,
    needs_settings: NeedsSettings,
    keys: Keys = _NO_KEYS,
    others: Others | None = None,
    on_read: OnRead = _say_nothing,
    settle: Settle | None = None,
) -> Observed:
    """Read the bots of every desired instance, and of the rest only what the plan will look at.

    Credentials where they are or were declared, a bot or the settings name one, or the settings do not exist
    yet; settings where they are declared, a credential is rotated, or needs_settings says so. keys: those of
    declared credentials, to compare. others: which of the server's other instances are read too; None for
    none, and then the instances are not listed. on_read: is told how many instances are read, of how many.
    settle: is given each instance as soon as it was read. Raises ServerError.
    """
    client.secrets.add(*keys.known())
    named = declared(desired, keys)
    stored = StoredCredentials(client)
    needs_credentials = {name for name, former in desired.former.items() if former.credentials}
    observer = Observer(client, stored, named, needs_settings, settle, needs_credentials)

    seen, listed, unlisted = await _read_and_list(observer, desired.instances, others, on_read)
    known = {instance.name for instance in desired.instances}
    more = [
        DesiredInstance(name, (), Position("", 1, 1))
        for name in sorted({*listed.ids, *desired.former} - known)
        if (name in listed.ids and others is not None and others(name)) or name in needs_credentials
    ]
    done = len(known)
    seen |= await _read(
        replace(observer, settle=None), more, lambda number, of: on_read(done + number, done + of)
    )
    found, failed = _trusted(client, seen)
    if not found:
        problems.raise_if_common(client, failed.values())
    problems.raise_if_off(observer.off, desired.instances)
    observed = with_confirmed_users({name: one.instance for name, one in found.items()})

    owned = {name: one.credentials for name, one in observed.items() if one.credentials is not None}
    clashes = await _clashes(client, stored, list(to_create(owned, named)))
    unreadable = {owner: error for one in found.values() for owner, error in one.unreadable.items()}
    sentences = await problems.sentences(client, {**unreadable, **failed})

    def complete(name: str) -> ObservedInstance:
        if name in failed:
            return ObservedInstance(name, problem=sentences[name])
        return replace(
            observed[name],
            unreadable_creds={owner: sentences[owner] for owner in sorted(found[name].unreadable)},
            unverified=keys.missing(name),
            clashes=clashes.get(name, {}),
        )

    instances = {instance.name: complete(instance.name) for instance in (*desired.instances, *more)}
    elsewhere = await _elsewhere(client, observed, owned, named, known)
    return Observed(client.url, instances, elsewhere, "", listed.created, unlisted)


async def _read_and_list(
    observer: Observer,
    instances: Sequence[DesiredInstance],
    others: Others | None,
    on_read: OnRead,
) -> tuple[dict[str, Seen | InstanceError], Listed, str]:
    """What was read of the declared instances, and beside that the server's list, or why there is none."""
    listing = asyncio.ensure_future(_list(observer.client, others))
    try:
        seen = await _read(observer, instances, on_read)
        return seen, *await listing
    finally:
        listing.cancel()


async def _list(client: Client, others: Others | None) -> tuple[Listed, str]:
    """The server's instances, and why they cannot be listed."""
    if others is None:
        return Listed({}), ""
    try:
        return await client.listed(), ""
    except ReconcilerError as error:
        return Listed({}), f"only instances that manifests declare were read: {error}"


async def _read(
    observer: Observer, instances: Sequence[DesiredInstance], on_read: OnRead
) -> dict[str, Seen | InstanceError]:
    """What was read of each instance, by name; those whose rows are mixed up are read once more."""
    client = observer.client
    seen: dict[str, Seen | InstanceError] = {}

    async def observe(instance: DesiredInstance) -> None:
        try:
            seen[instance.name] = await observer.observe(instance)
        except InstanceError as error:
            seen[instance.name] = error
        on_read(len(seen), len(instances))

    on_read(0, len(instances))
    await side_by_side(instances, observe, client.concurrency)
    if mixed := [one for one in instances if one.name in client.belonging.mixed]:
        # One of two is right, and the server's list tells which.
        with suppress(ReconcilerError):
            client.belonging.settle((await client.listed()).ids)
        for one in mixed:
            observer.stored.forget(one.name)
        await side_by_side(mixed, observe, client.concurrency)
    return seen


def _trusted(
    client: Client, seen: Mapping[str, Seen | InstanceError]
) -> tuple[dict[str, Seen], dict[str, InstanceError]]:
    """The instances that were read, and why the others were not or are not trusted."""
    found: dict[str, Seen] = {}
    failed: dict[str, InstanceError] = {}
    for name, one in seen.items():
        if isinstance(one, InstanceError):
            failed[name] = one
        elif why := client.belonging.disbelieved(name, client.secrets):
            failed[name] = InstanceError(why)
        else:
            found[name] = one
    return found, failed


async def _clashes(
    client: Client, stored: StoredCredentials, new: Sequence[New]
) -> dict[str, dict[str, str]]:
    """Why the server would refuse to create these credentials, by instance and declared name.

    The credentials of the other instances on the server are read too, where the key may list those.
    """

    def find() -> dict[New, str]:
        return clashes(new, stored.everything(), client.secrets.shown)

    found = find()
    if len(found) < len(new):
        await _read_others(client, stored)
        found = find()
    by_instance: dict[str, dict[str, str]] = {}
    for one, why in found.items():
        by_instance.setdefault(one.instance, {})[one.declared] = why
    return by_instance


async def _read_others(client: Client, stored: StoredCredentials) -> None:
    """Read the credentials of the server's other instances; the server decides about those not read."""

    async def read(name: str) -> None:
        with suppress(InstanceError):
            await stored.read(name)

    asked = stored.asked()
    with suppress(ReconcilerError):
        others = [name for name in await client.instances() if name not in asked]
        await side_by_side(others, read, client.concurrency)


async def _elsewhere(
    client: Client,
    observed: Mapping[str, ObservedInstance],
    owned: Owned,
    declared: Declared,
    known: Collection[str],
) -> dict[str, str]:
    """Which instance's settings name a credential, by its id, among the server's other instances than known.

    They are read only when an old credential, which no other bot uses, would be deleted.
    """
    bots = {bot.id for one in observed.values() for bot in one.bots}
    leaving = [
        old for name, there in owned.items() for old in credential_versions.outdated(declared.of(name), there)
    ]
    if any(old.users is not None and old.users <= bots for old in leaving):
        return await _settings_of_others(client, known)
    return {}


async def _settings_of_others(client: Client, known: Collection[str]) -> dict[str, str]:
    """Which instance's settings name a credential, by its id.

    Instances that cannot be listed or read are left out: the server decides about those.
    """
    found: dict[str, str] = {}
    try:
        others = [name for name in await client.instances() if name not in known]
    except ReconcilerError:
        return found

    async def read(name: str) -> None:
        with suppress(InstanceError):
            row = await client.settings(name)
            if row.exists and isinstance(id_ := row.fields.get("openaiCredsId"), str):
                found[id_] = name

    await side_by_side(others, read, client.concurrency)
    return found
