"""Reads files below the manifests' directory, and nothing outside of it even if a path becomes a link.

Only regular files are read, and no link is followed.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

MAX_MANIFEST = 5 * 2**20
MAX_INCLUDED = 2**20
"""Bytes of a manifest, and of a text that it includes with `!file`."""

_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_FOLDER = _FLAGS | getattr(os, "O_DIRECTORY", 0)
_FILE = _FLAGS | _NO_LINK | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
_NO_FILE = "is not a regular file: put a text file in its place"
_SWAPPED = frozenset({errno.ELOOP, errno.EMLINK, errno.ENOTDIR})


class UnreadableError(ValueError):
    """Why a file is not read: a sentence without its subject. line and column: where that is known."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


def read(home: Path, path: Path, limit: int) -> bytes:
    """The contents of a regular file of at most limit bytes. Raises UnreadableError, FileNotFoundError.

    path is below home, and both are without links. A file or folder that has become a link is not followed.
    """
    try:
        opened = _opened(home, path)
        try:
            about = os.fstat(opened)
            if not stat.S_ISREG(about.st_mode):
                raise UnreadableError(_NO_FILE)
            data = _bytes(opened, about.st_size, limit + 1)
        finally:
            os.close(opened)
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno in _SWAPPED:
            raise UnreadableError("became a link while it was read: run this again") from None
        if error.errno == errno.ENXIO:  # a socket
            raise UnreadableError(_NO_FILE) from None
        raise UnreadableError(f"cannot be read ({error.strerror}): make it readable or remove it") from None
    check_size(data, limit)
    return data


def check_size(data: bytes, limit: int) -> None:
    """Raises UnreadableError where it is more than limit bytes."""
    if len(data) > limit:
        advice = "move long texts to files, with `!file PATH`" if limit == MAX_MANIFEST else "make it smaller"
        raise UnreadableError(f"is larger than {limit // 2**20} MiB: {advice}")


def _bytes(opened: int, size: int, most: int) -> bytes:
    """What a file of about this size has, of so many bytes at most. An `open` takes as long as all else."""
    data = os.read(opened, min(size + 1, most))
    while data and len(data) < most and (more := os.read(opened, most - len(data))):
        data += more
    return data


def _opened(home: Path, path: Path) -> int:
    """A descriptor of the file, opened folder by folder where the system supports that."""
    if os.open not in os.supports_dir_fd:
        return os.open(path, _FILE)
    *folders, name = path.relative_to(home).parts or (".",)
    at = os.open(home, _FOLDER)
    try:
        for folder in folders:
            below = os.open(folder, _FOLDER | _NO_LINK, dir_fd=at)
            os.close(at)
            at = below
        return os.open(name, _FILE, dir_fd=at)
    finally:
        os.close(at)
