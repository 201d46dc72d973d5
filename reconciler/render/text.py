"""Plan and Results as text for a person at a terminal. Every foreign text goes through `safe`.

Shows everything that an apply changes: an update shows each changed line in full. Only unchanged lines, and
the long texts of a bot that is created or deleted, are shortened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap

from reconciler.domain import safe
from reconciler.domain.kinds import Value
from reconciler.domain.plan import Call, Change, FieldChange, InstancePlan, Of, Plan, Step, Verb
from reconciler.domain.results import Outcome, Results
from reconciler.render import values
from reconciler.render.values import Paint, count, plain

_LOOKS: dict[Verb, tuple[str, str | None]] = {
    Verb.CREATE: ("+", "green"),
    Verb.MOVE: ("+", "yellow"),
    Verb.UPDATE: ("~", "yellow"),
    Verb.ADOPT: (">", "yellow"),
    Verb.REPLACE: ("-/+", "red"),
    Verb.ROTATE: ("@", "yellow"),
    Verb.DELETE: ("-", "red"),
    Verb.BLOCKED: ("!", "yellow"),
    Verb.CONFLICT: ("!", "red"),
    Verb.ORPHAN: ("?", "cyan"),
    Verb.FORGET: ("?", "cyan"),
    Verb.SWITCHED_OFF: ("!", "yellow"),
    Verb.BEFORE: ("=", None),
    Verb.WITHDRAWN: ("?", "cyan"),
    Verb.UNMANAGED: ("?", None),
}
_OUTCOMES = {
    Outcome.APPLIED: "green",
    Outcome.FAILED: "red",
    Outcome.STALE: "yellow",
    Outcome.SKIPPED: "yellow",
    Outcome.NOT_ATTEMPTED: "yellow",
}
_SIGNS = {"@@": "cyan", "-": "red", "+": "green"}
_SIGNALS = {1: "SIGHUP", 2: "Ctrl-C", 15: "SIGTERM"}

_FIELD = " " * 6  # where fields begin
_BLOCK = " " * 8  # where the lines of long texts begin
_UNVERIFIED = 10  # credentials without a key that are named one by one


def plan(plan: Plan, *, paint: Paint = plain, width: int = 100) -> str:
    """The counts, then what differs, instance by instance. width: columns of the terminal."""
    shown = [paint(counts(plan), "bold"), *credentials(plan), *_unverified(plan, paint, width)]
    for instance in plan.instances:
        if instance.changes or instance.problem:
            shown += ["", *_instance(instance, paint, width)]
    return safe.inert("\n".join(shown) + "\n")


def counts(plan: Plan) -> str:
    """The plan in one line."""
    rows = [c for c in plan.changes() if c.of is not Of.BOT and c.verb is Verb.UNMANAGED and not c.ids]
    unread = Counter(row.of for row in rows)
    number, keys, settings = (plan.counts(of) for of in (Of.BOT, Of.CREDENTIAL, Of.SETTINGS))
    broken = sum(instance.problem is not None for instance in plan.instances)
    writes = [f"{number[verb]} to {verb}" for verb in Verb if verb.writes and number.get(verb)]
    writes += [
        f"{count(keys[verb], 'credential')} to {verb}" for verb in Verb if verb.writes and keys.get(verb)
    ]
    if changed := sum(settings[verb] for verb in settings if verb.writes):
        writes.append(f"settings of {count(changed, 'instance')} to write")
    asides = [
        (sum(each.get(Verb.BLOCKED, 0) for each in (number, keys, settings)), "change", " blocked"),
        (sum(each.get(Verb.CONFLICT, 0) for each in (number, keys, settings)), "conflict", ""),
        (number.get(Verb.ORPHAN, 0), "orphan", ""),
        (number.get(Verb.SWITCHED_OFF, 0), "bot", " switched off"),
        (number.get(Verb.UNMANAGED, 0), "unmanaged bot", ""),
        (keys.get(Verb.UNMANAGED, 0) - unread[Of.CREDENTIAL], "old credential", " kept"),
        (unread.total(), "row", " not understood"),
        (broken, "instance", " with a problem"),
    ]
    aside = "".join(f"; {count(some, noun)}{rest}" for some, noun, rest in asides if some)
    if writes:
        return f"Plan: {', '.join(writes)}, {plan.in_sync} in sync{aside}"
    read = count(len(plan.instances) - broken, "instance")
    head = "Nothing to apply" if plan.problems else "No changes"
    return f"{head}. {count(plan.in_sync, 'bot')} in sync on {read}{aside}."


def credentials(plan: Plan) -> Iterator[str]:
    """How many declared credentials are in which state, in one line; no line without any."""
    stand = Counter(standing for instance in plan.instances for standing in instance.credentials.values())
    if stand:
        parts = [f"{number} {standing}" for standing, number in sorted(stand.items())]
        yield f"Credentials: {', '.join(parts)}."


def unverified(plan: Plan) -> list[tuple[str, str, str]]:
    """Credentials and fields whose secret is not available: the instance, the label, and what that means.

    Missing credentials come first.
    """
    found = []
    for instance in plan.instances:
        for name, why in instance.unverified.items():
            standing = instance.credentials.get(name)
            missing = standing == "missing"
            means = "it is missing, and an apply needs its key" if missing else "its key is not compared"
            means = "it is not compared" if standing is None else means
            label = name if standing is None else f"credential {name}"
            found.append((not missing, (instance.name, label, f"{means}: {why}")))
    return [said for _, said in sorted(found, key=lambda one: one[0])]


def _unverified(plan: Plan, paint: Paint, width: int) -> Iterator[str]:
    found = unverified(plan)
    for instance, name, said in found[:_UNVERIFIED]:
        head = f"  ! {safe.line(name)} of {safe.line(instance)}"
        yield from _sentence(head, "yellow", safe.line(said), paint, width)
    if len(found) > _UNVERIFIED:
        yield f"  and {len(found) - _UNVERIFIED} more without a key"


def results(results: Results, *, paint: Paint = plain) -> str:
    """A table of how each change ended, and the counts."""
    rows = [
        (safe.line(r.change.instance), safe.line(r.change.label), r.change.verb.value, r.outcome.value)
        for r in results.results
    ]
    head = ("instance", "bot", "verb", "outcome")
    widths = [max(map(safe.cells, column)) for column in zip(head, *rows, strict=True)]
    shown = [paint(_row(head, widths) + "  detail", "bold")] if rows else []
    for row, result in zip(rows, results.results, strict=True):
        detail = f"{' ' * (widths[3] - len(row[3]))}  {safe.line(result.detail)}" if result.detail else ""
        shown.append(f"{_row(row[:3], widths)}  {paint(row[3], _OUTCOMES[result.outcome])}{detail}")
    return safe.inert("\n".join([*shown, *([""] if shown else []), *endings(results)]) + "\n")


def endings(results: Results) -> Iterator[str]:
    """How an apply ended: the counts in one line, then the signal that ended it early."""
    ended = [
        f"{number} {outcome.value}"
        for outcome in Outcome
        if (number := sum(result.outcome is outcome for result in results.results))
    ]
    yield f"{count(len(results.results), 'change')}: {', '.join(ended) or 'nothing to do'}."
    if results.signal is not None:
        yield f"Stopped by {_SIGNALS.get(results.signal, f'signal {results.signal}')}."


# -- an instance, a change --------------------------------------------------------------------


def _instance(instance: InstancePlan, paint: Paint, width: int) -> Iterator[str]:
    notes = [f"{instance.in_sync} in sync"] if instance.in_sync else []
    notes += [
        f"credential {safe.line(name)} {standing}"
        for name, standing in instance.credentials.items()
        if standing != "present"
    ]
    yield paint(safe.line(instance.name), "bold") + (f"  ({'; '.join(notes)})" if notes else "")
    if instance.problem is not None:
        yield from _sentence("  ! problem", "red", safe.line(instance.problem), paint, width)
    also = values.also(instance)
    for change in sorted(instance.changes, key=lambda change: not change.verb.writes):
        yield from _change(change, paint, width)
        if change.verb.writes:
            for sentence in also.get(change.label, ()):
                yield from _wrapped(f"{_FIELD}{sentence}", width, _BLOCK)
    if needs_order(instance):
        yield "    calls, in this order:"
        for number, step in enumerate(instance.steps, 1):
            call = f"{number:>7}. {_step(step)}"
            yield from _wrapped(call, width, " " * 9)


_ASIDE = ("assistantId", "maxTokens", "triggerType", "triggerOperator", "triggerValue")
_SPECIAL = frozenset({Call.PARK, Call.FALLBACK, Call.MOVE, Call.OLD_CREDENTIAL})


def needs_order(instance: InstancePlan) -> bool:
    """Whether the calls and their order show something that the changes do not."""
    return any(step.why or step.call in _SPECIAL for step in instance.steps)


def _step(step: Step) -> str:
    why = f": {safe.line(step.why)}" if step.why else ""
    return f"{step.call} {safe.line(subject(step))}{why}"


def subject(step: Step) -> str:
    """What a call is about."""
    name = step.body.get("name", step.bot)
    aside = ", ".join(f"{part} {step.body[part]}" for part in _ASIDE if part in step.body)
    said: dict[Call, str] = {
        Call.NEW_CREDENTIAL: f"{name}",
        Call.OLD_CREDENTIAL: f"{name} (id {step.id})",
        Call.PARK: f"{step.bot} on {aside}" if aside else step.bot,
        Call.MOVE: f"bot {step.id} to {step.body.get('openaiCredsId', step.bot)}",
        Call.FALLBACK: str(step.body.get("fallbackId", step.bot)) or "none",
        Call.SETTINGS: ", ".join(step.body),
    }
    return said.get(step.call, step.bot)


def _change(change: Change, paint: Paint, width: int) -> Iterator[str]:
    sign, colour = _LOOKS[change.verb]
    head = f"{sign:>3} {safe.line(change.label)}  {values.word(change.verb)}"
    # For a change that is written the name is enough; for a report the reader needs to find the bot.
    ids = [id for id in change.ids if id not in change.reason and id != change.label]
    found = f" (id {safe.line(', '.join(ids))})" if ids and not change.verb.writes else ""
    at = f" ({safe.line(str(change.at))})" if change.at and change.verb is Verb.CONFLICT else ""
    yield from _sentence(head, colour, f"{safe.line(change.reason)}{found}{at}", paint, width)
    if change.verb in {Verb.CREATE, Verb.DELETE}:
        yield from _whole(change, width)
    else:
        inline = [safe.line(field.name) for field in change.fields if _fits(field, width)]
        column = max(map(len, inline), default=0)
        for field in change.fields:
            yield from _field(field, column, paint, width)


def _sentence(head: str, colour: str | None, text: str, paint: Paint, width: int) -> Iterator[str]:
    """A painted head and its text, on as many lines as it takes."""
    first, *rest = _wrapped(f"{head}: {text}", width, _FIELD, len(head) + 2)
    yield paint(head, colour) + first.removeprefix(head)
    yield from rest


def _wrapped(text: str, width: int, indent: str, least: int = 0) -> list[str]:
    """The text on as many lines as it takes. least: the least columns of a line, for a narrow terminal."""
    if len(text) <= width:
        return [text]
    room = max(width, least, len(indent) + 2)
    return wrap(text, room, subsequent_indent=indent, break_long_words=False)


# -- a bot that is created or deleted: every field, in short -----------------------------------


def _whole(change: Change, width: int) -> Iterator[str]:
    whole = [
        (safe.line(field.name), value)
        for field in change.fields
        if (value := field.after if change.verb is Verb.CREATE else field.before) is not None
    ]
    room = width - len(_FIELD)
    short = [(name, value) for name, value in whole if not values.is_long(value, room - len(name) - 2)]
    yield from _flow([f"{name} {values.inline(name, value)}" for name, value in short], room)
    for name, value in whole:
        if (name, value) not in short:
            yield from _heads(name, value, width)


def _flow(parts: Iterable[str], room: int) -> Iterator[str]:
    """The parts separated by commas, as many on a line as fit."""
    row = ""
    for part in parts:
        if row and safe.cells(row) + safe.cells(part) + 3 > room:
            yield f"{_FIELD}{row},"
            row = ""
        row = f"{row}, {part}" if row else part
    if row:
        yield f"{_FIELD}{row}"


def _heads(name: str, value: Value, width: int) -> Iterator[str]:
    """The first line of each long text, and how many lines follow."""
    for index, text in enumerate(value if isinstance(value, tuple) else (str(value),)):
        place = f"{_FIELD}{name}[{index}]  " if isinstance(value, tuple) else f"{_FIELD}{name}  "
        first, *rest = text.strip("\n").split("\n")
        more = f"  (+{count(len(rest), 'line')})" if rest else ""
        yield f"{place}{values.clip(safe.line(first), width - len(place) - len(more))}{more}"


# -- a field that changes ----------------------------------------------------------------------


def _field(field: FieldChange, column: int, paint: Paint, width: int) -> Iterator[str]:
    if _fits(field, width):
        before, after = (
            values.inline(field.name, side) for side in values.distinguished(field.before, field.after)
        )
        yield f"{_FIELD}{safe.line(field.name):<{column}}  {before} → {after}"
    else:
        for title, old, new in values.texts(field):
            yield f"{_FIELD}{title}"
            for sign, line in values.diff(old, new, width - len(_BLOCK) - 2):
                shown = f"{sign} {line}"
                yield _BLOCK + (shown.rstrip() if sign == " " else paint(shown, _SIGNS[sign]))


# -- values ------------------------------------------------------------------------------------


def _fits(field: FieldChange, width: int) -> bool:
    """Whether the change fits on one line."""
    room = width - len(_FIELD) - len(field.name) - len("   → ")
    if values.is_long(field.before, room) or values.is_long(field.after, room):
        return False
    shown = values.inline(field.name, field.before) + values.inline(field.name, field.after)
    return len(shown) <= room or not isinstance(field.before or field.after, str | tuple)


def _pad(text: str, width: int) -> str:
    return text + " " * (width - safe.cells(text))


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(_pad(text, width) for text, width in zip(cells, widths, strict=False))
