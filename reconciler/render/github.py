"""Errors and warnings of manifests as GitHub's workflow commands, which put each on its line of the diff."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reconciler.domain import safe
from reconciler.domain.errors import Position, Problem

if TYPE_CHECKING:
    from reconciler.domain.findings import Warning


def problems(problems: Sequence[Problem]) -> str:
    """A command for each, in their order. Files are named as they are given: from the repository's root."""
    return "".join(_command("error", problem.at, "Manifest", problem.message) for problem in problems)


def warnings(warnings: Sequence[Warning]) -> str:
    """The same for warnings, with the rule as their title."""
    return "".join(_command(warning.level, warning.at, warning.rule, warning.text) for warning in warnings)


def _command(kind: str, at: Position, title: str, text: str) -> str:
    place = f"file={_property(at.file)},line={at.line},col={at.column}"
    return f"::{kind} {place},title={_property(title)}::{_data(text)}\n"


def _data(text: str) -> str:
    # As in the toolkit of GitHub's actions, command.ts. No newline gets past `line`.
    return safe.inert(safe.line(text)).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
