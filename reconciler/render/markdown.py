"""Plan and Results as GitHub's markdown, for a pull request's comment, an issue and a job's summary.

Foreign text is in one of two places. Inline it is escaped HTML in `<code>` within an HTML block, where no
markdown is read: no pipe ends a cell, nothing becomes a link, and GitHub makes no mention or issue number of
it. Texts of several lines are in a fence that is longer than any run of backticks in them. No line is a
workflow command, should the text be printed to a job's log.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from operator import itemgetter

from reconciler.domain import safe
from reconciler.domain.errors import ReconcilerError
from reconciler.domain.groups import Group, grouped, groups, problems
from reconciler.domain.plan import Change, FieldChange, Of, Plan, Verb
from reconciler.domain.results import Outcome, Results
from reconciler.domain.text import count
from reconciler.render import calls, effects, outcomes, rerouted, summary, values
from reconciler.render.html import code, fitting, folded, opened, size, table
from reconciler.render.page import NAME, Block, Diff, Part, page

COMMENT = 65_536
"""Characters that a comment on GitHub holds."""

SUMMARY = 1024 * 1024
"""Bytes that a job's summary holds."""

LEAST = 6144
"""The smallest page, in bytes: the counts and the digest are always on it."""

_ORDER = (
    *(Verb.DELETE, Verb.REPLACE, Verb.MOVE, Verb.ROTATE, Verb.ADOPT, Verb.BLOCKED, Verb.CONFLICT),
    *(Verb.CREATE, Verb.UPDATE, Verb.SWITCHED_OFF, Verb.ORPHAN, Verb.FORGET, Verb.WITHDRAWN, Verb.UNMANAGED),
)
"""The order of groups. Creates and updates are as one: the smallest group is the first."""

_CAUSES = {"": "", "drift": " · drift", "pending": " · pending", "both": " · drift and pending"}
_INLINE = 120  # characters of a value in a table; what is longer is shown as a diff
_LINE = 240  # characters of a diff's line, beyond which it is cut where nothing changes
_SENTENCE = 300  # characters of a sentence that is always shown
_FEW, _MANY = 60, 600  # characters for the names of instances, beside a change and below it


def plan(plan: Plan, *, max_chars: int = COMMENT, more: str = "") -> str:
    """What happens and what is dangerous, then a folded block for each group of changes, then the rest.

    max_chars: the most bytes of the page. more: trusted markdown, a sentence that says where the whole plan
    is, shown when something is left out. Raises ReconcilerError when less than LEAST is left beside more.
    """
    limit, more = _limit(max_chars, more)
    head = [
        "\n".join([f"**{summary.counts(plan)}**", *summary.credentials(plan)]),
        _warning([*_stops(effects.dangers(plan)), *_stops(effects.stuck(plan))]),
        _sentences("limit", plan.limits, limit // 8) + _approval(plan),
        _named("Without a bot that answers:", effects.silenced(plan)),
        _routing(plan, limit // 4),
        _sentences("note", plan.notes, limit // 8),
    ]
    return page(head, [*_parts(plan), *_asides(plan)], _foot(plan), max_chars, more)


def results(plan: Plan, results: Results, *, max_chars: int = COMMENT, more: str = "") -> str:
    """The counts, what was not applied and why, what was applied, and a block for each change that was not.

    Changes that the plan itself left out, such as conflicts, count as not applied.
    """
    limit, more = _limit(max_chars, more)
    ended = outcomes.alike(results)
    kept = [group for group in groups(plan) if group.shown.verb in {Verb.BLOCKED, Verb.CONFLICT}]
    rows = [
        *(
            (
                f"<b>{each.outcome}</b>: {each.change.verb}",
                *_who(each.change, each.instances),
                _why(each.detail),
            )
            for each in ended
            if each.outcome is not Outcome.APPLIED
        ),
        *(
            (f"<b>{values.word(g.shown.verb)}</b>", *_who(g.shown, g.instances), _why(g.shown.reason))
            for g in kept
        ),
        *(
            ("<b>problem</b>", code(summary.listed(names, _MANY)), "", _why(why))
            for why, names in problems(plan)
        ),
    ]
    done = [
        (each.change.verb.value, *_who(each.change, each.instances))
        for each in ended
        if each.outcome is Outcome.APPLIED
    ]
    applied = sum(result.outcome is Outcome.APPLIED for result in results.results)
    head = [
        "\n".join(f"**{line}**" for line in outcomes.endings(results)),
        _warning(["Not everything was applied."] if rows or not results.ok else []),
        table(("", "instance", "bot", "why"), rows, limit // 4),
        folded(f"{applied} applied", table(("", "instance", "bot"), done, limit // 4)) if done else "",
    ]
    lost = grouped(result.change for result in results.results if result.outcome is not Outcome.APPLIED)
    also = summary.also(plan)
    parts = [_group(group, plan, also) for group in (*lost, *kept)]
    return page(head, parts, _foot(plan), max_chars, more)


def _routing(plan: Plan, room: int) -> str:
    """Who answers differently: what must not be overlooked, and a row for each message."""
    heads = list(rerouted.heads(plan))
    if not plan.routing:
        return "".join(f"{code(head)}." for head in heads)
    rows = [
        (
            *map(code, (rerouted.message(one), rerouted.who(one.before), rerouted.who(one.after))),
            _instances(one.instances, plan),
        )
        for one in plan.routing
    ]
    warning = _warning([f"{code(head)}." for head in heads])
    return "\n\n".join(filter(None, [warning, table(("message", "before", "after", "where"), rows, room)]))


def _instances(names: tuple[str, ...], plan: Plan) -> str:
    return code(names[0], NAME) if len(names) == 1 else summary.radius(names, plan)[0]


def _limit(max_chars: int, more: str) -> tuple[int, str]:
    """The bytes of a page without `more`, and `more` as it is shown. Raises ReconcilerError."""
    more = safe.inert(safe.line(more))
    if (limit := max_chars - size(more)) < LEAST:
        raise ReconcilerError(
            f"--max-chars is too small: it must be {LEAST} plus the length of --more, or more."
        )
    return limit, more


def _foot(plan: Plan) -> str:
    server, owner = code(plan.where, _SENTENCE if plan.servers else NAME), code(plan.owner, 32)
    return f"<p>server {server}, owner {owner}, digest of the whole plan: <code>{plan.digest}</code></p>"


# -- what is always shown ----------------------------------------------------------------------


def _warning(sentences: Sequence[str]) -> str:
    return "\n".join(["> [!WARNING]", *(f"> {sentence}" for sentence in sentences)]) if sentences else ""


def _stops(sentences: Iterator[str]) -> list[str]:
    return [f"{sentence}." for sentence in sentences]


def _sentences(what: str, sentences: Sequence[str], room: int) -> str:
    """A paragraph of as many sentences as fit, which may hold names; the others are counted."""
    shown = fitting([f"<b>{what}</b>: {code(sentence, _SENTENCE)}" for sentence in sentences], room)
    if len(sentences) > len(shown):
        shown.append(f"<b>{what}</b>: {len(sentences) - len(shown)} more")
    return f"<p>{'<br>'.join(shown)}</p>" if shown else ""


def _approval(plan: Plan) -> str:
    said = summary.approval(plan)
    return f"\n<p>{code(said)}</p>" if said else ""


def _named(what: str, names: Sequence[str]) -> str:
    return f"<p>{what} {code(summary.listed(names, _FEW))}</p>" if names else ""


def _who(change: Change, instances: Sequence[str]) -> tuple[str, str]:
    return code(summary.listed(instances, _MANY)), code(change.label, NAME)


def _why(reason: str) -> str:
    return code(reason, _SENTENCE)


# -- a group -----------------------------------------------------------------------------------


def _parts(plan: Plan) -> list[Part]:
    """The groups, what is dangerous first; then calls, where their order matters."""
    also = summary.also(plan)
    rank = {verb: number for number, verb in enumerate(_ORDER)} | {Verb.UPDATE: _ORDER.index(Verb.CREATE)}
    shown = [
        ((not _is_dangerous(group), rank[group.shown.verb]), group)
        for group in groups(plan)
        if group.shown.verb is not Verb.BEFORE
        and not (group.shown.verb is Verb.UNMANAGED and group.shown.of is Of.BOT)
    ]
    shown.sort(key=itemgetter(0))
    alone = len(shown) == 1
    found = [_group(group, plan, also, unfolded=alone) for _, group in shown]
    broken = [Part(len(names), partial(_problem, why, names, plan)) for why, names in problems(plan)]
    first = sum(place < (True, rank[Verb.CREATE]) for place, _ in shown)
    ordered = [Part(0, partial(_calls, names, sentences, plan)) for names, sentences in calls.lists(plan)]
    return [*found[:first], *broken, *found[first:], *ordered]


def _group(group: Group, plan: Plan, also: summary.Also, *, unfolded: bool = False) -> Part:
    def make() -> Block:
        return _block(group, plan, summary.also_of(group, also), unfolded=unfolded)

    return Part(len(group.alike), make)


def _is_dangerous(group: Group) -> bool:
    return any(map(effects.becomes_catch_all, group.alike))


def _block(group: Group, plan: Plan, also: Sequence[str] = (), *, unfolded: bool = False) -> Block:
    """The reason, and every field that differs: short ones in a table, long texts as diffs.

    also: sentences about what the calls do beyond that.
    """
    change = group.shown
    title = f"<b>{values.word(change.verb)}</b> {_where(group, plan)}{_CAUSES[change.cause]}"
    if _is_dangerous(group):
        title += " · <b>catch-all</b>"
    if not change.verb.writes or change.verb is Verb.ADOPT:
        title += f": {code(change.reason, _SENTENCE)}"
    elif group.origins:
        title += f" · {code(values.places(group.origins), 2 * NAME)}"
    heads: tuple[str, ...] = ("before", "after")
    sides = slice(None)
    if change.is_whole:
        heads, sides = (("before",), slice(1)) if change.verb is Verb.DELETE else (("after",), slice(1, None))
    long = [field for field in change.fields if _is_long(field)]
    notes = any(field.note for field in change.fields if field not in long)
    rows = [
        (
            code(field.name),
            *map(code, _both(field)[sides]),
            *([values.NOTES.get(field.note, "")] if notes else []),
        )
        for field in change.fields
        if field not in long
    ]
    short = table(("field", *heads, *([""] if notes else [])), rows)
    diffs = tuple(
        _diff(*each, values.NOTES.get(field.note, "")) for field in long for each in values.texts(field)
    )
    body = "\n".join(filter(None, [_about(group, also), short]))
    return Block(opened(title, body, unfolded=unfolded), f"<p>{title}</p>", diffs)


def _where(group: Group, plan: Plan) -> str:
    """The bot and its instance, or the instances that have the same."""
    change = group.shown
    if len(group.alike) == 1:
        moved = f" from {code(change.other, NAME)}" if change.verb is Verb.MOVE else ""
        return f"{code(change.instance, NAME)} / {code(change.label, NAME)}{moved}"
    many, folder = summary.radius(group.instances, plan)
    where = f"{code(change.label, NAME)} on {many}"
    if folder:
        return f"{where}, all of {code(folder, NAME)}"
    return where if len(group.instances) == len(plan.instances) else f"{where}: {_few(group.instances)}"


def _few(names: Sequence[str]) -> str:
    return code(summary.listed(names, _FEW))


def _about(group: Group, also: Sequence[str]) -> str:
    """What is known of the changes beside their fields."""
    change = group.shown
    facts = [code(change.reason)]
    if len(group.alike) == 1:
        facts += [f"declared at {code(str(change.at))}"] if change.at else []
        facts += [f"on the server {code(id)}" for id in change.ids]
        whole = code(change.instance)
        facts += [f"on {whole}"] if whole != code(change.instance, NAME) else []  # clipped above
    else:
        facts.append(f"on {code(summary.listed(group.instances, _MANY))}")
        if change.verb is Verb.MOVE:
            facts.append(f"from {code(summary.listed([each.other for each in group.alike], _MANY))}")
    facts += [code(sentence) for sentence in also]
    return f"<p>{', '.join(facts)}</p>"


def _problem(why: str, names: tuple[str, ...], plan: Plan) -> Block:
    many = code(names[0], NAME) if len(names) == 1 else f"on {summary.radius(names, plan)[0]}"
    title = f"<b>problem</b> {many}: {code(why, _SENTENCE)}"
    body = f"<p>{code(why)}, on {code(summary.listed(names, _MANY))}</p>"
    return Block(opened(title, body), f"<p>{title}</p>", ())


def _both(field: FieldChange) -> tuple[str, str]:
    before, after = (
        values.inline(field.name, side) for side in values.distinguished(field.before, field.after)
    )
    return before, after


def _is_long(field: FieldChange) -> bool:
    return values.is_long(field.before, _INLINE) or values.is_long(field.after, _INLINE)


def _diff(title: str, before: Sequence[str], after: Sequence[str], note: str = "") -> Diff:
    """The diff of a text."""

    def make() -> tuple[str, ...]:
        return tuple(
            safe.inert(f"@@ {line} @@" if sign == "@@" else f"{sign} {line}")
            for sign, line in values.diff(before, after, _LINE)
        )

    return Diff(title, make, note)


def _calls(names: tuple[str, ...], sentences: Sequence[calls.Sentence], plan: Plan) -> Block:
    items = []
    for call, about, reason in sentences:
        why = f": {code(reason)}" if reason else ""
        items.append(f"<li>{call} {code(about)}{why}</li>")
    where = code(names[0], NAME) if len(names) == 1 else f"each of {summary.radius(names, plan)[0]}"
    title = f"calls on {where}, in this order"
    return Block(opened(title, "\n".join(["<ol>", *items, "</ol>"])), f"<p>{title}</p>", ())


# -- what has nothing to do with what an apply does --------------------------------------------


def _asides(plan: Plan) -> Iterator[Part]:
    """One folded line each: what is not of this pull request, unmanaged bots, credentials not compared."""
    if said := summary.before(plan):
        rows = [
            (code(values.word(g.shown.verb)), *_who(g.shown, g.instances), _why(g.shown.reason))
            for g in groups(plan)
            if g.shown.verb is Verb.BEFORE
        ]
        yield _aside(f"{said}.", table(("", "instance", "bot", "why"), rows, _ROOM))
    if found := summary.unmanaged(plan):
        where = len({change.instance for change in found})
        bots = [f"{code(c.instance, NAME)}: {code(', '.join(summary.known_by(c)), _SENTENCE)}" for c in found]
        lines = fitting(bots, _ROOM, between=len("<br>"))
        lines += [f"and {len(bots) - len(lines)} more"] if len(lines) < len(bots) else []
        title = f"{count(len(found), 'unmanaged bot')} on {count(where, 'instance')}, never written to."
        yield _aside(title, f"<p>{'<br>'.join(lines)}</p>")
    for missing, said, labels in summary.unverified(plan):
        title = f"{'<b>no key</b>: ' if missing else ''}{_credentials(labels)}: {code(said, _SENTENCE)}"
        names = summary.listed((f"{label} of {instance}" for instance, label in labels), _MANY)
        yield _aside(title, f"<p>{code(names)}</p>")


_ROOM = 4000  # bytes for the rows of what is folded


def _credentials(labels: Sequence[tuple[str, str]]) -> str:
    (instance, label), *others = labels
    return f"{len(labels)} credentials" if others else f"{code(label, NAME)} of {code(instance, NAME)}"


def _aside(title: str, body: str) -> Part:
    return Part(0, lambda: Block(opened(title, body), f"<p>{title}</p>", ()))
