"""The fetch stage: what the server has, for every instance that the manifests name.

Reads only. Instances are read side by side, the reads of one instance one after the other. What is wrong
with one instance becomes its problem; what is wrong with the server ends the fetch with one ServerError.
"""

from __future__ import annotations

import asyncio
import difflib
import unicodedata
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from reconciler.domain.desired import Desired, DesiredInstance
from reconciler.domain.errors import (
    Disabled,
    InstanceError,
    Missing,
    ReconcilerError,
    ServerError,
    Unauthorized,
)
from reconciler.domain.keys import Keys
from reconciler.domain.observed import Observed, ObservedInstance, RemoteBot, RemoteCredential, not_understood
from reconciler.evolution.belonging import check_whole, hidden
from reconciler.evolution.client import Client
from reconciler.evolution.keyring import Keyring
from reconciler.evolution.masking import Secrets

NeedsSettings = Callable[[DesiredInstance, tuple[RemoteBot, ...]], bool]
"""Whether an instance with these bots on the server will need a create, which copies from its settings."""

_NO_KEYS = Keys()

NEAREST = 3
"""Names that exist, at most, for one that does not."""

MOST_HINTS = 20
"""Missing instances, at most, for which similar names are searched; that takes time."""


async def fetch(
    client: Client, desired: Desired, needs_settings: NeedsSettings, keys: Keys = _NO_KEYS
) -> Observed:
    """Reads the bots of every desired instance, and of what else only what the plan will look at.

    Credentials where they are declared, a bot or the settings name one, or the settings are still to be made;
    settings where they are declared, a credential is rotated, or needs_settings says so. keys: with which
    those of declared credentials are compared. Raises ServerError.
    """
    client.secrets.add(*keys.known())
    keyring = Keyring(client, desired, keys)
    unreadable_creds: dict[str, InstanceError] = {}

    async def observe(instance: DesiredInstance) -> ObservedInstance | InstanceError:
        try:
            return await _observe(client, keyring, instance, needs_settings, unreadable_creds)
        except InstanceError as error:
            return error

    seen = await _each(observe, desired.instances, client.concurrency)
    if mixed := [one for one in desired.instances if one.name in client.belonging.mixed]:
        # One of two is right, and the server's list tells which.
        with suppress(ReconcilerError):
            client.belonging.settle((await client.listed()).ids)
        for one in mixed:
            keyring.forget(one.name)
        seen |= await _each(observe, mixed, client.concurrency)
    observed = {name: one for name, one in seen.items() if isinstance(one, ObservedInstance)}
    problems = {name: one for name, one in seen.items() if isinstance(one, InstanceError)}
    problems |= _mixed(client, observed)
    if not observed:
        _raise_if_common(client, problems.values())
    observed = _with_known_users(observed)
    read = {name: one.credentials for name, one in observed.items() if one.credentials is not None}
    for name, clashes in (await keyring.clashes(read)).items():
        observed[name] = replace(observed[name], clashes=clashes)
    sentences = await _sentences(client, {**unreadable_creds, **problems})
    for instance in desired.instances:
        name = instance.name
        if name in problems:
            observed[name] = ObservedInstance(name, problem=sentences[name])
        else:
            without = {
                creds_owner: sentences[creds_owner]
                for creds_owner in sorted(_creds_owners(instance) & unreadable_creds.keys())
            }
            observed[name] = replace(observed[name], unreadable_creds=without, unverified=keys.missing(name))
    bots = {bot.id for one in observed.values() for bot in one.bots}
    leaving = [old for name, there in read.items() for old in keyring.leaving(name, there)]
    elsewhere: dict[str, str] = {}
    if any(old.users is not None and old.users <= bots for old in leaving):
        elsewhere = await _settings_of_others(client, observed.keys())
    found = {instance.name: observed[instance.name] for instance in desired.instances}
    return Observed(client.url, found, elsewhere)


def _mixed(client: Client, observed: dict[str, ObservedInstance]) -> dict[str, InstanceError]:
    """Takes out the instances whose rows another one has too: whose they are is not known."""
    found = {name: client.belonging.disbelieved(name, client.secrets) for name in observed}
    for name in [name for name, why in found.items() if why]:
        del observed[name]
    return {name: InstanceError(why) for name, why in found.items() if why}


def _with_known_users(observed: Mapping[str, ObservedInstance]) -> dict[str, ObservedInstance]:
    """Without the server's word on who uses a credential, where a bot that was read is not among them.

    Deleting a credential deletes the bots that use it: one source is not enough to say that there are none.
    """
    users: dict[object, set[str]] = {}
    doubtful = False
    for one in observed.values():
        for bot in one.bots:
            users.setdefault(bot.fields.get("openaiCredsId"), set()).add(bot.id)
            doubtful = doubtful or "openaiCredsId" in dict(bot.unread) or "it" in dict(bot.unread)

    def known(there: Mapping[str, RemoteCredential]) -> dict[str, RemoteCredential]:
        return {
            name: replace(each, users=None)
            if each.users is not None and (doubtful or not users.get(each.id, set()) <= each.users)
            else each
            for name, each in there.items()
        }

    return {
        name: replace(
            one,
            credentials=None if one.credentials is None else known(one.credentials),
            shared_creds={creds_owner: known(there) for creds_owner, there in one.shared_creds.items()},
        )
        for name, one in observed.items()
    }


async def _each(
    observe: Callable[[DesiredInstance], Coroutine[None, None, ObservedInstance | InstanceError]],
    instances: Sequence[DesiredInstance],
    concurrency: int,
) -> dict[str, ObservedInstance | InstanceError]:
    """What there is to say of each instance, by name."""
    found: dict[str, ObservedInstance | InstanceError] = {}
    todo = iter(instances)

    async def work() -> None:
        for instance in todo:
            found[instance.name] = await observe(instance)

    await _side_by_side(work, min(concurrency, len(instances)))
    return found


async def _side_by_side(work: Callable[[], Coroutine[None, None, None]], workers: int) -> None:
    """Runs the work so many times over; the first error ends all of it."""
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(work())
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None


async def _observe(
    client: Client,
    keyring: Keyring,
    instance: DesiredInstance,
    needs_settings: NeedsSettings,
    unreadable_creds: dict[str, InstanceError],
) -> ObservedInstance:
    """What is there. unlent: told why a lender can't be read, which is its borrowers' trouble alone."""
    bots = await client.find(instance.name)
    credentials = await keyring.read(instance.name) if _names_own(instance) else None
    if hidden(bots, users := keyring.users(instance.name)):  # or made between the two reads
        bots = await client.find(instance.name)
        check_whole(client.secrets.shown(instance.name), bots, users)
    shared_creds: dict[str, Mapping[str, RemoteCredential]] = {}
    for creds_owner in sorted(_creds_owners(instance)):
        try:
            shared_creds[creds_owner] = await keyring.read(creds_owner)
        except InstanceError as error:
            unreadable_creds[creds_owner] = error
    turning = credentials is not None and keyring.turning(instance.name, credentials)
    turning = turning or any(
        keyring.turning(creds_owner, there) for creds_owner, there in shared_creds.items()
    )
    settings = None
    if turning or instance.settings is not None or needs_settings(instance, bots):
        settings = await client.settings(instance.name)
        if not settings.exists and credentials is None:
            # Who makes the settings needs a credential of the instance's own.
            credentials = await keyring.read(instance.name)
    unread = () if credentials is None else keyring.unread(instance.name)
    return ObservedInstance(
        instance.name,
        bots,
        credentials,
        settings,
        shared_creds,
        unread=tuple((client.secrets.clean(what), not_understood(why)) for what, why in unread),
    )


async def _settings_of_others(client: Client, known: Collection[str]) -> dict[str, str]:
    """Which credential the settings of the server's other instances name, by its id, and the instance.

    Who may not list the instances, or not read one, goes on without: the server has the last word.
    """
    found: dict[str, str] = {}
    try:
        others = iter([name for name in await client.instances() if name not in known])
    except ReconcilerError:
        return found

    async def work() -> None:
        for name in others:
            with suppress(InstanceError):
                row = await client.settings(name)
                if row.exists and isinstance(id_ := row.fields.get("openaiCredsId"), str):
                    found[id_] = name

    await _side_by_side(work, client.concurrency)
    return found


def _names_own(instance: DesiredInstance) -> bool:
    """Whether a credential of the instance's own is declared or named."""
    if instance.credentials or (instance.settings is not None and instance.settings.creds is not None):
        return True
    return any(bot.creds is not None and bot.creds_owner is None for bot in instance.bots)


def _creds_owners(instance: DesiredInstance) -> set[str]:
    return {bot.creds_owner for bot in instance.bots if bot.creds_owner is not None}


# -- what went wrong --------------------------------------------------------------------------


def _raise_if_common(client: Client, problems: Collection[InstanceError]) -> None:
    """When no instance could be read: one sentence for what the instances have in common."""
    if any(isinstance(problem, Unauthorized) for problem in problems):
        raise ServerError(
            f"The server at {client.url} refuses the key (status 401). Check EVOLUTION_API_KEY: the server's "
            "global key opens every instance, an instance's own token that instance only."
        )
    for problem in problems:
        if isinstance(problem, Disabled):
            raise ServerError(str(problem))


async def _sentences(client: Client, problems: Mapping[str, InstanceError]) -> dict[str, str]:
    """What to say of each instance that could not be read: of a missing one also the nearest names."""
    sentences = {name: str(problem) for name, problem in problems.items()}
    missing = [name for name, problem in problems.items() if isinstance(problem, Missing)][:MOST_HINTS]
    if missing:
        try:
            names = await client.instances()
        except ReconcilerError:
            return sentences
        sentences.update(
            {name: f"{sentences[name]} {_hint(client.secrets, name, names)}" for name in missing}
        )
    return sentences


def _hint(secrets: Secrets, name: str, names: Sequence[str]) -> str:
    """Which names that exist may be meant."""
    duplicates = [other for other in names if _alike(other) == _alike(name)]
    if duplicates:
        return (
            "One exists whose name differs only in capitals, blanks at its ends or Unicode form: "
            f"{', '.join(_exactly(secrets.shown(duplicate)) for duplicate in duplicates)}."
        )
    near = difflib.get_close_matches(name, names, NEAREST)
    if near:
        return f"The nearest names that exist: {', '.join(map(secrets.shown, near))}."
    if not names:
        return "The server has no instances at all."
    return f"None of the server's {len(names)} instances has a similar name."


def _alike(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold().strip()


def _exactly(shown: str) -> str:
    """A name in quotes, with its code points where they cannot be seen."""
    return shown if shown.isascii() else f"{shown} ({shown[1:-1]!a})"
