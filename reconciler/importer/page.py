"""Drafts → the text of manifests, and the files that they include. Pure.

Nothing is written twice: what the bots of an instance have in common becomes `defaults`, and a long prompt
becomes one file for all bots that use it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from reconciler.domain.kinds import DEFAULT, KINDS
from reconciler.domain.records import dataclass, field
from reconciler.importer import layout, naming
from reconciler.importer.draft import Draft, Entry, tree
from reconciler.importer.layout import CREDENTIAL
from reconciler.manifests import schema
from reconciler.manifests.variables import literal
from reconciler.yaml.emit import Flow, Tagged, Tree, comment, mapping
from reconciler.yaml.emit import key as quoted

LONG_LINES, LONG_TEXT = 8, 600
"""Lines, and characters: a prompt with more of either is a file of its own."""

SHARED_LINES, SHARED_TEXT = 2, 200
"""The same for a prompt that is used twice or more."""


class Place(NamedTuple):
    """What a line belongs to: a section, a name in it, and a key under that; "" for none.

    kind: of bot, in a section that has a part for each kind; "" for all kinds.
    """

    section: str = ""
    name: str = ""
    key: str = ""
    kind: str = ""


@dataclass(slots=True)
class Page:
    """The text of a manifest as it grows.

    variables: whether `${name}` has a meaning in it. places: of every line, from 1.
    """

    text: str = ""
    variables: bool = False
    places: list[Place] = field(default_factory=lambda: [Place()])

    def add(self, text: str, *place: str) -> None:
        """Adds whole lines. place: as in Place."""
        self.text += text
        self.places += [Place(*place)] * text.count("\n")

    def entries(
        self, entries: Mapping[str, Tree], indent: int, section: str, name: str = "", kind: str = ""
    ) -> None:
        """Adds the lines of a mapping."""
        as_literal = partial(literal, variables=self.variables)
        for key in entries:
            where = (key, "") if not name else (name, key)
            entry = {key: entries[key]}
            self.add(mapping(_literal(entry, as_literal), indent), section, *where, kind)


@dataclass(slots=True)
class Content:
    """What a manifest, or the `_defaults` file of a folder, says, section by section.

    schema: the path of the file that editors check it with. comments: what stands at its top. server: ""
    where there are not several. instance: "" where the file's name says it. vars: None for no such section.
    vars_note: a comment above it. settings, of_kind: by kind. others: bots from a folder's file that are left
    out.
    """

    schema: str
    comments: Sequence[str] = ()
    server: str = ""
    instance: str = ""
    vars: Mapping[str, Tree] | None = None
    vars_note: str = ""
    credentials: Mapping[str, Tree] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Tree]] = field(default_factory=dict)
    defaults: Mapping[str, Tree] = field(default_factory=dict)
    of_kind: Mapping[str, Mapping[str, Tree]] = field(default_factory=dict)
    bots: Mapping[str, Mapping[str, Tree]] = field(default_factory=dict)
    others: Sequence[str] = ()
    needs_bots: bool = True


class Verbatim(str):
    """A text in which `${name}` is a variable."""

    __slots__ = ()


def content(made: Draft, files: Mapping[str, str]) -> Content:
    """What the manifest of one instance says. files: the paths of texts that are files of their own."""
    lifted = lift(made.bots.values())
    return Content(
        **head(made),
        settings=made.settings,
        defaults=lifted.defaults,
        of_kind=lifted.of_kind,
        bots={
            name: {field: _filed(tree, files) for field, tree in said.items()}
            for name, said in zip(made.bots, lifted.rest, strict=True)
        },
        others=made.others,
    )


def head(made: Draft) -> dict[str, Any]:
    """What a manifest says of its instance alone."""
    return {
        "schema": f"{'../' * len(made.home.parts)}{schema.FILE}",
        "comments": [f"- {one.what}: {one.reason}" for one in made.left_out],
        "server": made.server,
        "instance": made.instance if made.stem != made.instance else "",
        "credentials": {name: Flow({"apiKey": Tagged("env", key)}) for name, key in made.credentials.items()},
    }


def page(what: Content, *, variables: bool = False) -> Page:
    """The text. variables: whether `${name}` has a meaning in it."""
    text = Page(variables=variables)
    text.add(f"# yaml-language-server: $schema={what.schema}\n")
    if what.comments:
        text.add("# Left out by the import:\n")
        for one in what.comments:
            text.add(comment(one, hang=2))
        text.add("\n")
    if what.server:
        text.add(mapping({"server": what.server}), "server")
    if what.instance:
        text.add(mapping({"instance": what.instance}), "instance")
    _variables(text, what)
    _section(text, what.credentials and "credentials")
    text.entries(what.credentials, 2, "credentials")
    settings = {path: _ordered(said, layout.settings(KINDS[path])) for path, said in what.settings.items()}
    plain = settings.pop(DEFAULT.path, {})
    _section(text, plain and "settings")
    text.entries(plain, 2, "settings", kind=DEFAULT.path)
    _section(text, what.defaults and "defaults")
    text.entries(what.defaults, 2, "defaults")
    _kinds(text, settings, what.of_kind)
    if not what.bots and not what.others:
        empty = not what.instance and all(place == Place() for place in text.places)
        text.add("\nbots: {}\n" if what.needs_bots or empty else "")
        return text
    _section(text, "bots")
    for number, (name, said) in enumerate(what.bots.items()):
        text.add("\n" if number else "")
        text.add(f"  {quoted(name)}:\n", "bots", name)
        text.entries(said, 4, "bots", name)
    for name in what.others:
        text.add("\n" if what.bots or name != what.others[0] else "")
        text.add(mapping({name: False}, 2), "bots", name)
    return text


def _variables(text: Page, what: Content) -> None:
    if what.vars is None:
        return
    text.add("" if text.text.endswith("\n\n") else "\n")
    text.add(comment(what.vars_note) if what.vars_note else "")
    text.add("vars:\n" if what.vars else "vars: {}\n", "vars")
    text.entries({name: Verbatim(value) for name, value in what.vars.items()}, 2, "vars")


def _kinds(
    text: Page, settings: Mapping[str, Mapping[str, Tree]], defaults: Mapping[str, Mapping[str, Tree]]
) -> None:
    """What belongs to one kind of bot."""
    named = [path for path in KINDS if settings.get(path) or defaults.get(path)]
    _section(text, named and "kinds")
    for path in named:
        text.add(f"  {path}:\n")
        for section, said in (("settings", settings.get(path)), ("defaults", defaults.get(path))):
            if said:
                text.add(f"    {section}:\n")
                text.entries(said, 6, section, kind=path)


def _ordered(said: Mapping[str, Tree], keys: Iterable[str]) -> dict[str, Tree]:
    return {key: said[key] for key in keys if key in said}


def _literal(entry: Mapping[str, Tree], as_literal: Callable[[str], str]) -> dict[str, Tree]:
    """The entry, written so that nothing in it is a variable."""
    return {as_literal(key): _literal_tree(tree, as_literal) for key, tree in entry.items()}


def _literal_tree(tree: Tree, as_literal: Callable[[str], str]) -> Tree:
    match tree:
        case str():
            return tree if isinstance(tree, Verbatim) else as_literal(tree)
        case Flow(Mapping() as of):
            return Flow(_literal(of, as_literal))
        case Flow(of):
            return Flow([_literal_tree(item, as_literal) for item in of])
        case Mapping():
            return _literal(tree, as_literal)
        case Sequence():
            return [_literal_tree(item, as_literal) for item in tree]
        case _:
            return tree


def _section(text: Page, name: object) -> None:
    if name:
        text.add("" if text.text.endswith("\n\n") else "\n")
        text.add(f"{name}:\n")


def _filed(tree: Tree, files: Mapping[str, str]) -> Tree:
    if isinstance(tree, tuple):
        return [Tagged("file", files[text]) if text in files else text for text in map(str, tree)]
    return tree


@dataclass(slots=True)
class Lifted:
    """What bots have in common, and what is left. Of several kinds each has defaults for what is its own.

    defaults: those of all bots. of_kind: of the bots of a kind, by its path. rest: what each bot declares.
    """

    defaults: dict[str, Tree]
    of_kind: dict[str, dict[str, Tree]]
    rest: list[dict[str, Tree]]

    def of(self, kind: str) -> dict[str, Tree]:
        """The defaults of a kind, or of all kinds where it is empty."""
        return self.of_kind.get(kind, {}) if kind else self.defaults


_Bots = list[tuple[Entry, dict[str, Tree]]]
"""Bots, and what each declares."""


def lift(entries: Iterable[Entry]) -> Lifted:
    """The defaults that the bots have in common, and what each declares beside them."""
    bots: _Bots = [(entry, dict(entry.declared)) for entry in entries]
    of_kind = {
        path: _lift([one for one in bots if one[0].kind is kind], layout.own(kind))
        for path, kind in KINDS.items()
        if any(entry.kind is kind for entry, _ in bots)
    }
    defaults = _lift(bots, _common(bots))
    if len(of_kind) == 1:
        [(path, own)] = of_kind.items()
        keys = (*filter(own.__contains__, [CREDENTIAL]), "enabled", *own, *layout.common(KINDS[path]))
        defaults, of_kind = _ordered(own | defaults, dict.fromkeys(keys)), {}
    return Lifted(defaults, of_kind, [_ordered(said, layout.order(entry.kind)) for entry, said in bots])


def _common(bots: _Bots) -> tuple[str, ...]:
    """The keys that may become defaults of all. A trigger is taken apart only where all of it is shared."""
    operators = {str(entry.declared.get("triggerOperator")) for entry, _ in bots}
    together = len(operators) == 1
    return tuple(key for key in layout.common(DEFAULT) if together or key != "triggerType")


def _lift(bots: _Bots, keys: Iterable[str]) -> dict[str, Tree]:
    """The defaults that bots have in common, of these keys; they are removed from what the bots declare."""
    defaults: dict[str, Tree] = {}
    for key in keys:
        value, count = _commonest([said[key] for entry, said in bots if key in said and key not in entry.own])
        most = count * 2 > len(bots) and all(layout.often(key, entry.kind) for entry, _ in bots)
        if value is None or count < 2 or not (count == len(bots) or most):
            continue
        others = [(entry, said) for entry, said in bots if key not in said]
        beside = [spoken(key, value, entry) for entry, _ in others]
        if None in beside or (beside and sum(map(len, filter(None, beside))) + 1 >= count):
            continue
        defaults[key] = value
        for (_, said), words in zip(others, beside, strict=True):
            said.update(words or {})
        for entry, said in bots:
            if key not in entry.own and said.get(key) == value:
                del said[key]
    return defaults


def spoken(key: str, value: Tree, entry: Entry) -> dict[str, Tree] | None:
    """What a bot without a field must say beside this default; None where that is impossible."""
    credential = entry.kind.credential
    if key == CREDENTIAL and credential in entry.declared:
        return {}
    stored = entry.remote.fields.get(key)
    if key in entry.unsayable:
        return None
    if key not in layout.copied(entry.kind):
        # It has no meaning for the bot: the stored value may be inherited.
        return {} if stored == value else None
    if stored is None:
        return {} if value in ("", Flow(())) else None
    return {key: tree(key, stored)}


def _commonest(values: Sequence[Tree]) -> tuple[Tree | None, int]:
    numbers = Counter(map(repr, values))
    value = max(values, key=lambda value: numbers[repr(value)], default=None)
    return value, numbers[repr(value)]


# -- prompts as files -------------------------------------------------------------------------


def file_names(drafts: Iterable[Draft], taken: Iterable[str]) -> dict[str, dict[str, str]]:
    """The path of every text that becomes a file, by its instance and the text; equal ones are one file.

    drafts: of one folder. taken: paths that are there, in lower case. Paths are relative to the folder.
    """
    users: dict[str, list[tuple[Draft, str, str]]] = {}
    for made in drafts:
        for name, entry in made.bots.items():
            for role, text in _texts(entry):
                users.setdefault(text, []).append((made, name, role))
    users = {text: its for text, its in users.items() if is_long(text, len(its))}
    own = Counter((its[0][0].stem, its[0][1]) for its in users.values() if _whose(its))
    used = set(taken)
    found: dict[str, dict[str, str]] = {}
    for text, its in users.items():
        stems, role = {made.stem for made, *_ in its}, its[0][2]
        name = _whose(its) or "-".join(filter(None, ("common", opening(text))))
        if own[its[0][0].stem, name] > 1:
            name = f"{name}-{role}"
        directory = f"prompts/{stems.pop()}/" if len(stems) == 1 else "prompts/"
        path = f"{directory}{naming.file_name(name)}"
        path = naming.unique(path, {one.removesuffix(".md") for one in used}) + ".md"
        used.add(path.lower())
        for made, *_ in its:
            found.setdefault(made.instance, {})[text] = path
    return found


def _whose(users: Sequence[tuple[Draft, str, str]]) -> str:
    """The name of the bots that have a text; "" when they have several."""
    names = {name for _, name, _ in users}
    return names.pop() if len(names) == 1 else ""


def opening(text: str) -> str:
    """What a text begins with, up to the first mark, as a part of a file's name."""
    clauses = filter(None, map(naming.slug, re.split(r"[.,:;!?\n]", text[:500])))
    return next(clauses, "")


def _texts(entry: Entry) -> Iterator[tuple[str, str]]:
    for key in layout.prompts(entry.kind):
        texts = entry.declared.get(key)
        for text in texts if isinstance(texts, tuple) else ():
            yield key.removesuffix("Messages"), text


def is_long(text: str, uses: int) -> bool:
    lines, length = (LONG_LINES, LONG_TEXT) if uses == 1 else (SHARED_LINES, SHARED_TEXT)
    return (len(text.splitlines()) > lines or len(text) > length) and _fits_file(text)


def _fits_file(text: str) -> bool:
    """Whether load reads exactly this text when it stands in a file."""
    return "\r" not in text and not text.startswith("\ufeff") and len(text.encode()) < 2**20
