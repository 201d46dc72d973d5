"""The changes of a plan in groups: the same change on many instances is one to a reader. Pure.

Two changes are the same when they are of the same bot, verb, reason and cause, and their fields are the same
before and after. Ids, the name of the instance, the values of variables and where the key of a credential is
found do not count: where nothing else differs, a group shows ID, INSTANCE, ${name} and NAME in their places.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache

from reconciler.domain.kinds import Value
from reconciler.domain.plan import Change, FieldChange, InstancePlan, Of, Plan, Verb
from reconciler.domain.records import dataclass, replace

ID = "ID"
INSTANCE = "INSTANCE"

_STAMP = re.compile(r"\]~[0-9a-f]{8}\b")
_KEY = re.compile(r"^(!env|!secret-file) .*", re.DOTALL)  # where the key of a credential is found
_SHORT = 3  # characters of a value that is a variable's only where it is a whole word
_RUN = 3  # names that are shown as a range, at least


@dataclass(frozen=True, slots=True)
class Group:
    """Changes that are the same, in the plan's order. A move and its delete on the other instance are one.

    shown: the change for a reader. changes: all of them, of a move its deletes too. origins: where the values
    that differ are declared, or the bots, of those that have no such values.
    """

    shown: Change
    changes: tuple[Change, ...]
    origins: tuple[str, ...]

    @property
    def instances(self) -> tuple[str, ...]:
        """The instances on which it happens; of a move those to which the bots go."""
        return tuple(dict.fromkeys(each.instance for each in self.alike))

    @property
    def alike(self) -> tuple[Change, ...]:
        """The changes without those that only belong to them: the deletes of moves."""
        return tuple(each for each in self.changes if each.verb is self.shown.verb)


Key = tuple[object, ...]


def groups(plan: Plan) -> tuple[Group, ...]:
    """Every change of the plan in exactly one group: the smallest groups first, then in the plan's order."""
    return grouped(plan.changes())


def grouped(changes: Iterable[Change]) -> tuple[Group, ...]:
    """The same of changes that are given in the order of a plan."""
    members: dict[Key, list[Change]] = {}
    shown: dict[Key, Change] = {}
    moves: dict[tuple[str, Of, str, str], Key] = {}
    deletes = []
    for change in changes:
        if change.other and change.verb is Verb.DELETE:
            deletes.append(change)
            continue
        key, general = _general(change)
        members.setdefault(key, []).append(change)
        shown.setdefault(key, general)
        if change.other:
            moves.setdefault((change.other, change.of, change.bot, change.instance), key)
    for change in deletes:
        of_move = moves.get((change.instance, change.of, change.bot, change.other))
        if of_move is None:
            of_move, general = _general(change)
            shown.setdefault(of_move, general)
        members.setdefault(of_move, []).append(change)
    found = [_group(shown[key], changes) for key, changes in members.items()]
    return tuple(sorted(found, key=lambda group: len(group.alike)))


def _group(general: Change, changes: Sequence[Change]) -> Group:
    first = changes[0]
    alike = [each for each in changes if each.verb is first.verb]
    if len(alike) == 1:
        shown = first
    else:
        same_fields = all(each.fields == first.fields for each in alike)
        same_reason = all(each.reason == first.reason for each in alike)
        shown = replace(
            first,
            bot=first.bot if all(each.bot == first.bot for each in alike) else general.bot,
            reason=first.reason if same_reason else general.reason,
            fields=first.fields if same_fields else general.fields,
        )
    return Group(shown, tuple(changes), _origins(alike))


def _origins(changes: Sequence[Change]) -> tuple[str, ...]:
    """Those of all changes, in their order."""
    return tuple(
        dict.fromkeys(
            origin
            for each in changes
            for origin in each.origins or ((f"{each.at.file}:{each.at.line}",) if each.at is not None else ())
        )
    )


# -- what counts ------------------------------------------------------------------------------


def _general(change: Change) -> tuple[Key, Change]:
    """What the same changes have in common, as a key and as a change."""
    fields = tuple(_field(field, change) for field in change.fields)
    bot = _named(change.bot, change, sentence=False) if change.of is Of.CREDENTIAL else change.bot
    reason = _named(_without_ids(change.reason, change.ids), change)
    what = (change.of, change.kind.path, bot, change.verb)
    key = (*what, reason, change.cause, bool(change.other), tuple(map(_key, fields)))
    return key, replace(change, bot=bot, reason=reason, fields=fields)


def _key(field: FieldChange) -> Key:
    # By type too: 1 and True are equal.
    return (field.name, field.note, *((type(side).__name__, side) for side in (field.before, field.after)))


def _field(field: FieldChange, change: Change) -> FieldChange:
    before = _value(field.before, field.name, change)
    after = _value(field.after, field.name, change)
    if before is field.before and after is field.after:
        return field
    return replace(field, before=before, after=after)


def _value(value: Value | None, name: str, change: Change) -> Value | None:
    if isinstance(value, tuple):
        return tuple(templated(str.__str__(text), change.vars) for text in value)
    if not isinstance(value, str):
        return value
    value = str.__str__(value)  # of one with a secret what is shown, as in a saved plan
    if name == "description":
        value = _STAMP.sub("]", value)
    if name == "openaiCredsId":
        value = _named(value, change, sentence=False)
    if change.of is Of.CREDENTIAL:
        value = _KEY.sub(r"\1 NAME", value)
    return templated(value, change.vars)


def templated(text: str, variables: Mapping[str, str]) -> str:
    """The text with `${name}` for the value of each variable; as it is, where it has a `${` of its own."""
    if not variables or "${" in text:
        return text
    pattern, names = _pattern(tuple(variables.items()))
    return pattern.sub(lambda found: f"${{{names[found[0]]}}}", text) if names else text


@cache
def _pattern(variables: tuple[tuple[str, str], ...]) -> tuple[re.Pattern[str], Mapping[str, str]]:
    """What finds the values, the longest first, and the name of each."""
    names: dict[str, str] = {}
    for name, value in sorted(variables):
        if value:
            names.setdefault(value, name)
    parts = [
        rf"(?<!\w){re.escape(value)}(?!\w)" if len(value) <= _SHORT else re.escape(value)
        for value in sorted(names, key=len, reverse=True)
    ]
    return re.compile("|".join(parts)), names


def _named(text: str, of: Change | InstancePlan, *, sentence: bool = True) -> str:
    """The text with INSTANCE for the instance's name; in a sentence words must be in quotes.

    Of several servers, with INSTANCE for the whole name and for that on its server.
    """
    instance = of.local
    if not instance or instance not in text:
        return text
    before, after = (
        ("(?<=['\"])", "(?=['\"])") if sentence and instance.isalpha() else (r"(?<!\w)", r"(?!\w)")
    )
    if of.server:
        text = re.sub(rf"(?<!\w){re.escape(of.server)}/{re.escape(instance)}(?!\w)", INSTANCE, text)
    return re.sub(f"{before}{re.escape(instance)}{after}", INSTANCE, text)


def _without_ids(text: str, ids: Iterable[str]) -> str:
    """The text with ID for each of the ids."""
    for id_ in ids:
        if id_ and id_ in text:
            text = re.sub(rf"(?<!\w){re.escape(id_)}(?!\w)", ID, text)
    return text


# -- sentences and calls that are the same ---------------------------------------------------


def problems(plan: Plan) -> list[tuple[str, tuple[str, ...]]]:
    """Why instances have no plan: the sentence, and the instances for which it is the same."""
    found: dict[str, list[InstancePlan]] = {}
    for one in plan.instances:
        if one.problem is not None:
            found.setdefault(_named(one.problem, one), []).append(one)
    return [
        (
            str(ones[0].problem) if all(one.problem == ones[0].problem for one in ones) else general,
            tuple(one.name for one in ones),
        )
        for general, ones in found.items()
    ]


def general(instance: InstancePlan) -> Callable[[str], str]:
    """Makes of a sentence about an instance's calls one that is the same for other instances."""
    ids = {id_ for change in instance.changes for id_ in change.ids}
    ids |= {step.id for step in instance.steps if step.id is not None}
    by_word: dict[str, list[str]] = {}  # by the word that an id begins with, "" for none
    for id_ in ids:
        word = _WORD.match(id_)
        by_word.setdefault(word[0] if word else "", []).append(id_)

    def make(text: str) -> str:
        words = {"", *_WORD.findall(text), *_WORD.findall(ID)}
        there = [id_ for word in words for id_ in by_word.get(word, ())]
        return _named(_without_ids(text, sorted(there, key=len, reverse=True)), instance)

    return make


_WORD = re.compile(r"\w+")


# -- where ------------------------------------------------------------------------------------


def folder(names: Iterable[str], plan: Plan) -> str:
    """The folder below which exactly these instances are declared, with a `/`; "" where there is none."""
    wanted = set(names)
    manifests = {one.name: one.manifest for one in plan.instances}
    folders = [manifests[name].rpartition("/")[0].split("/") for name in wanted if manifests.get(name)]
    if len(folders) < max(len(wanted), 1):
        return ""
    common = []
    for parts in zip(*folders, strict=False):
        if len(set(parts)) > 1:
            break
        common.append(parts[0])
    path = "/".join(common) + "/"
    inside = {name for name, manifest in manifests.items() if manifest.startswith(path)}
    return path if path != "/" and inside == wanted else ""


def ranges(names: Iterable[str]) -> list[tuple[str, int]]:
    """Names, those that count up as one: `loja-001…038`, with how many they are; in their numbers' order."""
    found: list[tuple[str, int]] = []
    run: list[tuple[str, str, str]] = []
    for parts in [*sorted({_parts(name) for name in names}, key=_order), None]:
        if run and (parts is None or not _follows(run[-1], parts)):
            found += _shown(run)
            run = []
        if parts is not None:
            run.append(parts)
    return found


def _parts(name: str) -> tuple[str, str, str]:
    """What stands before the last number in a name, that number, and what stands after it."""
    found = re.fullmatch(r"(.*?)([0-9]{1,18})([^0-9]*)", name, re.DOTALL)
    return (found[1], found[2], found[3]) if found else (name, "", "")


def _order(parts: tuple[str, str, str]) -> tuple[str, str, int, str]:
    before, number, after = parts
    return before, after, int(number or 0), number


def _follows(one: tuple[str, str, str], other: tuple[str, str, str]) -> bool:
    """Whether a name is the next one. 9 and 10 count up, as 09 and 10 do; 09 and 010 do not."""
    if not one[1] or not other[1] or (one[0], one[2]) != (other[0], other[2]):
        return False
    return str(int(one[1]) + 1).zfill(len(one[1])) == other[1]


def _shown(run: Sequence[tuple[str, str, str]]) -> list[tuple[str, int]]:
    if len(run) < _RUN:
        return [("".join(parts), 1) for parts in run]
    (before, first, after), last = run[0], run[-1][1]
    return [(f"{before}{first}{after}…{last}{after}", len(run))]
