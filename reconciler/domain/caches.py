"""The user's directory for caches: where it is, who can write to it, and what code made what lies there.

It is the user's own and never in a checkout, where a pull request could put a file.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

from reconciler.domain import files

try:
    from _blake2 import blake2b  # hashlib's own, without OpenSSL, which hashlib loads too: 3 ms
except ImportError:
    from hashlib import blake2b

_FOLDER = "evolution-reconciler"


def digest(*parts: bytes) -> str:
    """A digest of the parts, each apart from the next."""
    made = blake2b(digest_size=16)
    for part in parts:
        made.update(b"%d:" % len(part))
        made.update(part)
    return made.hexdigest()


def place(what: str, directory: Path, *about: bytes) -> Path | None:
    """Where the cache of a directory of manifests lies; None where there can be none.

    what: is kept there, the beginning of the file's name. about: what else the file is for.
    """
    home = _home()
    try:
        if not _is_own(home, directory):
            return None
        name = digest(os.fsencode(directory), os.fsencode(directory.resolve()), *about)
    except OSError:  # the current directory was deleted
        return None
    return home / _FOLDER / f"{what}-{name}"


def make_folder(path: Path) -> None:
    """Make the folder of a file of `place`. Raises OSError, ReconcilerError."""
    _home().mkdir(parents=True, exist_ok=True)
    files.folders(path.parent, below=_home(), private=True)


def _home() -> Path:
    """The directory for the user's caches."""
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        found = Path(os.environ.get(name, ""))
        if found.is_absolute():
            return found
    return Path(os.path.expanduser("~/.cache"))  # noqa: PTH111 - unlike Path's, it raises nothing


def _is_own(home: Path, directory: Path) -> bool:
    """Whether nobody else can have written there: neither another user nor a commit."""
    if not home.is_absolute():
        return False
    there, real = home.resolve(), directory.resolve()
    if there.is_relative_to(real):
        return False
    top = next((each for each in real.parents if (each / ".git").exists()), None)
    if top is not None and there.is_relative_to(top):
        return False
    try:
        found = os.lstat(there / _FOLDER)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    mine = not hasattr(os, "getuid") or (found.st_uid == os.getuid() and not found.st_mode & 0o022)
    return stat.S_ISDIR(found.st_mode) and mine


def stamp(format: str, packages: Iterable[str], libraries: Iterable[str]) -> str | None:
    """A digest of what makes the entries of a cache; None where it is not known.

    format: of the entries. packages: those of this program whose code decides what is in one; "" for all.
    libraries: how the names of those begin that decide it too.
    """
    parts = [format, sys.version]
    try:
        for name in libraries:
            spec = find_spec(name)
            [folder] = (spec and spec.submodule_search_locations) or []
            parts += sorted(each for each in os.listdir(Path(folder).parent) if _is_about(each, name))  # noqa: PTH208 - names alone
        root = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120 - pathlib takes five times as long
        paths = sorted(path for package in packages for path in _code(os.path.join(root, package)))  # noqa: PTH118
        return digest(*map(str.encode, parts), *(each for path in paths for each in _named(path)))
    except (OSError, ValueError):
        return None


def _is_about(file: str, library: str) -> bool:
    return file.lower().startswith(library) and file.endswith((".dist-info", ".egg-info"))


def _code(package: str) -> Iterator[str]:
    for folder, _, names in os.walk(package):
        yield from (f"{folder}/{name}" for name in names if name.endswith(".py"))


def _named(path: str) -> tuple[bytes, bytes]:
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - as above
        return os.fsencode(path.rpartition("/")[2]), file.read()
