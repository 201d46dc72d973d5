"""The file of --out. Imports late what writes it, as most plans have none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from reconciler.domain import files
from reconciler.domain.errors import ReconcilerError
from reconciler.pipeline.request import Request

Save = Callable[..., None]
"""Writes a plan, and its results if given, to the file of --out; of a shard with which it is."""


@contextmanager
def out(request: Request) -> Iterator[Save]:
    """The file of --out, opened before anything else is done. Raises ReconcilerError."""
    with named(request.out) as save:
        if request.out is None:
            yield save
            return
        from reconciler import saved  # noqa: PLC0415  slow to import
        from reconciler.manifests import git  # noqa: PLC0415  slow to import

        saved.key()  # signs the plan at the end: a bad key is an error now
        yield lambda *what, **of: save(*what, commit=git.commit(Path(request.bots)), **of)


@contextmanager
def named(path: str | None) -> Iterator[Save]:
    """The same, of a plan whose commit is known. Raises ReconcilerError."""
    if path is None:
        yield lambda *what, **of: None
        return
    if path in {"-", "/dev/stdout"}:
        raise ReconcilerError(f"--out {path} is not a file: name a file, or use --format json for stdout.")
    from reconciler import saved  # noqa: PLC0415  slow to import

    with files.Replacement(Path(path)) as file:
        yield partial(saved.write, file)
