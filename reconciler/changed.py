"""Which files of the manifests changed since a commit, so that a plan can be limited to them.

Asks git, reads nothing itself. Uncommitted and untracked files have changed too.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from reconciler.errors import ReconcilerError
from reconciler.load import is_defaults
from reconciler.model import Desired, DesiredInstance


def since(ref: str, directory: Path, desired: Desired) -> Desired:
    """The instances of which any file changed since the commit from which HEAD and ref went apart.

    Raises ReconcilerError where git cannot tell: no git, no checkout, no such ref, too shallow a clone.
    """
    if ref.startswith("-") or not ref.isprintable():
        raise ReconcilerError("--changed-since needs a branch, a tag or a commit.")
    top = Path(_git(directory, "rev-parse", "--show-toplevel").removesuffix("\n")).resolve()
    base = _git(directory, "merge-base", "HEAD", ref).strip()
    names = _git(directory, "diff", "--name-only", "--no-renames", "-z", base, "--").split("\0")
    names += _git(top, "ls-files", "--others", "--exclude-standard", "-z").split("\0")
    changed = {_place(top / name) for name in names if name}
    # What a folder's file says is gone with it, so that no instance names it any more.
    folders = {path.parent for path in changed if is_defaults(path.name)}
    return Desired(
        tuple(
            instance
            for instance in desired.instances
            if any(_places(file) & changed for file in instance.files)
            or _folders(instance, directory) & folders
        )
    )


def _folders(instance: DesiredInstance, directory: Path) -> set[Path]:
    """The directories whose `_defaults` files apply to the instance, whether there are any."""
    above = [folder for file in instance.files[:1] for folder in Path(file).parents]
    return {folder.resolve() for folder in above if folder.is_relative_to(directory)}


def _places(file: str) -> set[Path]:
    """Every file or link that decides what is read there."""
    path = Path(file).absolute()
    return {path.resolve(), _place(path), *map(_place, path.parents)}


def _place(path: Path) -> Path:
    """Where a file stands, if it is a link the link itself."""
    return path.parent.resolve() / path.name


def _git(directory: Path, *arguments: str) -> str:
    command = ["git", "-c", "core.quotePath=false", "-C", str(directory), *arguments]
    try:
        run = subprocess.run(command, capture_output=True, check=True)  # noqa: S603 - no shell; the ref is checked
    except FileNotFoundError:
        raise ReconcilerError("--changed-since needs git, which is not installed.") from None
    except subprocess.CalledProcessError as error:
        words = error.stderr.decode(errors="replace").strip().split("\n")[0].removeprefix("fatal: ")
        why = words or "no common commit; fetch more history"
        raise ReconcilerError(f"--changed-since: git cannot tell what changed: {why}.") from None
    return run.stdout.decode(errors="surrogateescape")
