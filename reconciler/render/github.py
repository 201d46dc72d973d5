"""Errors and warnings of manifests as GitHub's workflow commands, which put each on its line of the diff.

GitHub shows ten of a kind in a step. Where there are more, the tenth says how many, and the log has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reconciler.domain import safe
from reconciler.domain.errors import Position, Problem
from reconciler.render.warnings import grouped, others

if TYPE_CHECKING:
    from reconciler.domain.findings import Warning

MOST = 10
"""Commands of a kind that GitHub shows in a step."""


def problems(problems: Sequence[Problem], title: str = "Manifest") -> str:
    """A command for each, in their order. Files are named as they are given: from the repository's root."""
    return _within(
        "error",
        [(_command("error", each.at, title, each.message), str(each)) for each in problems],
    )


def warnings(warnings: Sequence[Warning]) -> str:
    """The same for warnings, with the rule as their title; one for the same remark at many places."""
    found = grouped(warnings)
    return "".join(
        _within(
            level,
            [
                (_command(level, each.at, each.rule, each.text + others(number)), f"{each}{others(number)}")
                for each, number in found
                if each.level == level
            ],
        )
        for level in ("error", "warning")
    )


def _within(kind: str, found: Sequence[tuple[str, str]]) -> str:
    """As many commands as GitHub shows; the others as plain lines of the log."""
    if len(found) <= MOST:
        return "".join(command for command, _ in found)
    shown, rest = found[: MOST - 1], found[MOST - 1 :]
    more = f"::{kind} title=Manifest::{len(rest)} more {kind}s are in the log of this step.\n"
    lines = [f"{safe.inert(safe.line(line))}\n" for _, line in rest]
    return "".join([*(command for command, _ in shown), more, *lines])


def _command(kind: str, at: Position, title: str, text: str) -> str:
    place = f"file={_property(at.file)},line={at.line},col={at.column}"
    return f"::{kind} {place},title={_property(title)}::{_data(text)}\n"


def _data(text: str) -> str:
    # As in the toolkit of GitHub's actions, command.ts. No newline gets past `line`.
    return safe.inert(safe.line(text)).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
