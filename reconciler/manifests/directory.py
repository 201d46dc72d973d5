"""The directory of the manifests: no path or link that is read leads out of it."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path

from reconciler.domain.errors import ReconcilerError
from reconciler.manifests import confined
from reconciler.manifests.confined import UnreadableError

ELSE = "or name the directory of the manifests with --bots"


class MissingError(UnreadableError):
    """There is no such file."""


class Directory:
    """The directory of the manifests.

    path: as given. real: without links. edited: contents that replace those of files, by their paths without
    links. Raises ReconcilerError where there is no such directory.
    """

    def __init__(self, path: Path, edited: Mapping[Path, bytes]) -> None:
        try:
            mode = path.stat().st_mode
        except FileNotFoundError:
            raise ReconcilerError(f"{shown(path)} does not exist: create it, {ELSE}") from None
        except OSError as error:
            raise ReconcilerError(f"{shown(path)} cannot be read ({error.strerror}): {ELSE}") from None
        if not stat.S_ISDIR(mode):
            raise ReconcilerError(f"{shown(path)} is not a directory: put the manifests into one, {ELSE}")
        self.path = path
        self.real = path.resolve()
        self._edited = edited
        self._known: dict[Path, Path] = {}

    def note(self, path: Path, real: Path) -> None:
        """Remember that a path without links is this one, so that it need not be resolved."""
        self._known[path] = real

    def resolved(self, path: Path) -> Path:
        """The path without links. Raises UnreadableError where it leads out of the directory."""
        if known := self._known.get(path):
            return known
        try:
            real = path.resolve()
        except (OSError, RuntimeError):  # RuntimeError: a loop, before Python 3.13
            raise UnreadableError("is a link that leads to itself: remove it") from None
        if not real.is_relative_to(self.real):
            raise UnreadableError(f"leads out of {shown(self.path)} by a link: put the file itself there")
        return real

    def contents(self, path: Path, limit: int) -> bytes:
        """A regular file's bytes. Raises UnreadableError, MissingError."""
        real = self.resolved(path)
        data = self._edited.get(real)
        if data is None:
            try:
                data = confined.read(self.real, real, limit)
            except FileNotFoundError:
                raise MissingError("does not exist: correct the path or create the file") from None
        confined.check_size(data, limit)
        return data


def shown(path: Path) -> str:
    """The path as it was given, with characters that cannot be printed escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(path))
