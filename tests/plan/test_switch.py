"""Which bots an address names, why some are not switched, and what the plan of a switch writes."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.domain.errors import ReconcilerError
from reconciler.domain.kinds import Value
from reconciler.domain.observed import ObservedInstance, RemoteBot
from reconciler.domain.plan import Call, Verb
from reconciler.plan import switch
from reconciler.plan.switch import Address, Choice, Switch
from tests.plan.builders import remote

OFF = Switch(False, "gitops", "2026-11-28")
ON = Switch(True, "gitops", "2026-11-28")


@pytest.mark.parametrize(
    ("text", "address", "exact", "names_bot"),
    [
        ("ana@loja", Address("ana", "loja"), True, True),
        ("aXa@loja", Address("aXa", "loja"), True, True),
        ("ana@a@b", Address("ana", "a@b"), True, True),
        ("ana@*", Address("ana", "*"), False, True),
        ("a?a@loja", Address("a?a", "loja"), False, False),
        ("[ab]@loja", Address("[ab]", "loja"), False, False),
        ("id:i1@loja", Address("i1", "loja", True), True, True),
        ("id:i*@loja", Address("i*", "loja", True), True, True),
        ("id:i1@l*", Address("i1", "l*", True), False, True),
    ],
)
def test_what_an_address_names(text: str, address: Address, exact: bool, names_bot: bool) -> None:
    found = switch.address(text)
    assert (found, found.exact, found.names_bot, str(found)) == (address, exact, names_bot, text)


@pytest.mark.parametrize("text", ["", "@", "ana", "ana@", "@loja", "id:@loja"])
def test_what_names_no_bot(text: str) -> None:
    with pytest.raises(ReconcilerError) as raised:
        switch.address(text)
    assert str(raised.value) == f"{text!r} names no bot: write BOT@INSTANCE, such as menu@loja."


@pytest.mark.parametrize(
    ("name", "glob", "fits"),
    [
        ("ana", "ana", True),
        ("ana", "a*", True),
        ("ana", "A*", False),
        ("a[n]a", "a[n]a", True),
        ("ana", "a[n]a", True),
        ("ana", "bia", False),
    ],
)
def test_what_a_glob_matches(name: str, glob: str, fits: bool) -> None:
    assert switch.matches(name, glob) is fits


MARK = "~off20261127"


def there(name: str, its_key: str = "", text: str = "", **fields: Any) -> RemoteBot:
    """A bot with our marker; its id is its name with i-. text: what stands behind the marker."""
    return remote(f"i-{name}", its_key or name, description=f"[gitops:{name}]{text}", **fields)


ANA, BIA = there("ana"), there("bia")
ANA_OFF, ANA_MARKED = there("ana", enabled=False), there("ana", text=MARK, enabled=False)
STRANGER = remote("i9", "s")
OTHERS = remote("i8", "o", description="[other:eva]~0123abcd")
UNREAD = RemoteBot("i7", {"description": "[gitops:ana]"}, unread=(("expire", "is missing"),))
TWINS = (remote("t1", "p", description="[gitops:two]"), remote("t2", "q", description="[gitops:two]"))
TWINS_OFF = tuple(RemoteBot(one.id, {**one.fields, "enabled": False}) for one in TWINS)
MANUAL = "it was not switched off by `reconciler disable`; to switch it on, name it without a glob"
BY_DISABLE = "it is off already, by `reconciler disable` on 2026-11-27"
BY_HAND = "it is off already, and not by `reconciler disable`"
AGAIN = ": if its manifest has it on, an apply switches it on again"


def chosen(
    texts: str, bots: tuple[RemoteBot, ...], how: Switch
) -> tuple[list[tuple[str, str, bool, str]], list[str]]:
    """The bots of loja that are named: label, id, whether ours, why not; and the problems."""
    addresses = [switch.address(text) for text in texts.split()]
    found, problems = switch.choose(addresses, ObservedInstance("loja", bots), how)
    assert all(one.instance == "loja" for one in found)
    return [(one.label, one.bot.id, one.ours, one.why) for one in found], problems


@pytest.mark.parametrize(
    ("texts", "bots", "how", "found"),
    [
        ("ana@loja", (ANA, BIA), OFF, [("ana", "i-ana", True, "")]),
        ("*@loja", (BIA, ANA, STRANGER), OFF, [("ana", "i-ana", True, ""), ("bia", "i-bia", True, "")]),
        ("bia@loja ana@loja", (BIA, ANA), OFF, [("ana", "i-ana", True, ""), ("bia", "i-bia", True, "")]),
        ("ana@filial", (ANA,), OFF, []),
        ("ana@filial ana@loja", (ANA,), OFF, [("ana", "i-ana", True, "")]),
        ("ana@loja a*@loja id:i-ana@loja", (ANA,), OFF, [("ana", "i-ana", True, "")]),
        ("id:i-ana@loja", (ANA,), OFF, [("ana", "i-ana", True, "")]),
        ("id:i9@loja", (ANA, STRANGER), OFF, [("i9", "i9", False, "")]),
        ("id:i9@loja", (remote("i9", "s", enabled=False),), ON, [("i9", "i9", False, "")]),
        ("id:t2@loja", (ANA, *TWINS), OFF, [("t2", "t2", True, "")]),
        ("id:t2@loja", TWINS_OFF, ON, [("t2", "t2", True, "")]),
        # What is not to be done, and why.
        ("ana@loja", (ANA,), ON, [("ana", "i-ana", True, "it is on already")]),
        ("a*@loja", (ANA,), ON, [("ana", "i-ana", True, "it is on already")]),
        ("ana@loja", (ANA_OFF,), ON, [("ana", "i-ana", True, "")]),
        ("ana@*", (ANA_OFF,), ON, [("ana", "i-ana", True, "")]),
        ("a*@loja", (ANA_OFF,), ON, [("ana", "i-ana", True, MANUAL)]),
        ("a*@loja", (ANA_MARKED,), ON, [("ana", "i-ana", True, "")]),
        ("a*@loja ana@loja", (ANA_OFF,), ON, [("ana", "i-ana", True, "")]),
        ("ana@loja a*@loja", (ANA_OFF,), ON, [("ana", "i-ana", True, "")]),
        ("id:i-ana@loja", (ANA_OFF,), ON, [("ana", "i-ana", True, "")]),
        ("ana@loja", (ANA_MARKED,), OFF, [("ana", "i-ana", True, BY_DISABLE)]),
        ("ana@loja", (ANA_OFF,), OFF, [("ana", "i-ana", True, BY_HAND + AGAIN)]),
        (
            "id:i9@loja",
            (remote("i9", "s", enabled=False),),
            OFF,
            [("i9", "i9", False, BY_HAND)],
        ),
    ],
)
def test_which_bots_are_named(
    texts: str, bots: tuple[RemoteBot, ...], how: Switch, found: list[tuple[str, str, bool, str]]
) -> None:
    assert chosen(texts, bots, how) == (found, [])


SEVERAL = "two@loja cannot be switched, as several bots have its marker: name one by its id, "


@pytest.mark.parametrize(
    ("texts", "bots", "problems"),
    [
        ("eva@loja", (), ["loja has no bot eva with the marker of gitops: it has no bot of ours"]),
        ("eva@loja", (BIA, ANA), ["loja has no bot eva with the marker of gitops: its bots are ana, bia"]),
        ("eva@loja eva@loja", (ANA,), ["loja has no bot eva with the marker of gitops: its bots are ana"]),
        (
            "eva@loja id:i1@loja",
            (),
            [
                "loja has no bot eva with the marker of gitops: it has no bot of ours",
                "loja has no bot with the id i1",
            ],
        ),
        ("eva@loja", TWINS, ["loja has no bot eva with the marker of gitops: its bots are two"]),
        ("eva@*", (ANA,), []),
        ("e*@loja", (ANA,), []),
        ("two@loja", TWINS, [f"{SEVERAL}id:t1@loja or id:t2@loja"]),
        ("t*@loja", TWINS, [f"{SEVERAL}id:t1@loja or id:t2@loja"]),
        ("id:i1@loja", (ANA, STRANGER), ["loja has no bot with the id i1"]),
        (
            "id:i8@loja",
            (STRANGER, OTHERS),
            ["bot i8 of loja is not switched: it carries the marker of the owner other"],
        ),
        (
            "id:i7@loja",
            (STRANGER, OTHERS, UNREAD),
            ["bot i7 of loja cannot be switched: its row is not understood: expire is missing"],
        ),
    ],
)
def test_what_cannot_be_named(texts: str, bots: tuple[RemoteBot, ...], problems: list[str]) -> None:
    assert chosen(texts, bots, OFF) == ([], problems)


REFUSED = " too, and the server refuses a change of either; delete one of them, or change it in the manager"


@pytest.mark.parametrize(
    ("how", "mine", "other", "problem"),
    [
        (OFF, {}, there("bia", "ana"), "ana@loja cannot be switched off: bot i-bia has assistantId 'ana'"),
        (
            ON,
            {"enabled": False},
            there("bia", "ana"),
            "ana@loja cannot be switched on: bot i-bia has assistantId 'ana'",
        ),
        (ON, {}, there("bia", "ana"), ""),  # it is on already
        (ON, {"enabled": False}, there("bia"), ""),
        (
            ON,
            {"enabled": False, "triggerType": "all"},
            there("bia", triggerType="all"),
            "ana@loja cannot be switched on: bot i-bia has the trigger all",
        ),
        (ON, {"enabled": False, "triggerType": "all"}, there("bia", triggerType="all", enabled=False), ""),
        (
            OFF,
            {"triggerType": "all"},
            there("bia", "ana", triggerType="all"),
            "ana@loja cannot be switched off: bot i-bia has the trigger all and assistantId 'ana'",
        ),
        (
            OFF,
            {},
            RemoteBot("", {"botType": "assistant", "assistantId": "ana"}, unread=(("id", "is missing"),)),
            "ana@loja cannot be switched off: a bot without a usable id has assistantId 'ana'",
        ),
    ],
)
def test_what_the_server_would_refuse(
    how: Switch, mine: dict[str, Any], other: RemoteBot, problem: str
) -> None:
    found, problems = chosen("ana@loja", (there("ana", **mine), other), how)
    assert problems == ([problem + REFUSED] if problem else [])
    assert [label for label, *_ in found] == ([] if problem else ["ana"])


@pytest.mark.parametrize(
    ("texts", "instances", "said"),
    [
        ("ana@loja", ["loja"], []),
        ("eva@loja", ["loja"], []),  # said where the instance is looked at
        ("eva@*", ["loja"], ["no bot with the marker of gitops matches 'eva@*'"]),
        ("e*@loja a*@loja", ["loja"], ["no bot with the marker of gitops matches 'e*@loja'"]),
        ("a*@*", ["loja"], []),
        ("id:i-ana@*", ["filial", "loja"], []),
        ("id:ana@*", ["loja"], ["no bot with the marker of gitops matches 'id:ana@*'"]),
        ("a*@f*", ["filial", "loja"], ["no bot with the marker of gitops matches 'a*@f*'"]),
        ("a*@f*", ["loja"], []),  # no instance matches, which is said elsewhere
    ],
)
def test_globs_that_match_no_bot(texts: str, instances: list[str], said: list[str]) -> None:
    addresses = [switch.address(text) for text in texts.split()]
    mine = [Choice("loja", "ana", ANA, True), Choice("loja", "bia", BIA, True)]
    assert switch.unmatched(addresses, instances, mine, OFF) == said


@pytest.mark.parametrize(
    ("how", "bot", "ours", "name", "fields"),
    [
        (OFF, ANA, True, "ana", {"enabled": False, "description": "[gitops:ana]~off20261128"}),
        (ON, ANA_MARKED, True, "ana", {"enabled": True, "description": "[gitops:ana]"}),
        (ON, ANA_OFF, True, "ana", {"enabled": True}),
        (OFF, STRANGER, False, "", {"enabled": False}),
    ],
)
def test_what_a_switch_writes(
    how: Switch, bot: RemoteBot, ours: bool, name: str, fields: dict[str, Value]
) -> None:
    label = name or bot.id
    skipped = Choice("loja", "bia", BIA, True, "it is off already")
    made = switch.plan(ObservedInstance("loja", (bot,)), [skipped, Choice("loja", label, bot, ours)], how)
    [change], [step] = made.changes, made.steps
    assert (change.instance, change.bot, change.verb, change.ids, change.before) == (
        "loja",
        name,
        Verb.UPDATE,
        (bot.id,),
        bot,
    )
    assert change.reason == f"it is switched {'on' if how.on else 'off'} by hand"
    assert {field.name: field.after for field in change.fields} == fields
    insists = {name: bot.fields[name] for name in ("openaiCredsId", "botType", "assistantId", "triggerType")}
    assert (step.call, step.bot, step.id, step.body) == (Call.UPDATE, label, bot.id, {**insists, **fields})
