"""One instance's part of a rotation: its calls, its words, and which old credentials stay."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from reconciler.domain.credential_versions import CredentialVersions
from reconciler.domain.observed import RemoteCredential
from reconciler.domain.plan import NEW_CREDENTIAL, Call, Change, Of, Step, Verb
from reconciler.plan.rotations import Rotation
from tests.plan.builders import AT

BLANK = Change("loja", "main", Verb.ROTATE, "", at=AT, of=Of.CREDENTIAL)
NEW = f"{NEW_CREDENTIAL}main@3"


def old(**users: Iterable[str] | None) -> dict[str, RemoteCredential]:
    """The old generations and who uses them."""
    return {
        name.replace("_", "@"): RemoteCredential(
            f"id-{name}", None, None if used is None else frozenset(used)
        )
        for name, used in users.items()
    }


def rotation(
    gone: dict[str, RemoteCredential],
    *,
    new: bool = False,
    creds_owner: str | None = None,
    leaving: bool = True,
    settings: bool = False,
    moves: dict[str, str] | None = None,
) -> Rotation:
    versions = CredentialVersions(
        "main", NEW if new else "id-new", "main@3" if new else "", gone, leaving, "present"
    )
    return Rotation(versions, creds_owner, BLANK, settings, {"speechToText": True}, moves or {})


def told(
    one: Rotation, left: frozenset[str] = frozenset(), taken: dict[str, str] | None = None
) -> list[tuple[str, str, str]]:
    def called(ids: Iterable[str], instance: str) -> list[str]:
        assert instance == "loja"
        return [f"<{id}>" for id in ids]

    found = list(one.changes(left, taken or {}, called))
    for change in found:
        assert change.instance == "loja"
        assert change.of is Of.CREDENTIAL
        assert change.ids == (
            one.versions.old_ids if change.verb is Verb.ROTATE else (f"id-{change.bot.replace('@', '_')}",)
        )
    return [(change.verb.value, change.bot, change.reason) for change in found]


USED = old(main=["b1"], main_2=[])


@pytest.mark.parametrize(
    ("one", "left", "taken", "deleted"),
    [
        (rotation(USED), [], {}, ["id-main_2"]),
        (rotation(USED), ["b1"], {}, ["id-main", "id-main_2"]),
        (rotation(USED), ["b1", "b2"], {"id-main": "it is named"}, ["id-main_2"]),
        (rotation(USED, creds_owner="matriz"), ["b1"], {}, []),
        (rotation(USED, leaving=False), ["b1"], {}, []),
        (rotation(old(main=None)), [], {}, []),
        (rotation(old(main=["b1", "b2"])), ["b1"], {}, []),
    ],
)
def test_what_nobody_uses_any_more_goes(
    one: Rotation, left: list[str], taken: dict[str, str], deleted: list[str]
) -> None:
    steps = list(one.deletes(frozenset(left), taken))
    assert [step.id for step in steps] == deleted
    for step in steps:
        assert (step.call, step.bot) == (Call.OLD_CREDENTIAL, "credential main")
        assert step.body == {"name": str(step.id).removeprefix("id-").replace("_", "@")}


def moving(one: Rotation) -> list[Step]:
    return [*one.settings_step(), *one.bot_steps()]


def test_the_calls_that_move() -> None:
    steps = moving(rotation(USED, settings=True, moves={"ana": "b1", "bia": "b2"}))
    assert [(step.call, step.bot, step.id, step.body, step.why) for step in steps] == [
        (Call.SETTINGS, "credential main", None, {"speechToText": True, "openaiCredsId": "id-new"}, ""),
        (Call.MOVE, "credential main", "b1", {"openaiCredsId": "id-new"}, "the bot ana"),
        (Call.MOVE, "credential main", "b2", {"openaiCredsId": "id-new"}, "the bot bia"),
    ]
    assert [step.call for step in moving(rotation(USED, moves={"ana": "b1"}))] == [Call.MOVE]
    assert moving(rotation(USED)) == []


KEPT = ("unmanaged", "main", "the old key is kept: <b1> uses it")


@pytest.mark.parametrize(
    ("one", "left", "said"),
    [
        (rotation(old(main=["b1"])), [], [KEPT]),
        (rotation(old(main=["b1"]), creds_owner="matriz"), [], []),
        (
            rotation(old(main=["b1"]), new=True),
            [],
            [("rotate", "main", "its key is different: main@3 is created"), KEPT],
        ),
        (rotation(old(main=["b1"]), new=True, creds_owner="matriz"), [], []),
        (
            rotation(old(main=["b1"]), settings=True),
            [],
            [("rotate", "main", "a rotation is not finished: the settings are moved to it"), KEPT],
        ),
        (
            rotation(old(main=["b1"]), moves={"ana": "b1"}),
            ["b1"],
            [("rotate", "main", "a rotation is not finished: ana is moved to it, main is deleted")],
        ),
        (
            rotation(old(main=["b1"], main_2=[]), moves={"ana": "b1", "bia": "b2"}),
            ["b1", "b2"],
            [
                (
                    "rotate",
                    "main",
                    "a rotation is not finished: ana and bia are moved to it, main and main@2 are deleted",
                )
            ],
        ),
        (
            rotation(old(main=["b1"]), creds_owner="matriz", settings=True, moves={"ana": "b1", "bia": "b2"}),
            [],
            [
                (
                    "rotate",
                    "main",
                    "the instance 'matriz', which owns it, has a different key for it: "
                    "ana, bia and the settings are moved to it",
                )
            ],
        ),
        (
            rotation(old(main=[])),
            [],
            [("rotate", "main", "a rotation is not finished: main is deleted")],
        ),
        (
            rotation(old(main=None)),
            [],
            [
                (
                    "unmanaged",
                    "main",
                    "the old key is kept: the server does not say reliably which bots use it",
                )
            ],
        ),
        (rotation(old(main=[]), leaving=False), [], []),
    ],
)
def test_what_is_said(one: Rotation, left: list[str], said: list[tuple[str, str, str]]) -> None:
    assert told(one, frozenset(left)) == said


def test_who_else_uses_an_old_one_is_said() -> None:
    assert told(rotation(old(main=[])), taken={"id-main": "a manifest names it by its id"}) == [
        ("unmanaged", "main", "the old key is kept: a manifest names it by its id")
    ]
    assert told(rotation(old(main=["b1"])), frozenset({"b1"}), {"id-main": "it is named"}) == [
        ("unmanaged", "main", "the old key is kept: it is named")
    ]


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (1, "<b10> uses it"),
        (2, "<b10> and <b11> use it"),
        (3, "<b10>, <b11> and <b12> use it"),
        (10, "<b17>, <b18> and <b19> use it"),
        (11, "<b18>, <b19> and 1 more use it"),
    ],
)
def test_ten_users_are_named(count: int, said: str) -> None:
    [(verb, _, reason)] = told(rotation(old(main=[f"b{n}" for n in range(10, 10 + count)])))
    assert verb == "unmanaged"
    assert reason.startswith("the old key is kept: <b10>")
    assert reason.endswith(said)
