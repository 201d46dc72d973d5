"""A group as files: what its instances have in common in a `_defaults` file, and a manifest for each. Pure.

factor.py says what is shared. Here variables get names, and long texts files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

from reconciler.domain.kinds import DEFAULT, KINDS, Kind
from reconciler.domain.records import dataclass, field
from reconciler.domain.reports import Apart
from reconciler.importer import called, layout, naming, page
from reconciler.importer.factor import BUILT_IN, Group, Member, Piece, has, is_same, plain
from reconciler.importer.page import Content, Verbatim
from reconciler.importer.wording import Slot, Wording
from reconciler.manifests import schema
from reconciler.manifests.variables import literal
from reconciler.yaml.emit import Tagged, Tree


@dataclass(slots=True)
class Factored:
    """A group as files. shared: what its `_defaults` file says; None where there is nothing to share.

    own: what each manifest says. texts: the files that they include, by their paths from the group's folder.
    of: by instance those that are its own. variables: their names. apart: what is not shared.
    """

    shared: Content | None
    own: dict[str, Content]
    texts: dict[str, str]
    of: dict[str, list[str]]
    variables: tuple[str, ...] = ()
    bots: tuple[str, ...] = ()
    apart: list[Apart] = field(default_factory=list)


def factor(
    members: Sequence[Member],
    taken: frozenset[str],
    *,
    alone: frozenset[str] = frozenset(),
    reserved: Iterable[str] = (),
) -> Factored:
    """The files of a group. taken: paths in its folder, in lower case. alone: bots that are not to be shared.

    reserved: names that variables may not have.
    """
    group = Group(members, alone)
    return _Files(group, taken, frozenset(reserved)).made()


class _Files:
    """A group as files: the variables get names, long texts files."""

    def __init__(self, group: Group, taken: frozenset[str], reserved: frozenset[str]) -> None:
        self._group = group
        self._taken = {*taken}
        self._slots: dict[Slot, str] = {}
        self._values: dict[str, dict[str, str]] = {}
        self._name(reserved)
        self._worded = any(True for _ in self._wordings())
        self._said: dict[str, dict[str, Wording]] = {
            member.name: {
                wording.of(member.name): wording
                for wording in self._wordings()
                if member.name in wording.keys
            }
            for member in group.members
        }
        self._paths: dict[str, str] = {}
        self._owners: dict[str, str] = {}
        self._place()

    def _wordings(self) -> Iterator[Wording]:
        group = self._group
        for said in (*group.bots.values(), group.defaults, *group.of_kind.values(), *group.settings.values()):
            for piece in said.values():
                for item in piece if isinstance(piece, tuple) else (piece,):
                    if isinstance(item, Wording):
                        yield item
        for _, _, wording in group.texts:
            if page.is_long(self.written(wording) if self._slots else "".join(map(str, wording.parts)), 2):
                yield wording

    # -- variables -----------------------------------------------------------------------------

    def _name(self, reserved: frozenset[str]) -> None:
        """Slots with the same pieces are one variable."""
        found: list[tuple[dict[str, str], list[Slot]]] = []
        for wording in self._wordings():
            for slot in wording.slots:
                if all(piece == instance for instance, piece in slot.values.items()):
                    self._slots[slot] = BUILT_IN
                    continue
                for values, slots in found:
                    if is_same(values, slot.values):
                        values.update(slot.values)
                        slots.append(slot)
                        break
                else:
                    found.append((dict(slot.values), [slot]))
        given = called.names(
            ((values, [slot.before for slot in slots]) for values, slots in found), {BUILT_IN, *reserved}
        )
        for name, (values, slots) in zip(given, found, strict=True):
            self._values[name] = values
            self._slots |= dict.fromkeys(slots, name)

    def written(self, item: object, *, variables: bool = True) -> Verbatim:
        """A text as it stands in a file: with the names of variables."""
        say = partial(literal, variables=variables)
        if isinstance(item, Wording):
            parts = (
                f"${{{self._slots[part]}}}" if isinstance(part, Slot) else say(part) for part in item.parts
            )
            return Verbatim("".join(parts))
        return Verbatim(say(str(item)))

    def _text(self, item: object) -> Verbatim:
        return self.written(item, variables=self._worded)

    # -- texts as files ------------------------------------------------------------------------

    def _item(self, instance: str, text: str) -> Wording | str:
        """A text of an instance as the group says it."""
        return self._said[instance].get(text, text)

    def _place(self) -> None:
        """Choose a path for each text that becomes a file."""
        uses: dict[str, list[tuple[str, str, str]]] = {}
        for name, said in self._group.bots.items():
            for key, item in _items(self._group.kind(name), said):
                uses.setdefault(self._text(item), []).append(("", name, key))
        for member in self._group.members:
            for name, rest in self._group.rest[member.name].items():
                for key, item in _items(member.draft.bots[name].kind, rest):
                    text = str(self._text(self._item(member.name, str(item))))
                    uses.setdefault(text, []).append((member.draft.stem, name, key))
        uses = {text: its for text, its in uses.items() if page.is_long(text, len(its))}
        own = Counter(
            (its[0][0], its[0][1]) for its in uses.values() if len({name for _, name, _ in its}) == 1
        )
        for text, its in uses.items():
            owners, names = {stem for stem, _, _ in its}, {name for _, name, _ in its}
            stem = owners.pop() if len(owners) == 1 else ""
            name = names.pop() if len(names) == 1 else "-".join(filter(None, ("common", page.opening(text))))
            if own[its[0][0], name] > 1:
                name = f"{name}-{its[0][2].removesuffix('Messages')}"
            directory = f"prompts/{stem}/" if stem else "prompts/"
            path = f"{directory}{naming.file_name(name)}"
            path = naming.unique(path, {one.removesuffix(".md") for one in self._taken}) + ".md"
            self._taken.add(path.lower())
            self._paths[text] = path
            self._owners[path] = stem

    def _filed(self, key: str, kind: Kind, value: Piece, instance: str = "") -> Tree:
        """A value as it is written: prompts by the paths of their files, texts with their variables."""
        if key in layout.prompts(kind) and isinstance(value, tuple):
            items: list[Tree] = []
            for item in value:
                text = self._text(self._item(instance, str(item)) if instance else item)
                if text in self._paths:
                    items.append(Tagged("file", self._paths[text]))
                else:
                    items.append(self._text(item))
            return items
        return self._text(value) if isinstance(value, Wording) else plain(value)

    # -- sections ------------------------------------------------------------------------------

    def made(self) -> Factored:
        """All files."""
        group = self._group
        defaults, manifests = self._variables()
        of: dict[str, list[str]] = {member.name: [] for member in group.members}
        stems = {member.draft.stem: member.name for member in group.members}
        for path, stem in self._owners.items():
            if stem:
                of[stems[stem]].append(path)
        return Factored(
            self._shared(defaults, manifests),
            {member.name: self._own(member, manifests[member.name]) for member in group.members},
            {path: f"{text}\n" for text, path in self._paths.items()},
            of,
            tuple(self._values),
            tuple(group.bots),
            [*self._apart()],
        )

    def _variables(self) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        """The values that most instances have, and those of each manifest."""
        needs = {member.name: self._needed(member) for member in self._group.members}
        defaults: dict[str, str] = {}
        for name, values in self._values.items():
            those = [values[instance] for instance in values if name in needs[instance]]
            value, count = Counter(those).most_common(1)[0] if those else ("", 0)
            if count > 1 and count * 2 > len(those):
                defaults[name] = value
        manifests = {
            instance: {
                name: values[instance]
                for name, values in self._values.items()
                if name in its and defaults.get(name) != values[instance]
            }
            for instance, its in needs.items()
        }
        return defaults, manifests

    def _needed(self, member: Member) -> set[str]:
        """The variables in what an instance inherits, and in the files that its manifest names."""
        group, instance = self._group, member.name
        used: list[object] = []
        for name, entry in member.draft.bots.items():
            rest, lifted = group.rest[instance][name], group.lifted[instance]
            inherited = {
                **{key: value for key, value in group.defaults.items() if has(entry.kind, key, value)},
                **group.of_kind.get(entry.kind.path, {}),
                **lifted.get("", {}),
                **lifted.get(entry.kind.path, {}),
                **group.bots.get(name, {}),
            }
            used += [value for key, value in inherited.items() if key not in rest]
            said = [self._item(instance, str(item)) for _, item in _items(entry.kind, rest)]
            used += [item for item in said if self._text(item) in self._paths]
        for path, shared in group.settings.items():
            own = group.own_settings[instance].get(path, {})
            used += [value for key, value in shared.items() if key not in own]
        items = [item for piece in used for item in (piece if isinstance(piece, tuple) else (piece,))]
        slots = [slot for item in items if isinstance(item, Wording) for slot in item.slots]
        return {self._slots[slot] for slot in slots} - {BUILT_IN}

    def _shared(
        self, defaults: Mapping[str, str], manifests: Mapping[str, Mapping[str, str]]
    ) -> Content | None:
        group = self._group
        own = [name for name in self._values if any(name in its for its in manifests.values())]
        own = [name for name in own if name not in defaults]
        home = group.members[0].draft.home
        made = Content(
            f"{'../' * len(home.parts)}{schema.FOLDER_FILE}",
            vars=dict(defaults) if self._worded else None,
            vars_note=f"Each manifest declares {', '.join(own)}." if own else "",
            settings={
                path: {key: self._filed(key, KINDS[path], value) for key, value in said.items()}
                for path, said in group.settings.items()
            },
            defaults={key: self._filed(key, DEFAULT, value) for key, value in group.defaults.items()},
            of_kind={
                path: {key: self._filed(key, KINDS[path], value) for key, value in said.items()}
                for path, said in group.of_kind.items()
            },
            bots={
                name: {key: self._filed(key, group.kind(name), value) for key, value in said.items()}
                for name, said in group.bots.items()
            },
            needs_bots=False,
        )
        anything = made.vars is not None or made.settings or made.defaults or made.of_kind or made.bots
        return made if anything else None

    def _own(self, member: Member, values: Mapping[str, str]) -> Content:
        group, instance = self._group, member.name
        lifted = group.lifted[instance]
        kinds = {name: entry.kind for name, entry in member.draft.bots.items()}
        bots = {
            name: {
                key: self._filed(key, kinds[name], rest[key], instance)
                for key in layout.order(kinds[name])
                if key in rest
            }
            for name, rest in group.rest[instance].items()
            if rest or name not in group.bots
        }
        return Content(
            **page.head(member.draft),
            vars=dict(values) or None,
            settings=group.own_settings[instance],
            defaults=lifted.get("", {}),
            of_kind={path: said for path, said in lifted.items() if path and said},
            bots=bots,
            others=[*member.draft.others, *(name for name in group.bots if name not in kinds)],
            needs_bots=not group.bots,
        )

    def _apart(self) -> Iterator[Apart]:
        """What is not shared of bots that are."""
        for member in self._group.members:
            for name in self._group.bots:
                if name not in member.draft.bots:
                    yield Apart(member.name, name, ())
                elif rest := self._group.rest[member.name][name]:
                    differs = [key for key in rest if key in self._group.bots[name]]
                    if differs:
                        yield Apart(member.name, name, tuple(differs))


def _items(kind: Kind, said: Mapping[str, Piece]) -> Iterator[tuple[str, object]]:
    for key in layout.prompts(kind):
        value = said.get(key)
        for item in value if isinstance(value, tuple) else ():
            yield key, item
