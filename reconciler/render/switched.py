"""How a `disable` or an `enable` ended, as text for a person: a table, then what goes on nevertheless."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator

from reconciler.domain import safe
from reconciler.domain.reports import Switched, SwitchReport
from reconciler.domain.results import Outcome
from reconciler.domain.text import count
from reconciler.render.values import Paint, plain

_MOST = 10
"""The most bots that are named in a sentence each."""

_HEAD = ("instance", "bot", "now")


def text(report: SwitchReport, *, paint: Paint = plain) -> str:
    """Every bot that was named and how it is now, then the counts, then what is still to do."""
    rest = [safe.line(sentence) for sentence in _rest(report)]
    shown = [*_table(report, paint), *([""] if report.bots else []), _counts(report), *rest]
    return safe.inert("\n".join(shown) + "\n")


def _table(report: SwitchReport, paint: Paint) -> Iterator[str]:
    rows = [(safe.line(one.instance), safe.line(one.bot), _now(one)) for one in report.bots]
    if not rows:
        return
    widths = [max(map(safe.cells, column)) for column in zip(_HEAD, *rows, strict=True)]
    yield paint(_row(_HEAD, widths) + "  detail", "bold")
    for row, one in zip(rows, report.bots, strict=True):
        yield f"{_row(row, widths)}  {safe.line('; '.join(_details(one, report)))}".rstrip()


def _now(one: Switched) -> str:
    return "unknown" if one.on is None else "on" if one.on else "off"


def _details(one: Switched, report: SwitchReport) -> Iterator[str]:
    if report.dry and not one.note:
        yield f"would be switched {_way(report)}"
    if one.outcome not in {None, Outcome.APPLIED}:
        yield str(one.outcome)
    if one.note:
        yield one.note
    if one.sessions:
        yield count(one.sessions, "open session")


def _row(cells: tuple[str, ...], widths: list[int]) -> str:
    return "  ".join(
        cell + " " * (width - safe.cells(cell)) for cell, width in zip(cells, widths, strict=True)
    )


def _way(report: SwitchReport) -> str:
    return "on" if report.on else "off"


def _counts(report: SwitchReport) -> str:
    """How the bots ended, in one line."""
    if report.dry:
        number = sum(not one.note for one in report.bots)
        would = f"{number} would be switched {_way(report)}"
        return f"{count(len(report.bots), 'bot')}: {would}. Nothing was written."
    ended = Counter(one.outcome for one in report.bots)
    parts = [f"{ended[Outcome.APPLIED]} switched {_way(report)}"] if ended[Outcome.APPLIED] else []
    parts += [f"{ended[None]} left as {'it is' if ended[None] == 1 else 'they are'}"] if ended[None] else []
    parts += [
        f"{number} {outcome}" for outcome in Outcome if (number := ended[outcome]) and outcome != "applied"
    ]
    closed = f" {count(report.closed, 'session')} ended." if report.closed else ""
    return f"{count(len(report.bots), 'bot')}: {', '.join(parts) or 'nothing to do'}.{closed}"


def _rest(report: SwitchReport) -> Iterator[str]:
    """What the reader has to know or to do."""
    if report.on or report.dry:
        return
    yield from _sessions(report)
    for one in [one for one in report.bots if one.fallback][:_MOST]:
        yield (
            f"{_address(one)} is the fallback of the instance's settings: it is off, yet the server starts "
            "it where no other bot answers. Name another fallback in the manifest, or none in the manager."
        )
    marked = [one for one in report.bots if one.outcome is Outcome.APPLIED and not one.note]
    if marked:
        them = _address(marked[0]) if len(marked) == 1 else "BOT@INSTANCE"
        yield f"Plans report what is off, and leave it off. To switch it on: reconciler enable {them}"


def _sessions(report: SwitchReport) -> Iterator[str]:
    have = [one for one in report.bots if one.sessions]
    if have:
        number = sum(one.sessions or 0 for one in have)
        again = f"reconciler disable {_address(have[0])}" if len(have) == 1 else "the same command with"
        them = "The open session is" if number == 1 else f"The {number} open sessions are"
        yield f"{them} still answered. To end what is open: {again} --close-sessions"
    for one in [one for one in report.bots if one.unread][:_MOST]:
        yield f"Whether {_address(one)} has open sessions, which it still answers, is not known: {one.unread}"


def _address(one: Switched) -> str:
    return shlex.quote(f"{one.bot}@{one.instance}")
