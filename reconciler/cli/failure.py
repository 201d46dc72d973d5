"""What a person sees of the error that ended a command.

Raises nothing. Of an error that is not ours, shows its type and the places in the code, but no value. Imports
very little, as the error may be one of an import.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from io import StringIO

import click

from reconciler.domain import safe
from reconciler.domain.errors import FileError, Position, ReconcilerError
from reconciler.domain.text import count

FRAMES = 40
"""The most places that are shown of one error, the innermost."""

ERRORS = 20
"""The most errors that are shown of a chain."""


PLACES = 3
"""The most places of the same error that are shown."""

_SAID = (click.ClickException, ReconcilerError, MemoryError, OSError)
"""Errors that tell a person something, also after a signal. Any other then came of the signal."""


def tell(error: BaseException, signal: int = 0) -> int:
    """Print the error to stderr, where that can be written. Returns the exit code.

    signal: the number of the signal that ended the command, if one did.
    """
    if not isinstance(error, _SAID) and any(isinstance(one, KeyboardInterrupt) for one in _linked(error)):
        return 128 + signal
    if sys.stderr is None:  # click would print to stdout
        return 1
    for say in (_say, _say_bug):  # the second if the first fails
        with suppress(Exception):
            say(error)
            break
    return 1


def _say(error: BaseException) -> None:
    if isinstance(error, click.ClickException):
        shown = StringIO()
        error.show(file=shown)
        click.echo(_text(shown.getvalue()), err=True, nl=False)
    elif isinstance(error, FileError):
        for line in _lines(error):
            click.echo(line, err=True)
    elif isinstance(error, ReconcilerError):
        click.echo(f"Error: {_text(str(error))}", err=True)
    elif isinstance(error, MemoryError):
        click.echo("Error: not enough memory.", err=True)
    elif isinstance(error, OSError) and error.strerror:  # such as a limit, or a directory that is gone
        of = f"{error.filename}: " if isinstance(error.filename, str) else ""
        click.echo(f"Error: {_text(safe.line(of + error.strerror))}.", err=True)
    elif not isinstance(error, click.Abort):
        _say_bug(error)


def _lines(error: FileError) -> Iterator[str]:
    """A line for each error, one for those that are the same at many places, and how many there are."""
    same: dict[str, list[Position]] = {}
    for problem in error.problems:
        same.setdefault(problem.message, []).append(problem.at)
    grouped = False
    for problem in error.problems:
        first, *others = same[problem.message]
        if len(others) < PLACES:
            yield _text(safe.line(str(problem)))
        elif problem.at == first:
            grouped = True
            named, more = ", ".join(map(str, others[: PLACES - 1])), len(others) - PLACES + 1
            yield _text(safe.line(f"{problem} (also at {named} and {count(more, 'other place')})"))
    different = f", {len(same)} of them different" if grouped else ""
    every = f" {error.every}" if grouped and error.every else ""
    yield f"{count(len(error.problems), 'error')} in {error.about}{different}.{every}"


def _text(text: str) -> str:
    """Lines that a terminal and a log may have."""
    return safe.inert(safe.lines(safe.guarded(text)))


def _say_bug(error: BaseException) -> None:
    click.echo(
        f"Error: unexpected {type(error).__name__}. This is a bug: please report it with the "
        "output of RECONCILER_DEBUG=1.",
        err=True,
    )
    if os.environ.get("RECONCILER_DEBUG"):
        for line in _places(error):
            click.echo(line, err=True)


def _places(error: BaseException) -> Iterator[str]:
    """Where the errors of the chain happened, without their messages."""
    for one in reversed(_linked(error)):
        yield type(one).__qualname__
        from traceback import walk_tb

        for frame, line in deque(walk_tb(one.__traceback__), maxlen=FRAMES):
            code = frame.f_code
            yield safe.inert(safe.line(f"  {code.co_filename}:{line} in {code.co_name}"))


def _linked(error: BaseException) -> list[BaseException]:
    """The error, its causes, and the members of groups, each once: they may refer to one another."""
    found = [error]
    for one in found:
        group = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        for other in (one.__cause__, one.__context__, *group):
            if other is not None and all(other is not known for known in found):
                found.append(other)
        if len(found) > ERRORS:
            break
    return found[:ERRORS]
