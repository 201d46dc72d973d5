"""All manifests as they could be read, with what is wrong: which errors stop which instances. Pure.

An instance needs the files that it reads to be valid, and what other instances declare together with it.
"""

from __future__ import annotations

import os.path
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from reconciler.domain.desired import Desired, DesiredInstance
from reconciler.domain.errors import ManifestError, Problem
from reconciler.domain.records import dataclass, field
from reconciler.domain.servers import of_server
from reconciler.domain.text import quoted
from reconciler.manifests import sharing
from reconciler.manifests.directory import shown
from reconciler.manifests.selection import matches


@dataclass(frozen=True, slots=True)
class Loaded:
    """instances: in the order of their files, broken ones as far as they could be read.

    problems: those of single files, without those of several instances together. seen: what a Look made of
    each instance, by the path of its manifest. whole: whether all manifests were read.
    """

    instances: Sequence[DesiredInstance]
    problems: frozenset[Problem]
    seen: Mapping[str, Any] = field(default_factory=dict)
    whole: bool = True

    @property
    def desired(self) -> Desired:
        """The instances by name; of several with one name the first."""
        first = {one.name: one for one in reversed(self.instances)}
        return Desired(tuple(first[name] for name in sorted(first)))

    def has(self, bot: str, instance: str) -> bool:
        """Whether an instance that was read has a bot of this name."""
        return any(
            one.name == instance and any(each.name == bot for each in one.bots) for one in self.instances
        )

    @property
    def every_problem(self) -> frozenset[Problem]:
        """All problems of all manifests."""
        return self.problems | frozenset(_together(self.instances))

    def of_others(self, globs: Sequence[str]) -> tuple[Problem, ...]:
        """The problems that do not concern the instances that the globs match.

        Raises ManifestError with those that do. A broken file whose instance is not known may be of any
        name, so a glob that matches no instance is an error as long as any file is broken.
        """
        every = self.every_problem
        if not every:
            return ()
        names = [one.name for one in self.instances]
        if not globs or not all(any(matches(name, [glob]) for name in names) for glob in globs):
            raise ManifestError(sorted(every))
        if concerning := self._concerning(globs):
            raise ManifestError(sorted(concerning))
        return tuple(sorted(every))

    def _concerning(self, globs: Sequence[str]) -> set[Problem]:
        chosen = [one for one in self.instances if matches(one.name, globs)]
        owners = {bot.creds_owner for one in chosen for bot in one.bots if bot.creds_owner is not None}
        names = {one.name for one in chosen} | owners
        files = files_of(one for one in self.instances if one.name in names)
        above = {str(folder) for one in chosen for folder in PurePath(one.at.file).parents}
        found = {
            problem
            for problem in self.problems
            if problem.at.file in files
            or matches(PurePath(problem.at.file).stem, globs)
            or _is_of_folder(problem.at.file, above)
        }
        if owners - {one.name for one in self.instances}:  # a broken file may declare them
            known = files_of(self.instances)
            found |= {problem for problem in self.problems if problem.at.file not in known}
        rest = [one for one in self.instances if one.name not in names]
        return found | (set(_together(self.instances)) - set(_together(rest)))


def counted(problems: Sequence[Problem]) -> str:
    """How many errors there are, and in which files."""
    files = list(dict.fromkeys(problem.at.file for problem in problems))
    named = ", ".join(files[:3]) + (f" and {len(files) - 3} more files" if len(files) > 3 else "")
    errors = "1 error" if len(problems) == 1 else f"{len(problems)} errors"
    return f"{errors} in other manifests ({named})"


def warning(problems: Sequence[Problem]) -> str:
    """The sentence about errors that do not concern what is selected."""
    return f"{counted(problems)}: `reconciler validate` shows them."


def files_of(instances: Iterable[DesiredInstance]) -> set[str]:
    """The files that are read for the instances, as they stand in problems."""
    return {shown(Path(os.path.normpath(file))) for one in instances for file in one.files}


def _is_of_folder(file: str, folders: set[str]) -> bool:
    """Whether it is, or should have been, the file with the defaults of one of these folders."""
    path = PurePath(file)
    return path.name.startswith("_") and str(path.parent) in folders


def _together(instances: Sequence[DesiredInstance]) -> Iterator[Problem]:
    """What several instances cannot declare side by side."""
    first: dict[str, DesiredInstance] = {}
    for instance in instances:
        other = first.setdefault(instance.name, instance)
        if other is not instance:
            message = f"instance {quoted(instance.name)} is already declared at {other.at}"
            yield Problem(instance.at, f"{message}: keep one of the two")
    every = Desired(tuple(first.values()))
    for server in sorted({one.server for one in every.instances}):
        yield from sharing.problems(of_server(every, server).instances)
