"""Warnings of manifests: the same remark once, within what GitHub shows, and all of them for programs."""

from __future__ import annotations

import json

import pytest

from reconciler.domain.errors import Position, Problem
from reconciler.domain.findings import Warning
from reconciler.render import github, warnings


def _warning(place: int, remark: str, rule: str = "catch-all") -> Warning:
    return Warning(Position(f"bots/loja-{place:02}.yaml", place, 3), rule, f"'um': {remark}", remark=remark)


_FLEET = [
    *(_warning(n, "it hides others") for n in range(1, 41)),
    _warning(50, "it hides others", "never-read"),
    _warning(60, "it is alone"),
]


def test_the_same_remark_is_one_line() -> None:
    assert warnings.text(_FLEET).splitlines() == [
        "bots/loja-01.yaml:1:3: warning: 'um': it hides others [catch-all] (also at 39 other places)",
        "bots/loja-50.yaml:50:3: warning: 'um': it hides others [never-read]",
        "bots/loja-60.yaml:60:3: warning: 'um': it is alone [catch-all]",
        "42 warnings in the manifests, 3 of them different.",
    ]
    assert warnings.text(_FLEET[-1:]).endswith("\n1 warning in the manifests.\n")
    assert warnings.text([]) == ""


@pytest.mark.parametrize("number", [9, 10, 11, 40])
def test_github_shows_ten_of_a_kind(number: int) -> None:
    found = [_warning(n, f"remark {n} ##[x]") for n in range(number)]
    errors = [Problem(warning.at, f"wrong {n}\n::error::x") for n, warning in enumerate(found)]
    for shown, kind in ((github.warnings(found), "warning"), (github.problems(errors), "error")):
        lines = shown.splitlines()
        commands = [line for line in lines if line.lstrip().startswith("::")]
        assert len(commands) == min(number, github.MOST)
        assert len(lines) == (number if number <= github.MOST else number + 1)
        assert all(any(f"loja-{n:02}.yaml" in line for line in lines) for n in range(number))
        if number > github.MOST:
            assert (
                commands[-1]
                == f"::{kind} title=Manifest::{number - 9} more {kind}s are in the log of this step."
            )


def test_a_group_is_one_annotation() -> None:
    first, *_ = github.warnings(_FLEET).splitlines()
    assert first.endswith("::'um': it hides others (also at 39 other places)")
    assert len(github.warnings(_FLEET).splitlines()) == 3


_PROBLEM = Problem(Position("bots/a b.yaml", 3, 5), "there is no field modle\x7f##[x]")


def test_json_has_all() -> None:
    shown = warnings.json([_PROBLEM], _FLEET)
    assert "##[" not in shown
    document = json.loads(shown)
    assert (document["format"], document["version"]) == ("evolution-reconciler/findings", 1)
    assert document["errors"] == [
        {"file": "bots/a b.yaml", "line": 3, "column": 5, "message": "there is no field modle\x7f##[x]"}
    ]
    assert len(document["warnings"]) == 42
    assert document["warnings"][0] == {
        "file": "bots/loja-01.yaml",
        "line": 1,
        "column": 3,
        "rule": "catch-all",
        "level": "warning",
        "message": "'um': it hides others",
    }


def test_sarif_has_all() -> None:
    document = json.loads(warnings.sarif([_PROBLEM], _FLEET, {"catch-all": "A title."}, "1.2.3"))
    assert document["version"] == "2.1.0"
    [run] = document["runs"]
    driver = run["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("evolution-reconciler", "1.2.3")
    rules = {rule["id"]: rule["shortDescription"]["text"] for rule in driver["rules"]}
    assert rules == {
        "manifest": "The manifests are valid.",
        "catch-all": "A title.",
        "never-read": "never-read",
    }
    assert {result["ruleId"] for result in run["results"]} == rules.keys()
    assert len(run["results"]) == 43
    assert run["results"][0] == {
        "ruleId": "manifest",
        "level": "error",
        "message": {"text": "there is no field modle␡##[x]"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": "bots/a%20b.yaml"},
                    "region": {"startLine": 3, "startColumn": 5},
                }
            }
        ],
    }
