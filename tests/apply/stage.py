"""Plans written by hand, and what an apply of them says: what one step does with a state of the server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.apply import applier
from reconciler.domain.desired import Fields, SecretRef
from reconciler.domain.observed import RemoteBot
from reconciler.domain.plan import (
    NEW_BOT,
    NEW_CREDENTIAL,
    Call,
    Change,
    FieldChange,
    InstancePlan,
    Of,
    Plan,
    Step,
    Verb,
)
from reconciler.domain.results import Results
from reconciler.domain.secret import SecretStr
from reconciler.evolution.client import Client, Server
from reconciler.manifests.secrets import SecretError
from reconciler.sandbox import Sandbox
from tests.support import Json, World
from tests.worlds.proxy import Fault, Proxy, Request

LOJA, CAFE = "loja", "café/2"
KEY = "sk-the-new-one"
SECRET = SecretRef("env", "OPENAI_KEY_LOJA")
SETTINGS = "the settings"


@dataclass
class Stage:
    """A sandbox with a person at it.

    keys: by the names of their variables. heard: the labels of the results, as the last apply told of them.
    bugs: its unexpected errors.
    """

    sandbox: Sandbox
    world: World
    keys: dict[str, str] = field(default_factory=lambda: {SECRET.name: KEY})
    heard: list[str] = field(default_factory=list)
    bugs: list[Exception] = field(default_factory=list)

    def apply(
        self,
        *instances: InstancePlan,
        faults: Sequence[Fault] = (),
        tell: Callable[[Request, bytes], bytes] = lambda request, answer: answer,
        edit: Callable[[Request], bytes] = lambda request: request.raw,
        stop: applier.Stop | None = None,
    ) -> dict[str, str]:
        """Apply a plan; its writing calls meet the faults. Returns how each change ended, by its label.

        tell, edit: what the proxy on the way makes of answers and requests. stop: who may end the run.
        """
        self.sandbox.calls.clear()
        self.heard.clear()
        self.bugs.clear()
        plan = Plan(self.sandbox.url, "gitops", instances)
        with Proxy(lambda: int(self.sandbox.url.rpartition(":")[2]), edit=edit, tell=tell) as proxy:
            proxy.meet([], faults)
            results = asyncio.run(self._apply(plan, proxy.url, stop))
        assert KEY not in repr(results)
        found = {
            (r.change.instance, r.change.label): f"{r.outcome}: {r.detail}" if r.detail else str(r.outcome)
            for r in results.results
        }
        assert len(found) == sum(change.verb.writes for change in plan.changes())
        one = len(instances) == 1
        return {label if one else f"{label}@{name}": told for (name, label), told in found.items()}

    async def _apply(self, plan: Plan, url: str, stop: applier.Stop | None) -> Results:
        server = Server(url, self.sandbox.api_key, timeout=5, retry_delay=0.005)
        async with Client(server) as client:
            return await applier.apply(
                client,
                plan,
                self._read,
                lambda result: self.heard.append(result.change.label),
                stop,
                self.bugs.append,
            )

    def _read(self, ref: SecretRef, name: str) -> SecretStr:
        assert name == "main"
        if ref.name not in self.keys:
            raise SecretError(f"{ref.name} is not set")
        return SecretStr(self.keys[ref.name])

    @property
    def wrote(self) -> list[str]:
        """The writing calls that succeeded in the last apply: method and what was written."""
        return [f"{c.method} {c.path.split('/')[2]}" for c in self.sandbox.writes if c.status in (200, 201)]

    @property
    def refused(self) -> int:
        """How many writing calls of the last apply the server refused."""
        return sum(c.status not in (200, 201) for c in self.sandbox.writes)

    def bot(self, name: str, creds: str, where: str = LOJA, **fields: Json) -> Json:
        """A hand makes a bot, with the marker of its name and an assistant that is called so; as stored."""
        body = {n: list(v) if isinstance(v, tuple) else v for n, v in BOT.items()}
        described = {"assistantId": name, "description": f"[gitops:{name}]"}
        return self.world.bot(where, creds, **{**body, **described, **fields})

    def creds(self, instance: str = LOJA) -> dict[str, str]:
        """The keys of an instance's credentials, by name."""
        path = f"/openai/creds/{instance.replace('/', '%2F')}"
        return {one["name"]: one["apiKey"] for one in self.world.done("GET", path)}


# -- the parts of a plan ------------------------------------------------------------------------


def instance(name: str, changes: Sequence[Change], steps: Sequence[Step]) -> InstancePlan:
    """An instance's changes and steps."""
    return InstancePlan(name, tuple(changes), tuple(steps))


def new(name: str = "main@2") -> str:
    """What stands in the place of the id of a credential that is made."""
    return NEW_CREDENTIAL + name


def new_bot(name: str) -> str:
    """What stands in the place of the id of a bot that is made."""
    return NEW_BOT + name


def credential(where: str = LOJA, *old: str) -> Change:
    """A credential `main` that is made; with the ids of old ones, that is rotated."""
    return Change(where, "main", Verb.ROTATE if old else Verb.CREATE, "", old, of=Of.CREDENTIAL)


def make(name: str = "main@2") -> Step:
    """The call that makes a credential."""
    return Step(Call.NEW_CREDENTIAL, "credential main", None, {"name": name}, secret=SECRET)


def move(id: str, to: str = NEW_CREDENTIAL + "main@2") -> Step:
    """The call that gives a bot another credential."""
    return Step(Call.MOVE, "credential main", id, {"openaiCredsId": to})


def forget(id: str, name: str = "main") -> Step:
    """The call that deletes an old credential."""
    return Step(Call.OLD_CREDENTIAL, "credential main", id, {"name": name})


def settings(before: Mapping[str, object] | None = None, where: str = LOJA) -> Change:
    """The settings are changed, or made. before: the fields that the plan saw."""
    saw = None if before is None else RemoteBot("", _fields(before))
    verb = Verb.CREATE if before is None else Verb.UPDATE
    return Change(where, "", verb, "", (), (FieldChange("expire", 1, 2),), saw, of=Of.SETTINGS)


def save(body: Mapping[str, object], label: str = SETTINGS, *, merge: bool = False) -> Step:
    """The call that writes settings."""
    return Step(Call.SETTINGS, label, None, _fields(body), merge=merge)


def fallback(to: str, label: str = SETTINGS) -> Step:
    """The call that points the fallback to a bot."""
    return Step(Call.FALLBACK, label, None, {"fallbackId": to})


def created(name: str, creds: str, where: str = LOJA) -> tuple[Change, Step]:
    """A bot that is made."""
    body = {**BOT, "openaiCredsId": creds, "description": f"[gitops:{name}]", "assistantId": name}
    return Change(where, name, Verb.CREATE, ""), Step(Call.CREATE, name, None, body)


def updated(name: str, bot: Mapping[str, object], body: Fields, where: str = LOJA) -> tuple[Change, Step]:
    """A bot that is changed. bot: as the plan saw it."""
    saw = seen(bot)
    whole = {**{n: saw.fields[n] for n in REQUIRED}, **body}
    return Change(where, name, Verb.UPDATE, "", (saw.id,), before=saw), Step(Call.UPDATE, name, saw.id, whole)


def deleted(name: str, bot: Mapping[str, object], where: str = LOJA) -> tuple[list[Change], list[Step]]:
    """A bot that is deleted. bot: as the plan saw it."""
    saw = seen(bot)
    change = Change(where, name, Verb.DELETE, "", (saw.id,), before=saw)
    return [change], [Step(Call.DELETE, name, saw.id, {})]


def seen(bot: Mapping[str, object]) -> RemoteBot:
    """A bot of the server as a plan has it."""
    names = set(bot) - {"id", "createdAt", "updatedAt", "instanceId"}
    return RemoteBot(str(bot["id"]), _fields({name: bot[name] for name in names if bot[name] is not None}))


REQUIRED = ("enabled", "openaiCredsId", "botType", "assistantId", "triggerType")
BOT: Fields = {
    "enabled": True,
    "botType": "assistant",
    "triggerType": "none",
    "expire": 300,
    "keywordFinish": "bye",
    "delayMessage": 1000,
    "unknownMessage": "?",
    "listeningFromMe": True,
    "stopBotFromMe": True,
    "keepOpen": False,
    "debounceTime": 1,
    "ignoreJids": (),
    "splitMessages": False,
    "timePerChar": 50,
}


def _fields(given: Mapping[str, object]) -> Fields:
    fields: dict[str, bool | int | str | tuple[str, ...]] = {}
    for name, value in given.items():
        if isinstance(value, list):
            fields[name] = tuple(value)
        else:
            assert isinstance(value, bool | int | str | tuple)
            fields[name] = value
    return fields
