"""What the tests of manifests reach: as text, the same instances together, and as a value for JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconciler.domain import safe
from reconciler.domain.errors import Position
from reconciler.domain.text import listed
from reconciler.render.summary import listed as named
from reconciler.routing.testing import Coverage, Tested, coverage

_ROOM = 60


def text(tested: Sequence[Tested]) -> str:
    """A line for the instances whose tests reach the same, and under it the bots that they do not reach."""
    groups: dict[Coverage, list[str]] = {}
    idle: dict[Position, list[str]] = {}
    for one in tested:
        found = coverage(one)
        groups.setdefault(found, []).append(one.name)
        for test in found.idle:
            idle.setdefault(test.at, []).append(one.name)
    lines = ["Coverage:"]
    for found, names in sorted(groups.items(), key=lambda group: group[0].share):
        bots, triggers = _part(found.bots, found.missed), _part(found.triggers, found.untried)
        lines.append(f"  {named(names, _ROOM)}: {bots} bots, {triggers} triggers")
        lines += [f"    {said}" for said in _remarks(found)]
    for at, names in sorted(idle.items()):
        said = "this test cannot fail: the settings ignore its sender, whatever bots there are"
        lines.append(f"  {safe.line(str(at))}: {said} (on {named(names, _ROOM)})")
    return safe.inert("\n".join(lines) + "\n")


def _part(every: Sequence[str], rest: Sequence[str]) -> str:
    """`2 of 3 (66 %)`. It is rounded down, so that only all is 100 %."""
    reached = len(every) - len(rest)
    return f"{reached} of {len(every)} ({100 * reached // len(every) if every else 100} %)"


def _remarks(found: Coverage) -> Iterator[str]:
    if found.missed:
        yield f"No test reaches {_names(found.missed)}."
    if untried := [name for name in found.untried if name not in found.missed]:
        yield f"No test starts {_names(untried)} by the trigger, only as the fallback."


def _names(names: Sequence[str]) -> str:
    return listed(map(safe.line, names), "or")


def below(tested: Sequence[Tested], percent: float) -> str:
    """The sentence that names the instances whose tests reach less than this; "" if none does."""
    names = [one.name for one in tested if coverage(one).share < percent]
    return (
        f"the tests reach less than {percent:g} % of the bots or triggers of {named(names, _ROOM)}."
        if names
        else ""
    )


def value(tested: Tested) -> dict[str, object]:
    """The coverage of one instance, for JSON."""
    found = coverage(tested)
    return {
        "bots": len(found.bots),
        "unreached": list(found.missed),
        "triggers": len(found.triggers),
        "untriggered": list(found.untried),
        "percent": round(found.share, 2),
        "cannotFail": [
            {"file": one.at.file, "line": one.at.line, "column": one.at.column} for one in found.idle
        ],
    }
