"""Why instances could not be read, as sentences; for missing ones with the names that may be meant."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Collection, Mapping, Sequence

from reconciler.domain.desired import DesiredInstance, declared_kinds
from reconciler.domain.errors import (
    Foreign,
    InstanceError,
    Missing,
    ReconcilerError,
    ServerError,
    Unauthorized,
)
from reconciler.evolution.client import Client
from reconciler.evolution.masking import Secrets

NEAREST = 3
"""The most names that are suggested for one that does not exist."""

MOST_HINTS = 20
"""The most missing instances for which similar names are searched, which takes time."""


def raise_if_common(client: Client, problems: Collection[InstanceError]) -> None:
    """Raise ServerError when no instance could be read for a reason that they have in common."""
    if any(isinstance(problem, Unauthorized) for problem in problems):
        raise ServerError(
            f"The server at {client.url} refuses the key (status 401). Check EVOLUTION_API_KEY: the server's "
            "global key opens every instance, an instance's own token that instance only."
        )
    foreign = [problem.everywhere for problem in problems if isinstance(problem, Foreign)]
    if foreign and len(foreign) == len(problems):
        raise ServerError(foreign[0])


def raise_if_off(off: Mapping[str, str], instances: Collection[DesiredInstance]) -> None:
    """Raise ServerError when the server has none of the kinds of bot that are declared. off: why, by kind."""
    if (missing := declared_kinds(instances)) <= off.keys():
        raise ServerError(" ".join(off[path] for path in sorted(missing)))


async def sentences(client: Client, problems: Mapping[str, InstanceError]) -> dict[str, str]:
    """A sentence for each instance that could not be read."""
    found = {name: str(problem) for name, problem in problems.items()}
    missing = [name for name, problem in problems.items() if isinstance(problem, Missing)][:MOST_HINTS]
    if missing:
        try:
            names = await client.instances()
        except ReconcilerError:
            return found
        found.update({name: f"{found[name]} {_hint(client.secrets, name, names)}" for name in missing})
    return found


def _hint(secrets: Secrets, name: str, names: Sequence[str]) -> str:
    """The existing names that may be meant, a sentence."""
    same = [other for other in names if _folded(other) == _folded(name)]
    if same:
        return (
            "One exists whose name differs only in case, blanks at its ends or Unicode form: "
            f"{', '.join(_exactly(secrets.shown(other)) for other in same)}."
        )
    near = difflib.get_close_matches(name, names, NEAREST)
    if near:
        return f"The nearest names that exist: {', '.join(map(secrets.shown, near))}."
    if not names:
        return "The server has no instances at all: create it, or remove its manifest."
    return (
        f"None of the server's {len(names)} instances has a similar name: create it, or remove its manifest."
    )


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold().strip()


def _exactly(shown: str) -> str:
    """A name in quotes, with its code points where they cannot be seen."""
    return shown if shown.isascii() else f"{shown} ({shown[1:-1]!a})"
