"""The texts that manifests include with `!file`."""

from __future__ import annotations

import os
from pathlib import Path

from reconciler.manifests.confined import MAX_INCLUDED, UnreadableError
from reconciler.manifests.decode import decoded
from reconciler.manifests.directory import Directory, MissingError, shown
from reconciler.manifests.spelling import Spelling


class Includes:
    """Reads included files, each once, and remembers which manifest includes them."""

    def __init__(self, home: Directory) -> None:
        self._home = home
        self._spelling = Spelling(home)
        self._texts: dict[Path, str] = {}  # by paths without links
        self._includers: dict[Path, Path] = {}  # likewise
        self._elsewhere: dict[tuple[Path, str], str] = {}
        self._places: dict[tuple[Path, str], Path] = {}  # what each folder's manifests name

    def text(self, manifest: Path, name: str) -> str:
        """The text that a `!file` of the manifest names. Raises UnreadableError.

        Without a byte order mark, with LF for CRLF, and without the line break that ends its last line.
        """
        folder = manifest.parent
        if place := self._places.get((folder, name)):
            return self._texts[place]
        if not name or "\0" in name:
            raise UnreadableError("names no file: write a path, relative to the manifest")
        inner = os.path.normpath(folder.relative_to(self._home.path) / name)
        if Path(name).is_absolute() or Path(inner).parts[:1] == ("..",):
            raise UnreadableError(f"leads out of {shown(self._home.path)}: write a path inside it")
        path = self._home.resolved(folder / name)
        if not self._spelling.is_exact(folder, name):
            raise UnreadableError(self._spelling.missing(folder, name))
        self._includers.setdefault(path, manifest)
        if path not in self._texts:
            self._texts[path] = self._read(path, folder, name)
        self._places[folder, name] = path
        return self._texts[path]

    def elsewhere(self, manifest: Path, name: str) -> str:
        """Why other systems may not find a file that the manifest includes; "" where they do."""
        folder = manifest.parent
        if (folder, name) not in self._elsewhere:
            self._elsewhere[folder, name] = self._spelling.elsewhere(folder, name)
        return self._elsewhere[folder, name]

    def includer(self, path: Path) -> Path | None:
        """The first manifest that includes the file."""
        try:
            return self._includers.get(self._home.resolved(path))
        except UnreadableError:
            return None

    def _read(self, path: Path, folder: Path, name: str) -> str:
        try:
            text = decoded(self._home.contents(path, MAX_INCLUDED))
            if "\0" in text:
                at = text.index("\0")
                message = "contains a NUL character, which the server cannot store: remove it"
                raise UnreadableError(message, text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))
        except MissingError:
            raise UnreadableError(self._spelling.missing(folder, name)) from None
        except UnreadableError as error:
            if (error.line, error.column) != (1, 1):
                raise UnreadableError(f"{error} (line {error.line}, column {error.column})") from None
            raise
        return text.replace("\r\n", "\n").removesuffix("\n")
