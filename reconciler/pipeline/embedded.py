"""The embedded server of --sandbox: where it keeps its state, and what it starts with."""

from __future__ import annotations

import os
from pathlib import Path

from reconciler.domain import files
from reconciler.domain.desired import Desired
from reconciler.domain.errors import ReconcilerError

SANDBOX_FILE = Path(".reconciler/sandbox.db")
"""Where `--sandbox` keeps its state, from the current directory."""

SALT_FILE = SANDBOX_FILE.with_suffix(".salt")
"""Random bytes of this machine, from which the placeholders are made that are stored for real keys."""
_SALT_BYTES = 32


def make_home() -> None:
    files.folders(SANDBOX_FILE.parent, below=Path(), private=True)
    files.ensure(SANDBOX_FILE.with_name(".gitignore"), b"*\n")


def salt() -> bytes:
    """Random bytes that only this user can read; made on first use. Raises ReconcilerError."""
    make_home()
    files.ensure(SALT_FILE, os.urandom(_SALT_BYTES), private=True)
    files.restrict(SALT_FILE)
    salt = files.read(SALT_FILE, _SALT_BYTES, through_link=False)
    if len(salt) != _SALT_BYTES:
        raise ReconcilerError(f"{SALT_FILE} is damaged: delete it, and run this again.")
    return salt


def seeds(desired: Desired) -> dict[str, set[str]]:
    """What the embedded server starts with: the instances that the manifests name, and their credentials.

    Without the credentials that a manifest declares: apply creates those.
    """
    every = (*desired.instances, *desired.creds_owners)
    declared = {(instance.name, one.name) for instance in every for one in instance.credentials}
    found: dict[str, set[str]] = {instance.name: set() for instance in desired.instances}
    for instance in desired.instances:
        named = [(bot.creds_owner or instance.name, bot.creds) for bot in instance.bots]
        named += [(instance.name, one.creds) for one in instance.settings.values()]
        for owner, creds in named:
            if creds is not None:
                found.setdefault(owner, set())
                if (owner, creds) not in declared:
                    found[owner].add(creds)
    return found
