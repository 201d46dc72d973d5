"""A server in memory for whole plans: instances with credentials, settings and bots, and what cascades.

Beside the rules on bots (toy.py), those on credentials and settings, written from the server's documentation.
It makes a plan's calls phase by phase, as many as one likes, and shows itself as a fetch would.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count, groupby

from reconciler.domain.credential_versions import split
from reconciler.domain.desired import Desired, Fields
from reconciler.domain.kinds import OPENAI, Value
from reconciler.domain.observed import Observed, ObservedInstance, RemoteCredential, RemoteSettings
from reconciler.domain.plan import NEW_BOT, NEW_CREDENTIAL, Call, Plan, Step
from tests.plan.toy import RefusedError, Toy
from tests.support import of_openai

ADDRESS = "http://127.0.0.1:8080"
DOCUMENTED: Mapping[str, Value] = {
    name: one.default for name, one in OPENAI.settings.items() if one.default is not None
}


@dataclass
class Room:
    """One instance. credentials: by name, id and key. row: its settings, None for none."""

    credentials: dict[str, tuple[str, str]] = field(default_factory=dict)
    bots: Toy = field(default_factory=lambda: Toy([]))
    row: dict[str, Value] | None = None
    fallback: str | None = None


class House:
    """The server. secrets: the keys that are at hand when a credential is made, by where they are found."""

    def __init__(self, rooms: Mapping[str, Room], secrets: Mapping[str, str] | None = None) -> None:
        self.rooms, self.secrets = dict(rooms), secrets or {}
        self.numbers = count(1)

    # -- as a fetch shows it ------------------------------------------------------------------

    def observed(self, desired: Desired, keys: Mapping[tuple[str, str], str]) -> Observed:
        """What a fetch says. keys: those at hand of declared credentials, by instance and name."""
        declared = {
            (i.name, one.name) for i in (*desired.instances, *desired.creds_owners) for one in i.credentials
        }

        def credentials(name: str) -> dict[str, RemoteCredential]:
            shown = {}
            for each, (id, key) in self.rooms[name].credentials.items():
                wanted = keys.get((name, split(each)[0]))
                same = None if wanted is None or (name, split(each)[0]) not in declared else wanted == key
                shown[each] = RemoteCredential(id, same, frozenset(self.users(id)))
            return shown

        return Observed(
            ADDRESS,
            {
                one.name: ObservedInstance(
                    one.name,
                    tuple(self.rooms[one.name].bots.remote()),
                    credentials(one.name),
                    of_openai(self.settings(one.name)),
                    {bot.creds_owner: credentials(bot.creds_owner) for bot in one.bots if bot.creds_owner},
                )
                for one in desired.instances
            },
        )

    def settings(self, name: str) -> RemoteSettings:
        room = self.rooms[name]
        return RemoteSettings(room.row is not None, dict(room.row or DOCUMENTED), room.fallback)

    def users(self, id: str) -> Iterator[str]:
        for room in self.rooms.values():
            for bot, fields in room.bots.bots.items():
                if fields["openaiCredsId"] == id:
                    yield bot

    # -- the calls ----------------------------------------------------------------------------

    def run(self, steps: Iterable[tuple[str, Step]]) -> None:
        """Make these calls."""
        for name, step in steps:
            self.make(name, step)

    def make(self, name: str, step: Step) -> None:
        """Make one call."""
        room = self.rooms[name]
        body = {field: self._resolved(room, value) for field, value in step.body.items()}
        match step.call:
            case Call.NEW_CREDENTIAL:
                self._take_name(str(body["name"]))
                key = self.secrets[str(step.secret)]
                assert key not in self._keys(), "the key is taken"
                room.credentials[str(body["name"])] = (f"c{next(self.numbers)}", key)
            case Call.OLD_CREDENTIAL:
                self._forget(room, str(step.id))
            case Call.SETTINGS:
                self._save(room, body, merge=step.merge)
            case Call.FALLBACK:
                assert room.row is not None, "the fallback needs a row"
                room.fallback = str(body["fallbackId"]) or None
                assert room.fallback is None or room.fallback in room.bots.bots
            case Call.MOVE:
                assert body.keys() == {"openaiCredsId"}
                stored = room.bots.bots[str(step.id)]
                self._write(room, Step(Call.UPDATE, step.bot, step.id, {**stored, **body}))
            case Call.DELETE | Call.LEAVE:
                room.fallback = None if room.fallback == step.id else room.fallback
                self._write(room, step)
            case _:
                self._write(room, Step(step.call, step.bot, step.id, body))

    def _resolved(self, room: Room, value: Value) -> Value:
        """A value with the id in the place of what was not made yet."""
        if not isinstance(value, str):
            return value
        if value.startswith(NEW_CREDENTIAL):
            return self._credential(value.removeprefix(NEW_CREDENTIAL))
        if value.startswith(NEW_BOT):
            marker = f"[gitops:{value.removeprefix(NEW_BOT)}]"
            [id] = [id for id, f in room.bots.bots.items() if marker in str(f.get("description"))]
            return id
        return value

    def _credential(self, name: str) -> str:
        [id] = [room.credentials[name][0] for room in self.rooms.values() if name in room.credentials]
        return id

    def _take_name(self, name: str) -> None:
        if any(name in room.credentials for room in self.rooms.values()):
            raise RefusedError(f"the name {name} is taken")

    def _forget(self, room: Room, id: str) -> None:
        if users := list(self.users(id)):
            raise AssertionError(f"deleting {id} would delete {users}")
        if any(each.row is not None and each.row["openaiCredsId"] == id for each in self.rooms.values()):
            raise RefusedError("settings refer to it")
        [name] = [name for name, (each, _) in room.credentials.items() if each == id]
        del room.credentials[name]

    def _save(self, room: Room, body: Fields, *, merge: bool = False) -> None:
        row = {**(room.row or {}), **body}
        if merge:
            there = room.row["ignoreJids"] if room.row else ()
            assert isinstance(there, tuple)
            assert isinstance(body["ignoreJids"], tuple)
            row["ignoreJids"] = tuple(dict.fromkeys((*there, *body["ignoreJids"])))
        if missing := DOCUMENTED.keys() - row.keys():
            raise RefusedError(f"settings without {missing}")
        creds = row.get("openaiCredsId")
        assert creds in self._ids(), f"settings with {creds}, which is not there"
        others = [each for each in self.rooms.values() if each is not room]
        if any(each.row is not None and each.row["openaiCredsId"] == creds for each in others):
            raise RefusedError("another instance's settings have this credential")
        room.row = row

    def _write(self, room: Room, step: Step) -> None:
        if step.call is Call.CREATE and room.row is None:
            self._save(room, {**DOCUMENTED, "openaiCredsId": step.body["openaiCredsId"]})
        if "openaiCredsId" in step.body:
            assert step.body["openaiCredsId"] in self._ids(), "a bot without a credential"
        before = set(room.bots.bots)
        room.bots.make(next(self.numbers), step)
        assert step.call is not Call.CREATE or len(room.bots.bots) == len(before) + 1

    def _keys(self) -> set[str]:
        return {key for room in self.rooms.values() for _, key in room.credentials.values()}

    def _ids(self) -> set[str]:
        return {id for room in self.rooms.values() for id, _ in room.credentials.values()}


def in_order(plan: Plan) -> list[tuple[str, Step]]:
    """A plan's calls as apply makes them: phase by phase, in each the instances in turn."""
    steps = [(instance.name, step) for instance in plan.instances for step in instance.steps]
    steps.sort(key=lambda pair: pair[1].call.phase)
    return [pair for _, group in groupby(steps, key=lambda pair: pair[1].call.phase) for pair in group]
