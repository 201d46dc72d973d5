"""The files that manifests are read from, in short: whether any of them has changed, without parsing one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from reconciler.domain.caches import digest
from reconciler.domain.errors import ReconcilerError
from reconciler.domain.records import dataclass
from reconciler.manifests import discovery
from reconciler.manifests.confined import MAX_MANIFEST, UnreadableError
from reconciler.manifests.directory import Directory
from reconciler.manifests.include import Includes

_SECOND = 10**9
_TICK, _COARSE = _SECOND // 50, 2 * _SECOND


@dataclass(frozen=True, slots=True)
class Tree:
    """The files of a directory of manifests.

    contents: a digest of all, with their paths. manifests: the paths of those that may be one. newest: when
    the last one was changed, in nanoseconds since the epoch.
    """

    contents: str
    manifests: frozenset[str]
    newest: int

    def is_older_than(self, moment: int) -> bool:
        """Whether nothing was changed from this moment on, in the same nanoseconds.

        The clock of files is behind by up to 10 ms; where it counts whole seconds, by up to two.
        """
        return self.newest + (_COARSE if self.newest % _SECOND == 0 else _TICK) < moment


def of(directory: Path, texts: Iterable[str]) -> Tree | None:
    """The manifests in the directory, the folders' files, and texts that these include, by their paths.

    None where a file cannot be read, or is not where it may be. Raises nothing.
    """
    try:
        home = Directory(directory, {})
        found = discovery.find(home)
        if found.problems:
            return None
        paths = [*found.manifests, *sorted(found.defaults.values())]
        made = [digest(os.fsencode(path), home.contents(path, MAX_MANIFEST)) for path in paths]
        includes = Includes(home)
        for path in map(Path, texts):
            # Only its own name is looked at here; how the manifests spell its folder, has not changed.
            made.append(digest(os.fsencode(path), includes.text(path, path.name).encode()))
            paths.append(path)
        newest = max((_changed(home.resolved(path)) for path in paths), default=0)
    except (ReconcilerError, UnreadableError, OSError, ValueError):
        return None
    return Tree(digest(*map(str.encode, made)), frozenset(map(str, found.manifests)), newest)


def texts(files: Iterable[Sequence[str]]) -> list[str]:
    """The texts among the files that instances are read from: no manifest, and no folder's file.

    files: of each instance, its manifest first.
    """
    found = {Path(os.path.normpath(file)) for one in files for file in one[1:]}
    return sorted(str(path) for path in found if not discovery.is_defaults(path.name))


def _changed(real: Path) -> int:
    there = real.stat()
    return max(there.st_mtime_ns, there.st_ctime_ns)
