"""Links in a checkout that lead out of it.

A branch may commit one, such as `bots` → `/home/me`. Nothing is written through it, whatever stands behind
it. A link outside of any checkout was made by who uses the machine, and is followed.
"""

from __future__ import annotations

import os
from pathlib import Path

from reconciler.domain.errors import ReconcilerError

_MOST = 40
"""The most links that a path leads through, as on Linux. Beyond that the system reports a loop itself."""


def is_top(folder: Path) -> bool:
    """Whether a directory is the top of a checkout: by its `.git`, which no commit can contain."""
    git = folder / ".git"
    return git.is_file() or (git / "HEAD").is_file() or (git / "HEAD").is_symlink()


def check(path: Path) -> None:
    """Raises ReconcilerError for a path through a link that leads out of the checkout that it is in."""
    try:
        link = _leaving(path)
    except OSError:  # the working directory is gone: whatever is done with the path says so
        return
    if link is not None:
        raise ReconcilerError(
            f"{path} cannot be written: {link.name} is a link that leads out of the repository. Remove the "
            "link, or name the directory that it leads to."
        )


def _leaving(path: Path) -> Path | None:
    """The first link on the way to a path that leads out of its checkout."""
    whole = path if path.is_absolute() else Path.cwd() / path
    at, ahead, links = Path(whole.anchor), [*reversed(whole.parts[1:])], 0
    while ahead:
        part = ahead.pop()
        if part == "..":
            at = at.parent
            continue
        found = at / part
        if not found.is_symlink() or links == _MOST:
            at = found
            continue
        links += 1
        top = next((folder for folder in (at, *at.parents) if is_top(folder)), None)
        target = at / found.readlink()
        if top is not None and not Path(os.path.realpath(target)).is_relative_to(top):
            return found
        at = Path(target.anchor)
        ahead += reversed(target.parts[1:])
    return None
