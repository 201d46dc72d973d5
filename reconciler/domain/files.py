"""Writes every file of this project: whole or not at all but for a journal, and never through a link.

A file is written under another name beside its place and then moved there. If a link, a FIFO, a device or a
directory is at its place, it is refused, wherever it leads. A directory that a person names may have links in
its path, unless one leads out of a checkout (`links`); below one that is ours, `folders` refuses any.

Also reads files of unknown origin, without waiting for ever and without reading without end.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from reconciler.domain import links
from reconciler.domain.errors import ReconcilerError

# What Windows lacks is 0 there.
_BINARY = getattr(os, "O_BINARY", 0)
_NO_WAIT = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY | _NO_LINK

_PRIVATE, _SHARED = 0o600, 0o666
"""Modes of new files; the umask is taken from the second, as it is for any file of a person's."""

_CHUNK = 2**20


class Replacement:
    """A file that is written at the end of a run, and checked and prepared at its beginning.

    Entering creates an empty file beside the place. `write` fills it and moves it there in one step, with the
    mode of the file that it replaces. Without a `write`, nothing changes. Each raises ReconcilerError.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Self:
        with _explained(self.path):
            self._before = _regular(self.path)
            self._beside = _name_beside(self.path)
            self._file = os.fdopen(os.open(self._beside, _NEW, _SHARED), "wb")
        return self

    def add(self, content: bytes) -> None:
        """Write a part of the content, without putting it in place yet."""
        try:
            self._file.write(content)
        except OSError as error:
            raise _cannot_be_written(self.path, error) from None

    def write(self, content: bytes) -> None:
        """Put the content in the file's place, after what was added. May be called once."""
        with _explained(self.path):
            with self._file as file:
                file.write(content)
                file.flush()
                if self._before is not None:
                    _keep(file.fileno(), self._before)
                os.fsync(file.fileno())
            self._beside.replace(self.path)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # what a full disk did not take is written once more
            self._file.close()
        with suppress(OSError):
            self._beside.unlink()


def replace(path: Path, content: bytes) -> None:
    """Write a file, in the place of the one that is there. Raises ReconcilerError."""
    with Replacement(path) as file:
        file.write(content)


def create(path: Path, content: bytes, *, private: bool = False) -> None:
    """Write a file that is not there yet. private: nobody else may read it. Raises ReconcilerError."""
    with _explained(path):
        _create(path, content, private=private)


def ensure(path: Path, content: bytes, *, private: bool = False) -> None:
    """Write a file unless it is there, with whatever content. Raises ReconcilerError."""
    with _explained(path):
        if _regular(path) is None:
            with suppress(FileExistsError):  # another run was faster; what it made is looked at
                _create(path, content, private=private)
            _regular(path)


def append(path: Path, kept: int) -> int:
    """Open a file that only this user can read, to be appended to. Returns its descriptor.

    kept: how many of the bytes that it has stay. Raises ReconcilerError, also for what is not a regular file.
    """
    with _explained(path):
        _regular(path)
        found = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | _BINARY | _NO_LINK | _NO_WAIT, _PRIVATE
        )
        try:
            if not stat.S_ISREG(mode := os.fstat(found).st_mode):
                raise OSError(errno.EINVAL, _not("a file", mode))
            if hasattr(os, "fchmod"):
                os.fchmod(found, _PRIVATE)
            os.ftruncate(found, kept)
        except OSError:
            os.close(found)
            raise
        return found


def restrict(*paths: Path) -> None:
    """Let nobody but its owner read a file, if it is there. Raises ReconcilerError for a link."""
    for path in paths:
        with _explained(path), suppress(PermissionError):
            if _regular(path) is not None:
                path.chmod(_PRIVATE)


def folders(path: Path, below: Path, *, private: bool = False) -> None:
    """Make a directory and its parents, down from one that is there. Raises ReconcilerError.

    A link on the way is refused: it may lead anywhere. private: nobody else may look into new ones.
    """
    if path == below:
        return
    folders(path.parent, below, private=private)
    with _explained(path):
        try:
            path.mkdir(0o700 if private else 0o777)
        except FileExistsError:
            if not stat.S_ISDIR(mode := os.lstat(path).st_mode):
                raise OSError(errno.ENOTDIR, _not("a directory", mode)) from None


def read(path: Path, max_bytes: int, *, through_link: bool = True) -> bytes:
    """Read a file of at most max_bytes. Raises ReconcilerError, also for what is not a regular file.

    A FIFO or a terminal is not waited for, and a device without an end is not read. through_link: a link to
    a regular file may be read.
    """
    flags = os.O_RDONLY | _BINARY | _NO_WAIT | (0 if through_link else _NO_LINK)
    try:
        if not through_link:
            _regular(path)
        with os.fdopen(os.open(path, flags), "rb") as file:
            if not stat.S_ISREG(mode := os.fstat(file.fileno()).st_mode):
                raise OSError(errno.EINVAL, _not("a file", mode))
            content = bytearray()
            while len(content) <= max_bytes and (chunk := file.read(_CHUNK)):
                content += chunk
    except OSError as error:
        raise ReconcilerError(f"{path} cannot be read: {error.strerror}.") from None
    if len(content) > max_bytes:
        raise ReconcilerError(f"{path} is not read: it has more than {max_bytes:,} bytes.")
    return bytes(content)


# -- the steps of it ----------------------------------------------------------------------------


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Raise ReconcilerError, a sentence about the file, for any OSError of the block, and for links."""
    links.check(path)
    try:
        yield
    except OSError as error:
        raise _cannot_be_written(path, error) from None


def _cannot_be_written(path: Path, error: OSError) -> ReconcilerError:
    return ReconcilerError(f"{path} cannot be written: {error.strerror}.")


def _regular(path: Path) -> os.stat_result | None:
    """What is at the place: a regular file, or None for nothing. Raises OSError for all else."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, _not("a file", found.st_mode))
    return found


def _not(wanted: str, mode: int) -> str:
    kinds = {
        stat.S_IFLNK: "a link",
        stat.S_IFDIR: "a directory",
        stat.S_IFREG: "a file",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
    }
    return f"it is {kinds.get(stat.S_IFMT(mode), 'a device')}, not {wanted}"


def _name_beside(path: Path) -> Path:
    """An unused name in the same directory. It begins with a dot, so it is not read as a manifest."""
    return path.with_name(f".reconciler-{os.urandom(8).hex()}.tmp")


def _create(path: Path, content: bytes, *, private: bool) -> None:
    """Raises FileExistsError where something is there, and other OSErrors."""
    beside = _name_beside(path)
    try:
        with os.fdopen(os.open(beside, _NEW, _PRIVATE if private else _SHARED), "wb") as file:
            file.write(content)
        try:
            path.hardlink_to(beside)
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links: the name is taken, then the file put there
            os.close(os.open(path, _NEW, _PRIVATE))
            beside.replace(path)
    finally:
        with suppress(OSError):
            beside.unlink()


def _keep(descriptor: int, before: os.stat_result) -> None:
    """Give a file the owner and the mode of the one that it replaces, as far as that is allowed."""
    if hasattr(os, "fchmod"):
        with suppress(OSError):
            os.fchown(descriptor, before.st_uid, before.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
