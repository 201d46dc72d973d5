"""Which instances are a group: `--group 'varejo-*'`, `--group varejo='loja-*'`, or a folder `bots/varejo`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from reconciler.domain.errors import ReconcilerError
from reconciler.domain.observed import ObservedInstance, RemoteBot
from reconciler.domain.records import dataclass
from reconciler.domain.reports import Candidate
from reconciler.domain.text import near, quoted
from reconciler.importer import naming

_NAMED = re.compile(
    r"(?P<folder>[A-Za-z0-9][\w-]*(?:/[A-Za-z0-9][\w-]*)*)=(?P<glob>.+)", re.ASCII | re.DOTALL
)
_RESERVED = frozenset({"prompts"})


@dataclass(frozen=True, slots=True)
class Group:
    """A declared group: the folder of its files, below that of all manifests, and the instances' names."""

    home: PurePosixPath
    globs: tuple[str, ...]

    def has(self, instance: str) -> bool:
        """Whether an instance belongs to it."""
        return any(instance == glob or fnmatchcase(instance, glob) for glob in self.globs)


def declared(options: Sequence[str]) -> tuple[Group, ...]:
    """The groups that options declare. Raises ReconcilerError."""
    found: dict[str, list[str]] = {}
    for option in options:
        named = _NAMED.fullmatch(option)
        glob = named["glob"] if named else option
        folder = named["folder"] if named else naming.slug(re.sub(r"\[[^]]*\]", " ", glob))
        if not folder or folder in _RESERVED:
            raise ReconcilerError(
                f"--group {quoted(option)} gives its folder no name: write --group FOLDER={glob}."
            )
        found.setdefault(folder, []).append(glob)
    return tuple(Group(PurePosixPath(folder), tuple(globs)) for folder, globs in found.items())


def homes(groups: Iterable[Group], instances: Iterable[str], *, all_read: bool) -> dict[str, PurePosixPath]:
    """The folder of each instance that is in a group.

    all_read: whether the server's other instances were read too, so that a group without any is a mistake.
    Raises ReconcilerError for an instance of two groups, and for such a group.
    """
    names = sorted(instances)
    found: dict[str, PurePosixPath] = {}
    for group in groups:
        its = [name for name in names if group.has(name)]
        if not its and all_read:
            globs = " or ".join(map(quoted, group.globs))
            raise ReconcilerError(f"no instance matches --group {globs}{near(group.globs[0], names)}.")
        for name in its:
            if name in found:
                raise ReconcilerError(
                    f"{quoted(name)} is in two groups, {found[name]} and {group.home}: make the globs of "
                    "--group narrower, as an instance can be in one."
                )
            found[name] = group.home
    return found


def by_folder(
    directory: Path, instances: Iterable[str], known: Mapping[str, PurePosixPath]
) -> dict[str, PurePosixPath]:
    """The folders that a person made for instances: `bots/varejo` for varejo, varejo-centro, varejo_2.

    known: the instances that are in a group already; they stay in it.
    """
    there = (
        [path for path in directory.iterdir() if path.is_dir() and not path.is_symlink()]
        if directory.is_dir()
        else []
    )
    names = sorted((path.name for path in there if path.name not in _RESERVED), key=len, reverse=True)
    found: dict[str, PurePosixPath] = dict(known)
    for folder in names:
        for name in instances:
            if not folder.startswith(".") and re.match(rf"{re.escape(folder)}(?:[-_. ]|$)", name):
                found.setdefault(name, PurePosixPath(folder))
    return found


# -- one name for what is the same bot ----------------------------------------------------------


def names(
    instances: Mapping[str, ObservedInstance], bots: Mapping[str, Mapping[str, str]]
) -> dict[str, dict[str, str]]:
    """Better names for bots of one group, by instance and id: bots that are alike have the same name.

    bots: the names that they would have alone, of those that are free to be named. Bots are alike when they
    are of one kind and have the same trigger; the name is that which most of them have, or what their names
    have in common.
    """
    alike: dict[tuple[object, ...], dict[str, RemoteBot]] = {}
    several: set[tuple[object, ...]] = set()
    for instance, seen in instances.items():
        for bot in seen.bots:
            if bot.id in bots.get(instance, {}) and (key := _trigger(bot)):
                several |= {key} if instance in alike.setdefault(key, {}) else set()
                alike[key][instance] = bot
    found: dict[str, dict[str, str]] = {}
    for key, those in alike.items():
        given = {instance: bots[instance][bot.id] for instance, bot in those.items()}
        if key in several or len(set(given.values())) < 2:
            continue
        name = _name([*given.values()])
        for instance, bot in those.items():
            found.setdefault(instance, {})[bot.id] = name
    return found


def _trigger(bot: RemoteBot) -> tuple[object, ...]:
    fields = bot.fields
    value = fields.get("triggerValue") if fields.get("triggerType") in ("keyword", "advanced") else ""
    types = (fields.get("botType"), fields.get("triggerType"), fields.get("triggerOperator"))
    return (bot.kind.path, *types, str(value))


def _name(given: Sequence[str]) -> str:
    """One name for bots that are alike."""
    most = max(sorted(set(given)), key=given.count)
    if given.count(most) * 2 > len(given):
        return most
    words = [name.split("-") for name in given]
    shared = [word for word in words[0] if all(word in its for its in words)]
    while shared and len(shared[-1]) <= 2:
        shared.pop()
    return "-".join(shared) or most


# -- candidates -------------------------------------------------------------------------------


def candidates(instances: Mapping[str, Mapping[str, tuple[object, ...]]]) -> tuple[Candidate, ...]:
    """Groups that the instances' names suggest, those with most in common first.

    instances: of each the bots' names, and what tells one bot from another.
    """
    by_word: dict[str, list[str]] = {}
    for name in instances:
        if found := re.match(r"[^\W_]+(?=[-_. ])[-_. ]", name):
            by_word.setdefault(found[0], []).append(name)
    made = []
    for word, names in by_word.items():
        if len(names) < 2:
            continue
        bots = [(bot, *what) for name in names for bot, what in instances[name].items()]
        alike = sum(count for count in Counter(bots).values() if count > 1)
        if alike * 2 > len(bots):
            made.append(Candidate(f"{word}*", len(names), len(bots), alike))
    return tuple(sorted(made, key=lambda one: (-one.alike, one.glob)))
