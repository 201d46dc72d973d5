"""A plan says who answers differently: nothing of it, a swap on a fleet, nobody, two kinds, a fallback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.domain.kinds import KINDS
from reconciler.sandbox import Sandbox
from tests.cli.conftest import Run
from tests.support import Json, World

UNCHANGED = "Routing unchanged: every message is answered as before."

FOLDER = """\
defaults:
  {openaiCreds: main, botType: chatCompletion, model: gpt-4o, triggerType: keyword, triggerOperator: equals}
bots:
  um: {maxTokens: 100, triggerValue: 1}
  dois: {maxTokens: 200, triggerValue: 2}
"""

SETTINGS = {
    name: field.default for name, field in KINDS["evolutionBot"].settings.items() if field.default is not None
}
HOOK = {"enabled": True, "apiUrl": "https://hook.example/x", "triggerType": "none", "description": "hook"}


def _routing(run: Run, bots: Path) -> list[tuple[str, str, str]]:
    """Each message, and who answers it before and after."""

    def who(answers: Json) -> str:
        return " and ".join(" or ".join(one["bots"]) for one in answers) or "nobody"

    document = json.loads(run("plan", "--bots", bots, "--format", "json").stdout)
    return [
        ("any other" if one["other"] else one["message"], who(one["before"]), who(one["after"]))
        for one in document["routing"]
        if not one["fromMe"]
    ]


@pytest.fixture
def applied(run: Run, world: World, bots: Path) -> World:
    """The shop of two bots, applied."""
    world.instance("loja", "main")
    assert run("apply", "--yes", "--bots", bots).exit_code == 0
    return world


def _edit(bots: Path, old: str, new: str) -> None:
    file = bots / "loja.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def test_a_plan_of_prompts_alone_says_that_nothing_changes(run: Run, applied: World, bots: Path) -> None:
    _edit(bots, "Sim.", "Claro.")
    assert UNCHANGED in run("plan", "--bots", bots).stdout
    assert UNCHANGED.rstrip(".") in run("plan", "--bots", bots, "--format", "markdown").stdout
    assert _routing(run, bots) == []


def test_a_swap_on_a_fleet_is_two_rows(run: Run, world: World, tmp_path: Path) -> None:
    bots = tmp_path / "fleet"
    bots.mkdir()
    (bots / "_defaults.yaml").write_text(FOLDER)
    for number in range(12):
        world.instance(f"loja-{number:02}", f"main-{number}")
        (bots / f"loja-{number:02}.yaml").write_text(
            f"defaults: {{openaiCreds: main-{number}}}\nbots: {{}}\n"
        )
    assert run("apply", "--yes", "--bots", bots).exit_code == 0
    swapped = (
        FOLDER.replace("Value: 1", "Value: 9").replace("Value: 2", "Value: 1").replace("Value: 9", "Value: 2")
    )
    (bots / "_defaults.yaml").write_text(swapped)
    assert sorted(_routing(run, bots)) == [("1", "um", "dois"), ("2", "dois", "um")]
    shown = run("plan", "--bots", bots).stdout
    assert '  "1": um → dois  (loja-00…11)\n' in shown
    page = run("plan", "--bots", bots, "--format", "markdown").stdout
    assert page.count("all 12 instances</td></tr>") == 2
    assert page.index("<th>message</th>") < page.index("<details>")


def test_that_nobody_answers_any_more_stands_out(run: Run, applied: World, bots: Path) -> None:
    _edit(bots, "triggerValue: 2", "triggerValue: 3")
    assert sorted(_routing(run, bots)) == [("2", "dois", "nobody"), ("3", "nobody", "dois")]
    shown = run("plan", "--bots", bots).stdout
    assert 'Nobody answers any more: "2" on 1 instance.' in shown
    page = run("plan", "--bots", bots, "--format", "markdown").stdout
    assert 'Nobody answers any more: "2" on 1 instance' in page.partition("<table>")[0]


def test_that_two_kinds_answer_stands_out(run: Run, applied: World, bots: Path) -> None:
    """The other bot is not ours, and goes on answering."""
    applied.done(
        "POST",
        "/evolutionBot/create/loja",
        {**HOOK, "triggerType": "keyword", "triggerOperator": "equals", "triggerValue": "3"},
    )
    _edit(bots, "triggerValue: 2", "triggerValue: 3")
    [hook] = [one for one in _routing(run, bots) if one[0] == "3"]
    assert hook[1].startswith("id:")
    assert hook[2] == f"dois and {hook[1]}"
    assert (
        'Two kinds of bot answer the same message: "3" on 1 instance.' in run("plan", "--bots", bots).stdout
    )


def test_the_fallback_of_another_kind_goes_on_answering(run: Run, applied: World, bots: Path) -> None:
    """Its settings are nobody's business but for this."""
    hook = applied.done("POST", "/evolutionBot/create/loja", {**HOOK, "enabled": False})
    applied.done("POST", "/evolutionBot/settings/loja", {**SETTINGS, "fallbackId": hook["id"]})
    _edit(bots, "triggerValue: 2", "triggerValue: 3")
    fallback = f"id:{hook['id']}"
    assert sorted(_routing(run, bots)) == [
        ("2", f"dois and {fallback}", fallback),
        ("3", fallback, f"dois and {fallback}"),
    ]


def test_what_a_saved_plan_says_is_shown(run: Run, applied: World, bots: Path, tmp_path: Path) -> None:
    _edit(bots, "triggerValue: 2", "triggerValue: 3")
    assert run("plan", "--bots", bots, "--out", tmp_path / "p.json").exit_code == 0
    assert '  "2": dois → nobody  (loja)\n' in run("show", tmp_path / "p.json").stdout


@pytest.mark.parametrize(("version", "said"), [("2.3.6", [("any other", "nobody", "tres")]), ("2.2.3", [])])
def test_what_starts_on_none_is_up_to_the_version(
    run: Run, bots: Path, version: str, said: list[tuple[str, str, str]]
) -> None:
    """2.2 starts such a bot for no message. It is known by its settings, as no version is asked for."""
    with Sandbox(version=version) as server, World(server.url, server.api_key) as world:
        env = {"EVOLUTION_API_URL": server.url, "EVOLUTION_API_KEY": server.api_key}
        world.instance("loja", "main")
        assert run("apply", "--yes", "--bots", bots, env=env).exit_code == 0
        (bots / "loja.yaml").write_text(
            (bots / "loja.yaml").read_text() + "  tres: {maxTokens: 300, triggerType: none}\n"
        )
        document = json.loads(run("plan", "--bots", bots, "--format", "json", env=env).stdout)
        other = [
            ("any other", "nobody" if not one["before"] else "?", one["after"][0]["bots"][0])
            for one in document["routing"]
            if one["other"] and not one["fromMe"]
        ]
        assert other == said
        assert bool(document["routing"]) == bool(said)
