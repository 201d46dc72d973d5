"""Plan and Results as GitHub's markdown, for a pull request's comment, an issue and a job's summary.

Foreign text is in one of two places. Inline it is escaped HTML in `<code>` within an HTML block, where no
markdown is read: no pipe ends a cell, nothing becomes a link, and GitHub makes no mention or issue number of
it. Texts of several lines are in a fence that is longer than any run of backticks in them. No line is a
workflow command, should the text be printed to a job's log.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from reconciler.domain import safe
from reconciler.domain.errors import ReconcilerError
from reconciler.domain.plan import Change, FieldChange, InstancePlan, Plan, Verb
from reconciler.domain.results import Outcome, Results
from reconciler.render import text, values
from reconciler.render.html import code, folded, opened, size, table
from reconciler.render.page import NAME, Block, Diff, page
from reconciler.render.values import count

COMMENT = 65_536
"""Characters that a comment on GitHub holds."""

SUMMARY = 1024 * 1024
"""Bytes that a job's summary holds."""

LEAST = 4096
"""The smallest page, in bytes: the counts and the digest are always on it."""

_STANDS_OUT = (Verb.DELETE, Verb.REPLACE, Verb.ROTATE, Verb.ADOPT, Verb.BLOCKED, Verb.CONFLICT)
_WARNINGS = {
    Verb.DELETE: "Open sessions of deleted bots are lost.",
    Verb.REPLACE: "Open sessions of replaced bots are lost.",
    Verb.ROTATE: "The old key of a rotated credential is deleted once nothing uses it.",
    Verb.ADOPT: "Adopted bots were created by somebody else; the manifests take them over.",
    Verb.BLOCKED: "Blocked changes were not reviewed and are not applied.",
    Verb.CONFLICT: "Bots in conflict are left as they are.",
}
_PROBLEM = "Instances with a problem are left as they are."
_COLUMNS = (Verb.CREATE, Verb.UPDATE, Verb.ADOPT, Verb.REPLACE, Verb.DELETE, Verb.CONFLICT)
_CAUSES = {"": "", "drift": " · drift", "pending": " · pending", "both": " · drift and pending"}
_SIDES = {Verb.CREATE: (("after",), slice(1, None)), Verb.DELETE: (("before",), slice(1))}
_INLINE = 120  # characters of a value in a table; what is longer is shown as a diff
_LINE = 240  # characters of a diff's line, beyond which it is cut where nothing changes
_SENTENCE = 300  # characters of a sentence that is always shown


def plan(plan: Plan, *, max_chars: int = COMMENT, more: str = "") -> str:
    """The counts, what needs attention, a table of instances, then a folded block for each bot.

    max_chars: the most bytes of the page. more: trusted markdown, a sentence that says where the whole plan
    is, shown when something is left out. Raises ReconcilerError when less than LEAST is left beside more.
    """
    limit, more = _limit(max_chars, more)
    number = Counter(change.verb for change in plan.changes())
    warnings = [_WARNINGS[verb] for verb in _STANDS_OUT if number.get(verb)]
    broken = [instance for instance in plan.instances if instance.problem is not None]
    rows = [
        *(
            _look(f"<b>{values.word(verb)}</b>", c)
            for verb in _STANDS_OUT
            for c in plan.changes()
            if c.verb is verb
        ),
        *(_broken(instance) for instance in broken),
        *(_unverified(*each) for each in text.unverified(plan)),
    ]
    head = [
        "\n".join([f"**{text.counts(plan)}**", *text.credentials(plan)]),
        _warning([*warnings, _PROBLEM] if broken else warnings),
        table(("", "instance", "bot", "why"), rows, limit // 4),
        _instances(plan, limit // 4),
    ]
    return page(head, _blocks(plan), _foot(plan), max_chars, more)


def results(plan: Plan, results: Results, *, max_chars: int = COMMENT, more: str = "") -> str:
    """The counts, what was not applied and why, what was applied, and a block for each bot that was not.

    Changes that the plan itself left out, such as conflicts, count as not applied.
    """
    limit, more = _limit(max_chars, more)
    lost = [result for result in results.results if result.outcome is not Outcome.APPLIED]
    kept = [c for c in plan.changes() if c.verb in {Verb.BLOCKED, Verb.CONFLICT}]
    done = [
        (r.change.verb.value, code(r.change.instance, NAME), code(r.change.label, NAME))
        for r in results.results
        if r.outcome is Outcome.APPLIED
    ]
    rows = [
        *(_look(f"<b>{r.outcome}</b>: {r.change.verb}", r.change, r.detail) for r in lost),
        *(_look(f"<b>{values.word(change.verb)}</b>", change) for change in kept),
        *(_broken(instance) for instance in plan.instances if instance.problem is not None),
    ]
    head = [
        "\n".join(f"**{line}**" for line in text.endings(results)),
        _warning(["Not everything was applied."] if rows or not results.ok else []),
        table(("", "instance", "bot", "why"), rows, limit // 4),
        folded(f"{len(done)} applied", table(("", "instance", "bot"), done, limit // 4)) if done else "",
    ]
    also = {
        (instance.name, label): said
        for instance in plan.instances
        for label, said in values.also(instance).items()
    }
    blocks = [
        _block(change, also.get((change.instance, change.label), ()))
        for change in (*(result.change for result in lost), *kept)
    ]
    return page(head, blocks, _foot(plan), max_chars, more)


def _limit(max_chars: int, more: str) -> tuple[int, str]:
    """The bytes of a page without `more`, and `more` as it is shown. Raises ReconcilerError."""
    more = safe.inert(safe.line(more))
    if (limit := max_chars - size(more)) < LEAST:
        raise ReconcilerError(
            f"--max-chars is too small: it must be {LEAST} plus the length of --more, or more."
        )
    return limit, more


def _foot(plan: Plan) -> str:
    server, owner = code(plan.server, NAME), code(plan.owner, 32)
    return f"<p>server {server}, owner {owner}, digest of the whole plan: <code>{plan.digest}</code></p>"


# -- what is always shown ----------------------------------------------------------------------


def _warning(sentences: Sequence[str]) -> str:
    return "\n".join(["> [!WARNING]", *(f"> {sentence}" for sentence in sentences)]) if sentences else ""


def _look(what: str, change: Change, why: str = "") -> tuple[str, ...]:
    return (
        what,
        code(change.instance, NAME),
        code(change.label, NAME),
        code(why or change.reason, _SENTENCE),
    )


def _broken(instance: InstancePlan) -> tuple[str, ...]:
    return "<b>problem</b>", code(instance.name, NAME), "", code(instance.problem or "", _SENTENCE)


def _unverified(instance: str, label: str, said: str) -> tuple[str, ...]:
    return "<b>no key</b>", code(instance, NAME), code(label, NAME), code(said, _SENTENCE)


def _instances(plan: Plan, room: int) -> str:
    """A row for each instance with changes: how many of each verb. The other instances are counted."""
    number = Counter(change.verb for change in plan.changes())
    columns = [verb for verb in Verb if verb in _COLUMNS or number.get(verb)]
    rows = []
    for instance in plan.instances:
        if instance.changes or instance.problem is not None:
            here = Counter(change.verb for change in instance.changes)
            cells = [str(here[verb] or "") for verb in columns]
            problem = ", problem" if instance.problem is not None else ""
            rows.append((code(instance.name, NAME) + problem, *cells, str(instance.in_sync or "")))
    rest = len(plan.instances) - len(rows)
    shown = table(("instance", *map(values.word, columns), "in sync"), rows, room)
    if not (shown and rest):
        return shown
    return f"{shown}\n<p>{count(rest, 'instance')} more in sync.</p>"


# -- a bot -------------------------------------------------------------------------------------


def _blocks(plan: Plan) -> list[Block]:
    """Changes that are written, with the calls of an instance where their order matters; then the others."""
    blocks = []
    for instance in plan.instances:
        also = values.also(instance)
        blocks += [_block(c, also.get(c.label, ())) for c in instance.changes if c.verb.writes]
        if text.needs_order(instance):
            blocks.append(_calls(instance))
    return blocks + [_block(change) for change in plan.changes() if not change.verb.writes]


def _block(change: Change, also: Sequence[str] = ()) -> Block:
    """The reason, and every field that differs: short ones in a table, long texts as diffs.

    also: sentences about what the calls do beyond that.
    """
    verb = values.word(change.verb)
    title = f"<b>{verb}</b> {code(change.instance)} / {code(change.label)}{_CAUSES[change.cause]}"
    facts = [code(change.reason)]
    facts += [f"declared at {code(str(change.at))}"] if change.at else []
    facts += [f"on the server {code(id)}" for id in change.ids]
    facts += [code(sentence) for sentence in also]
    heads, sides = _SIDES.get(change.verb, (("before", "after"), slice(None)))
    long = [field for field in change.fields if _is_long(field)]
    rows = []
    for field in change.fields:
        if field not in long:
            both = [
                values.inline(field.name, side) for side in values.distinguished(field.before, field.after)
            ]
            rows.append((code(field.name), *map(code, both[sides])))
    about = f"<p>{', '.join(facts)}</p>"
    short = table(("field", *heads), rows)
    diffs = tuple(_diff(*each) for field in long for each in values.texts(field))
    body = f"{about}\n{short}" if short else about
    name = f"{code(change.instance, NAME)} / {code(change.label, NAME)}"
    stub = f"<p><b>{verb}</b> {name} is too long to show here.</p>"
    return Block(change.instance, opened(title, body), stub, diffs)


def _is_long(field: FieldChange) -> bool:
    return values.is_long(field.before, _INLINE) or values.is_long(field.after, _INLINE)


def _diff(title: str, before: Sequence[str], after: Sequence[str]) -> Diff:
    """The diff of a text."""
    lines = (
        safe.inert(f"@@ {line} @@" if sign == "@@" else f"{sign} {line}")
        for sign, line in values.diff(before, after, _LINE)
    )
    return Diff(title, tuple(lines))


def _calls(instance: InstancePlan) -> Block:
    items = []
    for step in instance.steps:
        why = f": {code(step.why)}" if step.why else ""
        items.append(f"<li>{step.call} {code(text.subject(step))}{why}</li>")
    title = f"calls on {code(instance.name)}, in this order"
    body = "\n".join(["<ol>", *items, "</ol>"])
    stub = f"<p>The calls on {code(instance.name, NAME)} are too long to show here.</p>"
    return Block(instance.name, opened(title, body), stub, is_bot=False)
