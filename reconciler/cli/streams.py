"""Standard input, output and error that behave the same however the program was started.

A closed stream is replaced, so that the next file that is opened does not get its number, and messages with
it. Output that cannot be written raises OutputError once; a pipe whose reader is gone raises BrokenPipeError.
What cannot be written to stderr is dropped.

Imported first, so it must stay fast.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_SHOWN = "backslashreplace"
"""A character that the terminal cannot show is shown as its code."""


class _Output(io.FileIO):
    """Standard output. After the first failure it drops what follows: the exit code reports the failure."""

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
    """Replace the streams of sys by these, unless somebody replaced them before."""
    if sys.stdout is sys.__stdout__ and not os.environ.get("RECONCILER_DEBUG"):
        sys.unraisablehook = lambda unraisable: None  # errors in finalizers help nobody
    if sys.stdin is None:
        sys.stdin = open(_null(), encoding="utf-8")  # noqa: SIM115  it lives as long as we do
    for name, made in (("stdout", _Output), ("stderr", _Messages)):
        stream = getattr(sys, name)
        if stream is getattr(sys, f"__{name}__"):  # else a host program replaced it
            setattr(sys, name, _text(stream, made))
    for stream, errors in ((sys.stdin, "replace"), (sys.stdout, _SHOWN), (sys.stderr, _SHOWN)):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=errors)


def check() -> None:
    """Raises OutputError or BrokenPipeError when stdout is known not to take output."""
    try:
        number = sys.stdout.fileno()
    except (OSError, ValueError):  # not a file
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
    """The first free file number, opened for reading. Writing to it fails, as on a closed stream."""
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
        os.set_blocking(number, True)  # if the parent made it non-blocking, long output is cut
    writer = io.BufferedWriter(made(number, "wb", closefd=False))
    return io.TextIOWrapper(writer, encoding=stream.encoding, line_buffering=stream.line_buffering)


def _lost(error: OSError) -> Exception:
    from reconciler.domain.errors import OutputError

    return OutputError(f"cannot write the output: {error.strerror}.")


@contextmanager
def calls_shown() -> Iterator[None]:
    """Shows each call on stderr within the block, for --verbose."""
    import logging

    calls = logging.getLogger(_CALLS)
    handler = logging.StreamHandler(sys.stderr)
    calls.addHandler(handler)
    calls.setLevel(logging.DEBUG)
    calls.propagate = False
    try:
        yield
    finally:
        calls.removeHandler(handler)
        calls.setLevel(logging.NOTSET)


def shows_calls() -> bool:
    """Whether each call is shown on stderr."""
    import logging

    return logging.getLogger(_CALLS).level == logging.DEBUG


_CALLS = "reconciler.calls"
