"""The only place that reads API keys: from an environment variable, or from a mounted file.

A key is a SecretStr while plan compares it with the server's, or while apply creates its credential. A Plan
never contains a key, its hash or its length, and an error says only where the key was looked for.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
from collections.abc import Callable, Collection

from reconciler.domain import hidden, shared_credentials
from reconciler.domain.credential_versions import split
from reconciler.domain.desired import (
    Desired,
    DesiredBot,
    DesiredCredential,
    DesiredInstance,
    Fields,
    PasswordRef,
    SecretRef,
    UrlRef,
    UrlTemplate,
)
from reconciler.domain.errors import ManifestError, Problem, ReconcilerError
from reconciler.domain.hidden import Hidden
from reconciler.domain.key_format import fault, part_fault, password_fault, url_fault
from reconciler.domain.keys import Keys
from reconciler.domain.kinds import Field, Kind
from reconciler.domain.plan import Plan
from reconciler.domain.records import replace
from reconciler.domain.secret import SecretStr
from reconciler.domain.text import listed, quoted
from reconciler.manifests.clashes import clashes
from reconciler.manifests.environment import not_a_variable

Read = Callable[[SecretRef, str], SecretStr]
"""Reads the key of the credential of this name. Raises SecretError."""

LONGEST = 255
"""Characters of a key that the server can store."""

_MOST_BYTES = 64 * 1024
_MADE_UP = "sk-sandbox-"
_MADE_UP_URL = "https://sandbox.invalid/?key="
_BLANKS = " \t\r\n\v\f"


_OWN_KEY = "EVOLUTION_API_KEY"


class SecretError(ReconcilerError):
    """Why there is no key: "OPENAI_KEY is not set". Completes a sentence, without a full stop."""


class NoKeyError(SecretError):
    """What is there is not a key: "OPENAI_KEY does not look like a key: it has quotes"."""


def read(ref: SecretRef, name: str = "") -> SecretStr:
    """The key that ref refers to, without blanks around it.

    Raises SecretError, NoKeyError for a text that is not a key (for a UrlRef: not a URL). name: of the
    credential or the field, unused here.
    """
    if isinstance(ref, UrlTemplate):
        url = hidden.put_together(ref.name, _part)
    else:
        url = key = _text(_variable(ref.name) if ref.tag == "env" else _file(ref.name), ref.name)
    if isinstance(ref, UrlRef):
        if message := unfit(ref, url):
            raise NoKeyError(f"{_place(ref)} does not look like a URL: {message}")
        return SecretStr(url)
    if message := unfit(ref, key):
        raise _no_key(ref.name, message)
    if len(key) > LONGEST:
        raise _no_key(ref.name, f"the server stores {LONGEST} characters")
    _not_own(key, ref.name)
    return SecretStr(key)


def unfit(ref: SecretRef, text: str) -> str:
    """Why a text cannot be what ref refers to; "" where it can. Shows no part of it."""
    if text != text.strip(_BLANKS):
        return "it has blanks around it"
    check = (
        url_fault if isinstance(ref, UrlRef) else password_fault if isinstance(ref, PasswordRef) else fault
    )
    return check(text)


def _text(found: str, name: str) -> str:
    """What was found, without blanks around it. Raises SecretError where nothing else is there."""
    text = found.strip(_BLANKS)
    if not text:
        raise SecretError(f"{name} is blank")
    return text


def _part(name: str) -> str:
    """The value of a variable in a URL."""
    text = _text(_variable(name), name)
    if message := part_fault(name, text):
        raise NoKeyError(f"{name} cannot be put into the URL: {message}")
    _not_own(text, name)
    return text


def _not_own(text: str, where: str) -> None:
    for name, value in os.environ.items():  # those of several servers begin so
        if name.startswith(_OWN_KEY) and text == value.strip(_BLANKS):
            raise _no_key(where, f"it is the key of the server itself, {name}")


def refusing(own: Collection[str]) -> Read:
    """`read`, which refuses the keys of servers too, wherever else these are."""

    def checked(ref: SecretRef, name: str) -> SecretStr:
        found = read(ref, name)
        if any(key in found.get_secret_value() for key in own):
            raise _no_key(_place(ref), "it is the key of a server itself")
        return found

    return checked if own else read


def _place(ref: SecretRef) -> str:
    """Where a value is found, for errors."""
    if isinstance(ref, UrlTemplate):
        return f"the URL with {listed(f'${{env:{name}}}' for name in hidden.variables_of(ref.name))}"
    return ref.name


def _no_key(where: str, message: str) -> NoKeyError:
    return NoKeyError(f"{where} does not look like a key: {message}")


def placeholders(salt: bytes) -> Read:
    """The same for the embedded server, whose file must contain no real key: a placeholder for each key.

    Equal keys have equal placeholders and different keys different ones, so that a rotation can be tried; a
    placeholder does not reveal its key. Where no key is available, one is made up. salt: of this machine.
    """

    def placeholder(ref: SecretRef, name: str) -> SecretStr:
        made_up = _MADE_UP_URL if isinstance(ref, UrlRef) else _MADE_UP
        try:
            key = read(ref)
        except NoKeyError:
            raise
        except SecretError:
            return SecretStr(f"{made_up}{split(name)[0]}"[:LONGEST])
        digest = hmac.new(salt, key.get_secret_value().encode(), hashlib.sha256).hexdigest()
        return SecretStr(f"{made_up}{digest[:32]}")

    return placeholder


def keys(desired: Desired, read: Read = read) -> Keys:
    """The keys of all declared credentials.

    Raises ManifestError for a text that is not a key, and for two credentials with the same key: the server
    takes a key once in its database.
    """
    found: dict[tuple[str, str], SecretStr | str] = {}
    first: dict[str, tuple[str, DesiredCredential]] = {}
    problems = []
    declared = [(i.name, one) for i in (*desired.instances, *desired.creds_owners) for one in i.credentials]
    for instance, credential in sorted(declared, key=lambda pair: pair[1].at):
        try:
            key = read(credential.key, credential.name)
        except NoKeyError as error:
            problems.append(
                Problem(credential.at, f"the key of the credential {quoted(credential.name)}: {error}")
            )
            continue
        except SecretError as error:
            found[instance, credential.name] = str(error)
            continue
        found[instance, credential.name] = key
        owner, other = first.setdefault(key.get_secret_value(), (instance, credential))
        if other is not credential:
            problems.append(Problem(credential.at, _twice(instance, credential, owner, other)))
    if problems:
        raise ManifestError(problems)
    return Keys(found)


def variables(desired: Desired) -> dict[str, list[str]]:
    """The variables that manifests name by `!env` and `${env:NAME}`, and what each is for, both in order."""
    found: dict[str, list[str]] = {}
    for instance in (*desired.instances, *desired.creds_owners):
        refs = [(one.key, f"the credential {one.name} of {instance.name}") for one in instance.credentials]
        refs += [
            (value.ref, f"{name} of {bot.name} of {instance.name}")
            for bot in instance.bots
            for name, value in bot.fields.items()
            if isinstance(value, Hidden) and value.ref is not None
        ]
        for ref, use in refs:
            if isinstance(ref, UrlTemplate):
                names = hidden.variables_of(ref.name)
            else:
                names = [ref.name] if ref.tag == "env" else []
            for name in names:
                uses = found.setdefault(name, [])
                if use not in uses:
                    uses.append(use)
    return dict(sorted(found.items()))


def is_set(name: str) -> bool:
    """Whether a variable has a value here."""
    return bool(os.environ.get(name, "").strip(_BLANKS))


def filled(desired: Desired, read: Read = read) -> Desired:
    """The same with the secret values of bots' fields read; one that is not available says why.

    Raises ManifestError for a text that cannot be the field's value, and for two bots that are the same to
    the server with the values that were read.
    """
    problems: list[Problem] = []

    def found(bot: DesiredBot) -> DesiredBot:
        values = dict(bot.fields)
        for name, value in bot.fields.items():
            if not isinstance(value, Hidden) or value.ref is None:
                continue
            try:
                values[name] = _found(bot.kind.fields[name], value.ref, read)
            except NoKeyError as error:
                problems.append(Problem(bot.at, f"{name} of {quoted(bot.name)}: {error}"))
            except SecretError as error:
                values[name] = hidden.of_ref(value.ref, str(error))
        return replace(bot, fields=values)

    def whole(instance: DesiredInstance) -> DesiredInstance:
        if not any(isinstance(value, Hidden) for bot in instance.bots for value in bot.fields.values()):
            return instance
        made = replace(instance, bots=tuple(map(found, instance.bots)))
        problems.extend(Problem(clash.bot.at, clash.message) for clash in clashes(made.bots))
        return made

    made = replace(desired, instances=tuple(map(whole, desired.instances)))
    if problems:
        raise ManifestError(problems)
    return made


def _found(field: Field, ref: SecretRef, read: Read) -> Hidden:
    value = read(ref, field.name).get_secret_value()
    if field.limit is not None and len(value) > field.limit:
        raise NoKeyError(f"{_place(ref)} has {len(value)} characters, and the limit is {field.limit}")
    return Hidden(str(ref), value, ref)


def with_secrets(body: Fields, read: Read, kind: Kind) -> Fields:
    """The body that a step sends, with its secret values read, also those that a saved plan refers to.

    Raises SecretError where a value is not available, NoKeyError for one that a saved plan does not contain.
    """
    found = dict(body)
    for name, value in body.items():
        field = kind.fields.get(name)
        if hidden.lacks_key(value):
            raise NoKeyError(
                f"the {name} on the server contains a key that is written nowhere else: give {name} "
                "another value in the manifest"
            )
        if field is None or not field.hides:
            continue
        if (ref := hidden.ref_of(field, value)) is not None:
            if not isinstance(value, Hidden) or value.real is None:
                found[name] = _found(field, ref, read)
        elif not isinstance(value, Hidden) and hidden.MASK in str(value):
            raise NoKeyError(
                f"{name} contains a secret, which no plan file does: write it as !env in the manifest, or "
                "apply the manifests with --reviewed and this plan"
            )
    return found


def check(plan: Plan, read: Read = read) -> None:
    """Raises ReconcilerError where a saved plan would send a secret that is not valid or not available.

    A credential's key that is not available is no error here: only its own change fails, when it is applied.
    """
    faults: dict[str, None] = {}
    for instance in plan.instances:
        for step in instance.steps:
            try:
                with_secrets(step.body, read, step.kind)
            except SecretError as error:
                faults[f"{quoted(step.bot)} of {quoted(instance.name)}: {error}"] = None
            try:
                if step.secret is not None:
                    read(step.secret, step.bot)
            except NoKeyError as error:
                faults[str(error)] = None
            except SecretError:
                pass
    if faults:
        raise ReconcilerError("\n".join(faults))


def _twice(instance: str, credential: DesiredCredential, owner: str, other: DesiredCredential) -> str:
    way_out = (
        f"name {other.name!r} in its place"
        if owner == instance
        else f"share that one, {shared_credentials.reference(owner, other.name)} ({shared_credentials.WHEN})"
    )
    return (
        f"the credential {credential.name!r} has the same key as {other.name!r} of the instance {owner!r} "
        f"({other.at}), and the server takes a key once in its whole database: {way_out}"
    )


def _variable(name: str) -> str:
    """A variable's value. Its name may be from a saved plan, so it is looked at here too."""
    if message := not_a_variable(name):
        raise NoKeyError(message)
    value = os.environ.get(name)
    if value is None:
        raise SecretError(f"{name} is not set")
    return value


def _file(path: str) -> str:
    try:
        with open(path, "rb", opener=_unblocked) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise NoKeyError(f"{path} is not a file")
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise SecretError(f"{path} cannot be read: {error.strerror or 'it is not readable'}") from None
    except ValueError:  # a NUL in the path
        raise SecretError(f"{path!r} cannot be read: it is no path") from None
    if len(data) > _MOST_BYTES:
        raise _no_key(path, "it is too large")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    # Raised outside of the except block: the decoder's error contains the whole file.
    raise _no_key(path, "it is not UTF-8")


def _unblocked(path: str, flags: int) -> int:
    # Opening a pipe without a writer would block.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
