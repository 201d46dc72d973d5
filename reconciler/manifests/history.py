"""What git knows of the manifests' past: which instances they ever named, and which commit changed what."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import cached_property
from pathlib import Path, PurePosixPath

from reconciler.domain.desired import Desired
from reconciler.domain.servers import NONE, Servers, local
from reconciler.manifests import git
from reconciler.manifests.changed import differs

MOST = 50
"""The most instances that are looked for one by one, which takes a look at every commit for each."""

COMMITS = 2000
"""The most commits in which the last change of a file is looked for."""

_ENDINGS = {".yaml", ".yml", ".json"}


class History:
    """The history of a directory of manifests. Where git cannot tell, nothing is known."""

    def __init__(self, directory: Path, desired: Desired, servers: Servers = NONE) -> None:
        self._directory, self._servers = directory, servers
        self._files = {one.name: one.files for one in desired.instances}
        self._commits: dict[str, str] = {}

    @cached_property
    def _top(self) -> Path | None:
        return git.top(self._directory)

    @cached_property
    def _folder(self) -> str:
        """The directory, from the top."""
        return "" if self._top is None else self._directory.resolve().relative_to(self._top).as_posix()

    @cached_property
    def is_shallow(self) -> bool:
        """Whether the clone lacks a part of the history."""
        try:
            return self._top is not None and git.is_shallow(self._top)
        except git.GitError:
            return False

    @cached_property
    def _changes(self) -> dict[str, str]:
        """The last commit of each path; {} where a shallow clone would name a wrong one."""
        if self._top is None or self.is_shallow:
            return {}
        try:
            return git.last_changes(self._top, self._folder, COMMITS)
        except git.GitError:
            return {}

    @cached_property
    def _by_stem(self) -> dict[str, str]:
        """The last commit of each manifest's file, by its name without the ending."""
        found: dict[str, str] = {}
        for path, commit in self._changes.items():
            place = PurePosixPath(path)
            if place.suffix.lower() in _ENDINGS:
                found.setdefault(place.stem, commit)
        return found

    @cached_property
    def _now(self) -> dict[str, git.Entry]:
        """The files of the last commit."""
        try:
            return {} if self._top is None else git.tree(self._top, git.resolve(self._top, "HEAD"))
        except git.GitError:
            return {}

    def commit(self, instance: str) -> str:
        """The last commit that changed an instance's manifest, abbreviated; "" where that is not known.

        None is behind what is not committed yet.
        """
        if self._top is None:
            return ""
        if instance in self._files:
            return self.edited(self._files[instance][:1])
        there = {PurePosixPath(path).stem for path in self._now if path.endswith(tuple(_ENDINGS))}
        name = self._local(instance)
        return "" if name in there else self._by_stem.get(name, "")

    def _local(self, instance: str) -> str:
        """An instance's name in manifests."""
        return local(self._servers.of(instance), instance)

    def edited(self, files: Iterable[str]) -> str:
        """The last commit that changed any of these files, abbreviated; "" where one is not committed."""
        found = {self._last(file) for file in files}
        return "" if "" in found else next((commit for commit in self._order if commit in found), "")

    @cached_property
    def _order(self) -> list[str]:
        """The commits that changed a file last, the newest first."""
        return list(dict.fromkeys(self._changes.values()))

    def _last(self, file: str) -> str:
        """The last commit that changed a file; "" where it is not known, or the file is not committed."""
        if file not in self._commits:
            place, path = Path(file).absolute(), ""
            if self._top is not None and place.is_relative_to(self._top):
                path = place.relative_to(self._top).as_posix()
            commit = self._changes.get(path, "")
            self._commits[file] = "" if commit and differs(place, self._now.get(path)) else commit
        return self._commits[file]

    def named(self, instances: Collection[str]) -> frozenset[str]:
        """Those of these instances that a commit named, by the name of a file or by the key `instance`.

        A commit does not tell for which server.
        """
        if self._top is None:
            return frozenset()
        names = {instance: self._local(instance) for instance in instances}
        found = self._by_stem.keys() & set(names.values())
        try:
            for name in sorted(set(names.values()) - found)[:MOST]:
                if git.mentions(self._top, self._folder, _key(name)):
                    found |= {name}
        except git.GitError:
            pass
        return frozenset(instance for instance, name in names.items() if name in found)


def _key(name: str) -> str:
    """An expression for a line that gives the key `instance` this name."""
    literal = re.sub(r"([^\w\s-])", r"\\\1", name)
    return f"""instance["']?[[:space:]]*:[[:space:]]*["']?{literal}(["',}}[:space:]]|$)"""
