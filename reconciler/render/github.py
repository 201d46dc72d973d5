"""The errors of manifests as GitHub's workflow commands, which put each on its line of the diff."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.errors import Problem
from reconciler.render import safe


def problems(problems: Sequence[Problem]) -> str:
    """A command for each, in their order. Files are named as they are given: from the repository's root."""
    return "".join(
        f"::error file={_property(problem.at.file)},line={problem.at.line},col={problem.at.column},"
        f"title=Manifest::{_data(problem.message)}\n"
        for problem in problems
    )


def _data(text: str) -> str:
    # As in the toolkit of GitHub's actions, command.ts. No newline gets past `line`.
    return safe.inert(safe.line(text)).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
