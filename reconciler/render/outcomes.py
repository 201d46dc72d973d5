"""How an apply ended, as text for a person at a terminal: a table of outcomes, the same ones together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import NamedTuple

from reconciler.domain import safe
from reconciler.domain.groups import grouped
from reconciler.domain.plan import Change
from reconciler.domain.records import replace
from reconciler.domain.results import Outcome, Result, Results
from reconciler.domain.text import count
from reconciler.render.summary import listed
from reconciler.render.values import Paint, plain

_OUTCOMES = {
    Outcome.FAILED: "red",
    Outcome.STALE: "yellow",
    Outcome.SKIPPED: "yellow",
    Outcome.NOT_ATTEMPTED: "yellow",
    Outcome.APPLIED: "green",
}
_SIGNALS = {1: "SIGHUP", 2: "Ctrl-C", 15: "SIGTERM"}
_NAMES = 30  # columns for the names of instances; where there are more, they are counted
_ALL_NAMES = 600  # characters for those of changes that were not applied


class Alike(NamedTuple):
    """Results that are the same, but for the instance and ids."""

    outcome: Outcome
    change: Change
    detail: str
    instances: tuple[str, ...]


def alike(results: Results) -> list[Alike]:
    """The results, the same ones together: what was not applied first, the fewest first."""
    found = []
    for outcome in _OUTCOMES:
        ended = [_ended(result) for result in results.results if result.outcome is outcome]
        for group in grouped(ended):
            found.append(Alike(outcome, group.shown, group.shown.reason, group.instances))
    return found


def _ended(result: Result) -> Change:
    """The change with how it ended as its reason, and nothing else that could differ."""
    return replace(result.change, reason=result.detail, fields=(), cause="", other="")


def results(results: Results, *, paint: Paint = plain, width: int = 100) -> str:
    """A table of how the changes ended, and the counts. width: of the terminal."""
    rows = [
        (_where(each), safe.line(each.change.label), each.change.verb.value, each.outcome.value)
        for each in alike(results)
    ]
    head = ("instance", "bot", "verb", "outcome")
    widths = [max(map(safe.cells, column)) for column in zip(head, *rows, strict=True)]
    shown = [paint(_row(head, widths) + "  detail", "bold")] if rows else []
    for row, each in zip(rows, alike(results), strict=True):
        detail = f"{' ' * (widths[3] - len(row[3]))}  {safe.line(each.detail)}" if each.detail else ""
        shown.append(f"{_row(row[:3], widths)}  {paint(row[3], _OUTCOMES[each.outcome])}{detail}")
        if each.outcome is not Outcome.APPLIED and row[0] != _names(each):
            shown += wrap(_names(each), width, initial_indent="    ", subsequent_indent="    ")
    return safe.inert("\n".join([*shown, *([""] if shown else []), *endings(results)]) + "\n")


def _where(each: Alike) -> str:
    """The instances by their names where these are short, else how many they are."""
    names = _names(each)
    one = len(each.instances) == 1
    return names if one or len(names) <= _NAMES else count(len(each.instances), "instance")


def _names(each: Alike) -> str:
    return listed(each.instances, _ALL_NAMES)


def endings(results: Results) -> Iterator[str]:
    """How an apply ended: the counts in one line, the signal that ended it early, and what is missing."""
    ended = [
        f"{number} {outcome.value}"
        for outcome in Outcome
        if (number := sum(result.outcome is outcome for result in results.results))
    ]
    yield f"{count(len(results.results), 'change')}: {', '.join(ended) or 'nothing to do'}."
    if results.signal is not None:
        yield f"Stopped by {_SIGNALS.get(results.signal, f'signal {results.signal}')}."
    if results.missing:
        these = f"shard{'s' if len(results.missing) > 1 else ''} {listed(results.missing, _ALL_NAMES)}"
        yield f"The results of the {these} are missing: what was done there is not known."


def _pad(text: str, width: int) -> str:
    return text + " " * (width - safe.cells(text))


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(_pad(text, width) for text, width in zip(cells, widths, strict=False))
