"""Workflow commands, read as GitHub's runner reads them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.domain import safe
from reconciler.domain.errors import Position, Problem
from reconciler.domain.findings import Warning
from reconciler.render import github


@pytest.mark.parametrize(
    ("problem", "command"),
    [
        (
            Problem(Position("bots/loja.yaml", 3, 5), "there is no field modle; did you mean model?"),
            "::error file=bots/loja.yaml,line=3,col=5,title=Manifest::"
            "there is no field modle; did you mean model?",
        ),
        (
            Problem(Position("bots/a,b:100%.yaml", 1, 1), "100% wrong: a,b"),
            "::error file=bots/a%2Cb%3A100%25.yaml,line=1,col=1,title=Manifest::100%25 wrong: a,b",
        ),
        (
            Problem(Position("a\n::error::b", 1, 1), "x\r\n::stop-commands::y %0A::error::z ##[group]"),
            "::error file=a⏎%3A%3Aerror%3A%3Ab,line=1,col=1,title=Manifest::"
            "x␍⏎::stop-commands::y %250A::error::z ##<U+005B>group]",
        ),
    ],
    ids=["plain", "escaped", "hostile"],
)
def test_a_problem(problem: Problem, command: str) -> None:
    assert github.problems([problem]) == command + "\n"


def test_a_warning() -> None:
    warning = Warning(Position("bots/a,b.yaml", 3, 5), "catch-all", "'tudo' 100%\n::error::x")
    assert github.warnings([warning]) == (
        "::warning file=bots/a%2Cb.yaml,line=3,col=5,title=catch-all::'tudo' 100%25⏎::error::x\n"
    )


def test_none() -> None:
    assert github.problems([]) == ""


_positions = st.builds(Position, st.text(), st.integers(1), st.integers(1))
_problems = st.builds(Problem, _positions, st.text() | st.from_regex(r"(::\w+ |%0A|,|\n|##\[)+"))


@settings(deadline=None)
@given(st.lists(_problems, max_size=github.MOST))
def test_every_problem_is_one_command_that_says_it(problems: list[Problem]) -> None:
    lines = github.problems(problems).split("\n")
    assert lines.pop() == ""
    for line, problem in zip(lines, problems, strict=True):
        properties, message = _read(line)
        assert properties == {
            "file": safe.inert(safe.line(problem.at.file)),
            "line": str(problem.at.line),
            "col": str(problem.at.column),
            "title": "Manifest",
        }
        assert message == safe.inert(safe.line(problem.message))


def _read(line: str) -> tuple[dict[str, str], str]:
    """What ActionCommand.TryParseV2 of the runner makes of a line."""
    assert line.strip().startswith("::error ")
    command, _, message = line.removeprefix("::").partition("::")
    pairs = [pair.split("=", 1) for pair in command.removeprefix("error ").split(",")]
    return {name: _unescaped(value) for name, value in pairs}, _unescaped(message)


def _unescaped(text: str) -> str:
    codes = {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}
    return re.sub("|".join(codes), lambda match: codes[match[0]], text)
