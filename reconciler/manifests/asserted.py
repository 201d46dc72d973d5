"""The `tests:` of a manifest or of a folder's file: who should answer which message.

A manifest has the tests of the folders' files above it, and may replace or drop one by its name.
"""

from __future__ import annotations

from reconciler.domain.desired import DesiredTest
from reconciler.domain.records import replace
from reconciler.domain.text import near, quoted
from reconciler.manifests import nodes
from reconciler.manifests.layer import Entry
from reconciler.manifests.nodes import Entries
from reconciler.manifests.scope import Scope
from reconciler.manifests.source import Source
from reconciler.manifests.variables import VARIABLE
from reconciler.yaml import Node, ScalarNode, SequenceNode, tag

KEYS = ("message", "bot", "jid", "fromMe", "name", "drop")

_NULLS = frozenset({"null", "Null", "NULL", "~"})


def entries(source: Source, node: Node) -> tuple[Entry, ...]:
    """What a file's `tests:` says; errors go to the source."""
    if not isinstance(node, SequenceNode) or tag(node):
        source.report(node, "tests must be a list: write `- {message: oi, bot: NAME}` below it")
        return ()
    found = [entry for item in node.value if (entry := _entry(source, item))]
    first: dict[str, Entry] = {}
    for entry in found:
        if entry.name and first.setdefault(entry.name, entry) is not entry:
            at = source.at(first[entry.name].node)
            source.report(
                entry.node,
                f"the test {quoted(entry.name)} is already declared at {at}: rename one of the two",
            )
    return tuple(found)


def _entry(source: Source, node: Node) -> Entry | None:
    found = nodes.entries(source, node, "a test")
    if found is None:
        return None
    before = len(source.problems)
    for key in found.keys() - set(KEYS):
        message = f"{quoted(key)} is not a key of a test{near(key, KEYS)}: correct it or leave it out"
        source.report(found[key][0], message)
    name = _text(source, found, "name")
    jid = _text(source, found, "jid")
    if "drop" in found:
        _check_dropping(source, node, found)
        return Entry(node, name, None, node, node) if len(source.problems) == before and name else None
    for key in ("message", "bot"):
        if key not in found:
            source.report(node, f"the test has no {key}: {_MISSING[key]}")
    messages = _texts(source, found["message"][1], "message") if "message" in found else ()
    bots = _bots(source, found["bot"][1]) if "bot" in found else ()
    from_me = nodes.boolean(source, found["fromMe"][1], "fromMe") if "fromMe" in found else False
    if len(source.problems) > before:
        return None
    test = DesiredTest(messages, bots, source.at(node), jid, from_me=bool(from_me), name=name)
    return Entry(node, name, test, found["message"][1], found["jid"][1] if jid else node)


_MISSING = {
    "message": "add one, or a list of them",
    "bot": "add the name of the bot that should answer, or `bot: null` for nobody",
}


def _check_dropping(source: Source, node: Node, found: Entries) -> None:
    """Report what is wrong with a test that says `drop`."""
    if nodes.boolean(source, found["drop"][1], "drop") is False:
        source.report(found["drop"][1], "drop can only be true: leave it out to keep the test")
    if "name" not in found:
        source.report(node, "drop needs the name of the inherited test: add `name:`")
    for key in ("message", "bot", "jid", "fromMe"):
        if key in found:
            message = f"a test that is dropped has no {key}: remove it, or remove drop to replace the test"
            source.report(found[key][0], message)


def _text(source: Source, found: Entries, key: str) -> str:
    """The text of an optional key, "" without it."""
    if key not in found:
        return ""
    text = nodes.text(source, found[key][1], key)
    if text == "":
        source.report(found[key][1], f"{key} is empty: write one, or leave it out")
    return text or ""


def _texts(source: Source, node: Node, key: str) -> tuple[str, ...]:
    """One text, or those of a list."""
    if not isinstance(node, SequenceNode):
        text = nodes.text(source, node, key)
        return () if text is None else (text,)
    found = nodes.texts(source, node, key)
    if found == ():
        source.report(node, f"{key} is an empty list: write at least one text")
    return found or ()


def _bots(source: Source, node: Node) -> tuple[str, ...]:
    """The names of the bots that should answer, none for null."""
    if isinstance(node, ScalarNode) and not node.style and not tag(node) and node.value in _NULLS:
        return ()
    if isinstance(node, SequenceNode) and not node.value:
        source.report(node, "bot is an empty list: write `bot: null` for nobody")
    found = _texts(source, node, "bot") if not isinstance(node, SequenceNode) or node.value else ()
    if len(set(found)) < len(found):
        source.report(node, "bot names the same bot twice: write each name once")
    return found


def tests(scope: Scope) -> tuple[DesiredTest, ...]:
    """The tests of an instance, its own first; reports a dropped test that no file above has."""
    found: list[DesiredTest] = []
    seen: set[str] = set()
    for number, layer in enumerate(scope.layers):
        for entry in layer.tests:
            hidden = bool(entry.name) and entry.name in seen
            if entry.name:
                seen.add(entry.name)
            if entry.test is None:
                _check_dropped(scope, number, entry)
            elif not hidden and (test := _filled(scope, layer.source, entry, entry.test)):
                found.append(test)
    return tuple(found)


def _check_dropped(scope: Scope, number: int, entry: Entry) -> None:
    """Report a test that is dropped and that no file above declares. number: of the layer."""
    above = {each.name for layer in scope.layers[number + 1 :] for each in layer.tests if each.name}
    if entry.name not in above:
        message = f"no folder's file above has a test {quoted(entry.name)}{near(entry.name, above)} to drop"
        scope.report(scope.layers[number].source, entry.node, f"{message}: remove this item")


def _filled(scope: Scope, source: Source, entry: Entry, test: DesiredTest) -> DesiredTest | None:
    """The test with its variables filled in, None where that is wrong."""
    if not any(VARIABLE in text for text in (*test.messages, test.jid)):
        return test
    filler = scope.filler(source, _anything)
    messages: tuple[str, ...] | None = filler.fill("message", test.messages, entry.message)
    jid: str | None = filler.fill("jid", test.jid, entry.jid)
    return None if messages is None or jid is None else replace(test, messages=messages, jid=jid)


def _anything(text: str, name: str) -> None:
    """Nothing is wrong with any text."""
