"""`test`, and the tests that `validate` runs: which fail, what is said of them, and the formats."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from reconciler.cli.commands import main
from reconciler.sandbox import Sandbox
from tests.cli.conftest import Run
from tests.manifests.writing import write
from tests.support import World

_BOTS = """\
defaults: {openaiCreds: main, botType: chatCompletion, model: gpt-4o, triggerType: keyword}
settings: {ignoreJids: ["@g.us"]}
bots:
  pedidos: {maxTokens: 1, triggerOperator: equals, triggerValue: 1}
  trocas: {maxTokens: 2, triggerOperator: contains, triggerValue: troca}
  volta: {maxTokens: 3, triggerOperator: contains, triggerValue: volta, listeningFromMe: false}
  fluxo: {kind: typebot, url: "https://t.example.com", typebot: x, triggerOperator: equals,
    triggerValue: dois}
  dois: {maxTokens: 4, triggerOperator: equals, triggerValue: dois}
"""


def _test(directory: Path, *args: str, command: str = "test") -> Result:
    return CliRunner().invoke(main, [command, "--bots", str(directory / "bots"), *args])


@pytest.mark.parametrize(
    ("test", "said"),
    [
        ("{message: '1', bot: pedidos}", ""),
        ("{message: [uma troca, troca], bot: trocas}", ""),
        ("{message: oi, bot: null}", ""),
        ("{message: '1', jid: 5@g.us, bot: null}", ""),
        ("{message: dois, bot: [dois, fluxo]}", ""),
        ("{message: volta, fromMe: true, bot: null}", ""),
        ("{message: '2', bot: pedidos}", "expected pedidos, but nobody answers."),
        ("{message: '1', bot: null}", "expected nobody, but pedidos answers."),
        ("{message: '1', bot: trocas}", "expected trocas, but pedidos answers."),
        ("{message: '1', bot: [pedidos, fluxo]}", "expected pedidos and fluxo, but pedidos answers."),
        ("{message: dois, bot: dois}", "expected dois, but dois and fluxo answer."),
        (
            "{message: troca e volta, bot: volta}",
            "expected volta, but it is a tie: trocas or volta answers, at random.",
        ),
        ("{message: troca e volta, bot: dois}", "expected dois, but trocas or volta answers."),
        (
            "{message: troca e volta, fromMe: true, bot: trocas}",
            "expected trocas, but trocas may not answer.",
        ),
        (
            "{message: '1', bot: pedido}",
            "expected pedido, but the instance has no bot 'pedido' (did you mean 'pedidos'?): correct the "
            "name, or replace or drop the test there.",
        ),
        (
            "{message: '1', bot: [pedidos, trocas]}",
            "expected pedidos and trocas, but pedidos and trocas are of the same kind, and only one bot of a "
            "kind answers.",
        ),
    ],
)
def test_what_passes_and_what_fails(tmp_path: Path, test: str, said: str) -> None:
    write(tmp_path, {"loja.yaml": f"{_BOTS}tests:\n  - {test}\n"})
    result = _test(tmp_path)
    assert result.exit_code == (1 if said else 0)
    first, *rest = result.stdout.splitlines()
    if said:
        assert first.startswith(f"{tmp_path}/bots/loja.yaml:11:5: ")
        assert first.endswith(f" on loja: {said}")
        assert rest[-1] == "1 test on 1 instance: 1 failed, 0 passed."
    else:
        assert re.fullmatch(r"[12] tests? on 1 instance: all passed\.", first)


def test_the_explanation_is_that_of_route(tmp_path: Path) -> None:
    write(tmp_path, {"loja.yaml": f"{_BOTS}tests: [{{message: '2', bot: pedidos}}]\n"})
    routed = CliRunner().invoke(main, ["route", "--bots", str(tmp_path / "bots"), "loja", "2"])
    _, *explained = routed.stdout.splitlines()
    assert len(explained) > 5
    assert _test(tmp_path).stdout.splitlines()[1:-2] == explained


_FLEET = {
    "_defaults.yaml": f"{_BOTS}tests:\n  - {{message: '2', bot: pedidos, name: dois}}\n"
    "  - {message: '1', bot: pedidos}\n",
    **{f"loja-{number}.yaml": "bots: {}\n" for number in (1, 2, 3)},
    "sul/loja-4.yaml": "bots: {pedidos: {triggerValue: 2}}\n",
    "sul/loja-5.yaml": "bots: {}\ntests: [{name: dois, drop: true}]\n",
}


def test_the_same_failure_is_shown_once(tmp_path: Path) -> None:
    write(tmp_path, _FLEET)
    lines = _test(tmp_path).stdout.splitlines()
    root = f"{tmp_path}/bots/"
    assert [line.removeprefix(root) for line in lines if not line.startswith("  ")] == [
        "_defaults.yaml:11:5: '2' on loja-1: expected pedidos, but nobody answers.",
        "",
        "_defaults.yaml:12:5: '1' on loja-4: expected pedidos, but nobody answers.",
        "",
        "9 tests on 5 instances: 4 failed, 5 passed.",
    ]
    assert "  The same on loja-2, loja-3." in lines


@pytest.mark.parametrize(
    ("args", "ending"),
    [
        (["--instance", "loja-4"], "2 tests on 1 instance: 1 failed, 1 passed."),
        (["--instance", "loja-[12]"], "4 tests on 2 instances: 2 failed, 2 passed."),
        (["bots/sul"], "3 tests on 2 instances: 1 failed, 2 passed."),
        (["bots/sul/loja-5.yaml"], "1 test on 1 instance: all passed."),
        (["bots/_defaults.yaml"], "9 tests on 5 instances: 4 failed, 5 passed."),
    ],
)
def test_chosen_instances(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], ending: str
) -> None:
    write(tmp_path, _FLEET)
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(main, ["test", *args]).stdout.splitlines()[-1] == ending


def test_an_instance_that_no_manifest_declares(tmp_path: Path) -> None:
    write(tmp_path, _FLEET)
    result = _test(tmp_path, "--instance", "loja-9")
    assert (result.exit_code, "no instance matches 'loja-9'" in result.stderr) == (1, True)


def test_no_tests(tmp_path: Path) -> None:
    write(tmp_path, {"loja.yaml": _BOTS})
    result = _test(tmp_path)
    assert (result.exit_code, result.stdout.startswith("No tests. ")) == (0, True)


def test_the_server_s_version(tmp_path: Path) -> None:
    bots = _BOTS.replace("  dois: {", "  dois: {triggerType: none, ")
    write(tmp_path, {"loja.yaml": f"{bots}tests: [{{message: oi, bot: dois}}]\n"})
    assert _test(tmp_path).exit_code == 0
    assert _test(tmp_path, "--server-version", "2.2.3").exit_code == 1
    assert _test(tmp_path, "--server-version", "dois").exit_code == 1


def test_json(tmp_path: Path) -> None:
    write(tmp_path, _FLEET)
    result = _test(tmp_path, "--format", "json")
    found = json.loads(result.stdout)
    assert (result.exit_code, found["tests"], found["failed"]) == (1, 9, 4)
    assert [(one["name"], one["tests"], one["failed"]) for one in found["instances"]] == [
        *((f"loja-{number}", 2, 1) for number in (1, 2, 3, 4)),
        ("loja-5", 1, 0),
    ]
    first = found["failures"][0]
    assert first["why"]["openai"].startswith("OpenAI: nobody answers: ")
    del first["why"]
    assert first == {
        "instance": "loja-1",
        "file": f"{tmp_path}/bots/_defaults.yaml",
        "line": 11,
        "column": 5,
        "name": "dois",
        "message": "2",
        "jid": "5511999999999@s.whatsapp.net",
        "fromMe": False,
        "expected": ["pedidos"],
        "reason": "other",
        "answers": {"openai": [], "typebot": []},
        "said": "expected pedidos, but nobody answers.",
    }


def test_junit(tmp_path: Path) -> None:
    write(
        tmp_path,
        _FLEET | {"mau.yaml": 'bots: {}\ntests: [{message: "<\\e[1m&\'\\"\\u0001", bot: pedidos}]\n'},
    )
    result = _test(tmp_path, "--format", "junit")
    assert result.exit_code == 1
    root = ElementTree.fromstring(result.stdout)  # noqa: S314  our own output
    assert (root.tag, root.attrib) == ("testsuites", {"tests": "12", "failures": "6"})
    assert [(suite.get("name"), suite.get("tests"), suite.get("failures")) for suite in root] == [
        *((f"loja-{number}", "2", "1") for number in (1, 2, 3, 4)),
        ("loja-5", "1", "0"),
        ("mau", "3", "2"),
    ]
    failing, passing = root[0]
    assert failing.attrib == {
        "classname": "loja-1",
        "name": "dois: '2'",
        "file": f"{tmp_path}/bots/_defaults.yaml",
        "line": "11",
    }
    [failure] = failing
    assert failure.attrib == {"type": "other", "message": "expected pedidos, but nobody answers."}
    assert "pedidos  equals '1'" in str(failure.text)
    assert list(passing) == []
    assert str(root[5][0].get("name")).startswith("'<")


def test_annotations_for_github(tmp_path: Path) -> None:
    write(tmp_path, _FLEET)
    result = _test(tmp_path, "--format", "github")
    assert result.exit_code == 1
    first, second, ending = result.stdout.splitlines()
    assert first.startswith(f"::error file={tmp_path}/bots/_defaults.yaml,line=11,col=5,title=Test::")
    assert "the test '2' fails on 'loja-1' (also on 2 other instances): expected pedidos, but nobody" in first
    assert ",line=12," in second
    assert ending == "9 tests on 5 instances: 4 failed, 5 passed."


def test_validate_runs_them(tmp_path: Path) -> None:
    write(tmp_path, _FLEET)
    result = _test(tmp_path, command="validate")
    assert result.exit_code == 1
    assert f"{tmp_path}/bots/_defaults.yaml:11:5: the test '2' fails on 'loja-1'" in result.stderr
    errors = json.loads(_test(tmp_path, "--format", "json", command="validate").stdout)["errors"]
    assert [(one["line"], one["column"]) for one in errors] == [(11, 5), (12, 5)]
    write(tmp_path, _FLEET | {"_defaults.yaml": _BOTS})
    passing = _test(tmp_path, command="validate")
    assert passing.exit_code == 1, "the test that loja-5 drops is gone"
    write(tmp_path, {"_defaults.yaml": _BOTS, "sul/loja-5.yaml": "bots: {}\n"})
    assert _test(tmp_path, command="validate").exit_code == 0


def test_a_broken_manifest_of_another_instance(tmp_path: Path) -> None:
    write(tmp_path, _FLEET | {"mau.yaml": "bots: {a: {}}\n"})
    assert _test(tmp_path).exit_code == 1
    for name in ("loja-5", "loja-[5]"):
        chosen = _test(tmp_path, "--instance", name)
        assert (chosen.exit_code, "errors in other manifests" in chosen.stderr) == (0, name != "loja-5")


# -- coverage ---------------------------------------------------------------------------------

_COVERED = """\
defaults: {openaiCreds: main, botType: chatCompletion, model: gpt-4o, triggerType: keyword}
settings: {ignoreJids: ["@g.us"], fallback: geral}
bots:
  um: {maxTokens: 1, triggerOperator: equals, triggerValue: 1}
  dois: {maxTokens: 2, triggerOperator: equals, triggerValue: 2}
  geral: {maxTokens: 3, triggerOperator: equals, triggerValue: 3}
  desligado: {maxTokens: 4, triggerOperator: equals, triggerValue: 4, enabled: false}
"""


@pytest.mark.parametrize(
    ("tests", "said"),
    [
        (
            "",
            [
                "loja: 0 of 3 (0 %) bots, 0 of 3 (0 %) triggers",
                "No test reaches um, dois or geral.",
            ],
        ),
        (
            "{message: ['1', oi], bot: um}",
            [
                "loja: 2 of 3 (66 %) bots, 1 of 3 (33 %) triggers",
                "No test reaches dois.",
                "No test starts geral by the trigger, only as the fallback.",
            ],
        ),
        ("{message: ['1', '2', '3'], bot: um}", ["loja: 3 of 3 (100 %) bots, 3 of 3 (100 %) triggers"]),
    ],
)
def test_what_tests_reach(tmp_path: Path, tests: str, said: list[str]) -> None:
    write(tmp_path, {"loja.yaml": f"{_COVERED}tests: [{tests}]\n"})
    _, _, coverage = _test(tmp_path, "--coverage").stdout.partition("Coverage:\n")
    assert [line.strip() for line in coverage.splitlines()] == said


@pytest.mark.parametrize(
    ("test", "idle"),
    [
        ("{message: oi, jid: 5@g.us, bot: null}", True),
        ("{message: oi, jid: 5@g.us, bot: um}", False),
        ("{message: oi, bot: null}", False),
        ("{message: oi, jid: 5@lid, bot: null}", False),
    ],
)
def test_a_test_that_cannot_fail(tmp_path: Path, test: str, idle: bool) -> None:
    write(tmp_path, {"loja.yaml": f"{_COVERED}tests: [{test}]\n"})
    assert (
        f"{tmp_path}/bots/loja.yaml:8:9: this test cannot fail" in _test(tmp_path, "--coverage").stdout
    ) == idle


def test_instances_whose_tests_reach_the_same_are_one_line(tmp_path: Path) -> None:
    write(tmp_path, _FLEET | {"loja-6.yaml": "bots: {pedidos: {triggerValue: 6}}\n"})
    _, _, coverage = _test(tmp_path, "--coverage").stdout.partition("Coverage:\n")
    assert coverage.splitlines() == [
        "  loja-6: 0 of 5 (0 %) bots, 0 of 5 (0 %) triggers",
        "    No test reaches pedidos, trocas, volta, fluxo or dois.",
        "  loja-1…5: 1 of 5 (20 %) bots, 1 of 5 (20 %) triggers",
        "    No test reaches trocas, volta, fluxo or dois.",
    ]


@pytest.mark.parametrize(("percent", "code"), [("33", 0), ("34", 1), ("0", 0), ("100", 1)])
def test_fail_under(tmp_path: Path, percent: str, code: int) -> None:
    files = {
        "loja.yaml": f"{_COVERED}tests: [{{message: '1', bot: um}}]\n",
        "outra.yaml": f"{_COVERED}tests: [{{message: '1', bot: um}}, {{message: '2', bot: dois}},"
        " {message: '3', bot: geral}]\n",
    }
    write(tmp_path, files)
    result = _test(tmp_path, "--fail-under", percent)
    assert result.exit_code == code
    said = f"the tests reach less than {percent} % of the bots or triggers of loja."
    assert (said in result.stderr) == bool(code)


def test_coverage_in_json_and_beside_junit(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "loja.yaml": f"{_COVERED}tests: [{{message: oi, jid: 5@g.us, bot: null}}, "
            "{message: [oi, '1'], bot: um}]\n"
        },
    )
    [found] = json.loads(_test(tmp_path, "--format", "json", "--coverage").stdout)["instances"]
    assert found["coverage"] == {
        "bots": 3,
        "unreached": ["dois"],
        "triggers": 3,
        "untriggered": ["dois", "geral"],
        "percent": 33.33,
        "cannotFail": [{"file": f"{tmp_path}/bots/loja.yaml", "line": 8, "column": 9}],
    }
    [found] = json.loads(_test(tmp_path, "--format", "json").stdout)["instances"]
    assert found["coverage"] is None
    junit = _test(tmp_path, "--format", "junit", "--coverage")
    ElementTree.fromstring(junit.stdout)  # noqa: S314  our own output
    assert junit.stderr.startswith("Coverage:\n")


# -- in a plan --------------------------------------------------------------------------------


def test_a_plan_compares_who_answers_the_messages_of_tests(
    run: Run, world: World, server: Sandbox, bots: Path
) -> None:
    world.instance("loja", "main")
    [manifest] = bots.glob("*.yaml")
    assert run("apply", "--bots", bots, "--yes").exit_code == 0
    said = "a message with that in it"
    changed = manifest.read_text().replace(
        "triggerValue: 1,", "triggerOperator: contains, triggerValue: that,"
    )
    for tests, looked_at in ((f"tests: [{{message: {said}, bot: um}}]\n", True), ("", False)):
        manifest.write_text(changed + tests)
        routing = run("plan", "--bots", bots, "--format", "json").stdout
        assert (said in routing) == looked_at
