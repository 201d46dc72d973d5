"""The files in the manifests' directory → their contents in the canonical style. Writes nothing.

Formats manifests and folders' `_defaults` files in YAML; JSON is left as it is. What is formatted declares
the same as before: the manifests are loaded with the new contents.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from reconciler.domain.desired import DesiredInstance, essence
from reconciler.domain.errors import ManifestError, Position, Problem
from reconciler.domain.records import dataclass
from reconciler.manifests import discovery
from reconciler.manifests.confined import MAX_MANIFEST, UnreadableError
from reconciler.manifests.decode import decoded
from reconciler.manifests.directory import Directory, shown
from reconciler.manifests.load import load, no_manifests
from reconciler.yaml import MalformedError, Places, ScalarNode, compose, each, tag
from reconciler.yaml.canonical import canonical, unix

APART = frozenset({(), ("bots",)})
"""Mappings whose longer entries have a blank line between them: the file's own, and `bots`."""

_FILE = re.compile(r"""!file\s+["']?([^\s"',\]}]+)""")
"""`!file` and its path, in a file that has errors."""


@dataclass(frozen=True, slots=True)
class Formatted:
    """The new content of a file. path: as it is shown. real: without links."""

    path: Path
    real: Path
    before: bytes
    after: bytes

    @property
    def changed(self) -> bool:
        """Whether the file is not in the canonical style yet."""
        return self.before != self.after


def formatted(directory: Path, paths: Sequence[Path]) -> tuple[list[Formatted], list[Problem]]:
    """The files whose contents change, and what is wrong with others.

    paths: of the files or folders to format; none for all.
    Raises ReconcilerError for a path that is no manifest in the directory, and where the directory has none.
    """
    home = Directory(directory, {})
    found = discovery.find(home)
    if not found.manifests:
        raise no_manifests(directory)
    problems = list(found.problems)
    read = _read(home, sorted([*found.manifests, *found.defaults.values()]), problems)
    wanted = discovery.named(home, {path: real for path, (real, _) in read.items()}, paths)
    made: list[Formatted] = []
    for path, (real, data) in read.items():
        if path not in wanted or path.suffix.lower() == ".json":
            continue
        try:
            text = unix(decoded(data))
            made.append(Formatted(path, real, data, canonical(text, APART).encode()))
        except UnreadableError as error:
            problems.append(Problem(Position(shown(path), error.line, error.column), f"the file {error}"))
        except MalformedError as error:
            problems.append(Problem(Position(shown(path), *Places(text)(error.index)), str(error)))
    made = [one for one in made if one.changed]
    same = declaring_the_same(directory, made)
    for one in made:
        if one not in same:
            message = "the file cannot be formatted without changing what it declares: change it by hand"
            problems.append(Problem(Position(shown(one.path), 1, 1), message))
    named = {shown(path) for path in wanted}
    return same, [one for one in problems if not paths or one.at.file in named]


def _read(home: Directory, paths: Sequence[Path], problems: list[Problem]) -> dict[Path, tuple[Path, bytes]]:
    """Each file's path without links and its bytes, once, without texts that another file includes."""
    read: dict[Path, tuple[Path, bytes]] = {}
    seen: set[Path] = set()
    for path in paths:
        try:
            real = home.resolved(path)
            if real not in seen:
                seen.add(real)
                read[path] = real, home.contents(path, MAX_MANIFEST)
        except UnreadableError as error:
            problems.append(Problem(Position(shown(path), error.line, error.column), f"the file {error}"))
    included = {real for folder, data in read.values() for real in _included(folder.parent, data)}
    return {path: (real, data) for path, (real, data) in read.items() if real not in included}


def _included(folder: Path, data: bytes) -> Iterator[Path]:
    """The files that a manifest includes as texts."""
    if b"!file" in data:
        try:
            nodes = each(compose(decoded(data)))
            names = [node.value for node in nodes if isinstance(node, ScalarNode) and tag(node) == "!file"]
        except (UnreadableError, MalformedError):
            names = _FILE.findall(data.decode(errors="replace"))
        for name in names:
            with suppress(ValueError):  # a NUL
                yield discovery.real(folder / name)


def declaring_the_same(directory: Path, made: Sequence[Formatted]) -> list[Formatted]:
    """Those of the files that declare the same with their new contents."""
    if not made:
        return []
    before = _declared(directory, ())
    if before is None or _declared(directory, made) == before:
        return list(made)
    return [one for one in made if _declared(directory, [one]) == before]


def _declared(directory: Path, made: Sequence[Formatted]) -> list[DesiredInstance] | None:
    """What the manifests declare with these contents; None with errors, which formatting does not correct."""
    try:
        desired = load(directory, {one.real: one.after for one in made}, origins=False, cached=True)
    except ManifestError:
        return None
    return [essence(instance) for instance in desired.instances]
