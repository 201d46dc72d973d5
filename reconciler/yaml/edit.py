"""Edits of the text of a manifest, which stays the same everywhere else, byte for byte.

The nodes tell where a value is; only that is cut out and replaced, in the style that it had. YAML and JSON.
The caller reads the result to check that it means what it should; CannotEditError for a text that is written
in a way that is not understood.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from reconciler.domain.records import dataclass
from reconciler.yaml.anchors import Anchors
from reconciler.yaml.blocks import CannotEditError
from reconciler.yaml.change import Changer
from reconciler.yaml.compose import compose
from reconciler.yaml.jsonc import compose_json
from reconciler.yaml.lists import Splice, added
from reconciler.yaml.replace import Place
from reconciler.yaml.spans import Entry, Spans, in_brackets
from reconciler.yaml.writer import Edits, Put, Writer

__all__ = ["CannotEditError", "Edits", "Put", "edit"]


@dataclass(frozen=True, slots=True)
class _Change:
    """A value to write over."""

    place: Place
    put: Put


@dataclass(frozen=True, slots=True)
class _Override:
    """An alias of a mapping that needs keys of its own."""

    place: Place
    edits: Edits


@dataclass(frozen=True, slots=True)
class _Addition:
    """New keys for a mapping. column: of the key that the mapping belongs to."""

    node: MappingNode
    entries: Sequence[Entry]
    new: Edits
    column: int
    flow: bool


def edit(
    text: str, edits: Edits, *, as_json: bool = False, literal: Callable[[str], str] = lambda text: text
) -> str:
    """The text with the edits made. literal: escapes a text so that it is read back unchanged.

    Raises CannotEditError, and MalformedError for a text that is no manifest.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    missing = "" if text.endswith("\n") else newline  # so that every line is a whole one
    text += missing
    root = (compose_json if as_json else compose)(text)
    spans = Spans(text, as_json)
    writer = Writer(spans, root, literal, newline)
    jobs = list(_jobs(spans, root, edits, column=-2, flow=as_json))
    puts = [(job.place.entry, job.put) for job in jobs if isinstance(job, _Change)]
    changer = Changer(spans, writer, Anchors(spans, writer, root, puts))
    splices: list[Splice] = []
    for job in jobs:
        match job:
            case _Change(place, put):
                splices += changer.change(place, put)
            case _Override(place, over):
                splices += _overridden(spans, writer, place, over)
            case _Addition():
                splices += _added(spans, writer, job)
    made = _spliced(text, splices)
    return made if any(splice.ends for splice in splices) else made.removesuffix(missing)


def _jobs(
    spans: Spans, node: Node, edits: Edits, column: int, *, flow: bool
) -> Iterator[_Change | _Override | _Addition]:
    """What to do in a mapping, in the order of the text, inner mappings before outer ones."""
    if not isinstance(node, MappingNode):
        raise CannotEditError("what should be a mapping is not one: write it out")
    flow = flow or (in_brackets(node) and bool(node.value))
    entries = spans.entries(node)
    new: dict[str, Put | Edits] = {}
    for name, wanted in edits.items():
        entry = entries.get(name)
        if entry is None:
            if not isinstance(wanted, Put) and _merges(node, name):
                raise CannotEditError(f"{name} comes from a merge key (<<): write it out here")
            new[name] = wanted
            continue
        place = Place(entry, spans.column(entry.start), flow)
        if isinstance(wanted, Put):
            yield _Change(place, wanted)
        elif entry.alias:
            yield _Override(place, wanted)
        else:
            yield from _jobs(spans, entry.node, wanted, place.column, flow=flow)
    if new:
        yield _Addition(node, list(entries.values()), new, column, flow)


def _merges(node: MappingNode, name: str) -> bool:
    """Whether a merge key brings in this key."""
    for key, value in node.value:
        if key.value == "<<" and not key.style:
            merged = value.value if isinstance(value, SequenceNode) else [value]
            for each in merged:
                if any(k.value == name for k, _ in each.value) or _merges(each, name):
                    return True
    return False


def _overridden(spans: Spans, writer: Writer, place: Place, edits: Edits) -> Iterator[Splice]:
    """Replace an alias of a mapping with a mapping that merges it and has keys of its own."""
    entry, column = place.entry, place.column + writer.step
    alias = spans.text[entry.value : entry.end]
    if not all(isinstance(each, Put) for each in edits.values()):
        raise CannotEditError(f"more than values comes from the alias {alias}: write it out here")
    tree = {name: writer.tree(each) for name, each in edits.items()}
    if place.flow:
        keys = writer.inline(tree).removeprefix("{")
        yield Splice(entry.value, entry.end, f"{{<<: {alias}, {keys}")
        return
    yield Splice(spans.blanks(entry.value), entry.end, "")
    below = spans.after(entry.end)
    merge = f"{' ' * column}<<: {alias}{writer.newline}"
    yield Splice(below, below, merge + writer.keys(tree, column))


def _added(spans: Spans, writer: Writer, job: _Addition) -> Iterator[Splice]:
    """Add the new keys after the last one of the mapping."""
    new = {name: writer.tree(wanted) for name, wanted in job.new.items()}
    if job.flow and job.entries:
        texts = [f"{writer.key(name)}: {writer.inline(tree)}" for name, tree in new.items()]
        yield from added(spans, job.entries, len(job.entries), texts, writer.newline)
    elif job.flow:
        yield Splice(spans.content(job.node), spans.end(job.node), writer.inline(new))
    elif job.entries:
        below = spans.after(max(entry.end for entry in job.entries))
        yield Splice(below, below, writer.keys(new, spans.column(job.entries[0].start)))
    else:
        stop = spans.end(job.node)
        yield Splice(spans.blanks(spans.content(job.node)), stop, "")
        below = spans.after(stop)
        yield Splice(below, below, writer.keys(new, job.column + writer.step))


def _spliced(text: str, splices: Iterable[Splice]) -> str:
    """The text with the splices made; of several at one place the first comes first."""
    parts, at = [], 0
    for start, stop, new, _ in sorted(splices, key=lambda splice: splice[:2]):
        if start < at:
            raise CannotEditError("two of its values are in one place: change them by hand")
        parts += [text[at:start], new]
        at = stop
    return "".join(parts) + text[at:]
