"""Plan and Results as GitHub's markdown, for a pull request's comment, an issue and a job's summary.

Everything foreign stands in one of two places. Inline it is escaped HTML in `<code>` within an HTML block,
where markdown reads nothing: no pipe ends a cell, nothing becomes a link, and GitHub looks for no mention or
issue number in code. Texts of several lines stand in a fence that is longer than any run of backticks in
them. No line is a workflow command, should the text be printed to a job's log.

A page is at most so many bytes of UTF-8, which is what a job's summary is measured in and never less than
the characters that a comment is measured in. Of a bot that takes more than its share of the room the
beginning of its diffs is shown; what is left out is counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reconciler.domain import safe
from reconciler.domain.errors import ReconcilerError
from reconciler.domain.plan import Change, FieldChange, InstancePlan, Plan, Verb
from reconciler.domain.results import Outcome, Results
from reconciler.render import text, values
from reconciler.render.values import clip, count

COMMENT = 65_536
"""What a comment of GitHub holds."""

SUMMARY = 1024 * 1024
"""What a job's summary holds, in bytes."""

LEAST = 4096
"""The smallest page that can be asked for: the counts and the digest are always there."""

_STANDS_OUT = (Verb.DELETE, Verb.REPLACE, Verb.ROTATE, Verb.ADOPT, Verb.BLOCKED, Verb.CONFLICT)
_WARNINGS = {
    Verb.DELETE: "Open sessions of a bot that is deleted are lost.",
    Verb.REPLACE: "Open sessions of a bot that is replaced are lost.",
    Verb.ROTATE: "The old key of a credential that is rotated is deleted when nothing uses it any more.",
    Verb.ADOPT: "A bot that is adopted was made by somebody else; the manifests take it over.",
    Verb.BLOCKED: "What is held was not reviewed, and is not applied.",
    Verb.CONFLICT: "A bot in conflict is left as it is.",
}
_PROBLEM = "An instance with a problem is left as it is."
_COLUMNS = (Verb.CREATE, Verb.UPDATE, Verb.ADOPT, Verb.REPLACE, Verb.DELETE, Verb.CONFLICT)
_CAUSES = {"": "", "drift": " · drift", "pending": " · pending", "both": " · drift and pending"}
_SIDES = {Verb.CREATE: (("after",), slice(1, None)), Verb.DELETE: (("before",), slice(1))}
_INLINE = 120  # characters of a value in a table; what is longer is shown as a diff
_LINE = 240  # characters of a diff's line, beyond which it is cut where nothing changes
_NAME = 80  # characters of a name, and
_SENTENCE = 300  # of a sentence, in what is always there
_ROWS = 100  # of a table there
_NAMED = 20  # instances that are named when bots are left out,
_NOTE = 3000  # and bytes for that
_LEAST_SHARE = 2000  # bytes of a block that is shown in part; with less, fewer are shown


def plan(plan: Plan, *, max_chars: int = COMMENT, more: str = "") -> str:
    """The counts, what stands out, a table of instances, then a folded block for each bot.

    max_chars: of the page, at least LEAST beyond more, else a ReconcilerError. more: a trusted sentence of
    markdown that says where the whole plan is; shown when something is left out.
    """
    limit, more = _limit(max_chars, more)
    number = Counter(change.verb for change in plan.changes())
    warnings = [_WARNINGS[verb] for verb in _STANDS_OUT if number.get(verb)]
    broken = [instance for instance in plan.instances if instance.problem is not None]
    rows = [
        *(_look(f"<b>{verb}</b>", c) for verb in _STANDS_OUT for c in plan.changes() if c.verb is verb),
        *(_broken(instance) for instance in broken),
        *(_unverified(*each) for each in text.unverified(plan)),
    ]
    head = [
        "\n".join([f"**{text.counts(plan)}**", *text.credentials(plan)]),
        _warning([*warnings, _PROBLEM] if broken else warnings),
        _table(("", "instance", "bot", "why"), rows, limit // 4),
        _instances(plan, limit // 4),
    ]
    return _page(head, _blocks(plan), _foot(plan), max_chars, more)


def results(plan: Plan, results: Results, *, max_chars: int = COMMENT, more: str = "") -> str:
    """The counts, what was not applied and why, folded what was, then a block for each bot that was not.

    What the plan itself could not do, such as a conflict, is among what was not applied.
    """
    limit, more = _limit(max_chars, more)
    lost = [result for result in results.results if result.outcome is not Outcome.APPLIED]
    kept = [c for c in plan.changes() if c.verb in {Verb.BLOCKED, Verb.CONFLICT}]
    done = [
        (r.change.verb.value, _code(r.change.instance, _NAME), _code(r.change.label, _NAME))
        for r in results.results
        if r.outcome is Outcome.APPLIED
    ]
    rows = [
        *(_look(f"<b>{r.outcome}</b>: {r.change.verb}", r.change, r.detail) for r in lost),
        *(_look(f"<b>{change.verb}</b>", change) for change in kept),
        *(_broken(instance) for instance in plan.instances if instance.problem is not None),
    ]
    head = [
        "\n".join(f"**{line}**" for line in text.endings(results)),
        _warning(["Not everything was applied."] if rows or not results.ok else []),
        _table(("", "instance", "bot", "why"), rows, limit // 4),
        _folded(f"{len(done)} applied", _table(("", "instance", "bot"), done, limit // 4)) if done else "",
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
    return _page(head, blocks, _foot(plan), max_chars, more)


def _limit(max_chars: int, more: str) -> tuple[int, str]:
    """What a page has room for beyond `more`, and `more` as it is shown. Raises ReconcilerError."""
    more = safe.inert(safe.line(more))
    if (limit := max_chars - _size(more)) < LEAST:
        raise ReconcilerError(f"--max-chars is too small: a page takes {LEAST} and what --more says.")
    return limit, more


# -- the page ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Block:
    """What is shown whole, or with the beginning of its diffs, or not at all.

    start: its text without the diffs, which stand open at its end. diffs: their heads and lines. stub: stands
    for it when even an empty page could not hold its start.
    """

    instance: str
    start: str
    stub: str
    diffs: tuple[_Diff, ...] = ()
    is_bot: bool = True

    @property
    def text(self) -> str:
        return _closed(self.start, [each.text(len(each.lines)) for each in self.diffs])

    def cut(self, room: int) -> str:
        """As much of it as has room in so many bytes, each diff with its fair part; "" for nothing."""
        shown: list[str] = []
        room -= _size(_closed(self.start, []))
        for number, each in enumerate(self.diffs):
            part = each.cut(room // (len(self.diffs) - number))
            room -= _size(part)
            shown.append(part)
        return _closed(self.start, shown) if room >= 0 and any(shown) else ""


@dataclass(frozen=True, slots=True)
class _Diff:
    """A text that differs: what it is called, and the lines of its diff."""

    title: str
    lines: tuple[str, ...]

    def text(self, number: int) -> str:
        """The first so many lines, in a fence that nothing in them closes, and how many are left out."""
        shown, rest = self.lines[:number], len(self.lines) - number
        longest = max((len(run) for line in shown for run in re.findall("`+", line)), default=0)
        fence = "`" * max(3, longest + 1)
        note = f"<p>{count(rest, 'more line')} of this diff left out.</p>"
        diff = [f"<p>{_code(self.title)}</p>", "", f"{fence}diff", *shown, fence]
        return "\n".join([*diff, "", note] if rest else diff)

    def cut(self, room: int) -> str:
        """As many lines as have room in so many bytes; "" where not one has."""
        if _size(whole := self.text(len(self.lines))) <= room:
            return whole
        number = len(_fitting(self.lines, room, between=1))
        while number > 0 and _size(part := self.text(number)) > room:
            over = _size(part) - room
            while number > 0 and over > 0:  # at least what is too much
                number -= 1
                over -= len(self.lines[number].encode()) + 1
        return self.text(number) if number > 0 else ""


def _closed(start: str, diffs: Sequence[str]) -> str:
    """A folded block whose body ends with diffs."""
    # The empty line is for a fence that ends the body; before a tag it would do no harm either.
    return "\n\n".join([start, *diffs]) + "\n\n</details>"


def _page(head: Sequence[str], blocks: Sequence[_Block], foot: str, most: int, more: str) -> str:
    """All of it if that is not more than `most` bytes, else as many blocks as there is room for.

    A block that is larger than its share of the room is cut to that; the shares of those that are smaller go
    to the others.
    """
    page = _joined([*head, *(block.text for block in blocks), foot])
    if len(page.encode()) <= most:
        return page
    note = min((most - _size(more)) // 8, _NOTE)
    room = most - _size(*head, more, foot) - note
    share = max(_share([_size(block.text) for block in blocks], room), min(_LEAST_SHARE, room))
    shown: list[str] = []
    left: list[_Block] = []
    cut = 0
    for block in blocks:
        part = block.text
        if _size(part) > min(share, room):
            part = block.cut(min(share, room))
            cut += bool(part)
            if not part:
                left.append(block)
                part = block.stub if _size(block.text) > share else ""
        if part and _size(part) <= room:
            shown.append(part)
            room -= _size(part)
    return _joined([*head, *shown, _left_out(left, cut, note), more, foot])


def _share(sizes: Sequence[int], room: int) -> int:
    """How much each may have so that all have room, when none that needs less takes more."""
    for number, size in enumerate(sorted(sizes)):
        if size * (len(sizes) - number) > room:
            return room // (len(sizes) - number)
        room -= size
    return room


def _left_out(blocks: Sequence[_Block], cut: int, room: int) -> str:
    """How many bots of which instances are not on the page, and how many are there in part."""
    bots = Counter(block.instance for block in blocks if block.is_bot)
    calls = sum(not block.is_bot for block in blocks)
    parts = [f"{_code(name, _NAME)}: {number}" for name, number in bots.items()]
    shown = _fitting(parts[:_NAMED], room - 270)
    if len(shown) < len(parts):
        shown.append(f"and on {count(len(parts) - len(shown), 'instance')} more")
    what = [f"{count(bots.total(), 'bot')} ({', '.join(shown)})"] if bots else []
    what += [f"the calls on {count(calls, 'instance')}"] if calls else []
    said = [f"Left out: {' and '.join(what)}."] if what else []
    said += [f"Shown in part: {count(cut, 'bot')}."] if cut else []
    said += ["<code>reconciler show --format json</code> has all of it."]
    return f"<p><b>Too long to be shown whole.</b> {' '.join(said)}</p>"


def _foot(plan: Plan) -> str:
    server, owner = _code(plan.server, _NAME), _code(plan.owner, 32)
    return f"<p>server {server}, owner {owner}, digest of the whole plan: <code>{plan.digest}</code></p>"


def _joined(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


def _size(*parts: str) -> int:
    """Bytes that the parts take on a page."""
    return sum(len(part.encode()) + len("\n\n") for part in parts)


def _fitting(parts: Iterable[str], room: int, between: int = 2) -> list[str]:
    """The first parts that fit into so many bytes. between: bytes between two of them."""
    fitting: list[str] = []
    for part in parts:
        room -= len(part.encode()) + between
        if room < 0:
            break
        fitting.append(part)
    return fitting


# -- what is always there ----------------------------------------------------------------------


def _warning(sentences: Sequence[str]) -> str:
    return "\n".join(["> [!WARNING]", *(f"> {sentence}" for sentence in sentences)]) if sentences else ""


def _look(what: str, change: Change, why: str = "") -> tuple[str, ...]:
    return (
        what,
        _code(change.instance, _NAME),
        _code(change.label, _NAME),
        _code(why or change.reason, _SENTENCE),
    )


def _broken(instance: InstancePlan) -> tuple[str, ...]:
    return "<b>problem</b>", _code(instance.name, _NAME), "", _code(instance.problem or "", _SENTENCE)


def _unverified(instance: str, label: str, said: str) -> tuple[str, ...]:
    return "<b>no key</b>", _code(instance, _NAME), _code(label, _NAME), _code(said, _SENTENCE)


def _instances(plan: Plan, room: int) -> str:
    """How many changes of each verb every instance has that has any; the others are counted."""
    number = Counter(change.verb for change in plan.changes())
    columns = [verb for verb in Verb if verb in _COLUMNS or number.get(verb)]
    rows = []
    for instance in plan.instances:
        if instance.changes or instance.problem is not None:
            here = Counter(change.verb for change in instance.changes)
            cells = [str(here[verb] or "") for verb in columns]
            problem = ", problem" if instance.problem is not None else ""
            rows.append((_code(instance.name, _NAME) + problem, *cells, str(instance.in_sync or "")))
    rest = len(plan.instances) - len(rows)
    table = _table(("instance", *columns, "in sync"), rows, room)
    if not (table and rest):
        return table
    return f"{table}\n<p>{count(rest, 'instance')} more in sync.</p>"


# -- a bot -------------------------------------------------------------------------------------


def _blocks(plan: Plan) -> list[_Block]:
    """What is written, each instance with its calls where their order says something; then what is not."""
    blocks = []
    for instance in plan.instances:
        also = values.also(instance)
        blocks += [_block(c, also.get(c.label, ())) for c in instance.changes if c.verb.writes]
        if text.needs_order(instance):
            blocks.append(_calls(instance))
    return blocks + [_block(change) for change in plan.changes() if not change.verb.writes]


def _block(change: Change, also: Sequence[str] = ()) -> _Block:
    """Why, and every field that differs: short ones in a table, long texts as diffs.

    also: what its calls do beyond that, a sentence each.
    """
    title = f"<b>{change.verb}</b> {_code(change.instance)} / {_code(change.label)}{_CAUSES[change.cause]}"
    facts = [_code(change.reason)]
    facts += [f"declared at {_code(str(change.at))}"] if change.at else []
    facts += [f"on the server {_code(id)}" for id in change.ids]
    facts += [_code(sentence) for sentence in also]
    heads, sides = _SIDES.get(change.verb, (("before", "after"), slice(None)))
    long = [field for field in change.fields if _is_long(field)]
    rows = []
    for field in change.fields:
        if field not in long:
            both = [
                values.inline(field.name, side) for side in values.distinguished(field.before, field.after)
            ]
            rows.append((_code(field.name), *map(_code, both[sides])))
    about = f"<p>{', '.join(facts)}</p>"
    table = _table(("field", *heads), rows)
    diffs = tuple(_diff(*each) for field in long for each in values.texts(field))
    body = f"{about}\n{table}" if table else about
    name = f"{_code(change.instance, _NAME)} / {_code(change.label, _NAME)}"
    stub = f"<p><b>{change.verb}</b> {name} is too long to be shown here.</p>"
    return _Block(change.instance, _open(title, body), stub, diffs)


def _is_long(field: FieldChange) -> bool:
    return values.is_long(field.before, _INLINE) or values.is_long(field.after, _INLINE)


def _diff(title: str, before: Sequence[str], after: Sequence[str]) -> _Diff:
    """A text's name, and its lines that differ."""
    lines = (
        safe.inert(f"@@ {line} @@" if sign == "@@" else f"{sign} {line}")
        for sign, line in values.diff(before, after, _LINE)
    )
    return _Diff(title, tuple(lines))


def _calls(instance: InstancePlan) -> _Block:
    items = []
    for step in instance.steps:
        why = f": {_code(step.why)}" if step.why else ""
        items.append(f"<li>{step.call} {_code(text.subject(step))}{why}</li>")
    title = f"calls on {_code(instance.name)}, in this order"
    body = "\n".join(["<ol>", *items, "</ol>"])
    stub = f"<p>The calls on {_code(instance.name, _NAME)} are too long to be shown here.</p>"
    return _Block(instance.name, _open(title, body), stub, is_bot=False)


# -- HTML blocks: no line of them is empty, as that would end them -------------------------------

# Quotes need no escape between tags. What markdown or GitHub would read elsewhere is escaped as well, so
# that nothing hangs on where the text is shown: mentions, issue numbers, fences, commands of the runner.
_ENTITIES = {ord(character): f"&#{ord(character)};" for character in "@#`"} | {
    ord("&"): "&amp;",
    ord("<"): "&lt;",
    ord(">"): "&gt;",
}


def _code(text: str, room: int | None = None) -> str:
    """Foreign text, one line. room: characters at most, before they are escaped."""
    shown = safe.line(text)
    return f"<code>{(shown if room is None else clip(shown, room)).translate(_ENTITIES)}</code>"


def _open(summary: str, body: str) -> str:
    return f"<details>\n<summary>{summary}</summary>\n{body}"


def _folded(summary: str, body: str) -> str:
    return _closed(_open(summary, body), [])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], room: int | None = None) -> str:
    """Rows of cells that are HTML already. room: bytes for the rows; what is more is counted."""
    lines = ["<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows]
    shown = lines if room is None else _fitting(lines[:_ROWS], room)
    if len(shown) < len(lines):
        shown.append(f'<tr><td colspan="{len(head)}">and {len(lines) - len(shown)} more</td></tr>')
    top = "<tr>" + "".join(f"<th>{cell}</th>" for cell in head) + "</tr>"
    return "\n".join(["<table>", top, *shown, "</table>"]) if lines else ""
