"""Random servers whose instances are declared as groups: what is shared, a plan only adopts."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.domain.kinds import KINDS
from tests.importer.new.conftest import Here, unexpected
from tests.importer.new.kinds import fill_kinds, put, row, settle
from tests.importer.new.servers import CANARY, OPENAI_KEY, fill

GROUPS = ("--group", "todas=*")


@pytest.mark.parametrize(("seed", "instances", "bots"), [(1, 30, 200), (2, 4, 60), (3, 12, 60), (4, 30, 60)])
def test_openai_bots(here: Here, seed: int, instances: int, bots: int) -> None:
    fill(here.server, seed, instances, bots, hostile=seed % 2 == 0)
    check(here)


@pytest.mark.parametrize("seed", range(6))
def test_bots_of_every_kind(here: Here, seed: int) -> None:
    fill_kinds(here.server, seed, 6, 3, hostile=seed % 2 == 1)
    check(here)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 180))
def test_the_same_of_many_more(here: Here, seed: int) -> None:
    if seed % 2:
        fill(here.server, seed, 1 + seed % 30, 120, hostile=seed % 3 > 0)
    else:
        fill_kinds(here.server, seed, 8, 3, hostile=seed % 3 > 0)
    check(here)


def check(here: Here) -> None:
    """Imports the server in groups; a second import changes nothing."""
    result = here.run("import", *GROUPS)
    assert result.exit_code == 0, result.stderr
    if result.stdout == "Nothing was written.\n":
        return
    assert here.run("fmt", "--check").output == "", "what import writes is canonical"
    plan = here.plan()
    assert not unexpected(plan)
    assert all(instance.problem is None for instance in plan.instances)
    files = here.files()
    assert OPENAI_KEY not in str(files)
    assert CANARY not in str(files)
    here.run("import", *GROUPS)
    assert here.files() == files


# -- groups whose bots are nearly alike --------------------------------------------------------

WORDS = (
    "Sol",
    "Lua Cheia",
    "Pão & Cia",
    "R$ 5,00",
    "${nome}",
    "(11) 98765-4321",
    "Rua A, 1",
    "9h às 18h",
    "$",
    "é",
)
TEXTS = (
    "Você atende a {0}, na {1}.",
    "Telefone: {1}\nHorário: {2}\nSeja breve com {0}.",
    "{0}",
    "Fim ${{nome}} {0}\n\n" + "- Regra {1}.\n" * 12,
    "Igual em todas.\n" * 10,
    "{2}{0}",
)
SAID = st.lists(st.integers(0, len(TEXTS) - 1), max_size=3)
KIND = st.sampled_from([*KINDS.values()])
BOT = st.fixed_dictionaries({"kind": KIND, "texts": SAID, "marked": st.booleans()})
ODD = st.sampled_from(
    [{}, {}, {}, {"keywordFinish": "fim"}, {"enabled": False}, {"delayMessage": 7}, {"expire": 9}]
)
MEMBER = st.fixed_dictionaries(
    {
        "words": st.lists(st.sampled_from(WORDS), min_size=3, max_size=3),
        "without": st.sets(st.integers(0, 4)),
        "odd": st.lists(ODD, min_size=5, max_size=5),
        "texts": st.dictionaries(
            st.integers(0, 4), st.lists(st.integers(0, len(TEXTS) - 1), max_size=2), max_size=1
        ),
        "settings": st.sampled_from([None, {}, {}, {"delayMessage": 9}, {"ignoreJids": ["@g.us"]}]),
    }
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(st.lists(BOT, min_size=1, max_size=5), st.lists(MEMBER, min_size=2, max_size=6))
def test_groups_whose_bots_are_nearly_alike(here: Here, bots: list[Any], members: list[Any]) -> None:
    here.server.clear()
    shutil.rmtree("bots", ignore_errors=True)
    for number, member in enumerate(members):
        name = f"loja-{number}"
        instance = here.server.instance(name)
        credential = here.server.credential(instance, f"{name}-openai")
        for at, bot in enumerate(bots):
            if at not in member["without"]:
                _put(here, instance, credential, at, bot, member)
        for kind in {bot["kind"].path: bot["kind"] for bot in bots}.values():
            if member["settings"] is not None:
                given_id = {kind.credential: credential} if kind.credential else {}
                settle(here.server, instance, kind, **(member["settings"] | given_id))
    check(here)


def _put(here: Here, instance: str, credential: str, at: int, bot: Any, member: Any) -> None:
    """Makes one bot of a member."""
    kind = bot["kind"]
    texts = [TEXTS[each].format(*member["words"]) for each in member["texts"].get(at, bot["texts"])]
    mark = f" [gitops:bot-{at}]" if bot["marked"] else ""
    made = row(kind, at + 1, description=f"Bot {at} da {member['words'][0]}{mark}", **member["odd"][at])
    if kind.credential:
        made |= {
            "botType": "chatCompletion",
            "model": "m",
            "maxTokens": 100 + at,
            kind.credential: credential,
        }
        made |= {"assistantId": None, "functionUrl": None, "systemMessages": texts, "userMessages": texts[:1]}
    put(here.server, instance, kind, **made)
