"""The server's choice, case by case; the recording has the common ones, these are its edges."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.domain.kinds import KINDS
from reconciler.domain.versions import Version
from reconciler.routing.choice import route
from reconciler.routing.explanation import Reason, explain
from reconciler.routing.values import CONTACT, Answer, Bot, Instance, Message, Rule, Settings

_GROUP = "120363000000000001@g.us"
_LID = "99887766554433@lid"
Fields = dict[str, Any]


def bot(name: str, trigger: str = "all", value: str | None = None, kind: str = "openai", **more: Any) -> Bot:
    """A bot. trigger: a triggerType, or the operator of a keyword."""
    fields: Fields = {"triggerType": trigger}
    if trigger not in ("all", "none", "advanced"):
        fields = {"triggerType": "keyword", "triggerOperator": trigger}
    if value is not None:
        fields["triggerValue"] = value
    return Bot(name, KINDS[kind], fields | more)


def who(bots: list[Bot], message: Message | str, version: Version = (2, 3, 6), **row: Any) -> Answer:
    """Who of the first bot's kind answers."""
    message = Message(message) if isinstance(message, str) else message
    kind = bots[0].kind.path
    settings = {kind: Settings(row, row.pop("fallback", ""))}
    return route(Instance(tuple(bots), settings, version), message)[kind]


_MENU = [
    bot("contem", "contains", "oi"),
    bot("fim", "endsWith", "oi"),
    bot("inicio", "startsWith", "oi"),
    bot("regex", "regex", "^o.$"),
    bot("igual", "equals", "oi"),
]


@pytest.mark.parametrize(
    ("text", "rule", "name"),
    [
        ("oi", Rule.EQUALS, "igual"),
        ("ok", Rule.REGEX, "regex"),
        ("oi, bom dia", Rule.STARTS_WITH, "inicio"),
        ("bem, oi", Rule.ENDS_WITH, "fim"),
        ("eu oi!", Rule.CONTAINS, "contem"),
        ("Oi", Rule.NOTHING, None),
        ("oí", Rule.REGEX, "regex"),
        ("oía", Rule.NOTHING, None),
        ("oi ", Rule.STARTS_WITH, "inicio"),
        (" oi", Rule.ENDS_WITH, "fim"),
        ("o\u0301", Rule.REGEX, "regex"),
        ("o😀", Rule.NOTHING, None),
        ("", Rule.NOTHING, None),
    ],
)
def test_the_order_of_the_operators(text: str, rule: Rule, name: str | None) -> None:
    found = who(_MENU, text)
    assert (found.rule, found.bots) == (rule, (name,) if name else ())


@pytest.mark.parametrize(
    ("first", "second", "winner"),
    [
        (bot("a", "equals", "oi"), bot("b", "all"), "b"),
        (bot("a", "equals", "oi"), bot("b", "none"), "b"),
        (bot("a", "equals", "oi"), bot("b", "advanced", "contains:OÍ"), "b"),
        (bot("a", "advanced", "contains:oi"), bot("b", "all"), "b"),
        (bot("a", "equals", "oi"), bot("b", "all", enabled=False), "a"),
        (bot("a", "equals", "oi"), bot("b", "none", enabled=False), "a"),
    ],
)
def test_what_is_asked_before_keywords(first: Bot, second: Bot, winner: str) -> None:
    assert who([first, second], "oi").bots == (winner,)


def test_ties_have_no_order() -> None:
    found = who([bot("a", "contains", "o"), bot("b", "contains", "i")], "oi")
    assert found.bots == ("a", "b")
    assert not found.silent


def test_none_starts_nobody_before_2_3() -> None:
    bots = [bot("a", "none"), bot("b", "equals", "oi")]
    assert who(bots, "oi", (2, 2, 3)).bots == ("b",)
    assert who(bots, "olá", (2, 2, 3)).rule is Rule.NOTHING
    assert who(bots, "olá", (2, 3, 0)).bots == ("a",)


@pytest.mark.parametrize(
    ("jids", "jid", "ignored"),
    [
        (("@g.us",), _GROUP, True),
        (("@g.us",), CONTACT, False),
        (("@g.us",), _LID, False),
        (("@s.whatsapp.net",), CONTACT, True),
        (("@s.whatsapp.net",), _GROUP, False),
        (("@s.whatsapp.net",), _LID, False),
        (("@lid",), _LID, False),
        ((_LID,), _LID, True),
        ((_GROUP,), _GROUP, True),
        ((CONTACT,), CONTACT, True),
        (("5511999999999",), CONTACT, False),
        (("5511999999999@S.WHATSAPP.NET",), CONTACT, False),
        ((" @g.us",), _GROUP, False),
        ((), CONTACT, False),
        (("",), CONTACT, False),
    ],
)
def test_ignored_jids(jids: tuple[str, ...], jid: str, ignored: bool) -> None:
    found = who([bot("a")], Message("oi", jid), ignoreJids=jids, fallback="a")
    assert (found.rule is Rule.IGNORED, found.bots) == (ignored, () if ignored else ("a",))


def test_a_bots_own_list_is_not_looked_at() -> None:
    assert who([bot("a", ignoreJids=(CONTACT,))], "oi").bots == ("a",)


@pytest.mark.parametrize(
    ("expression", "text", "matched"),
    [
        ("contains:preço", "PRECO do pedido", True),
        ("contains:PRECO", "o preço", True),
        ("contains:pedido contains:preco", "preço", True),
        ("contains:pedido,10", "pedido", False),
        ("contains:pedido,10", "10 pedidos", True),
        ("contains:oi exact:oi", "oi tudo", False),
        ("startsWith:bom", "bom dia", True),
        ("CONTAINS:oi Contains:x", "oi", False),
        ("contains:oi  ", "oi", False),
        (" contains:oi", "oi", False),
        ("contains: oi", "oi", False),
        ("contains:a,,b", "ab", True),
        ("contains:", "", True),
        ("contains", "oi", True),
        ("exact:", "", True),
        ("exact:", "oi", False),
        ("notcontains:", "oi", False),
        ("exact:a:b", "a:b", True),
        ("equals:oi", "oi", False),
        ("oi", "oi", False),
        ("contains:oi\ncontains:x", "oi", False),
        ("exact:é", "e\u0301", True),
        ("exact:i", "İ", True),
        ("exact:ΟΔΟΣ", "οδος", True),
        ("contains:ç", "Ç", True),
        ("exact:ﬁ", "fi", False),
        ("contains:😀", "oi😀", True),
    ],
)
def test_advanced(expression: str, text: str, matched: bool) -> None:
    assert who([bot("a", "advanced", expression)], text).bots == (("a",) if matched else ())


@pytest.mark.parametrize("expression", ["constructor:x", "contains:oi __proto__:x", "toString"])
def test_an_operator_that_every_object_has_loses_the_message(expression: str) -> None:
    bots = [bot("a", "advanced", expression), bot("b", "equals", "oi")]
    found = who(bots, "oi", fallback="b")
    assert (found.rule, found.bots, found.broken) == (Rule.ADVANCED, (), ("a",))


def test_a_regex_that_javascript_refuses_loses_what_gets_as_far_as_it() -> None:
    bots = [bot("quebrada", "regex", "("), bot("igual", "equals", "oi"), bot("fim", "endsWith", "dia")]
    assert who(bots, "oi", fallback="fim").bots == ("igual",)
    for text in ("bom dia", "nada"):
        found = who(bots, text, fallback="fim")
        assert (found.rule, found.bots, found.broken) == (Rule.REGEX, (), ("quebrada",))
    beside = who([*bots, bot("regex", "regex", "dia")], "bom dia")
    assert (beside.bots, beside.silent) == (("regex",), True)
    assert who([bot("quebrada", "regex", "(", enabled=False), bots[2]], "bom dia").bots == ("fim",)


def test_a_regex_that_takes_too_long_is_not_decided() -> None:
    found = who([bot("lenta", "regex", "(a+)+$"), bot("b", "contains", "a")], "a" * 40 + "b")
    assert (found.bots, found.undecided) == ((), ("lenta",))


def test_modifiers_of_a_regex_came_with_node_24() -> None:
    bots = [bot("a", "regex", "(?i:oi)")]
    assert who(bots, "OI", (2, 3, 3)).bots == ("a",)
    assert who(bots, "OI", (2, 3, 2)).broken == ("a",)


@pytest.mark.parametrize(
    ("kind", "version", "answers"),
    [
        *((kind, (2, 3, 6), kind not in ("n8n", "dify")) for kind in KINDS),
        ("dify", (2, 2, 3), True),
    ],
)
def test_the_fallback(kind: str, version: Version, answers: bool) -> None:
    bots = [bot("a", "equals", "oi", kind), bot("b", "equals", "x", kind, enabled=False)]
    found = who(bots, "olá", version, fallback="b")
    assert (found.rule, found.bots) == ((Rule.FALLBACK, ("b",)) if answers else (Rule.NOTHING, ()))
    assert who(bots, "oi", version, fallback="b").bots == ("a",)


def test_from_us() -> None:
    ours = Message("oi", from_me=True)
    assert who([bot("a")], ours).bots == ("a",)
    assert who([bot("a", listeningFromMe=False)], ours).bots == ()
    assert who([bot("a", listeningFromMe=False)], "oi").bots == ("a",)
    assert who([bot("a")], ours, listeningFromMe=False).bots == ()
    assert who([bot("a", listeningFromMe=True)], ours, listeningFromMe=False).bots == ("a",)
    deaf = [bot("a", "equals", "oi", listeningFromMe=False), bot("b", "contains", "oi")]
    assert who(deaf, ours, fallback="b").bots == (), "the next step is not tried"
    tied = who([deaf[1], bot("c", "contains", "o", listeningFromMe=False)], ours)
    assert (tied.bots, tied.silent) == (("b",), True)
    assert who([bot("a", "equals", "x", listeningFromMe=False)], ours, fallback="a").bots == ()


def test_the_word_that_ends_a_session() -> None:
    for kind, answers in (("openai", False), ("typebot", True)):
        assert bool(who([bot("a", kind=kind)], " Bye\n").bots) == answers
        assert bool(who([bot("a", kind=kind, keywordFinish="Sair")], "SAIR").bots) == answers
        assert who([bot("a", kind=kind, keywordFinish="")], "").bots == ("a",)
        assert not who([bot("a", kind=kind)], Message("bye", session="a")).bots


def test_an_open_session() -> None:
    bots = [bot("a", "all"), bot("b", "equals", "x", enabled=False)]
    said = Message("oi", session="b")
    found = who(bots, said)
    assert (found.rule, found.bots) == (Rule.SESSION, ("b",))
    assert who(bots, Message("oi", session="b", from_me=True)).bots == ()
    assert who([bots[0], bot("b", stopBotFromMe=False)], Message("x", session="b", from_me=True)).bots == (
        "b",
    )
    others = [bot("n", "all", kind="typebot"), *bots]
    assert who(others, said).rule is Rule.NOTHING, "another kind looks for the session's bot among its own"
    assert who(others, said, fallback="n").bots == ("n",)
    assert who(bots, said, ignoreJids=("@s.whatsapp.net",)).bots == ()


def test_kinds_decide_by_themselves() -> None:
    bots = (bot("a", "equals", "oi"), bot("b", "equals", "oi", "typebot"), bot("c", "contains", "x", "n8n"))
    settings = {"typebot": Settings({"ignoreJids": ("@g.us",)})}
    for jid, second in ((CONTACT, ("b",)), (_GROUP, ())):
        found = route(Instance(bots, settings), Message("oi", jid))
        assert {kind: answer.bots for kind, answer in found.items()} == {
            "openai": ("a",),
            "typebot": second,
            "n8n": (),
        }


def test_a_trigger_without_a_value_is_read_as_javascript_reads_null() -> None:
    for operator in ("regex", "startsWith", "endsWith", "contains"):
        assert who([bot("a", operator)], "null").bots == ("a",)
        assert who([bot("a", operator)], "").bots == ()
    assert who([bot("a", "equals")], "null").rule is Rule.NOTHING
    assert who([bot("a", "advanced")], "null").broken == ("a",)
    for operator in ("regex", "startsWith", "endsWith", "contains"):
        assert who([bot("a", operator, "")], "oi").bots == ("a",)
    assert who([bot("a", "equals", "")], "oi").bots == ()


def test_each_bots_reason() -> None:
    bots = (
        bot("fora", "all", enabled=False),
        bot("outro", "contains", "x"),
        bot("contem", "contains", "oi"),
        bot("avancado", "advanced", "contains:oi"),
        bot("nenhum", "none"),
        bot("quebrada", "regex", "("),
    )
    [found] = explain(Instance(bots, version=(2, 2, 3)), Message("oi"))
    assert [(one.bot, one.reason, one.by) for one in found.verdicts] == [
        ("avancado", Reason.ANSWERS, ()),
        ("quebrada", Reason.BROKEN, ()),
        ("outro", Reason.NO_MATCH, ()),
        ("contem", Reason.SHADOWED, ("avancado",)),
        ("nenhum", Reason.NOT_ASKED, ()),
        ("fora", Reason.DISABLED, ()),
    ]
    [lost] = explain(Instance((bots[2], bots[5])), Message("oi"))
    assert [(one.bot, one.reason, one.by) for one in lost.verdicts] == [
        ("quebrada", Reason.BROKEN, ()),
        ("contem", Reason.LOST, ("quebrada",)),
    ]
    [ignored] = explain(
        Instance(bots, {"openai": Settings({"ignoreJids": ("@g.us",)})}), Message("oi", _GROUP)
    )
    assert {one.reason for one in ignored.verdicts} == {Reason.IGNORED}
    [ours] = explain(Instance((bot("a", listeningFromMe=False),)), Message("oi", from_me=True))
    assert ours.verdicts[0].reason is Reason.FROM_ME
    [session] = explain(Instance((bot("a"), bot("b", "equals", "x"))), Message("oi", session="b"))
    assert [(one.bot, one.reason) for one in session.verdicts] == [
        ("a", Reason.SESSION),
        ("b", Reason.ANSWERS),
    ]
