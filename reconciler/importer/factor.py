"""What the instances of a group have in common, and what is left for each: drafts → pieces. Pure.

Shared are the bots that at least half of the instances have, what those bots have in common as `defaults`,
and the settings. Texts that differ by a few words get variables. A manifest says what is its instance's own:
the values of the variables, and whatever differs. Nothing here looks beyond the group.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from reconciler.domain import hidden
from reconciler.domain.kinds import DEFAULT, KINDS, Kind, Type
from reconciler.domain.observed import ObservedInstance
from reconciler.domain.records import dataclass
from reconciler.importer import layout, page
from reconciler.importer.draft import Draft, Entry, tree
from reconciler.importer.layout import CREDENTIAL
from reconciler.importer.wording import Slot, Wording, common
from reconciler.yaml.emit import Tree

BUILT_IN = "instance"
"""The variable that every instance has."""

_FREE = ("description", "unknownMessage")
"""Texts that people write, beside the prompts."""

_CHOICES = frozenset({"kind", "botType", "triggerType", "triggerOperator", "fallback", "description"})
"""Texts in which the name of the instance means nothing."""

_SHORTEST = 4
"""Letters of an instance's name that is looked for in names and URLs."""

Piece = Tree | Wording | tuple[str | Wording, ...]
"""A value of the group: the same for all, or with pieces that differ. Of a list, each item may be one."""

_Rests = dict[str, dict[str, Tree]]
"""What the bots of an instance say, by their names, or its defaults, by kind."""


@dataclass(frozen=True, slots=True)
class Member:
    """An instance of a group: its draft, and what the server has."""

    draft: Draft
    seen: ObservedInstance

    @property
    def name(self) -> str:
        """The instance's name."""
        return self.draft.instance


class Group:
    """What the members share, and what is left for each manifest.

    bots, defaults, of_kind, settings: of the folder's file. rest: of each instance, what its bots say.
    lifted: its manifest's own defaults, and those of kinds. texts: what prompts of bots that are not shared
    have in common.
    """

    def __init__(self, members: Sequence[Member], alone: frozenset[str]) -> None:
        self.members = members
        self._by_instance = _ByInstance([member.name for member in members])
        self.bots: dict[str, dict[str, Piece]] = {}
        self.texts: list[tuple[str, str, Wording]] = []
        self._gather(alone)
        self.defaults: dict[str, Piece] = {}
        self.of_kind: dict[str, dict[str, Piece]] = {}
        self._lift()
        self.rest: dict[str, _Rests] = {}
        self.lifted: dict[str, _Rests] = {}
        self._express()
        self.settings: dict[str, dict[str, Piece]] = {}
        self.own_settings = {member.name: member.draft.settings for member in members}
        if "" not in alone:
            self._share_settings()

    def kind(self, name: str) -> Kind:
        """The kind of a shared bot."""
        return KINDS[str(self.bots[name].get("kind", DEFAULT.path))]

    def _gather(self, alone: frozenset[str]) -> None:
        """Find the bots that members share."""
        found: dict[str, dict[str, Entry]] = {}
        for member in self.members:
            for name, entry in member.draft.bots.items():
                found.setdefault(name, {})[member.name] = entry
        for name, entries in found.items():
            types = {
                (entry.kind.path, repr(entry.declared.get("botType")), repr(entry.declared["triggerType"]))
                for entry in entries.values()
            }
            if len(entries) < 2 or len(types) > 1 or name in alone:
                continue
            kind = next(iter(entries.values())).kind
            values = {
                key: {each: entry.declared[key] for each, entry in entries.items() if key in entry.declared}
                for key in layout.order(kind)
            }
            said = {key: self._piece(key, kind, those, len(entries)) for key, those in values.items()}
            shared = {key: piece[0] for key, piece in said.items() if piece}
            if len(entries) * 2 >= len(self.members) and len(shared) > ("kind" in shared):
                self.bots[name] = shared
            else:
                for key in layout.prompts(kind):
                    pieces = shared.get(key)
                    for each in pieces if isinstance(pieces, tuple) else ():
                        self.texts += [(name, key, each)] if isinstance(each, Wording) else []

    def _lift(self) -> None:
        """Move what the shared bots have in common to the defaults."""
        kinds = {name: self.kind(name) for name in self.bots}
        several = len({kind.path for kind in kinds.values()}) > 1
        for path, kind in KINDS.items():
            of = [self.bots[name] for name in self.bots if kinds[name] is kind]
            if lifted := self._lifted(of, layout.own(kind), kind):
                if several:
                    self.of_kind[path] = lifted
                else:
                    self.defaults |= lifted
        common_to_all = list(layout.common(DEFAULT))
        operators = {repr(said.get("triggerOperator")) for said in self.bots.values()}
        if len(operators) != 1:
            common_to_all = [key for key in common_to_all if not key.startswith("trigger")]
        self.defaults |= self._lifted([*self.bots.values()], common_to_all, DEFAULT)
        only = next(iter(kinds.values()), DEFAULT)
        order = (CREDENTIAL, "enabled", *layout.own(only), *layout.common(only))
        self.defaults = {key: self.defaults[key] for key in dict.fromkeys(order) if key in self.defaults}

    def _lifted(self, bots: Sequence[dict[str, Piece]], keys: Iterable[str], kind: Kind) -> dict[str, Piece]:
        found: dict[str, Piece] = {}
        for key in keys:
            values = [said[key] for said in bots if key in said]
            value, count = _most(values)
            often = layout.often(key, kind) and count * 2 > len(bots)
            if (
                value is None
                or count < 2
                or not (count == len(bots) or (often and not key.startswith("trigger")))
            ):
                continue
            found[key] = value
            for said in bots:
                if key in said and _same(said[key], value):
                    del said[key]
        return found

    # -- what each manifest says ---------------------------------------------------------------

    def _express(self) -> None:
        """Find what each instance says beside what it inherits; what one cannot inherit is not shared."""
        while True:
            wrong = {each for member in self.members for each in self._express_one(member)}
            if not wrong:
                return
            for name, key in wrong:
                self._unshare(name, key)

    def _unshare(self, name: str, key: str) -> None:
        """Move a default back to the bots that have it, and a bot's value back to the manifests."""
        if key in self.bots.get(name, {}):
            del self.bots[name][key]
            return
        kinds = {each: self.kind(each) for each in self.bots}
        for path, defaults in [*self.of_kind.items(), ("", self.defaults)]:
            if key in defaults:
                value = defaults.pop(key)
                for each, kind in kinds.items():
                    if path in ("", kind.path) and key in layout.order(kind):
                        self.bots[each].setdefault(key, value)
                return

    def inherited(self, kind: Kind, instance: str) -> dict[str, Tree]:
        """What a bot of an instance inherits from the folder's defaults."""
        defaults = {**self.defaults, **self.of_kind.get(kind.path, {})}
        found = {key: _of(value, instance) for key, value in defaults.items() if has(kind, key, value)}
        return {key: value for key, value in found.items() if value is not None}

    def _express_one(self, member: Member) -> Iterator[tuple[str, str]]:
        """Yields the bot and the key of a value that the instance cannot inherit."""
        rests: _Rests = {}
        for name, entry in member.draft.bots.items():
            shared = self.bots.get(name, {})
            above = self.inherited(entry.kind, member.name)
            above |= {key: value for key in shared if (value := _of(shared[key], member.name)) is not None}
            rest = {key: value for key, value in entry.declared.items() if not _same(above.get(key), value)}
            unfit = {key for key in shared if key not in above and key not in entry.declared}
            for key in (above.keys() | unfit) - entry.declared.keys():
                words = None if key in unfit else page.spoken(key, above[key], entry)
                if words is None:
                    yield (name, key)
                else:
                    rest |= words
            rests[name] = rest
        self.rest[member.name] = rests
        self.lifted[member.name] = self._own_defaults(member, rests)

    def _own_defaults(self, member: Member, rests: _Rests) -> _Rests:
        """What several bots of one instance say alike: its manifest's defaults, by kind, "" for all."""
        found: dict[str, dict[str, Tree]] = {}
        entries = member.draft.bots
        kinds = {entry.kind.path: entry.kind for entry in entries.values()}
        for path, kind in kinds.items():
            names = [name for name in rests if entries[name].kind is kind]
            section = path if len(kinds) > 1 else ""
            self._lift_own(member, rests, names, layout.own(kind), found.setdefault(section, {}))
        self._lift_own(member, rests, [*rests], layout.common(DEFAULT), found.setdefault("", {}))
        return found

    def _lift_own(
        self,
        member: Member,
        rests: _Rests,
        names: Sequence[str],
        keys: Iterable[str],
        into: dict[str, Tree],
    ) -> None:
        entries = member.draft.bots
        for key in keys:
            if key.startswith("trigger"):
                continue
            free = [
                name for name in names if key not in self.bots.get(name, {}) and key not in entries[name].own
            ]
            found, count = _most([rests[name][key] for name in free if key in rests[name]])
            if found is None or count < 2:
                continue
            value = plain(found)
            words: dict[str, dict[str, Tree] | None] = {}
            for name in free:
                entry = entries[name]
                if key in rests[name] or not has(entry.kind, key, value):
                    continue
                if key in entry.declared:  # it is inherited from the folder's defaults
                    words[name] = {key: entry.declared[key]}
                else:
                    words[name] = page.spoken(key, value, entry)
            if None in words.values() or sum(map(len, filter(None, words.values()))) + 1 >= count:
                continue
            into[key] = value
            for name in free:
                if key in rests[name] and _same(rests[name][key], value):
                    del rests[name][key]
                rests[name].update(words.get(name) or {})

    # -- settings ------------------------------------------------------------------------------

    def _share_settings(self) -> None:
        own: dict[str, dict[str, dict[str, Tree]]] = {member.name: {} for member in self.members}
        for path, kind in KINDS.items():
            said = {member.name: member.draft.settings.get(path, {}) for member in self.members}
            shared: dict[str, Piece] = {}
            if len(self.members) > 1 and all(_settled(member, path) for member in self.members):
                for key in layout.settings(kind):
                    those = {name: its[key] for name, its in said.items() if key in its}
                    piece = self._piece(key, kind, those, len(self.members))
                    if piece and all(_setting(member, path, key) is not None for member in self.members):
                        [shared[key]] = piece
            for member in self.members:
                mine = dict(said[member.name])
                for key, value in shared.items():
                    stored = _setting(member, path, key)
                    if _same(_of(value, member.name), stored):
                        mine.pop(key, None)
                    elif stored is not None:
                        mine[key] = stored
                own[member.name][path] = mine
            if shared:
                self.settings[path] = shared
        self.own_settings = own

    # -- values --------------------------------------------------------------------------------

    def _piece(self, key: str, kind: Kind, values: Mapping[str, Tree], number: int) -> tuple[Piece] | None:
        """What most of the values have in common, as one item; None where that is nothing.

        number: of the instances that might have a value.
        """
        found, fits = _most([*values.values()])
        if 1 <= fits < len(values):
            worded = _worded(key, kind, values) or self._by_instance.worded(key, values)
            if worded is not None:
                able = sum(_same(_of(worded, instance), value) for instance, value in values.items())
                found, fits = (worded, able) if able > fits else (found, fits)
        if found is None or fits < 2 or fits * 2 <= number:
            return None
        return (found,)


def is_same(values: Mapping[str, str], others: Mapping[str, str]) -> bool:
    """Whether two variables are one: equal in all instances that have both, and not by accident."""
    both = values.keys() & others.keys()
    equal = len(both) > 1 and all(values[each] == others[each] for each in both)
    return equal and (len({values[each] for each in both}) > 1 or values.keys() == others.keys())


def _settled(member: Member, path: str) -> bool:
    row = member.seen.settings.get(path)
    return row is not None and row.exists


def _setting(member: Member, path: str, key: str) -> Tree | None:
    """The value of a setting as the manifest would say it; None where it cannot."""
    said, kind = member.draft.settings.get(path, {}), KINDS[path]
    row = member.seen.settings[path]
    if key in said:
        return said[key]
    if key == "fallback":
        return "" if not row.fallback else None
    stored = row.fields.get(key)
    if key not in kind.settings or stored is None or hidden.has_key(stored):
        return None
    return tree(key, stored)


# -- values -----------------------------------------------------------------------------------


def _worded(key: str, kind: Kind, values: Mapping[str, Tree]) -> Piece | None:
    """What the texts have in common where they differ by some words."""
    field = kind.fields.get(key)
    if field is not None and field.type is Type.TEXTS and not field.from_settings:
        lists = {instance: value for instance, value in values.items() if isinstance(value, tuple)}
        if not lists:
            return None
        length, _ = Counter(map(len, lists.values())).most_common(1)[0]
        lists = {instance: value for instance, value in lists.items() if len(value) == length}
        items: list[str | Wording] = []
        for at in range(length):
            texts = {instance: str(value[at]) for instance, value in lists.items()}
            plain, count = Counter(texts.values()).most_common(1)[0]
            wording = None if count == len(texts) else common(texts)
            if wording is not None and len(wording.keys) > count:
                items.append(wording)
            elif count > 1:
                items.append(plain)
            else:
                return None
        return tuple(items) if any(isinstance(item, Wording) for item in items) else None
    texts = {instance: value for instance, value in values.items() if isinstance(value, str)}
    return common(texts) if key in _FREE and len(texts) > 1 else None


class _ByInstance:
    """Texts that differ by the name of their instance alone."""

    def __init__(self, instances: Sequence[str]) -> None:
        self._keys = frozenset(instances)
        self._slot = Slot({instance: instance for instance in instances})

    def worded(self, key: str, values: Mapping[str, Tree]) -> Wording | None:
        """What such texts have in common; None where that is nothing."""
        shapes: Counter[tuple[str, ...]] = Counter()
        for instance, text in values.items():
            if (
                key not in _CHOICES
                and isinstance(text, str)
                and len(instance) >= _SHORTEST
                and instance in text
            ):
                shapes[tuple(text.split(instance))] += 1
        if not shapes:
            return None
        [(shape, _)] = shapes.most_common(1)
        parts: list[str | Slot] = []
        for number, text in enumerate(shape):
            parts += ([self._slot] if number else []) + ([text] if text else [])
        return Wording(tuple(parts), self._keys)


def _of(piece: Piece | None, instance: str) -> Tree | None:
    """The value of one instance; None where the piece does not fit it."""
    if isinstance(piece, Wording):
        return piece.of(instance) if instance in piece.keys else None
    if isinstance(piece, tuple):
        items = [_of(item, instance) for item in piece]
        return None if None in items else tuple(item for item in items if item is not None)
    return piece


def plain(piece: Piece) -> Tree:
    """A value that is the same for all."""
    if isinstance(piece, Wording):
        raise TypeError("a wording has a value for each instance")
    if isinstance(piece, tuple):
        return tuple(plain(item) for item in piece)
    return piece


def _same(one: object, other: object) -> bool:
    return type(one) is type(other) and one == other


def _most(values: Sequence[Piece]) -> tuple[Piece | None, int]:
    """The commonest value, and how many have it."""
    numbers = Counter(map(repr, values))
    value = max(values, key=lambda each: numbers[repr(each)], default=None)
    return value, numbers[repr(value)]


def has(kind: Kind, key: str, value: Piece) -> bool:
    """Whether bots of a kind have such a default: others leave it out."""
    if key == CREDENTIAL:
        return kind.credential is not None and bool(kind.credential)
    field = kind.fields.get(key)
    return field is not None and not (field.choices and value not in field.choices)
