"""The file of --out. Imports late what writes it, as most plans have none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from reconciler.domain import files
from reconciler.domain.errors import ReconcilerError
from reconciler.domain.plan import Plan
from reconciler.domain.results import Results
from reconciler.pipeline.request import Request

Save = Callable[..., None]
"""Writes a plan, and its results if given, to the file of --out."""


@contextmanager
def out(request: Request) -> Iterator[Save]:
    """The file of --out, opened before anything else is done. Raises ReconcilerError."""
    if request.out is None:
        yield lambda made, results=None: None
        return
    if request.out in {"-", "/dev/stdout"}:
        raise ReconcilerError(
            f"--out {request.out} is not a file: name a file, or use --format json for stdout."
        )

    from reconciler import saved  # noqa: PLC0415  slow to import
    from reconciler.manifests import git  # noqa: PLC0415  slow to import

    saved.key()  # signs the plan at the end: a bad key is an error now

    def save(made: Plan, results: Results | None = None) -> None:
        saved.write(file, made, results, commit=git.commit(Path(request.bots)))

    with files.Replacement(Path(request.out)) as file:
        yield save
