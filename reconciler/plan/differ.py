"""What a bot should be, field by field, and how that differs from what it is. Pure.

Declared means managed: a field that the manifest leaves out is the server's, and never a difference. A
create is complete: what the manifest leaves out is filled in from the instance's settings, else from the
API's documented defaults, so that the plan shows the whole body and every version of the server takes it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from reconciler.domain import hidden, markers
from reconciler.domain.desired import DesiredBot, Fields
from reconciler.domain.kinds import Kind, Type, Value
from reconciler.domain.observed import RemoteBot, RemoteSettings
from reconciler.domain.plan import Cause, FieldChange
from reconciler.domain.sequences import Matcher

_NO_SETTINGS = RemoteSettings(exists=False, fields={})
_NOTHING: Fields = {}
Item = tuple[int, str | None, str | None]
"""A place of a list, and the text there before and after."""

_MANY = 100
"""Items of a list beyond which deepdiff, whose time is quadratic, is not asked."""

_EMPTY: Mapping[Type, Value] = {Type.TEXT: "", Type.TEXTS: ()}


def same(before: Value | None, after: Value | None) -> bool:
    """Whether two values mean the same to the server: null, "" and [] are all empty. 0 and false are not."""
    if before is None or before in ("", ()):
        return after is None or after in ("", ())
    if isinstance(before, str) and isinstance(after, str):
        return hidden.same(before, after)
    if isinstance(before, tuple) and isinstance(after, tuple):
        return before == after or hidden.same_texts(before, after)
    return before == after and type(before) is type(after)


def equal(before: Fields, after: Fields) -> bool:
    """Whether two bots are the same, field by field."""
    return before == after or all(
        same(before.get(name), after.get(name)) for name in before.keys() | after.keys()
    )


def bare(fields: Fields, owner: str) -> Fields:
    """A bot as it is compared: without the stamp, and with the mark only while that means something.

    Of a bot that was switched off by hand and on again the mark means nothing.
    """
    if "description" not in fields:
        return fields
    text = str(fields["description"])
    return {**fields, "description": markers.unstamped(text, owner, marked=fields.get("enabled") is False)}


def switched_off(bot: DesiredBot, fields: Fields, owner: str) -> str:
    """The day on which `reconciler disable` switched a bot off that its manifest has on; "" for none.

    Such a bot stays off. fields: as the server has them.
    """
    if fields.get("enabled") is not False or bot.fields.get("enabled") is False:
        return ""
    return markers.switched_off(str(fields.get("description", "")), owner)


def create_target(
    bot: DesiredBot,
    creds_id: str,
    owner: str,
    settings: RemoteSettings | None,
    old: Fields | None = None,
) -> dict[str, Value]:
    """The whole body of a create, in the order of the kind's table.

    What has no meaning for the bot's type or trigger and is not declared is not sent. old: the fields of
    the bot that is recreated, which keeps what the manifest leaves out.
    """
    settings, old = settings or _NO_SETTINGS, old or {}
    off = switched_off(bot, old, owner)
    declared = _declared(bot, creds_id, off)
    target: dict[str, Value] = {}
    for name, field in bot.kind.fields.items():
        value = declared.get(name)
        if name == "description":
            text = markers.human_text(str(old.get(name, "")), owner) if value is None else str(value)
            value = markers.describe(text, owner, bot.name, off)
        elif value is None and field.applies(declared.get("botType"), declared["triggerType"]):
            stored = settings.fields.get(name) if field.from_settings and settings.exists else None
            value = next((v for v in (old.get(name), stored, field.default) if v is not None), None)
        if value is not None:
            target[name] = value
    return target


def update_target(
    bot: DesiredBot,
    creds_id: str,
    owner: str,
    remote: RemoteBot,
    undeclared: Collection[str] = (),
    fresh: Fields = _NOTHING,
) -> dict[str, Value]:
    """Every field of the bot as it should be after an update: the declared ones over what is stored.

    A human's text in the description is kept where none is declared. A value that a change of the
    triggerType leaves behind without a meaning is cleared, as others would still collide with it.
    undeclared: fields that are not declared any more; they go back to what a create gives them (fresh).
    """
    off = switched_off(bot, remote.fields, owner)
    declared = {**_undeclared(remote.fields, undeclared, fresh, bot.kind), **_declared(bot, creds_id, off)}
    if remote.unseen:  # what the server does not show is not compared
        declared = {name: value for name, value in declared.items() if name not in remote.unseen}
    target = {**remote.fields, **declared}
    stored = str(remote.fields.get("description", ""))
    if "description" in declared:
        target["description"] = markers.describe(str(declared["description"]), owner, bot.name, off)
    elif markers.marked(stored, owner, bot.name):
        target["description"] = markers.unstamped(stored, owner, marked=bool(off))
    else:
        target["description"] = markers.describe(markers.human_text(stored, owner), owner, bot.name, off)
    if target["triggerType"] != remote.fields.get("triggerType"):
        target = without_stale_trigger(bot, target)
    return target


def _undeclared(
    stored: Fields, undeclared: Collection[str], fresh: Fields, kind: Kind
) -> Mapping[str, Value]:
    """What becomes of fields that are not declared any more. An update clears only texts and lists."""
    found: dict[str, Value] = {}
    for name in undeclared:
        if name == "description":
            found[name] = ""  # the marker comes to it
        elif name in fresh:
            found[name] = fresh[name]
        elif name in stored and (empty := _EMPTY.get(kind.fields[name].type)) is not None:
            found[name] = empty
    return found


def stamp(bot: DesiredBot, target: Fields, owner: str) -> str:
    """What is noted beside the marker of a bot that becomes the target."""
    return markers.stamp([bot.creds, sorted(bot.fields.items())], _state(target, owner, bot.kind))


def restamped(fields: Fields, owner: str, kind: Kind) -> str | None:
    """The description with a stamp of what the bot is instead of what it should have become.

    None where it carries no stamp, or is no whole bot.
    """
    text = str(fields.get("description", ""))
    was = markers.stamped(text, owner)
    if not was or hidden.KEY in text or not {*kind.schema.required} <= fields.keys():
        return None
    now = was[:5] + markers.stamp(None, _state(fields, owner, kind))[5:]
    return markers.with_stamp(text, owner, markers.name_of(text, owner), now)


def moved(bot: DesiredBot, remote: RemoteBot, target: Fields, owner: str) -> tuple[Cause, list[str]]:
    """Who moved since the last apply, and the fields that it wrote and that were not kept.

    Those differ, although neither the manifest nor the bot was edited since: its stamp says what was
    declared, and what the bot became.
    """
    was = markers.stamped(str(remote.fields.get("description", "")), owner)
    if not was:
        return "", []
    now = stamp(bot, remote.fields, owner)
    if was != now:
        return _cause(bot, remote, owner, was, now), []
    start, end = dict(_state(remote.fields, owner, bot.kind)), dict(_state(target, owner, bot.kind))
    return "", [name for name in bot.kind.fields if not same(start.get(name), end.get(name))]


def cause(bot: DesiredBot, remote: RemoteBot, owner: str) -> Cause:
    """Who moved since the last apply: the bot on the server, its manifest, or both."""
    was = markers.stamped(str(remote.fields.get("description", "")), owner)
    return _cause(bot, remote, owner, was, stamp(bot, remote.fields, owner)) if was else ""


def _cause(bot: DesiredBot, remote: RemoteBot, owner: str, was: str, now: str) -> Cause:
    """Who moved. was, now: the stamp that the bot carries, and the one that it would be given as it is.

    A field that the server fills in every bot is not emptied by hand: it is lost when the server's version
    changes, which is no drift. Nor is it when all that differs are lost values.
    """
    if was == now:  # they differ in a secret alone, which no stamp is over
        return ""
    declared, state = was[1:5] == now[1:5], was[5:] == now[5:]
    gone = lost(bot, remote)
    if gone and (
        any(bot.kind.fields[name].from_settings for name in gone)
        or was[5:] == stamp(bot, {**remote.fields, **{name: bot.fields[name] for name in gone}}, owner)[5:]
    ):
        return "" if declared else "pending"
    return "drift" if declared else "pending" if state else "both"


def lost(bot: DesiredBot, remote: RemoteBot) -> list[str]:
    """The declared fields that the server has no value for at all.

    Nobody empties them so by hand: an edit leaves an empty text or list, and null is refused.
    """
    return [
        name
        for name, value in bot.fields.items()
        if name not in remote.fields and name not in remote.unseen and not same(None, value)
    ]


def _state(fields: Fields, owner: str, kind: Kind) -> list[tuple[str, Value]]:
    """What a bot is: no marker, no credential's id, no empty fields, none without a meaning for its types.

    Also without what may be secret: what is shown of that depends on where it is read. A bot that
    `reconciler disable` switched off counts as on, since the mark says that it is off.
    """
    text = str(fields.get("description", ""))
    known = {**fields, "description": markers.human_text(text, owner)}
    if markers.switched_off(text, owner):
        known["enabled"] = True
    return [
        (name, known[name])
        for name, field in kind.fields.items()
        if name != kind.credential  # a rotation changes it, and that is no edit
        and not field.hides
        and not same(None, known.get(name))
        and field.applies(known.get("botType"), known["triggerType"])
    ]


def without_stale_trigger(bot: DesiredBot, target: Fields) -> dict[str, Value]:
    """The target without a trigger value that its triggerType does not use and the manifest does not declare.

    The operator stays, as the server cannot clear it; without a value it collides with nothing.
    """
    parts = bot.kind.trigger_parts[str(target["triggerType"])]
    if "triggerValue" in parts or "triggerValue" in bot.fields or not target.get("triggerValue"):
        return dict(target)
    return {**target, "triggerValue": ""}


def changes(before: Fields, after: Fields, kind: Kind) -> tuple[FieldChange, ...]:
    """The fields that differ, in the order of the kind's table."""
    return tuple(
        FieldChange(name, before.get(name), after.get(name))
        for name in kind.fields
        if not same(before.get(name), after.get(name))
    )


def update_body(before: Fields, after: Fields, kind: Kind) -> dict[str, Value]:
    """What an update sends: what the server insists on whatever is stored, and what differs.

    Fields that a PUT leaves out stay as they are. What may be secret and does not differ is left out although
    the server insists on it: whoever sends the update has it from the server.
    """
    sent = {change.name for change in changes(before, after, kind)}
    sent |= {name for name in kind.insists(after) if not kind.fields[name].hides}
    return {name: after[name] for name in kind.fields if name in sent and name in after}


def items(before: Value | None, after: Value | None) -> list[tuple[str, str | None, str | None]] | None:
    """The differences inside a list of texts, by place: ("[1]", before, after). None for other values."""
    if not (isinstance(before, tuple) or isinstance(after, tuple)):
        return None
    old, new = (value if isinstance(value, tuple) else () for value in (before, after))
    compare = _fewest if max(len(old), len(new)) > _MANY else _items
    found = sorted(compare(old, new), key=lambda item: (item[0], item[2] is None, item[1] is None))
    return [(f"[{place}]", was, now) for place, was, now in found]


def _items(old: Sequence[str], new: Sequence[str]) -> list[Item]:
    """The differences between two lists, as deepdiff finds them."""
    from deepdiff import DeepDiff  # noqa: PLC0415  lazy: a plan without differences never pays for it

    # Compared by number: deepdiff would diff the texts themselves too.
    texts = list(dict.fromkeys((*old, *new)))
    numbers = {text: number for number, text in enumerate(texts)}
    delta = DeepDiff([numbers[text] for text in old], [numbers[text] for text in new], view="tree")
    found: list[Item] = []
    for group in ("values_changed", "iterable_item_added", "iterable_item_removed"):
        for node in delta.get(group, ()):
            was = None if group == "iterable_item_added" else texts[node.t1]
            now = None if group == "iterable_item_removed" else texts[node.t2]
            if was != now:
                found.append((node.path(output_format="list")[-1], was, now))
    return found


def _fewest(old: Sequence[str], new: Sequence[str]) -> list[Item]:
    """The differences between two lists: place by place, unless fewer are left when items move along."""
    by_place = _pairs(range(len(old)), range(len(new)), old, new)
    moved = [
        item
        for tag, i1, i2, j1, j2 in Matcher(old, new).get_opcodes()
        if tag != "equal"
        for item in _pairs(range(i1, i2), range(j1, j2), old, new)
    ]
    if len(by_place) <= len(moved):
        return by_place
    # What is removed at a place and what is added there is one difference.
    removed = {place: was for place, was, now in moved if now is None}
    added = {place: now for place, was, now in moved if was is None}
    both = {place for place in removed.keys() & added.keys() if removed[place] != added[place]}
    rest = [item for item in moved if None not in item or item[0] not in both]
    return [*rest, *((place, removed[place], added[place]) for place in both)]


def _pairs(there: range, here: range, old: Sequence[str], new: Sequence[str]) -> list[Item]:
    """The differences between two parts of lists, place by place."""
    changed = [(i, old[i], new[j]) for i, j in zip(there, here, strict=False) if old[i] != new[j]]
    added = [(j, None, new[j]) for j in here[len(there) :]]
    removed = [(i, old[i], None) for i in there[len(here) :]]
    return [*changed, *added, *removed]


def _declared(bot: DesiredBot, creds_id: str, off: str) -> Mapping[str, Value]:
    """What the manifest declares, the credential by its id. off: the bot is switched off and stays so."""
    declared = dict(bot.fields)
    if bot.creds is not None and bot.kind.credential is not None:
        declared[bot.kind.credential] = creds_id
    if off:
        declared["enabled"] = False
    return declared
