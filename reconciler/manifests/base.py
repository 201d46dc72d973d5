"""The manifests of another commit: what a pull request starts from.

They are written to a directory of their own and loaded as the work tree's are, so that they mean the same.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from reconciler.domain import files
from reconciler.domain.desired import Desired
from reconciler.domain.errors import ManifestError, ReconcilerError
from reconciler.domain.records import dataclass
from reconciler.domain.servers import NONE, Servers
from reconciler.domain.text import quoted
from reconciler.manifests import git
from reconciler.manifests.load import NoManifestsError, load


@dataclass(frozen=True, slots=True)
class Base:
    """What the manifests declared at a commit. invalid: why they cannot be loaded, "" when they can."""

    commit: str
    desired: Desired
    invalid: str = ""


def read(
    ref: str, directory: Path, option: str, servers: Servers = NONE, asked: Collection[str] = ()
) -> Base:
    """The manifests in the commit where HEAD left a branch or commit. option: for errors.

    servers: those of reconciler.toml as it is now. asked: see load.read_all.

    Raises ReconcilerError where git cannot tell: no git, no checkout, no such ref, too shallow a clone.
    """
    top = git.top(directory)
    if top is None:
        raise ReconcilerError(f"{option} needs a git checkout, and {directory} is not in one.")
    folder = directory.resolve().relative_to(top).as_posix()
    commit = start(top, ref, option)
    try:
        with _written(top, commit, folder) as place:
            return _loaded(commit, place, directory, servers, asked)
    except OSError as error:
        raise ReconcilerError(
            f"{option}: the manifests of {ref} cannot be written to a temporary directory: {error.strerror}."
        ) from None
    except git.GitError as error:
        raise ReconcilerError(f"{option}: git cannot read the manifests of {ref}: {error.words}.") from None
    except NoManifestsError:
        return Base(commit, Desired(()))


def _loaded(commit: str, place: Path, directory: Path, servers: Servers, asked: Collection[str]) -> Base:
    """The manifests in a temporary directory, which no message names."""
    try:
        return Base(commit, load(place, origins=False, servers=servers, asked=asked))
    except ManifestError as error:
        number = len(error.problems)
        first = error.problems[0].message.replace(str(place), str(directory))
        return Base(commit, Desired(()), f"{number} error{'s' if number > 1 else ''}, such as: {first}")


def start(top: Path, ref: str, option: str) -> str:
    """The commit where HEAD left a branch or commit. option: for the error. Raises ReconcilerError."""
    try:
        return git.merge_base(top, git.resolve(top, "HEAD"), git.resolve(top, ref))
    except git.GitError as error:
        why = error.words or "the two have no common commit"
    if _is_shallow(top):
        why += (
            ". The clone is shallow, so the commit may be missing: fetch all commits, with fetch-depth: 0 "
            "at actions/checkout, or with git fetch --unshallow"
        )
    raise ReconcilerError(f"{option}: git cannot tell what changed: {why}.")


def _is_shallow(top: Path) -> bool:
    try:
        return git.is_shallow(top)
    except git.GitError:
        return False


@contextmanager
def _written(top: Path, commit: str, folder: str) -> Iterator[Path]:
    """A directory with the files and links of a folder at a commit. Raises GitError, NoManifestsError."""
    prefix = "" if folder == "." else f"{folder}/"
    entries = {
        _safe(path.removeprefix(prefix)): entry
        for path, entry in git.tree(top, commit).items()
        if path.startswith(prefix) and entry.kind != "submodule"
    }
    if not entries:
        raise NoManifestsError("there is no manifest")
    contents = git.contents(top, (entry.id for entry in entries.values()))
    from tempfile import TemporaryDirectory  # noqa: PLC0415  slow to import

    with TemporaryDirectory(prefix="reconciler-base-") as temporary:
        place = Path(temporary).resolve()
        # Links come last, so that no file is written through one.
        for path, entry in sorted(entries.items(), key=lambda one: one[1].kind == "link"):
            target = place / path
            files.folders(target.parent, below=place)
            if entry.kind == "link":
                target.symlink_to(os.fsdecode(contents[entry.id]))
            else:
                target.write_bytes(contents[entry.id])
        yield place


def _safe(path: str) -> str:
    """The path, if it stays in its folder. Raises GitError for what no honest tree has."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\0" in path:
        raise git.GitError(f"the commit has the path {quoted(path)}")
    return path
