"""Compare what was written with what the first read after it shows. Pure.

Neither the status nor the body of an answer is trusted.

- The bot must be exactly as written: each field that was sent as sent, each other one as before.
- No other bot of the instance may be changed, gone or duplicated. A bot that has a change of its own in the
  run is judged by that. For any other bot, a difference between the read right before a write and the one
  right after it is attributed to that write. Somebody else may have done it in that moment, which the
  message says; what others do at any other moment of a run is not checked.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

from reconciler.domain import markers
from reconciler.domain.desired import Fields
from reconciler.domain.kinds import KINDS, Kind, Value
from reconciler.domain.observed import RemoteBot
from reconciler.evolution.masking import Secrets
from reconciler.plan import differ

Whole = Mapping[str, Value | None]
"""Fields as they should be; None for a field that should be empty."""

_ROOM = 60
"""Characters of a value that are shown."""
_AROUND = 15
"""Characters of a long text that are shown before the first one that differs."""
_UNSHOWN = frozenset(field.name for kind in KINDS.values() for field in kind.fields.values() if field.hides)
"""Fields whose values may hold a secret."""


def differences(sent: Fields, whole: Whole, there: Whole, secrets: Secrets, kind: Kind) -> list[str]:
    """The fields that are not as they should be, a sentence each.

    sent: what the call wrote. whole: what should be there after it, of the fields that are compared.
    secrets: what no sentence may contain.
    """
    names = [*kind.fields, *(name for name in whole if name not in kind.fields)]
    return [
        _sentence(name, whole[name], there.get(name), secrets, was_sent=name in sent)
        for name in names
        if name in whole and not differ.same(whole[name], there.get(name))
    ]


def _sentence(
    name: str, wanted: Value | None, there: Value | None, secrets: Secrets, *, was_sent: bool
) -> str:
    if name in _UNSHOWN:
        kept = "nothing" if differ.same(None, there) else "another value"
        return (
            f"the server accepted {name} but kept {kept}"
            if was_sent
            else f"the server changed {name}, which was not sent"
        )
    before, after = _shown(wanted, there, secrets)
    if was_sent:
        return f"the server accepted {name} but kept {after} (sent: {before})"
    return f"the server changed {name}, which was not sent, from {before} to {after}"


def _shown(one: Value | None, other: Value | None, secrets: Secrets) -> tuple[str, str]:
    """Two values that differ, for a sentence: cut to where they first differ, without secrets."""
    texts = [_text(value) for value in (one, other)]
    start = next((i for i, (a, b) in enumerate(zip(*texts, strict=False)) if a != b), min(map(len, texts)))
    first = start - _AROUND if max(map(len, texts)) > _ROOM and start > _AROUND else 0
    cut = [("…" if first else "") + text[first : first + _ROOM] for text in texts]
    ends = ["…" if len(text) > first + _ROOM else "" for text in texts]
    return secrets.clean(cut[0]) + ends[0], secrets.clean(cut[1]) + ends[1]


def _text(value: Value | None) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)


def side_effects(
    before: Mapping[str, RemoteBot],
    after: Mapping[str, RemoteBot],
    own: Collection[str],
    made: Collection[str],
    owner: str,
    secrets: Secrets,
) -> dict[str, str]:
    """What happened to the other bots during a write, a sentence for each bot, by its id.

    own: the ids of the bots that were written. made: the names of the bots that were created, duplicates of
    which are settled elsewhere.
    """
    found = {}
    for id, was in before.items():
        if id in own or not was.id:
            continue
        if (now := after.get(id)) is None:
            found[id] = f"bot {id} is gone"
        elif not differ.equal(was.fields, now.fields):
            words = [
                c.name
                if c.name in _UNSHOWN
                else f"{c.name} from {' to '.join(_shown(c.before, c.after, secrets))}"
                for c in differ.changes(was.fields, now.fields, was.kind)
            ]
            found[id] = f"bot {id} changed: {', '.join(words)}"
    names = {name: id for id, bot in before.items() if (name := _name(bot, owner))}
    for id, bot in after.items():
        if id not in before and id not in own and (name := _name(bot, owner)) in names and name not in made:
            found[id] = f"bot {id} appeared with the marker of {name}, which bot {names[name]} has too"
    return found


def _name(bot: RemoteBot, owner: str) -> str:
    return markers.name_of(str(bot.fields.get("description", "")), owner)
