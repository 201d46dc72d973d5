"""Pairs of worlds: what manifests declare, and any state that a server can come to be in.

The spaces of names, keys and triggers are small, so that almost everything is in something else's way. Rows
are written as the database has them, nulls included, since many of these states need a race, a person at
the manager or an interrupted run, and the server would refuse to be led there by plain calls.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.vendor.pretty import RepresentationPrinter

from tests.support import Json

NAMES = ("ana", "bia", "caio", "dora")
INSTANCES = ("loja", "café/2")
CREDENTIALS = ("main", "second")
KEYS = ("a1", "a2", "a3", "m/1", "m/2", "m/3")
TRIGGERS = ("all", "none", "equals:1", "equals:2", "contains:1", "adv:1", "adv:3", "regex:4")
OWNER = "gitops"


@dataclass(frozen=True, slots=True)
class World:
    """One instance: what its manifest says, and what the server has.

    bots, settings: rows of the database. whose: of each bot's id, to whom its description gives it: "NAME"
    of ours, "" for nobody, "?" for another owner or for several names at once.
    """

    instance: str
    manifest: Json
    bots: tuple[Mapping[str, Json], ...] = ()
    settings: Mapping[str, Json] | None = None
    whose: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pair:
    """Worlds of one server, and the options of the run."""

    worlds: tuple[World, ...]
    replace: bool = False
    prune: bool = False

    def _repr_pretty_(self, printer: RepresentationPrinter, cycle: bool) -> None:
        """For hypothesis' report of a failure: what is not null, one line a bot."""
        lines = [f"replace={self.replace} prune={self.prune}"]
        for world in self.worlds:
            lines.append(f"{world.instance}: {json.dumps(world.manifest['defaults'])}")
            lines += [f"  wants {name}: {json.dumps(bot)}" for name, bot in world.manifest["bots"].items()]
            lines += [f"  has {_compact(bot)}" for bot in world.bots]
            lines.append(f"  settings {world.settings and _compact(world.settings)}")
        printer.text("\n".join(lines))


def _compact(row: Mapping[str, Json]) -> str:
    return json.dumps({name: value for name, value in row.items() if value is not None}, ensure_ascii=False)


def creds_id(instance: str, name: str) -> str:
    """The id of a credential, known before the world is made."""
    return f"creds-{name}-of-{INSTANCES.index(instance)}"


# -- parts of bots ----------------------------------------------------------------------------


def key(text: str) -> dict[str, Json]:
    """`m/1` is a chatCompletion of a model with so many tokens, all else an assistant."""
    model, slash, tokens = text.partition("/")
    if slash:
        return {"botType": "chatCompletion", "model": model, "maxTokens": int(tokens)}
    return {"botType": "assistant", "assistantId": model}


def trigger(text: str) -> dict[str, Json]:
    """`all`, `none`, `adv:VALUE` or `OPERATOR:VALUE`."""
    kind, _, value = text.partition(":")
    if not value:
        return {"triggerType": kind}
    if kind == "adv":
        return {"triggerType": "advanced", "triggerValue": value}
    return {"triggerType": "keyword", "triggerOperator": kind, "triggerValue": value}


def _same_key(one: Mapping[str, Json], other: Mapping[str, Json]) -> bool:
    names = ["assistantId"] if one["botType"] == "assistant" else ["model", "maxTokens"]
    return all(one.get(name) == other.get(name) for name in ["botType", *names])


def _shuts_out(one: Mapping[str, Json], other: Mapping[str, Json]) -> bool:
    """Whether the server refuses to write other while one is there, as the API's notes have it."""
    if _same_key(one, other):
        return True
    match other["triggerType"]:
        case "all":
            return bool(
                one["triggerType"] == "all" and one.get("enabled", True) and other.get("enabled", True)
            )
        case "keyword":
            return all(one.get(name) == other[name] for name in ("triggerOperator", "triggerValue"))
        case "advanced":
            return bool(one.get("triggerValue") == other["triggerValue"])
    return False


_seldom = st.sampled_from((False, False, False, True))
_JIDS = st.sampled_from(([], ["@g.us"], ["@g.us", "5511999999999@s.whatsapp.net"]))
_TEXTS = st.sampled_from(([], [""], ["Você atende a loja."], ["a", "b"]))
_COMMON: dict[str, st.SearchStrategy[Json]] = {
    "expire": st.sampled_from((0, 1, 300)),
    "keywordFinish": st.sampled_from(("", "sair", "bye")),
    "delayMessage": st.sampled_from((0, 1000)),
    "unknownMessage": st.sampled_from(("", "?")),
    "listeningFromMe": st.booleans(),
    "stopBotFromMe": st.booleans(),
    "keepOpen": st.booleans(),
    "debounceTime": st.sampled_from((0, 1)),
    "ignoreJids": _JIDS,
    "splitMessages": st.booleans(),
    "timePerChar": st.sampled_from((0, 50)),
}
_OWN: dict[str, st.SearchStrategy[Json]] = {
    "functionUrl": st.sampled_from(("", "https://loja.example/f")),
    "systemMessages": _TEXTS,
    "assistantMessages": _TEXTS,
    "userMessages": _TEXTS,
}


# -- what is declared -------------------------------------------------------------------------


@st.composite
def manifests(draw: st.DrawFn, instance: str, *, problems: bool = True) -> Json:
    """A manifest that validation accepts. problems: it may name a credential that is not there."""
    names = draw(st.permutations(NAMES))[: draw(st.sampled_from((4, 4, 3, 3, 2, 1, 0)))]
    keys = draw(st.permutations(KEYS))
    bots: dict[str, Json] = {}
    old_names = {name: [f"old-{name}"] for name in names} | {"": ["zed"]}
    for name, its_key in zip(names, keys, strict=False):
        wanted = draw(st.sampled_from(TRIGGERS))
        bot = {**key(its_key), **trigger(wanted)}
        if wanted in ("all", "none") and draw(_seldom):  # declared, though without a meaning
            bot |= {"triggerOperator": "equals", "triggerValue": draw(st.sampled_from(("2", "5", "")))}
        if draw(st.booleans()):
            bot["enabled"] = draw(st.booleans())
        if any(_shuts_out(bot, other) or _shuts_out(other, bot) for other in bots.values()):
            continue
        bot |= draw(st.fixed_dictionaries({}, optional=_COMMON))
        bot |= draw(st.fixed_dictionaries({}, optional=_OWN))
        if draw(st.booleans()):
            bot["description"] = draw(
                st.sampled_from(("", "Front desk", "Até as 18h [seg a sex]", "x" * 255, "two  blanks "))
            )
        match draw(st.sampled_from(("", "", "name", "id", "nobody"))):
            case "name":
                bot["openaiCreds"] = draw(st.sampled_from(CREDENTIALS))
            case "id":
                bot["openaiCredsId"] = creds_id(instance, draw(st.sampled_from(CREDENTIALS)))
            case "nobody" if problems and draw(_seldom):
                bot["openaiCreds"] = "nobody"
        if previous := draw(st.sampled_from(((), (), (name,), ("", name)))):
            bot["previously"] = [old for whose in previous for old in old_names.pop(whose, [])]
        if draw(_seldom):
            bot["onDrift"] = "replace"
        bots[name] = bot
    defaults = {"openaiCreds": "main"} | draw(st.fixed_dictionaries({}, optional={"expire": st.just(60)}))
    return {"instance": instance, "defaults": defaults, "bots": bots}


# -- what the server has ----------------------------------------------------------------------

_HUMAN = ("", "Front desk", "note [1]", "y" * 240)


@st.composite
def descriptions(draw: st.DrawFn, name: str, problems: bool) -> tuple[str | None, str]:
    """A description, as people leave it, and to whom it gives the bot; most often to the one of this name."""
    whose = draw(st.sampled_from((*[name] * 6, f"old-{name}", "zed")))
    marker = f"[{OWNER}:{whose}]"
    text = draw(st.sampled_from(_HUMAN))
    ours = (
        *[f"{text[:200]} {marker}".strip()] * 3,
        f"{marker} {marker}",
        f"before {marker} after",
        f"{marker}{text}"[:255],
        f"text [ GitOps : {whose} ]",
        f"{text[:200]} {marker}~0123abcd",  # with a stamp, of another time
        f"{marker}~01 torn",
    )
    nobodys = (None, "", text, marker[:-1])
    others = (
        f"{text[:200]} [other:{whose}]~01234567",
        f"{marker} [other:{whose}]~01234567",
        f"{marker} and [{OWNER}:edu]",
    )
    match draw(st.sampled_from(("ours", "ours", "ours", "nobody's", "another's") if problems else ("ours",))):
        case "nobody's":
            return draw(st.sampled_from(nobodys)), ""
        case "another's":
            return draw(st.sampled_from(others)), "?"
    return draw(st.sampled_from(ours)), whose


_STALE: st.SearchStrategy[dict[str, Json]] = st.sampled_from(
    (
        *[{}] * 4,
        {"triggerOperator": "equals", "triggerValue": "1"},
        {"triggerOperator": "equals", "triggerValue": "2"},
        {"triggerOperator": "contains", "triggerValue": "1"},
        {"triggerOperator": "equals", "triggerValue": ""},
        {"triggerOperator": "equals"},
        {"triggerValue": "3"},
    )
)
_CONVERTED: st.SearchStrategy[dict[str, Json]] = st.sampled_from(
    (
        *[{}] * 4,
        {"assistantId": "a1", "functionUrl": "https://loja.example/old"},
        {"assistantId": ""},
        {"model": "m", "maxTokens": 1, "systemMessages": ["old"]},
        {"model": "", "maxTokens": 2},
    )
)


def _or_null(fields: dict[str, st.SearchStrategy[Json]]) -> st.SearchStrategy[dict[str, Json]]:
    return st.fixed_dictionaries({}, optional={name: st.none() | value for name, value in fields.items()})


@st.composite
def _row(
    draw: st.DrawFn, instance: str, number: int, name: str, parts: Mapping[str, Json], problems: bool
) -> tuple[dict[str, Json], str]:
    description, whose = draw(descriptions(name, problems))
    row: dict[str, Json] = {
        **dict.fromkeys(("functionUrl", "systemMessages", "assistantMessages", "userMessages")),
        **DEFAULTS,
        **draw(_CONVERTED),
        **draw(_STALE),
        **draw(_or_null(_COMMON)),
        **draw(_or_null(_OWN)),
        **parts,
        "enabled": draw(st.sampled_from((True, True, False))),
        "description": description,
        "openaiCredsId": creds_id(instance, draw(st.sampled_from(CREDENTIALS))),
        "id": f"bot-{INSTANCES.index(instance)}-{number}",
        "createdAt": f"2026-01-01T00:00:0{draw(st.integers(0, 3))}.000Z",
        "updatedAt": "2026-01-02T00:00:00.000Z",
    }
    if whose not in ("", "?") and draw(_seldom):
        row |= draw(_parked(whose, row))
    return row, whose


DEFAULTS = {
    "expire": 300,
    "keywordFinish": "bye",
    "delayMessage": 1000,
    "unknownMessage": "Sorry, I dont understand",
    "listeningFromMe": True,
    "stopBotFromMe": True,
    "keepOpen": False,
    "debounceTime": 1,
    "ignoreJids": [],
    "splitMessages": False,
    "timePerChar": 50,
}
"""What the server stores of the fields that nobody gave."""


def _parked(name: str, row: Mapping[str, Json]) -> st.SearchStrategy[dict[str, Json]]:
    """How a run that was interrupted leaves a bot behind."""
    nowhere = {
        "triggerType": "keyword",
        "triggerOperator": "regex",
        "triggerValue": f"(?!)parked by {OWNER}: {name}",
    }
    if row["botType"] == "assistant":
        return st.just({**nowhere, "assistantId": f"parked-{OWNER}-{name}"})
    return st.sampled_from((nowhere, {"maxTokens": 4}, {**nowhere, "maxTokens": 4}))


def _possible(rows: Sequence[Mapping[str, Json]], row: Mapping[str, Json]) -> bool:
    """Whether a server where nobody ever raced can have this row beside the others: no key or `all` twice."""
    alls = [one for one in (*rows, row) if one["triggerType"] == "all" and one["enabled"]]
    return len(alls) < 2 and not any(_same_key(one, row) for one in rows)


@st.composite
def _parts(draw: st.DrawFn, declared: Sequence[Mapping[str, Json]], count: int) -> list[dict[str, Json]]:
    """The keys and triggers of so many rows: any, or those that are declared, dealt out anew."""
    names = ("botType", "assistantId", "model", "maxTokens")
    keys = [key(draw(st.sampled_from(KEYS))) for _ in range(count)]
    triggers = [trigger(draw(st.sampled_from(TRIGGERS))) for _ in range(count)]
    if draw(st.booleans()):
        dealt = [{name: bot[name] for name in names if name in bot} for bot in declared]
        keys = [*draw(st.permutations(dealt)), *keys]
    if draw(st.booleans()):
        dealt = [{name: bot[name] for name in bot if name.startswith("trigger")} for bot in declared]
        triggers = [*draw(st.permutations(dealt)), *triggers]
    return [one | other for one, other in zip(keys[:count], triggers[:count], strict=True)]


@st.composite
def worlds(draw: st.DrawFn, instance: str = INSTANCES[0], *, problems: bool = True) -> World:
    """One instance.

    problems: some bots may be nobody's or another's, or there twice, as races leave them, and a declared one
    may name a credential that is not there. Without them every declared bot can get its place.
    """
    manifest = draw(manifests(instance, problems=problems))
    declared = manifest["bots"]
    races = problems and draw(_seldom)
    bots: list[dict[str, Json]] = []
    whose: dict[str, str] = {}
    names = [*declared, *draw(st.permutations(NAMES)), *NAMES]
    count = draw(st.sampled_from((4, 4, 5, 3, 6, 2, 1, 0)))
    for number, parts in enumerate(draw(_parts(list(declared.values()), count))):
        row, owner = draw(_row(instance, number, names[number], parts, problems))
        if races or (_possible(bots, row) and not (owner not in ("", "?") and owner in whose.values())):
            bots.append(row)
            whose[row["id"]] = owner
    return World(
        instance,
        manifest,
        tuple(bots),
        draw(st.none() | _settings(instance, [bot["id"] for bot in bots])),
        whose,
    )


@st.composite
def _settings(draw: st.DrawFn, instance: str, ids: Sequence[str]) -> dict[str, Json]:
    # Columns that came with later versions of the server are null in old rows.
    younger = {name: _COMMON[name] for name in ("debounceTime", "ignoreJids", "splitMessages", "timePerChar")}
    return {
        **DEFAULTS,
        **draw(st.fixed_dictionaries({}, optional=_COMMON)),
        **draw(_or_null(younger)),
        "id": f"settings-{INSTANCES.index(instance)}",
        "openaiCredsId": creds_id(instance, draw(st.sampled_from(CREDENTIALS))),
        "openaiIdFallback": draw(st.none() | st.sampled_from(ids)) if ids else None,
        "createdAt": "2026-01-01T00:00:00.000Z",
        "updatedAt": "2026-01-02T00:00:00.000Z",
    }


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    """One or two instances."""
    count = draw(st.sampled_from((1, 1, 1, 2)))
    return Pair(
        tuple(draw(worlds(instance, problems=draw(st.booleans()))) for instance in INSTANCES[:count]),
        replace=draw(_seldom),
        prune=draw(_seldom),
    )
