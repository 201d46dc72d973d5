"""What is said of each change: its verb, its reason and the rest, word for word; and the notes of a plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from reconciler.domain.desired import (
    Desired,
    DesiredBot,
    DesiredCredential,
    DesiredInstance,
    DesiredSettings,
    Former,
    SecretRef,
)
from reconciler.domain.kinds import Value
from reconciler.domain.markers import with_mark, with_stamp
from reconciler.domain.observed import Observed, ObservedInstance, RemoteBot, RemoteCredential, RemoteSettings
from reconciler.domain.plan import Call, Change, Of, Plan, Prune, Verb
from reconciler.plan import differ
from reconciler.plan.options import Options, unknown, unknown_files
from reconciler.plan.planner import make
from tests.plan.builders import AT, DEFAULTS, bot, options_of, remote


def ours(name: str, its_key: str, its_trigger: str = "none", **fields: Value) -> RemoteBot:
    """A bot with our marker; its id is its name."""
    return remote(name, its_key, its_trigger, f"[gitops:{name}]", **fields)


def applied(desired: DesiredBot, there: RemoteBot, **later: Value) -> RemoteBot:
    """The bot with the stamp of an apply after which it was so. later: what became of it since."""
    stamp = differ.stamp(desired, there.fields, "gitops")
    text = with_stamp(str(there.fields["description"]), "gitops", desired.name, stamp)
    return RemoteBot(there.id, {**there.fields, "description": text, **later})


def planned(
    desired: DesiredInstance | tuple[DesiredBot, ...],
    *there: RemoteBot,
    former: Former | None = None,
    version: str = "",
    **options: Any,
) -> Plan:
    """The plan of loja. Options of ObservedInstance: credentials, settings, unread."""
    if isinstance(desired, tuple):
        desired = DesiredInstance("loja", desired, AT)
    names = ("credentials", "settings", "unread")
    own = {name: options.pop(name) for name in names if name in options}
    if "settings" in own:
        own["settings"] = {"openai": own["settings"]}
    return make(
        Desired((desired,), former={} if former is None else {"loja": former}),
        Observed("s", {"loja": ObservedInstance("loja", there, **own)}, version=version),
        options_of(**{"max_deletes": None, **options}),
    )


def only(made: Plan) -> Change:
    [change] = made.changes()
    return change


ANA = bot("ana", "x", "equals:1", expire=5)
MINE = ours("ana", "x", "equals:1", expire=5)
LATEST = applied(ANA, MINE)


# -- bots that are written --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("desired", "there", "options", "said"),
    [
        (ANA, None, {}, (Verb.CREATE, "it is missing on the server", "", ())),
        (
            ANA,
            remote("i1", "x"),
            {},
            (Verb.ADOPT, "a bot without a marker has assistantId 'x': it becomes ours", "", ("i1",)),
        ),
        (
            ANA,
            remote("i1", "y", "equals:1"),
            {},
            (Verb.ADOPT, "a bot without a marker has its trigger: it becomes ours", "", ("i1",)),
        ),
        (
            bot("ana", "x", previously=("old",)),
            ours("old", "x"),
            {},
            (Verb.UPDATE, "it was named old before", "", ("old",)),
        ),
        (
            ANA,
            ours("ana", "x"),
            {"replace": True},
            (Verb.REPLACE, "it differs, and is recreated: its open sessions are lost", "", ("ana",)),
        ),
        (ANA, ours("ana", "x"), {}, (Verb.UPDATE, "it differs", "", ("ana",))),
        (
            bot("ana", "x", openaiCredsId="c9"),
            ours("ana", "x"),
            {},
            (Verb.UPDATE, "it differs", "", ("ana",)),
        ),
        (
            ANA,
            applied(ANA, MINE, expire=7),
            {},
            (Verb.UPDATE, "it was edited on the server", "drift", ("ana",)),
        ),
        (
            bot("ana", "x", "equals:1", expire=6),
            LATEST,
            {},
            (Verb.UPDATE, "its manifest was edited", "pending", ("ana",)),
        ),
        (
            bot("ana", "x", "equals:1", expire=6),
            applied(ANA, MINE, expire=7),
            {},
            (Verb.UPDATE, "its manifest was edited, and the bot on the server too", "both", ("ana",)),
        ),
        (
            ANA,
            ours("ana", "x", "adv:(?!)parked by gitops: ana", expire=5),
            {},
            (Verb.UPDATE, "an interrupted run left it parked", "", ("ana",)),
        ),
    ],
)
def test_what_is_said_of_a_bot_that_is_written(
    desired: DesiredBot,
    there: RemoteBot | None,
    options: dict[str, Any],
    said: tuple[Verb, str, str, tuple[str, ...]],
) -> None:
    found = only(planned((desired,), *(() if there is None else (there,)), **options))
    assert (found.verb, found.reason, found.cause, found.ids) == said
    assert (found.other, found.unkept, found.before, found.at) == ("", (), there, AT)


@pytest.mark.parametrize(
    ("version", "fields", "reason"),
    [
        ("", {"expire": 5}, "the server did not keep expire {0}"),
        ("2.3.6", {"expire": 5}, "Evolution API 2.3.6 did not keep expire {0}"),
        ("2.3.6", {"expire": 5, "keepOpen": True}, "Evolution API 2.3.6 did not keep expire, keepOpen {0}"),
        ("2.3.0", {"ignoreJids": ("@g.us",)}, "Evolution API 2.3.0 did not keep ignoreJids {0}"),
        (
            "2.2.1",
            {"ignoreJids": ("@g.us",), "expire": 5},
            "Evolution API 2.2.1 did not keep expire, ignoreJids {0}; known issue: "
            "EvolutionAPI/evolution-api#1027, reported for 2.1.0 to 2.2.1",
        ),
        ("", {"ignoreJids": ("@g.us",)}, "the server did not keep ignoreJids {0}"),
    ],
)
def test_what_is_said_of_fields_that_the_server_does_not_keep(
    version: str, fields: dict[str, Value], reason: str
) -> None:
    desired = bot("ana", "x", **fields)  # type: ignore[arg-type]  # fields only
    found = only(planned((desired,), applied(desired, ours("ana", "x")), version=version))
    assert found.reason == reason.format(
        "when it was last applied, and nobody edited it since: take it out of the manifest, or update the "
        "server"
    )
    assert (found.cause, set(found.unkept)) == ("", set(fields))


@pytest.mark.parametrize(
    ("former", "stored", "said"),
    [
        ({"timePerChar"}, {"timePerChar": 9}, {"timePerChar": (9, 50, "undeclared")}),
        ({"functionUrl"}, {"functionUrl": "https://e.x"}, {"functionUrl": ("https://e.x", "", "undeclared")}),
        ({"functionUrl"}, {}, {}),
        ({"expire"}, {"expire": 4}, {"expire": (4, 5, "")}),  # it is declared again
        (
            {"timePerChar"},
            {"timePerChar": 9, "expire": 4},
            {"timePerChar": (9, 50, "undeclared"), "expire": (4, 5, "")},
        ),
    ],
)
def test_what_is_not_declared_any_more_goes_back(
    former: set[str], stored: dict[str, Value], said: dict[str, tuple[Value, Value, str]]
) -> None:
    there = RemoteBot("ana", {**MINE.fields, **stored})
    made = planned((ANA,), there, former=Former({"ana": frozenset(former), "bia": frozenset({"keepOpen"})}))
    fields = [field for change in made.changes() for field in change.fields]
    assert {field.name: (field.before, field.after, field.note) for field in fields} == said


STUCK = "cannot be cleared by an update: --replace clears it"


@pytest.mark.parametrize(
    ("stored", "replace", "reason"),
    [
        ({"maxTokens": 9, "expire": 4}, False, f"it differs; maxTokens {STUCK}"),
        ({"functionUrl": "https://e.x"}, False, "it differs"),
        ({"maxTokens": 9, "expire": 4}, True, "it differs, and is recreated: its open sessions are lost"),
    ],
)
def test_what_no_update_clears(stored: dict[str, Value], replace: bool, reason: str) -> None:
    former = Former({"ana": frozenset({"maxTokens", "functionUrl", "expire", "timePerChar"})})
    made = planned(
        (ANA,), RemoteBot("ana", {**MINE.fields, "timePerChar": 9, **stored}), former=former, replace=replace
    )
    assert only(made).reason == reason


def test_several_things_that_no_update_clears() -> None:
    former = Former({"ana": frozenset({"maxTokens", "triggerOperator"})})
    there = ours("ana", "x", "all", maxTokens=9, triggerOperator="equals", expire=4)
    found = only(planned((bot("ana", "x", "all", expire=5),), there, former=former)).reason
    assert found == f"it differs; maxTokens, triggerOperator {STUCK}"


def test_a_bot_in_the_way_is_moved_aside_and_back() -> None:
    there = (ours("ana", "m/1", "equals:1"), ours("bia", "m/2", "equals:2"))
    made = planned((bot("ana", "m/1", "equals:2"), bot("bia", "m/2", "equals:1")), *there)
    assert {(c.bot, c.verb, c.reason) for c in made.changes()} == {
        ("ana", Verb.UPDATE, "it differs"),
        ("bia", Verb.UPDATE, "it differs"),
    }


# -- rotations and late bots ------------------------------------------------------------------

KEY = DesiredCredential("main", SecretRef("env", "KEY"), AT)


def rotated(*desired: DesiredBot) -> DesiredInstance:
    return DesiredInstance("loja", desired, AT, (KEY,))


MAIN = {"main": RemoteCredential("c1", False, frozenset({"ana", "bia"}))}
LATE = "it gets the new credential"


@pytest.mark.parametrize(
    ("declares", "later", "reason", "cause", "fields"),
    [
        ("x", {}, f"{LATE} as soon as the server accepts a change to it", "", ["openaiCredsId"]),
        (
            "x",
            {"timePerChar": 9},
            f"{LATE} as soon as the server accepts a change to it",
            "",
            ["openaiCredsId"],
        ),
        ("x", {"expire": 7}, f"it was edited on the server, and {LATE}", "drift", ["expire"]),
        ("z", {}, f"its manifest was edited, and {LATE}", "pending", ["assistantId"]),
    ],
)
def test_a_bot_that_another_hinders_gets_the_new_credential_late(
    declares: str, later: dict[str, Value], reason: str, cause: str, fields: list[str]
) -> None:
    """The server refuses any change to a bot while another one has its key."""
    before = ours("ana", "x", expire=5, openaiCredsId="c1")
    ana = applied(bot("ana", "x", creds="main", expire=5), before, **later)
    bia = ours("bia", "x", openaiCredsId="c1")
    desired = rotated(bot("ana", declares, creds="main", expire=5), bot("bia", "y", creds="main"))
    [found, _] = [c for c in planned(desired, ana, bia, credentials=MAIN).changes() if c.of is Of.BOT]
    assert (found.bot, found.reason, found.cause) == ("ana", reason, cause)
    assert [field.name for field in found.fields] == fields


# -- conflicts --------------------------------------------------------------------------------


def conflicts(made: Plan) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {c.bot: (c.reason, c.ids) for c in made.changes() if c.verb is Verb.CONFLICT}


HINT = "; if you renamed old, add `previously: [old]`"


@pytest.mark.parametrize(
    ("desired", "there", "hint"),
    [
        (bot("ana", "x"), ours("old", "x"), HINT),
        (bot("ana", "y", "equals:1"), ours("old", "x", "equals:1"), HINT),
        (bot("ana", "x"), remote("old", "x", description="[other:old]~0123abcd"), ""),
    ],
)
def test_a_bot_that_the_server_would_refuse(desired: DesiredBot, there: RemoteBot, hint: str) -> None:
    others = (ours("zoe", "z"), ours("yan", "w"))
    [(reason, ids)] = conflicts(planned((desired,), there, *others)).values()
    assert reason.startswith("the server would refuse it: ")
    assert reason.endswith(hint) if hint else "renamed" not in reason
    assert ids == ("old",)


def test_a_bot_that_is_there_was_not_renamed() -> None:
    there = (ours("ana", "y"), ours("old", "x"))
    [(reason, ids)] = conflicts(planned((bot("ana", "x"),), *there)).values()
    assert "renamed" not in reason
    assert ids == ("ana", "old")


def test_a_conflict_of_one_keeps_it_in_the_way_of_another() -> None:
    there = (
        remote("i1", "x", description="[gitops:ana]", enabled=True),
        remote("i2", "y", description="[gitops:ana]"),
    )
    found = conflicts(planned((bot("ana", "z"), bot("bia", "x")), *there))
    assert found.keys() == {"ana", "bia"}
    assert found["bia"][1] == ("i1",)


def test_a_bot_whose_credential_is_missing_stays_in_the_way_of_another() -> None:
    desired = (bot("ana", "y", creds="no such one"), bot("bia", "x"))
    found = conflicts(planned(desired, ours("ana", "x"), credentials={}))
    assert found.keys() == {"ana", "bia"}
    assert "ana (bot ana), which stays as it is," in found["bia"][0]


# -- reports ----------------------------------------------------------------------------------


def off(there: RemoteBot, name: str) -> RemoteBot:
    text = with_mark(str(there.fields["description"]), "gitops", name, "2026-11-28")
    return RemoteBot(there.id, {**there.fields, "enabled": False, "description": text})


def test_every_bot_that_is_switched_off_is_reported() -> None:
    desired = tuple(bot(name, name) for name in ("new", "on", "ana", "bia"))
    there = [ours("on", "on"), *(off(ours(name, name), name) for name in ("ana", "bia"))]
    found = [c.bot for c in planned(desired, *there).changes() if c.verb is Verb.SWITCHED_OFF]
    assert found == ["ana", "bia"]


def test_every_orphan_is_reported() -> None:
    there = [ours(name, name) for name in ("ana", "bia", "caio")]
    for prune, verb in ((False, Verb.ORPHAN), (True, Verb.DELETE)):
        found = list(planned((), *there, prune=prune).changes())
        assert [(c.bot, c.verb, c.ids, c.before) for c in found] == [(b.id, verb, (b.id,), b) for b in there]
        assert all(bool(c.fields) is prune for c in found)


def test_deletes_that_nobody_reviewed_hide_no_other() -> None:
    there = [ours(name, name) for name in ("ana", "bia", "caio")]
    every = list(planned((), *there, prune=True).changes())
    seen = frozenset(c.digest for c in every if c.bot != "ana")
    found = planned((), *there, prune=True, reviewed=seen)
    assert {(c.bot, c.verb) for c in found.changes()} == {
        ("ana", Verb.BLOCKED),
        ("bia", Verb.DELETE),
        ("caio", Verb.DELETE),
    }


@pytest.mark.parametrize(
    ("stranger", "reason"),
    [
        (remote("i1", "y"), "it carries no marker"),
        (remote("i1", "m/7"), "it carries no marker"),
        (
            remote("i1", "x", description="[other:ana]~0123abcd"),
            "it carries the marker of the owner other, and has assistantId 'x', as ana has: the server "
            "refuses a change to either",
        ),
        (RemoteBot("i1", {**DEFAULTS, "triggerType": "none"}), "it carries no marker"),
        (
            RemoteBot("", {**DEFAULTS, "triggerType": "none"}, unread=(("id", "is missing"),)),
            "its row is not understood: id is missing",
        ),
    ],
)
def test_what_is_said_of_a_stranger(stranger: RemoteBot, reason: str) -> None:
    made = planned((bot("ana", "x"),), ours("ana", "x"), stranger)
    [found] = [c for c in made.changes() if c.verb is Verb.UNMANAGED]
    assert (found.reason, found.bot, found.before) == (reason, "", stranger)
    assert found.ids == ((stranger.id,) if stranger.id else ())


def test_what_is_not_understood_of_credentials_and_settings() -> None:
    row = RemoteSettings(True, {"expire": 1}, unread=(("expire", "is not of type int"),))
    made = planned((), settings=row, unread=(("main", "its row is not understood"),))
    assert [(c.verb, c.of, c.bot, c.reason) for c in made.changes()] == [
        (Verb.UNMANAGED, Of.CREDENTIAL, "main", "its row is not understood"),
        (Verb.UNMANAGED, Of.SETTINGS, "", "its row is not understood: expire is not of type int"),
    ]


def test_settings_that_are_not_understood_are_not_said_to_be_given_up() -> None:
    row = RemoteSettings(True, {}, unread=(("expire", "is not of type int"),))
    assert only(planned((), settings=row, former=Former(blocks=frozenset({"openai"})))).verb is Verb.UNMANAGED


# -- settings ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declares", "exists", "block", "said"),
    [
        (False, True, True, True),
        (False, True, False, False),
        (False, False, True, False),
        (True, True, True, False),
    ],
)
def test_settings_that_are_not_managed_any_more(
    declares: bool, exists: bool, block: bool, said: bool
) -> None:
    own = DesiredSettings({"expire": 300}, AT) if declares else None
    desired = DesiredInstance("loja", (), AT, settings={} if own is None else {"openai": own})
    row = RemoteSettings(exists, {**DEFAULTS, "expire": 300})
    made = planned(desired, settings=row, former=Former(blocks=frozenset({"openai"} if block else ())))
    reason = "nothing declares it any more: they stay as they are, and are not managed any more"
    found = [(c.verb, c.of, c.bot, c.reason) for c in made.changes()]
    assert found == ([(Verb.FORGET, Of.SETTINGS, "", reason)] if said else [])
    assert not made.writes


def test_settings_that_go_back_to_their_defaults_are_noted() -> None:
    desired = DesiredInstance("loja", (), AT, settings={"openai": DesiredSettings({"keepOpen": True}, AT)})
    row = RemoteSettings(True, {**DEFAULTS, "expire": 9})
    made = planned(desired, settings=row, former=Former(settings={"openai": frozenset({"expire"})}))
    [change] = made.changes()
    assert {field.name: field.note for field in change.fields} == {"expire": "undeclared", "keepOpen": ""}


# -- the whole plan ---------------------------------------------------------------------------


def whole(
    desired: Mapping[str, tuple[DesiredBot, ...]], there: Mapping[str, ObservedInstance], **others: Any
) -> Plan:
    options = Options(**{"max_deletes": None, **others.pop("options", {})})
    instances = tuple(DesiredInstance(name, bots, AT) for name, bots in desired.items())
    return make(Desired(instances), Observed("s", there, **others), options)


def seen(name: str, *bots: RemoteBot, **others: Any) -> ObservedInstance:
    return ObservedInstance(name, bots, **others)


def broken(*names: str) -> dict[str, ObservedInstance]:
    return {name: seen(name, problem=f"{name} is down.") for name in names}


DECLARED = {"loja": (bot("ana", "x"),)}
THERE = {"loja": seen("loja", ours("ana", "x"))}


@pytest.mark.parametrize(
    ("others", "unlisted", "notes"),
    [
        ({}, "", ()),
        ({}, "not all were read", ("not all were read",)),
        (broken("z"), "", ("1 instance that no manifest declares was not read (z): z is down.",)),
        (
            broken("z", "y"),
            "not all were read",
            ("not all were read", "2 instances that no manifest declares were not read (y, z): y is down."),
        ),
        (
            broken("z", "y", "x"),
            "",
            ("3 instances that no manifest declares were not read (x, y, z): x is down.",),
        ),
        (
            broken("z", "y", "x", "w"),
            "",
            ("4 instances that no manifest declares were not read (w, x, y, …): w is down.",),
        ),
        ({"z": seen("z")}, "", ()),
        (broken("filial"), "", ()),
    ],
)
def test_a_note_says_what_was_not_read(
    others: dict[str, ObservedInstance], unlisted: str, notes: tuple[str, ...]
) -> None:
    desired = {**DECLARED, "filial": (bot("bia", "x"),)}
    assert whole(desired, {**THERE, **others}, unlisted=unlisted).notes == notes


RESTORE = "if an instance was recreated, `reconciler restore INSTANCE` puts all back"


@pytest.mark.parametrize(
    ("empty", "created", "notes"),
    [
        ({}, {}, ()),
        ({"b": 1}, {}, (f"b has none of its 1 bots: {RESTORE}",)),
        (
            {"b": 2},
            {"b": "2026-11-28T10:00:00.000Z", "c": "2026-01-01"},
            (f"b, created on 2026-11-28, has none of its 2 bots: {RESTORE}",),
        ),
        ({"c": 1, "b": 2}, {}, (f"b has none of its 2 bots, and so does 1 more: {RESTORE}",)),
        ({"d": 1, "c": 1, "b": 2}, {}, (f"b has none of its 2 bots, and so do 2 more: {RESTORE}",)),
        ({"b": 0}, {}, ()),
    ],
)
def test_instances_that_lack_all_of_their_bots_may_have_been_recreated(
    empty: dict[str, int], created: dict[str, str], notes: tuple[str, ...]
) -> None:
    desired = {name: tuple(bot(f"n{n}", f"k{n}") for n in range(count)) for name, count in empty.items()}
    there = {name: seen(name) for name in empty}
    found = whole({**DECLARED, **desired}, {**THERE, **there}, created=created)
    assert found.notes == notes
    # Where all bots are missing, nothing tells a new repository from a recreated instance.
    assert whole(desired, there, created=created).notes == ()


def test_where_one_of_two_bots_is_there_the_instance_was_not_recreated() -> None:
    desired = {**DECLARED, "b": (bot("ana", "x"), bot("bia", "y"))}
    assert whole(desired, {**THERE, "b": seen("b", ours("ana", "x"))}).notes == ()


RENAMED = (
    "loja is down. The instance {!r} has its bots ({}): "
    "if it was renamed, write `instance: {}` in its manifest."
)


@pytest.mark.parametrize(
    ("declared", "there", "problem"),
    [
        ("ab", {}, "loja is down."),
        ("ab", {"new": "ab"}, RENAMED.format("new", "a, b", "new")),
        ("ab", {"new": "a"}, RENAMED.format("new", "a", "new")),
        ("ab", {"new": "abc"}, "loja is down."),
        ("ab", {"new": "c"}, "loja is down."),
        ("ab", {"new": ""}, "loja is down."),
        ("edcba", {"new": "dcbae"}, RENAMED.format("new", "a, b, c", "new")),
        ("ab", {"other": "ab"}, "loja is down."),  # another manifest declares it
        ("ab", {"z": "a", "y": "b"}, RENAMED.format("y", "b", "y")),
        ("ab", {"new": "o"}, "loja is down."),  # its bots are those of another manifest
    ],
)
def test_an_instance_that_was_renamed(declared: str, there: dict[str, str], problem: str) -> None:
    desired = {"other": (bot("o", "o"),), "loja": tuple(bot(name, f"k-{name}") for name in declared)}
    found = {name: seen(name, *(ours(each, f"k-{each}") for each in bots)) for name, bots in there.items()}
    made = whole(desired, {**broken("loja"), **found}, options={"prune": Prune.NEVER})
    [loja] = [one for one in made.instances if one.name == "loja"]
    assert loja.problem == problem


def test_of_an_instance_that_no_manifest_declares_only_what_is_ours_is_said() -> None:
    there = {
        **THERE,
        "gone": seen("gone", ours("ana", "x"), remote("i2", "y")),
        "strange": seen("strange", remote("i3", "x")),
        **broken("down"),
    }
    made = whole(DECLARED, there)
    labels = {one.name: [change.label for change in one.changes] for one in made.instances}
    assert labels == {"gone": ["ana"], "loja": []}
    declared = whole({**DECLARED, "strange": ()}, there)
    assert [one.name for one in declared.instances] == ["gone", "loja", "strange"]


@pytest.mark.parametrize(
    ("foreign", "verbs"),
    [(unknown, ["delete", "delete"]), (lambda name: f"{name} is another's", ["orphan", "delete"])],
)
def test_only_what_no_manifest_declares_may_be_another_repositorys(foreign: Any, verbs: list[str]) -> None:
    there = {"gone": seen("gone", ours("zoe", "z")), "loja": seen("loja", ours("yan", "y"))}
    made = whole({"loja": ()}, there, options={"prune": Prune.ALWAYS, "foreign": foreign})
    assert [str(c.verb) for c in made.changes()] == verbs


def test_a_credential_that_settings_elsewhere_name_is_kept() -> None:
    former = Former(credentials=frozenset({"main"}))
    made = make(
        Desired((DesiredInstance("loja", (), AT),), former={"loja": former}),
        Observed(
            "s",
            {"loja": seen("loja", credentials={"main": RemoteCredential("c1", users=frozenset())})},
            elsewhere={"c1": "filial"},
        ),
        Options(prune=Prune.ALWAYS),
    )
    assert only(made).reason == (
        "nothing declares it any more; it is kept, as the settings of the instance 'filial', which is not "
        "planned, name it"
    )


def test_a_bot_that_gets_another_credential_leaves_the_one_that_it_has() -> None:
    """Only a bot that is written, and with another credential, leaves it."""
    there = {"main": RemoteCredential("c1", users=frozenset({"ana"})), "new": RemoteCredential("c2")}
    former = Former(credentials=frozenset({"main"}))
    for uses, verb in (("c2", Verb.DELETE), ("c1", Verb.ORPHAN)):
        desired = bot("ana", "x", openaiCredsId=uses, expire=5)
        made = planned(
            (desired,), ours("ana", "x", openaiCredsId="c1"), credentials=there, former=former, prune=True
        )
        why = "nothing declares it any more" + (
            "; it is kept, as ana (bot ana) uses it" if uses == "c1" else ""
        )
        assert [(c.verb, c.reason) for c in made.changes() if c.of is Of.CREDENTIAL] == [(verb, why)]
    held = planned(
        (bot("ana", "x", openaiCredsId="c2"),),
        ours("ana", "x", openaiCredsId="c1"),
        credentials=there,
        former=former,
        prune=True,
        reviewed=frozenset(),
    )
    assert {c.verb for c in held.changes()} == {Verb.ORPHAN, Verb.BLOCKED}


@pytest.mark.parametrize(
    ("described", "replace", "verb"),
    [
        ("[gitops:ana]", True, Verb.REPLACE),
        ("[gitops:ana]", False, Verb.UPDATE),
        ("[gitops:old]", True, Verb.UPDATE),
        ("", True, Verb.ADOPT),
    ],
)
def test_only_a_bot_with_its_marker_is_recreated(described: str, replace: bool, verb: Verb) -> None:
    desired = bot("ana", "x", expire=5, previously=("old",), replace=replace)
    made = planned((desired,), remote("i1", "x", description=described))
    assert only(made).verb is verb
    assert {step.call for step in made.instances[0].steps} == (
        {Call.DELETE, Call.CREATE} if verb is Verb.REPLACE else {Call.UPDATE}
    )


def test_what_nobody_looks_up_is_not_said() -> None:
    assert (unknown("loja"), unknown_files(["a"])) == ("", "")
