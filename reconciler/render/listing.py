"""A listing as text for a terminal, and as JSON. Every foreign text goes through `safe`.

Instances that have the same bots are shown once. Ids, and values that differ only in a variable of the
manifest or in the instance's name, do not count; the ids of assistants are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap

from reconciler.domain import groups, safe
from reconciler.domain.listing import ListedBot, ListedInstance, Listing, Standing
from reconciler.domain.text import count
from reconciler.render import values
from reconciler.render.change import sentence, wrapped
from reconciler.render.summary import listed
from reconciler.render.values import Paint, plain
from reconciler.saved.encode import printed

FORMAT, VERSION = "evolution-reconciler/list", 1

_WORDS = {Standing.ADOPTABLE: "to adopt", Standing.UNDECLARED: "not declared"}
_LOOKS = {
    Standing.MANAGED: "green",
    Standing.DECLARED: None,
    Standing.UNMANAGED: None,
    Standing.CONFLICT: "red",
    Standing.UNKNOWN: "red",
}
_NAMES = 70  # columns for the names of instances
_VALUE = 40  # columns of a trigger's value, or of a description
_MORE = " " * 6  # where a line begins that belongs to the one above

Row = tuple[str, ...]
"""What makes a bot the same as one of another instance, and what is shown of it."""


def text(listing: Listing, *, paint: Paint = plain, width: int = 100) -> str:
    """The counts, then the instances: those with the same bots together, the fewest first."""
    shown = [paint(line, "bold") for line in wrapped(_counts(listing), width, "  ")]
    if listing.note:
        shown += wrapped(safe.line(listing.note), width, "  ")
    for alike in _alike(listing):
        shown += ["", *_section(alike, len(listing.instances), paint, width)]
    return safe.inert("\n".join(shown) + "\n")


def _counts(listing: Listing) -> str:
    number = Counter(bot.standing for bot in listing.bots())
    parts = [f"{number[each]} {_word(each)}" for each in Standing if number[each]]
    head = f"{count(len(listing.instances), 'instance')}, {count(number.total(), 'bot')}"
    broken = f"; {count(listing.problems, 'instance')} could not be read" if listing.problems else ""
    return f"{head}{': ' if parts else ''}{', '.join(parts)}{broken}."


def _word(standing: Standing) -> str:
    return _WORDS.get(standing, standing.value)


def _alike(listing: Listing) -> list[list[ListedInstance]]:
    """The instances in groups that have the same bots; the smallest groups first."""
    found: dict[object, list[ListedInstance]] = {}
    for one in listing.instances:
        names = {**one.vars, "instance": one.local}
        problem = groups.templated(one.problem, names) if one.problem else ""
        key = bool(one.manifest), problem, tuple(_row(bot, names) for bot in one.bots)
        found.setdefault(key, []).append(one)
    return sorted(found.values(), key=len)


def _row(bot: ListedBot, names: Mapping[str, str]) -> Row:
    """What is shown of a bot. names: the values that are shown as variables; {} for one instance alone."""
    fields = bot.fields
    value = groups.templated(str(fields.get("triggerValue") or ""), names)
    described = ""
    if bot.standing in {Standing.ADOPTABLE, Standing.UNMANAGED}:  # of ours a name says enough
        described = groups.templated(str(fields.get("description") or ""), names)
    why = groups.templated(bot.why.replace(bot.id, groups.ID) if names and bot.id else bot.why, names)
    trigger = " ".join(str(fields[name]) for name in ("triggerType", "triggerOperator") if fields.get(name))
    return (
        bot.name or f"id:{'…' if names else bot.id or '?'}",
        _word(bot.standing),
        "switched off" if bot.off else {True: "on", False: "off", None: "-"}[bot.enabled],
        f'"{values.clip(safe.line(described), _VALUE)}"' if described else "",
        f'{trigger} "{values.clip(safe.line(value), _VALUE)}"' if value else trigger,
        bot.kind,
        str(fields.get("model") or "") if fields.get("botType") != "assistant" else "assistant",
        why,
    )


def _section(alike: Sequence[ListedInstance], every: int, paint: Paint, width: int) -> Iterator[str]:
    first, *others = alike
    about = [] if first.manifest else ["no manifest"]
    about += [f"{len(alike)} of {count(every, 'instance')}"] if others else []
    note = f"  ({', '.join(about)})" if about else ""
    names = listed([one.name for one in alike], max(min(_NAMES, width - len(note)), 20))
    head, *rest = wrapped(f"{names}{note}", width, "  ")
    yield paint(head, "bold")
    yield from rest
    known = {**first.vars, "instance": first.local} if others else {}
    if first.problem is not None:
        same = all(one.problem == first.problem for one in alike)
        why = first.problem if same else groups.templated(first.problem, known)
        yield from sentence("  ! problem", "red", safe.line(why), paint, width)
    elif not first.bots:
        yield "  no bots"
    rows = [_row(bot, known) for bot in first.bots]
    widths = [max(safe.cells(safe.line(row[column])) for row in rows) for column in range(3)] if rows else []
    for number, row in enumerate(rows):
        assistants = {str(one.bots[number].fields.get("assistantId") or "") for one in alike} - {""}
        yield from _lines(
            row, assistants, widths, _LOOKS.get(first.bots[number].standing, "yellow"), paint, width
        )


def _lines(
    row: Row, assistants: set[str], widths: Sequence[int], look: str | None, paint: Paint, width: int
) -> Iterator[str]:
    """One bot: its name, standing and switch in columns, then the rest, below them where it does not fit."""
    cells = [safe.line(cell) for cell in row[:3]]
    name, standing, switch = (
        cell + " " * (room - safe.cells(cell)) for cell, room in zip(cells, widths, strict=True)
    )
    *facts, kind, model, why = map(safe.line, row[3:])
    if len(assistants) == 1:
        model = safe.line(*assistants)
    elif assistants:
        model = count(len(assistants), "assistant")
    rest = ", ".join(filter(None, [*facts, f"{kind} {model}".rstrip()]))
    head = f"  {name}  {standing}  {switch}"
    painted = f"  {name}  {paint(standing, look)}  {switch}"
    if safe.cells(head) + safe.cells(rest) + 2 <= width:
        yield f"{painted}  {rest}"
    else:
        yield painted.rstrip()
        yield from _below(rest, width)
    if why:
        yield from _below(why, width)


def _below(text: str, width: int) -> list[str]:
    return wrap(text, max(width, 20), initial_indent=_MORE, subsequent_indent=_MORE, break_on_hyphens=False)


# -- for programs -----------------------------------------------------------------------------


def json(listing: Listing) -> str:
    """One JSON document, ending with a newline."""
    return printed(
        {
            "format": FORMAT,
            "version": VERSION,
            "server": listing.server or None,
            **({"servers": dict(listing.servers)} if listing.servers else {}),
            "note": listing.note or None,
            "instances": [
                {
                    "name": one.name,
                    **({"server": one.server} if one.server else {}),
                    "manifest": one.manifest or None,
                    "problem": one.problem,
                    "bots": [_bot(bot) for bot in one.bots],
                }
                for one in listing.instances
            ],
        }
    )


def _bot(bot: ListedBot) -> dict[str, object]:
    fields = bot.fields
    return {
        "name": bot.name or None,
        "id": bot.id or None,
        "state": bot.standing.value,
        "why": bot.why or None,
        "enabled": bot.enabled,
        "switchedOff": bot.off or None,
        "kind": bot.kind,
        **{
            name: fields.get(name)
            for name in (
                *("description", "triggerType", "triggerOperator", "triggerValue"),
                *("botType", "model", "assistantId"),
            )
        },
    }
