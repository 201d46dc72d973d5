"""Standard input, output and error as a program may rely on them, however it was started.

A stream that was closed is not None, and its number is not taken by the next file that is opened: a message
would go into that. Output that cannot be written raises OutputError, once; a pipe whose reader has gone
raises BrokenPipeError, as ever. What cannot be written to stderr is lost, and changes nothing.

Imported before anything else: it must stay cheap.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_SHOWN = "backslashreplace"
"""What a terminal lacks a sign for is shown as its code, not as a traceback."""


class _Output(io.FileIO):
    """Standard output. After it has failed once, what follows is swallowed: the exit code says enough."""

    _failed = False

    def write(self, data: ReadableBuffer, /) -> int:
        size = memoryview(data).nbytes
        if self._failed:
            return size
        try:
            return super().write(data)
        except BrokenPipeError:
            self._failed = True
            raise
        except OSError as error:
            self._failed = True
            raise _lost(error) from None


class _Messages(io.FileIO):
    """Standard error."""

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def prepare() -> None:
    """Put streams with these rules into sys, where the process's own are there or were closed."""
    if sys.stdout is sys.__stdout__ and not os.environ.get("RECONCILER_DEBUG"):
        sys.unraisablehook = lambda unraisable: None  # what Python says of an object's end helps nobody
    if sys.stdin is None:
        sys.stdin = open(_null(), encoding="utf-8")  # noqa: SIM115  it lives as long as we do
    for name, made in (("stdout", _Output), ("stderr", _Messages)):
        stream = getattr(sys, name)
        if stream is getattr(sys, f"__{name}__"):  # else somebody runs us in a process of theirs
            setattr(sys, name, _text(stream, made))
    for stream, errors in ((sys.stdin, "replace"), (sys.stdout, _SHOWN), (sys.stderr, _SHOWN)):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=errors)


def check() -> None:
    """Raises OutputError, or BrokenPipeError, when it is seen already that stdout takes nothing."""
    try:
        number = sys.stdout.fileno()
    except (OSError, ValueError):  # it is no file
        return
    try:
        os.write(number, b"")
        if hasattr(select, "poll"):
            polled = select.poll()
            polled.register(number, select.POLLOUT)
            if any(events & select.POLLERR for _, events in polled.poll(0)):
                raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _lost(error) from None


def _null() -> int:
    """A number to read nothing from, the first that is free. To write there fails, as on a closed stream."""
    return os.open(os.devnull, os.O_RDONLY)


def _text(stream: io.TextIOWrapper | None, made: type[io.FileIO]) -> io.TextIOWrapper:
    if stream is None:
        raw = made(_null(), "wb", closefd=False)
        return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8")
    binary = stream.buffer
    if not isinstance(getattr(binary, "raw", binary), io.FileIO):  # a console of Windows
        return stream
    number = stream.fileno()
    with suppress(OSError):
        os.set_blocking(number, True)  # a parent may have it otherwise, and long output would break off
    writer = io.BufferedWriter(made(number, "wb", closefd=False))
    return io.TextIOWrapper(writer, encoding=stream.encoding, line_buffering=stream.line_buffering)


def _lost(error: OSError) -> Exception:
    from reconciler.domain.errors import OutputError

    return OutputError(f"the output cannot be written: {error.strerror}.")
