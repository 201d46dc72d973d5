"""The difference of two worlds: nothing that is not so, and nothing missed that trying messages finds."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.domain.kinds import KINDS
from reconciler.domain.versions import Version
from reconciler.routing.difference import GROUP, Difference, compare, differences, outcomes, relevant
from reconciler.routing.values import CONTACT, Bot, Instance, Message, Settings
from tests.support import often

_TEXTS = (
    *("", "oi", "Oi", "OI", " oi", "oi ", "olá", "ola", "Olá!", "bom dia", "dia bom", "não", "pedido"),
    *("pedidos", "PREÇO do pedido", "preço", "preco", "quero um pedido", "cancelar pedido 10", "1", "2"),
    *("10", "promo10", "oi\ntudo bem", "👋", "tchau", "bye", "oi dia", "oi pedido", "pedido oi", "oi 10"),
    *("10 oi dia", "o", "ped"),
)
_JID = "5511900000003@s.whatsapp.net"
_CORPUS = [
    Message(text, jid, from_me)
    for text, jid, from_me in product(_TEXTS, (CONTACT, GROUP, _JID), (False, True))
]

_WORDS = ("oi", "Oi", "pedido", "ped", "dia", "bom dia", "10", "1", "preço", "o", "👋")
_KEYWORDS = st.tuples(
    st.sampled_from(["equals", "startsWith", "endsWith", "contains"]), st.sampled_from(_WORDS)
)
_REGEXES = st.tuples(
    st.just("regex"),
    st.sampled_from(
        [
            r"\d{2}",
            "^oi$",
            "dia$",
            "ped(ido|ir)",
            r"^(oi|olá)\b",
            "preço|preco",
            "[0-9]+",
            "(",
            "^$",
            "[^a-z]",
        ]
    ),
)
_EXPRESSIONS = st.tuples(
    st.just("advanced"),
    st.sampled_from(
        [
            "contains:oi",
            "contains:pedido,10",
            "exact:ola",
            "notcontains:pedido",
            "startswith:oi notcontains:tudo",
            "contains:pedido contains:preco",
            "endswith:dia",
            "nothing:x",
        ]
    ),
)
_TRIGGERS = (
    _KEYWORDS | _KEYWORDS | _REGEXES | _EXPRESSIONS | st.tuples(st.sampled_from(["all", "none"]), st.none())
)


def bot(name: str, trigger: str, value: str | None = None, *, kind: str = "openai", **more: Any) -> Bot:
    """A bot. trigger: a triggerType, or the operator of a keyword."""
    fields: dict[str, Any] = {"triggerType": trigger}
    if trigger not in ("all", "none", "advanced"):
        fields = {"triggerType": "keyword", "triggerOperator": trigger}
    return Bot(name, KINDS[kind], fields | ({} if value is None else {"triggerValue": value}) | more)


@st.composite
def _instances(draw: st.DrawFn) -> Instance:
    bots = [
        bot(
            f"b{number}",
            *draw(_TRIGGERS),
            kind=draw(st.sampled_from(["openai", "openai", "openai", "typebot", "n8n"])),
            enabled=draw(st.sampled_from([True, True, True, False])),
            listeningFromMe=draw(st.sampled_from([True, True, False])),
        )
        for number in range(draw(st.integers(1, 6)))
    ]
    names = [one.name for one in bots if one.kind.path == "openai"]
    row = Settings(
        {"ignoreJids": draw(st.sampled_from([(), (), ("@g.us",), (_JID,), ("@s.whatsapp.net",)]))},
        draw(st.sampled_from(["", "", *names])),
    )
    return Instance(tuple(bots), {"openai": row}, draw(st.sampled_from([(2, 3, 6), (2, 3, 6), (2, 2, 3)])))


@st.composite
def _pairs(draw: st.DrawFn) -> tuple[Instance, Instance]:
    """A world, and another: of its own, or the same with a few bots replaced."""
    one, other = draw(_instances()), draw(_instances())
    if draw(st.booleans()):
        taken = draw(st.integers(0, 2))
        bots = (*other.bots[:taken], *one.bots[taken:])
        other = Instance(bots, draw(st.sampled_from([one.settings, other.settings])), one.version)
    return one, other


def _by_kind(difference: Difference) -> set[tuple[Any, ...]]:
    return {
        (kind, difference.before.get(kind), difference.after.get(kind))
        for kind in {*difference.before, *difference.after}
        if difference.before.get(kind) != difference.after.get(kind)
    }


@settings(deadline=None, max_examples=often(200))
@given(_pairs())
def test_every_difference_that_trying_finds_is_found_and_no_other(worlds: tuple[Instance, Instance]) -> None:
    before, after = worlds
    found = differences(before, after)
    for one in found:
        assert outcomes(before, one.message) == one.before != one.after == outcomes(after, one.message)
    assert len({one.pair for one in found}) == len(found)
    shown = {each for one in found for each in _by_kind(one)}
    for message in _CORPUS:
        tried = Difference(message, outcomes(before, message), outcomes(after, message))
        assert _by_kind(tried) <= shown, (message, found)


@settings(deadline=None, max_examples=often(100))
@given(_pairs())
def test_the_given_messages_are_all_shown(worlds: tuple[Instance, Instance]) -> None:
    before, after = worlds
    found = [one.message for one in differences(before, after, _CORPUS) if one.given]
    assert found == [one for one in _CORPUS if outcomes(before, one) != outcomes(after, one)]


_SHOP = (
    bot("horarios", "equals", "1"),
    bot("pedidos", "equals", "2"),
    bot("trocas", "contains", "troca"),
    bot("geral", "regex", "^(oi|olá)", enabled=False),
)


def _shown(before: tuple[Bot, ...], after: tuple[Bot, ...], **more: Any) -> list[tuple[str, str, str]]:
    """Message, before and after of each difference, in short."""

    def names(outcome: dict[str, Any]) -> str:
        return " + ".join("/".join(sorted(each.bots)) for each in outcome.values()) or "-"

    found = differences(Instance(before, **more), Instance(after, **more))
    return [
        ("…" if one.other else one.message.text, names(dict(one.before)), names(dict(one.after)))
        for one in found
    ]


def _with(name: str, **fields: Any) -> tuple[Bot, ...]:
    return tuple(replace(one, fields={**one.fields, **fields}) if one.name == name else one for one in _SHOP)


def test_two_triggers_that_swap() -> None:
    after = (bot("horarios", "equals", "2"), bot("pedidos", "equals", "1"), *_SHOP[2:])
    assert _shown(_SHOP, after) == [("1", "horarios", "pedidos"), ("2", "pedidos", "horarios")]


def test_what_nobody_answers_any_more() -> None:
    found = differences(Instance(_SHOP), Instance(_SHOP[:2]))
    assert [(one.message.text, one.silenced, one.doubled) for one in found] == [("troca", True, False)]


def test_two_kinds_that_answer() -> None:
    after = (*_SHOP, bot("fluxo", "startsWith", "tro", kind="typebot"))
    found = differences(Instance(_SHOP), Instance(after))
    assert [(one.message.text, one.doubled) for one in found] == [("tro", False), ("troca", True)]


def test_a_catch_all_is_about_any_other_message() -> None:
    after = (*_SHOP, bot("tudo", "all"))
    assert _shown(_SHOP, after)[0] == ("…", "-", "tudo")
    assert {one[1] for one in _shown(_SHOP, after)} == {"-", "horarios", "pedidos", "trocas"}


def test_a_fallback_is_about_any_other_message() -> None:
    before, after = Instance(_SHOP), Instance(_SHOP, {"openai": Settings(fallback="geral")})
    [found] = differences(before, after)
    assert found.other
    assert found.after["openai"].bots == {"geral"}


def test_who_is_ignored() -> None:
    before, after = Instance(_SHOP), Instance(_SHOP, {"openai": Settings({"ignoreJids": ("@g.us",)})})
    found = differences(before, after)
    assert {one.message.jid for one in found} == {GROUP}
    assert all(one.silenced for one in found)


def test_messages_from_us() -> None:
    found = differences(Instance(_SHOP), Instance(_with("pedidos", listeningFromMe=False)))
    assert [(one.message.text, one.message.from_me) for one in found] == [("2", True)]


@pytest.mark.parametrize(
    "after",
    [
        _SHOP[::-1],
        _with("pedidos", systemMessages=("Outro texto.",), maxTokens=10, delayMessage=3),
        _with("geral", triggerValue="outro"),
        _with("pedidos", listeningFromMe=True, enabled=True),
    ],
)
def test_what_is_no_difference(after: tuple[Bot, ...]) -> None:
    assert relevant(Instance(_SHOP)) == relevant(Instance(after))
    assert differences(Instance(_SHOP), Instance(after), _CORPUS) == ()


def test_none_by_version() -> None:
    bots = (bot("a", "none"),)
    versions: list[Version] = [(2, 2, 3), (2, 3, 6)]
    before, after = (Instance(bots, version=version) for version in versions)
    [found] = differences(before, after)
    assert (found.other, found.before, set(found.after)) == (True, {}, {"openai"})


def _fleet(size: int, changed: int) -> dict[str, tuple[Instance, Instance]]:
    before = tuple(bot(f"b{number}", "equals", str(number)) for number in range(10))
    after = (replace(before[0], fields=before[1].fields), replace(before[1], fields=before[0].fields))
    return {
        f"loja-{number}": (
            Instance(before),
            Instance((*(after if number < changed else before[:2]), *before[2:])),
        )
        for number in range(size)
    }


def test_a_fleet_takes_little_time() -> None:
    start = time.process_time()
    assert not compare(_fleet(1000, 0), {})
    assert time.process_time() - start < 1
    found = compare(_fleet(1000, 40), {"loja-0": [Message("1")]})
    assert len(found) == 40
    assert [one.given for one in found["loja-0"]] == [True, False]
    assert time.process_time() - start < 3


def test_a_large_instance_takes_bounded_time() -> None:
    before = tuple(bot(f"b{number}", "contains", f"palavra {number}") for number in range(2000))
    after = tuple(replace(one, fields={**one.fields, "triggerOperator": "startsWith"}) for one in before)
    start = time.process_time()
    assert differences(Instance(before), Instance(after))
    assert time.process_time() - start < 30
