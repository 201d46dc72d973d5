"""What a manifest would have to say for nothing to differ: of values, without a file or a server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from reconciler.domain.desired import (
    Desired,
    DesiredBot,
    DesiredCredential,
    DesiredInstance,
    DesiredSettings,
    Fields,
    SecretRef,
)
from reconciler.domain.errors import Position
from reconciler.domain.hidden import KEY, Hidden
from reconciler.domain.kinds import Value
from reconciler.domain.observed import Observed, ObservedInstance, RemoteBot, RemoteCredential, RemoteSettings
from reconciler.domain.reports import Note
from reconciler.importer.drift import Drift, Drifts, drifts
from reconciler.plan import differ
from tests.plan.builders import bot, remote
from tests.support import of_openai

AT = Position("bots/loja.yaml", 1, 1)
REF = SecretRef("env", "OPENAI_KEY")
MARK = "[gitops:ana]"
SETTINGS = "the settings"
CREDS: Mapping[str, str] = {"main": "c1", "second": "c2"}


def compared(
    bots: list[DesiredBot] | DesiredBot,
    there: list[RemoteBot] | RemoteBot,
    *,
    settings: DesiredSettings | None = None,
    row: RemoteSettings | None = None,
    elsewhere: Mapping[str, Mapping[str, str]] | None = None,
    shared_creds: Mapping[str, Mapping[str, str]] | None = None,
    declared: tuple[DesiredCredential, ...] = (),
    credentials: Mapping[str, RemoteCredential] | None = None,
) -> Drifts:
    """The drifts of one instance, loja."""
    instance = DesiredInstance(
        "loja", tuple(bots) if isinstance(bots, list) else (bots,), AT, declared, of_openai(settings)
    )
    own = {name: RemoteCredential(id) for name, id in CREDS.items()} if credentials is None else credentials
    seen = ObservedInstance(
        "loja",
        tuple(there) if isinstance(there, list) else (there,),
        own,
        of_openai(row),
        {
            whose: {name: RemoteCredential(id) for name, id in ids.items()}
            for whose, ids in (shared_creds or {}).items()
        },
    )
    return drifts(Desired((instance,)), Observed("http://s", {"loja": seen}), "gitops", elsewhere or {})


def only(found: Drifts) -> Drift:
    [one] = found.found
    return one


def texts(found: Drifts) -> list[tuple[str, str]]:
    assert all(said.instance == "loja" for said in found.notes)
    return [(said.about, said.text) for said in found.notes]


def ana(**fields: Value) -> DesiredBot:
    return bot("ana", "x", "none", **fields)  # type: ignore[arg-type]  # fields only


def there(description: str = MARK, **fields: Value) -> RemoteBot:
    return remote("i1", "x", "none", description, **fields)


def test_only_what_is_declared_and_differs_comes_back() -> None:
    assert compared(ana(expire=300), there(timePerChar=9)).found == []
    found = compared(ana(expire=300, keepOpen=True), there(expire=5, timePerChar=9))
    assert only(found) == Drift("loja", "ana", {"expire": 5, "keepOpen": False})
    assert only(found).keys == ("expire", "keepOpen")
    assert (found.notes, found.unread, found.unknown) == ([], [], False)


@pytest.mark.parametrize("text", [MARK, f"{MARK}~off20261128", f"{MARK}~0123abcd~off20261128"])
@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("stored", [True, False])
def test_whether_a_bot_is_on_comes_back_as_a_value(text: str, declared: bool, stored: bool) -> None:
    """A plan leaves off what was switched off by hand; an import writes that down."""
    found = compared(ana(enabled=declared), there(text, enabled=stored)).found
    assert found == ([] if declared is stored else [Drift("loja", "ana", {"enabled": stored})])
    assert compared(ana(), there(text, enabled=stored)).found == []


@pytest.mark.parametrize(
    ("declared", "stored", "fields", "said"),
    [
        ({"keywordFinish": "a"}, {"keywordFinish": ""}, {"keywordFinish": ""}, None),
        ({"systemMessages": ("a",)}, {}, {"systemMessages": ()}, None),
        ({"functionUrl": "https://e.x"}, {}, {"functionUrl": ""}, None),
        ({"maxTokens": 5}, {}, {}, "maxTokens is not set on the server, and stays in its manifest"),
        (
            {"functionUrl": "https://e.x"},
            {"functionUrl": Hidden("https://e.x/***", "https://e.x/1")},
            {},
            "functionUrl holds a secret on the server, and was not written: put it into a variable, as "
            "!env NAME",
        ),
        (
            {"unknownMessage": "a"},
            {"unknownMessage": f"b {KEY}"},
            {},
            "unknownMessage holds a key on the server, and was not written",
        ),
        (
            {"systemMessages": ("a",)},
            {"systemMessages": ("b", KEY)},
            {},
            "systemMessages holds a key on the server, and was not written",
        ),
        (
            {"description": "a"},
            {"description": f"{KEY} {MARK}"},
            {},
            "description holds a key on the server, and was not written",
        ),
        ({}, {"description": f"{KEY} {MARK}"}, {}, None),
    ],
)
def test_what_a_manifest_can_say(declared: Fields, stored: Fields, fields: Fields, said: str | None) -> None:
    found = compared(ana(**declared), there(**{"description": MARK, **stored}))  # type: ignore[arg-type]
    assert [one.fields for one in found.found] == ([fields] if fields else [])
    assert texts(found) == ([("ana", said)] if said else [])


@pytest.mark.parametrize(
    ("declared", "stored", "text"),
    [
        ("Oi", f"Oi {MARK}", None),
        ("Oi", f"Oi {MARK}~0123abcd", None),
        ("Oi", "[GITOPS:ana] Oi", None),
        ("Oi", f"Olá {MARK}~0123abcd", "Olá"),
        ("Oi", f"  Olá  mundo {MARK}", "  Olá  mundo"),
        ("Oi", f"{MARK} Olá", "Olá"),
        ("Oi", MARK, ""),
        ("Oi", "", ""),
        ("Oi", f"Olá{MARK}", "Olá"),
        ("x" * 255, "x" * 232 + f"… {MARK}", None),
        ("", f"Olá {MARK}", "Olá"),
        ("", MARK, None),
    ],
)
def test_a_description_comes_back_as_a_human_wrote_it(declared: str, stored: str, text: str | None) -> None:
    found = compared(ana(description=declared), there(stored)).found
    assert found == ([] if text is None else [Drift("loja", "ana", {"description": text})])


def test_another_type_brings_what_it_needs_and_only_that() -> None:
    now = remote("i1", "m/5", "equals:1", MARK, expire=9)
    assert only(compared(ana(), now)).fields == {
        "botType": "chatCompletion",
        "triggerType": "keyword",
        "model": "m",
        "maxTokens": 5,
        "triggerOperator": "equals",
        "triggerValue": "1",
    } | {"assistantId": ""}
    half = RemoteBot("i1", {name: value for name, value in now.fields.items() if name != "maxTokens"})
    assert "maxTokens" not in only(compared(ana(), half)).fields
    assert only(compared(ana(model="n"), now)).fields["model"] == "m"


@pytest.mark.parametrize(
    ("declared", "expire", "said"),
    [
        ({"expire": 5}, 6, []),
        (
            {"expire": 7},
            5,
            [("ana", "its manifest was edited since the last apply; the server's values replace the edit")],
        ),
        (
            {"expire": 7},
            6,
            [("ana", "its manifest was edited since the last apply; the server's values replace the edit")],
        ),
    ],
)
def test_an_edit_that_was_not_applied_is_said(
    declared: dict[str, int], expire: int, said: list[tuple[str, str]]
) -> None:
    stamp = differ.stamp(ana(expire=5), there(expire=5).fields, "gitops")
    found = compared(ana(**declared), there(f"{MARK}{stamp}", expire=expire))
    assert only(found).fields == {"expire": expire}
    assert texts(found) == said


def test_the_pieces_of_a_drift() -> None:
    whole = Drift(
        "loja",
        "ana",
        {
            "expire": 1,
            "botType": "assistant",
            "triggerType": "all",
            "model": "m",
            "keepOpen": True,
            "enabled": False,
            "triggerValue": "",
        },
        ("main", None),
        "bia",
    )
    assert whole.keys == ("openaiCreds", *whole.fields, "fallback")
    empty = Drift("loja", "ana")
    together: Fields = {
        "botType": "assistant",
        "triggerType": "all",
        "model": "m",
        "enabled": False,
        "triggerValue": "",
    }
    assert whole.parts() == [
        replace(empty, fields={"expire": 1}),
        replace(empty, fields={"keepOpen": True}),
        replace(empty, fields=together),
        replace(empty, creds=("main", None)),
        replace(empty, fallback="bia"),
    ]
    assert empty.parts() == []
    assert empty.keys == ()
    assert replace(empty, fallback="").parts() == [replace(empty, fallback="")]
    assert replace(empty, fallback="").keys == ("fallback",)


# -- credentials -------------------------------------------------------------------------------


def lends(name: str = "main", whose: str = "matriz") -> DesiredBot:
    return replace(bot("ana", "x", creds=name), creds_owner=whose)


@pytest.mark.parametrize(
    ("used", "creds", "strange"),
    [
        ("c1", None, False),
        ("c2", ("second", None), False),
        ("c5", ("lent", "matriz"), False),
        ("c6", ("far", "longe"), False),
        ("c7", ("kept", None), False),
        ("c9", None, True),
    ],
)
def test_a_credential_comes_back_by_its_name(
    used: str, creds: tuple[str, str | None] | None, strange: bool
) -> None:
    found = compared(
        bot("ana", "x", creds="main"),
        there(openaiCredsId=used),
        shared_creds={"matriz": {"lent@3": "c5"}},
        elsewhere={"longe": {"far": "c6"}, "matriz": {"late": "c8"}, "loja": {"kept@2": "c7"}},
    )
    assert [one.creds for one in found.found] == ([creds] if creds else [])
    assert found.unknown is strange
    assert texts(found) == (
        [("ana", "its credential on the server belongs to no instance that the manifests name")]
        if strange
        else []
    )


def test_the_instances_own_name_goes_before_anothers() -> None:
    found = compared(
        bot("ana", "x", creds="main"),
        there(openaiCredsId="c2"),
        shared_creds={"matriz": {"theirs": "c2"}},
        elsewhere={"longe": {"far": "c2"}},
    )
    assert only(found) == Drift("loja", "ana", {}, ("second", None))
    assert only(found).keys == ("openaiCreds",)


def test_a_borrowed_credential_that_is_used_is_no_drift() -> None:
    shared_creds = {"matriz": {"main": "c5", "other": "c6"}}
    assert compared(lends(), there(openaiCredsId="c5"), shared_creds=shared_creds).found == []
    assert only(compared(lends(), there(openaiCredsId="c6"), shared_creds=shared_creds)).creds == (
        "other",
        "matriz",
    )
    assert only(compared(lends(), there(openaiCredsId="c1"), shared_creds=shared_creds)).creds == (
        "main",
        None,
    )


def test_a_generation_that_is_not_the_newest_is_no_drift() -> None:
    family = {"main": RemoteCredential("c1", False), "main@2": RemoteCredential("c2", True)}
    for used in ("c1", "c2"):
        found = compared(
            bot("ana", "x", creds="main"),
            there(openaiCredsId=used),
            declared=(DesiredCredential("main", REF, AT),),
            credentials=family,
        )
        assert found.found == []


# -- settings ----------------------------------------------------------------------------------


def declared_settings(
    fallback: str | None = None, creds: str | None = None, **fields: Value
) -> DesiredSettings:
    return DesiredSettings(fields, AT, creds, fallback)


def settings(
    declared: DesiredSettings | None,
    row: RemoteSettings | None,
    shared_creds: Mapping[str, Mapping[str, str]] | None = None,
) -> Drifts:
    return compared(
        ana(), [there(), remote("i2", "y")], settings=declared, row=row, shared_creds=shared_creds
    )


NOWHERE = ("", "no manifest declares 1 of its bots on the server: i2")
ROW = RemoteSettings(True, {"expire": 1, "unknownMessage": "?", "openaiCredsId": "c1"}, "i1")


def test_settings_that_are_not_declared_or_not_there() -> None:
    assert settings(None, ROW).found == []
    assert settings(declared_settings(expire=2), None).found == []
    missing = settings(declared_settings(expire=2), RemoteSettings(False, {"expire": 1}))
    assert missing.found == []
    assert texts(missing)[1:] == [(SETTINGS, "they are not on the server yet, and stay in their manifest")]


@pytest.mark.parametrize(
    ("declared", "row", "drift"),
    [
        (declared_settings(expire=1), ROW, None),
        (declared_settings(expire=2), ROW, Drift("loja", SETTINGS, {"expire": 1})),
        (declared_settings(keywordFinish="a"), ROW, Drift("loja", SETTINGS, {"keywordFinish": ""})),
        (declared_settings(creds="main"), ROW, None),
        (declared_settings(creds="second"), ROW, Drift("loja", SETTINGS, creds=("main", None))),
        (declared_settings("ana"), ROW, None),
        (declared_settings(""), ROW, Drift("loja", SETTINGS, fallback="ana")),
        (declared_settings("ana"), replace(ROW, fallback=None), Drift("loja", SETTINGS, fallback="")),
        (declared_settings(""), replace(ROW, fallback=None), None),
        (declared_settings(), ROW, None),
    ],
)
def test_settings_come_back_in_the_manifests_words(
    declared: DesiredSettings, row: RemoteSettings, drift: Drift | None
) -> None:
    found = settings(declared, row)
    assert found.found == ([] if drift is None else [drift])
    assert texts(found) == [NOWHERE]


def test_settings_that_no_manifest_can_say() -> None:
    shared_creds = {"matriz": {"main": "c5"}}
    borrowed = settings(
        declared_settings(creds="main"), RemoteSettings(True, {"openaiCredsId": "c5"}), shared_creds
    )
    assert borrowed.found == []
    assert texts(borrowed) == [
        NOWHERE,
        (SETTINGS, "they use a credential of another instance, which a manifest cannot declare"),
    ]
    none = settings(declared_settings(creds="main"), RemoteSettings(True, {}))
    assert (none.found, none.unknown) == ([], True)
    theirs = settings(declared_settings("ana"), replace(ROW, fallback="i2"))
    assert theirs.found == []
    assert texts(theirs) == [
        NOWHERE,
        (SETTINGS, "the fallback on the server is the bot i2, which no manifest declares"),
    ]


# -- what is not compared ----------------------------------------------------------------------


def test_what_is_missing_in_conflict_or_declared_nowhere() -> None:
    bots = [ana(), bot("bia", "y"), bot("caio", "z")]
    others = [remote(f"o{number}", f"a{number}") for number in range(6)]
    twins = [remote("t1", "t", "none", "[gitops:bia]"), remote("t2", "u", "none", "[gitops:bia]")]
    found = compared(bots, [there(), *twins])
    assert texts(found) == [
        ("caio", "it is missing on the server, and stays in its manifest"),
        (
            "bia",
            "bots t1 and t2 carry its marker: delete all but one, or take the marker out of the others' "
            "descriptions",
        ),
        ("", "no manifest declares 2 of its bots on the server: t1, t2"),
    ]
    assert texts(compared(ana(), [there(), *others[:5]])) == [
        ("", "no manifest declares 5 of its bots on the server: o0, o1, o2, o3, o4")
    ]
    assert texts(compared(ana(), [there(), *others])) == [
        ("", "no manifest declares 6 of its bots on the server: o0, o1, o2, o3, o4, …")
    ]
    orphan = compared(ana(), [there(), remote("i9", "y", "none", "[gitops:old]")])
    assert texts(orphan) == [("", "no manifest declares 1 of its bots on the server: i9")]


def test_an_instance_that_cannot_be_read_is_no_success_and_stops_no_other() -> None:
    loja, cafe = DesiredInstance("loja", (ana(),), AT), DesiredInstance("café", (ana(expire=1),), AT)
    seen = {
        "loja": ObservedInstance("loja", problem="it is gone"),
        "café": ObservedInstance("café", (there(),)),
    }
    found = drifts(Desired((loja, cafe)), Observed("http://s", seen), "gitops", {})
    assert found.unread == [Note("loja", "", "it is gone")]
    assert found.found == [Drift("café", "ana", {"expire": 300})]
    assert found.notes == []
