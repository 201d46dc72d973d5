"""The manifests that changed since a commit, so that a plan can be limited to them.

Git lists what the commit contains, and the files are compared with that here. Uncommitted and untracked files
count as changed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from hashlib import sha1, sha256
from pathlib import Path, PurePosixPath

from reconciler.domain.desired import Desired, DesiredInstance
from reconciler.domain.errors import ReconcilerError
from reconciler.manifests import git
from reconciler.manifests.asked import shown
from reconciler.manifests.base import start
from reconciler.manifests.discovery import is_defaults, is_manifest


def since(ref: str, directory: Path, desired: Desired) -> Desired:
    """The instances with any file that changed since the merge base of HEAD and ref.

    A file checked out with CRLF for LF has not changed: it means the same. A file that git stores in another
    form, as with LFS, always counts as changed.
    Raises ReconcilerError where git cannot tell: no git, no checkout, no such ref, too shallow a clone.
    """
    top = git.top(directory)
    if top is None:
        raise ReconcilerError(f"--changed-since needs a git checkout, and {directory} is not in one.")
    before = _before(top, ref)

    @cache
    def has_changed(place: Path) -> bool:
        if not place.is_relative_to(top):
            return False  # a folder above the checkout
        return differs(place, before.get(place.relative_to(top).as_posix()))

    resolved = cache(Path.resolve)  # many files lie in few folders
    # A folder's file that was deleted is in no instance's files, so it is looked for in the commit.
    kept = {_place(top / name, resolved) for name in before if is_defaults(name.rpartition("/")[2])}
    folders = {path.parent for path in kept if has_changed(path)}
    return Desired(
        tuple(
            instance
            for instance in desired.instances
            if any(map(has_changed, {each for file in instance.files for each in _places(file, resolved)}))
            or _folders(instance, directory) & folders
        )
    )


def former(ref: str, directory: Path) -> frozenset[str] | None:
    """The instances of those manifests of the merge base of HEAD and ref that have changed or are gone.

    A manifest that has not changed is still that of its instance, so the others need not be read. None where
    only reading all of them tells: with links, or a name that their text does not show.
    Raises ReconcilerError as `since`.
    """
    top = git.top(directory)
    if top is None:
        return None
    folder = directory.resolve().relative_to(top)
    there = {PurePosixPath(path): entry for path, entry in _before(top, ref).items()}
    mine = {path: entry for path, entry in there.items() if path.is_relative_to(folder)}
    if any(entry.kind != "file" for entry in mine.values()):
        return None
    changed = {
        path: entry.id
        for path, entry in mine.items()
        if is_manifest(path.relative_to(folder)) and differs(top / path, entry)
    }
    try:
        texts = git.contents(top, changed.values())
    except git.GitError:
        return None
    names = {shown(Path(path), texts[id]).name for path, id in changed.items()}
    return None if None in names else frozenset(name for name in names if name is not None)


def _before(top: Path, ref: str) -> dict[str, git.Entry]:
    """The files in the merge base of HEAD and ref. Raises ReconcilerError."""
    commit = start(top, ref, "--changed-since")
    try:
        return git.tree(top, commit)
    except git.GitError as error:
        raise ReconcilerError(f"--changed-since: git cannot tell what changed: {error.words}.") from None


def differs(place: Path, before: git.Entry | None) -> bool:
    """Whether a file or link differs from the commit's; a folder never does, its files do."""
    try:
        if place.is_symlink():
            kind, contents = "link", [os.fsencode(os.readlink(place))]  # noqa: PTH115  as it is written
        elif place.is_dir():
            return before is not None and before.kind != "submodule"
        elif place.is_file():
            raw = place.read_bytes()
            kind, contents = "file", [raw, raw.replace(b"\r\n", b"\n")]
        else:
            return before is not None
    except OSError:
        return True
    return (
        before is None or before.kind != kind or before.id not in {_id(each, before.id) for each in contents}
    )


def _id(content: bytes, like: str) -> str:
    """Git's id of this content, SHA-1 or SHA-256 like another id."""
    blob = b"blob %d\0" % len(content) + content
    return sha1(blob, usedforsecurity=False).hexdigest() if len(like) == 40 else sha256(blob).hexdigest()


def _folders(instance: DesiredInstance, directory: Path) -> set[Path]:
    """The directories whose `_defaults` files would apply to the instance."""
    above = [folder for file in instance.files[:1] for folder in Path(file).parents]
    return {folder.resolve() for folder in above if folder.is_relative_to(directory)}


def _places(file: str, resolved: Callable[[Path], Path]) -> set[Path]:
    """Every file or link on the way to a file's content."""
    path = Path(file).absolute()
    here = _place(path, resolved)
    real = path.resolve() if here.is_symlink() else here
    return {real, here, *(_place(folder, resolved) for folder in path.parents)}


def _place(path: Path, resolved: Callable[[Path], Path]) -> Path:
    """The path without links, except for the last part."""
    return resolved(path.parent) / path.name
