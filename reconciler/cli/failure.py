"""The last net: what a person sees of the error that ended a command, whatever it is.

It raises nothing and shows no value: of an error that is not ours only its type and where it happened. It
imports next to nothing, as what broke may be an import.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from traceback import walk_tb

import click

from reconciler.domain import safe
from reconciler.domain.errors import ManifestError, ReconcilerError

FRAMES = 40
"""Places of one error that are shown, the innermost."""

ERRORS = 20
"""Errors that are shown of those that led to one another."""


_SAID = (click.ClickException, ReconcilerError, MemoryError, OSError)
"""Errors that tell a person something, also after a signal. Any other then came of the signal."""


def tell(error: BaseException, signal: int = 0) -> int:
    """Say on stderr what ended the command, if stderr can be written; returns the exit code.

    signal: the number of the one that ended it, if it was one that did.
    """
    if not isinstance(error, _SAID) and any(isinstance(one, KeyboardInterrupt) for one in _linked(error)):
        return 128 + signal
    if sys.stderr is None:  # click would take stdout
        return 1
    for say in (_say, _say_bug):  # the second where the first cannot
        with suppress(Exception):
            say(error)
            break
    return 1


def _say(error: BaseException) -> None:
    if isinstance(error, click.ClickException):
        error.show()
    elif isinstance(error, ManifestError):
        for problem in error.problems:
            click.echo(safe.inert(safe.line(str(problem))), err=True)
        errors = "1 error" if len(error.problems) == 1 else f"{len(error.problems)} errors"
        click.echo(f"{errors} in the manifests.", err=True)
    elif isinstance(error, ReconcilerError):
        click.echo(f"Error: {safe.inert(safe.lines(str(error)))}", err=True)
    elif isinstance(error, MemoryError):
        click.echo("Error: there is not enough memory.", err=True)
    elif (
        isinstance(error, OSError) and error.strerror
    ):  # the system says no: a limit, a directory that is gone
        of = f"{error.filename}: " if isinstance(error.filename, str) else ""
        click.echo(f"Error: {safe.inert(safe.line(of + error.strerror))}.", err=True)
    elif not isinstance(error, click.Abort):
        _say_bug(error)


def _say_bug(error: BaseException) -> None:
    click.echo(
        f"Error: an unexpected {type(error).__name__}. This is a bug: please report it, with what "
        "RECONCILER_DEBUG=1 shows.",
        err=True,
    )
    if os.environ.get("RECONCILER_DEBUG"):
        for line in _places(error):
            click.echo(line, err=True)


def _places(error: BaseException) -> Iterator[str]:
    """Where the error and those that led to it happened, without a word of theirs."""
    for one in reversed(_linked(error)):
        yield type(one).__qualname__
        for frame, line in deque(walk_tb(one.__traceback__), maxlen=FRAMES):
            code = frame.f_code
            yield safe.inert(safe.line(f"  {code.co_filename}:{line} in {code.co_name}"))


def _linked(error: BaseException) -> list[BaseException]:
    """The error, and those that it came of or is a group of, each once: they may refer to one another."""
    found = [error]
    for one in found:
        group = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        for other in (one.__cause__, one.__context__, *group):
            if other is not None and all(other is not known for known in found):
                found.append(other)
        if len(found) > ERRORS:
            break
    return found[:ERRORS]
