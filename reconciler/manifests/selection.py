"""Instances selected by globs of their names."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from reconciler.domain.errors import ReconcilerError
from reconciler.domain.text import near, quoted

if TYPE_CHECKING:
    from reconciler.domain.desired import Desired


def check_globs(desired: Desired, globs: Sequence[str], others: Collection[str] = ()) -> None:
    """Raises ReconcilerError for a glob that matches no declared instance, nor any of the others."""
    names = [instance.name for instance in desired.instances]
    for glob in globs:
        if not any(matches(name, [glob]) for name in (*names, *others)):
            known = ", ".join(quoted(name) for name in names[:10]) + (", …" if len(names) > 10 else "")
            raise ReconcilerError(
                f"no instance matches {quoted(glob)}{near(glob, names)}: the manifests declare {known}"
            )


def matches(name: str, globs: Sequence[str]) -> bool:
    """Whether any of the globs matches; every name matches when there is no glob."""
    return not globs or any(name == glob or fnmatchcase(name, glob) for glob in globs)  # a [ may be in a name


def names_alone(*globs: Sequence[str]) -> tuple[str, ...]:
    """The globs as the names that they are; () where one of them may match several names."""
    every = tuple(dict.fromkeys(glob for those in globs for glob in those))
    return () if any(sign in glob for glob in every for sign in "*?[") else every
