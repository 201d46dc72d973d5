"""Short ways to write down desired and remote bots for tables of cases."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.domain.desired import Desired, DesiredBot, DesiredInstance
from reconciler.domain.errors import Position
from reconciler.domain.kinds import Value
from reconciler.domain.observed import Observed, ObservedInstance, RemoteBot, RemoteCredential, RemoteSettings
from reconciler.domain.plan import Plan, Prune
from reconciler.plan.options import Options, Review
from reconciler.plan.planner import make
from tests.support import of_openai

AT = Position("bots/loja.yaml", 1, 1)
DEFAULTS: Mapping[str, Value] = {
    "enabled": True,
    "openaiCredsId": "creds-1",
    "expire": 300,
    "keywordFinish": "bye",
    "delayMessage": 1000,
    "unknownMessage": "Sorry, I dont understand",
    "listeningFromMe": True,
    "stopBotFromMe": True,
    "keepOpen": False,
    "debounceTime": 1,
    "ignoreJids": (),
    "splitMessages": False,
    "timePerChar": 50,
}


def trigger(text: str) -> dict[str, Value]:
    """'all', 'none', 'adv:VALUE' or 'OPERATOR:VALUE'."""
    kind, _, value = text.partition(":")
    if kind in ("all", "none"):
        return {"triggerType": kind}
    if kind == "adv":
        return {"triggerType": "advanced", "triggerValue": value}
    return {"triggerType": "keyword", "triggerOperator": kind, "triggerValue": value}


def key(text: str) -> dict[str, Value]:
    """'asst_1' for an assistant, 'gpt-4o/300' for a chatCompletion."""
    model, slash, tokens = text.partition("/")
    if slash:
        return {"botType": "chatCompletion", "model": model, "maxTokens": int(tokens)}
    return {"botType": "assistant", "assistantId": model}


def bot(
    name: str,
    its_key: str,
    its_trigger: str = "none",
    *,
    previously: tuple[str, ...] = (),
    replace: bool = False,
    **fields: Value,
) -> DesiredBot:
    """A declared bot."""
    creds = fields.pop("creds", None)
    declared = {"openaiCredsId": "creds-1"} if creds is None else {}
    return DesiredBot(
        name,
        {**declared, **key(its_key), **trigger(its_trigger), **fields},
        None if creds is None else str(creds),
        AT,
        previously,
        "replace" if replace else "update",
    )


def remote(
    id: str, its_key: str, its_trigger: str = "none", description: str = "", **fields: Value
) -> RemoteBot:
    """A bot on the server."""
    described = {"description": description} if description else {}
    return RemoteBot(id, {**DEFAULTS, **described, **key(its_key), **trigger(its_trigger), **fields})


def options_of(*, prune: bool = False, reviewed: frozenset[str] | None = None, **others: object) -> Options:
    """Options. prune: delete what nothing declares. reviewed: the digests of changes that may be made."""
    return Options(
        prune=Prune.ALWAYS if prune else Prune.NEVER,
        review=None if reviewed is None else Review(reviewed),
        **others,  # type: ignore[arg-type]  # the options' own types are checked by their users
    )


def plan(
    desired: list[DesiredBot],
    there: list[RemoteBot],
    *,
    credentials: Mapping[str, str] | None = None,
    settings: RemoteSettings | None = None,
    **options: object,
) -> Plan:
    """The plan of one instance, loja."""
    observed = ObservedInstance(
        "loja",
        tuple(there),
        None if credentials is None else {name: RemoteCredential(id) for name, id in credentials.items()},
        of_openai(settings),
    )
    return make(
        Desired((DesiredInstance("loja", tuple(desired), AT),)),
        Observed("http://127.0.0.1:8080", {"loja": observed}),
        options_of(**options),  # type: ignore[arg-type]  # as above
    )
