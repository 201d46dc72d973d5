"""Which configuration file counts: the one that is named, or the nearest from here up to the work tree's top.

What is in a directory of manifests is data that a pull request may bring, and is not obeyed: such a directory
and what is below it are left out. So the search goes down from the top.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.cli.config.source import Source
    from reconciler.domain.errors import ReconcilerError

FILES = ("reconciler.toml", "pyproject.toml")
"""In one directory the first of them counts."""

_BOTS = "bots"


def search() -> Source | None:
    """The nearest file, if there is one. Raises ReconcilerError for one that cannot be read or parsed."""
    try:
        here = Path.cwd()
    except OSError:  # it was removed
        return None
    found: Source | None = None
    for directory in _down(here):
        if _is_data(directory, found):
            break
        found = _in(directory, os.path.relpath(directory, here)) or found
    return found


def named(path: str) -> Source | None:
    """The file that a person names, or that of a directory, which may have none. Raises ReconcilerError."""
    from reconciler.cli.config import source

    if Path(path).is_dir():
        found = _in(Path(path), path)
    elif (found := source.load(path)) is None:
        raise _error(f"{path} has no configuration: write a table [tool.reconciler].")
    if found is not None:
        _check_is_none_of_the_data(found.path)
    return found


def of(directory: str) -> Source | None:
    """The file of a directory, which may not be there; none of one that is data. Raises as search."""
    is_one = os.path.isdir(directory)  # noqa: PTH112  of any path, as long as it may be
    found = _in(Path(directory), directory) if is_one else None
    return None if found is None or _is_of_the_data(found.path) else found


def _check_is_none_of_the_data(path: str) -> None:
    if _is_of_the_data(path):
        raise among_manifests(path)


def _is_of_the_data(path: str) -> bool:
    above: Source | None = None
    for directory in _down(Path(path).resolve().parent):
        if _is_data(directory, above):
            return True
        above = _in(directory, str(directory)) or above
    return False


def among_manifests(path: str) -> ReconcilerError:
    """The error about a file that is in a directory of manifests."""
    return _error(
        f"{path} is not read: it is in the directory of the manifests, whose content may come from a pull "
        "request. Move it out of there."
    )


def _error(message: str) -> ReconcilerError:
    from reconciler.domain.errors import ReconcilerError

    return ReconcilerError(message)


def _down(here: Path) -> Iterator[Path]:
    """The directories from the top of the work tree down to here; only here where there is no work tree."""
    above = [here, *here.parents]
    tops = [depth for depth, directory in enumerate(above) if os.path.lexists(directory / ".git")]
    yield from reversed(above[: tops[0] + 1] if tops else above[:1])


def _is_data(directory: Path, found: Source | None) -> bool:
    """Whether it is a directory of manifests, or below one. found: the file above it, which may name them."""
    if found is None:
        return directory.name == _BOTS and not os.path.lexists(directory / ".git")
    return any(directory.is_relative_to(bots) for bots in found.bots())


def _in(directory: Path, shown: str) -> Source | None:
    """The file of a directory. It may be no link, which could lead to data."""
    for name in FILES:
        if os.path.lexists(directory / name):
            from reconciler.cli.config import source

            path = name if shown == "." else str(Path(shown) / name)
            if (found := source.load(path, through_link=False)) is not None:
                return found
    return None
