"""The tests of manifests and how they ended: as text, JSON, JUnit XML, and as errors with a place.

The same failure on many instances is shown once, in all but JSON and JUnit XML.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape

from reconciler.domain import safe
from reconciler.domain.errors import Problem
from reconciler.domain.records import dataclass
from reconciler.domain.text import count, listed, near, quoted
from reconciler.render import coverage, routing
from reconciler.render.routing import Routed
from reconciler.render.summary import listed as named
from reconciler.routing.explanation import explain
from reconciler.routing.testing import Case, Tested, Why
from reconciler.saved.encode import printed

FORMAT, VERSION = "evolution-reconciler/tests", 1

_ROOM = 100
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Failed:
    """A failure on the first of the instances that have it, and the names of all."""

    tested: Tested
    case: Case
    instances: tuple[str, ...]


def failures(tested: Sequence[Tested]) -> list[Failed]:
    """The failures, the same ones as one, in the order of their places."""
    found: dict[object, list[tuple[Tested, Case]]] = {}
    for one in tested:
        for case in one.failed:
            key = case.test.at, case.message, case.test.bots, case.failure, tuple(case.answers.items())
            found.setdefault(key, []).append((one, case))
    grouped = [Failed(*same[0], tuple(one.name for one, _ in same)) for same in found.values()]
    return sorted(grouped, key=lambda failed: failed.case.test.at)


def text(tested: Sequence[Tested]) -> str:
    """Each failure with its place and the explanation, then how many tests passed and failed."""
    lines: list[str] = []
    for failed in failures(tested):
        case = failed.case
        on = safe.line(failed.tested.name)
        lines.append(f"{safe.line(str(case.test.at))}: {_said(case)} on {on}: {_wrong(failed)}")
        lines += routing.lines(Routed(failed.tested.name, failed.tested.instance), case.message)
        if len(failed.instances) > 1:
            lines.append(f"  The same on {named(failed.instances[1:], _ROOM)}.")
        lines.append("")
    lines.append(ending(tested))
    return safe.inert("\n".join(lines) + "\n")


def ending(tested: Sequence[Tested]) -> str:
    """How many tests passed and failed: a sentence."""
    cases = sum(len(one.cases) for one in tested)
    if not cases:
        return "No tests. Add `tests:` to a manifest or to a folder's _defaults.yaml."
    failed = sum(len(one.failed) for one in tested)
    ended = f"{failed} failed, {cases - failed} passed" if failed else "all passed"
    return f"{count(cases, 'test')} on {count(sum(bool(one.cases) for one in tested), 'instance')}: {ended}."


def problems(tested: Sequence[Tested]) -> list[Problem]:
    """Each failure as an error at its place, with the explanation, on one line."""
    return [Problem(failed.case.test.at, _sentence(failed)) for failed in failures(tested)]


def _sentence(failed: Failed) -> str:
    case = failed.case
    more = f" (also on {count(len(failed.instances) - 1, 'other instance')})" if failed.instances[1:] else ""
    head = f"the test {_said(case)} fails on {quoted(failed.tested.name)}{more}"
    return " ".join([f"{head}: {_wrong(failed)}", *_whys(failed.tested, case).values()])


def _whys(tested: Tested, case: Case) -> dict[str, str]:
    """Who of each kind answers, and by which rule, by the kind's path."""
    routed = Routed(tested.name, tested.instance)
    return {
        one.kind.path: f"{one.kind.label}: {routing.why(routed, one, case.message)}"
        for one in explain(tested.instance, case.message)
    }


def _said(case: Case) -> str:
    """The message, and the sender that the test names."""
    sender = f" ({safe.line(case.test.jid)})" if case.test.jid else ""
    return f"{routing.said(case.message)}{sender}"


def _wrong(failed: Failed) -> str:
    """What was expected, and what is instead: a sentence."""
    expected = _names(failed.case.test.bots)
    return f"expected {expected}, but {_instead(failed)}."


def _names(bots: Sequence[str], last: str = "and") -> str:
    return listed(map(safe.line, bots), last) if bots else "nobody"


def _instead(failed: Failed) -> str:
    case, instance = failed.case, failed.tested.instance
    failure = case.failure
    assert failure is not None  # noqa: S101  only failures are shown
    match failure.why:
        case Why.NO_BOT:
            [name, *_] = failure.bots
            known = [bot.name for bot in instance.bots]
            return (
                f"the instance has no bot {quoted(name)}{near(name, known)}: correct the name, or "
                "replace or drop the test there"
            )
        case Why.SAME_KIND:
            return f"{_names(failure.bots)} are of the same kind, and only one bot of a kind answers"
        case Why.TIE:
            return f"it is a tie: {_names(failure.bots, 'or')} answers, at random"
        case Why.UNKNOWN:
            return "it is not known who answers"
        case Why.UNCERTAIN:
            return f"{_names(failure.bots)} may not answer"
        case Why.OTHER:
            answering = [answer for answer in case.answers.values() if answer.bots]
            verb = "answer" if len(answering) > 1 else "answers"
            said = listed(_names(answer.bots, "or") for answer in answering) if answering else "nobody"
            return f"{said} {verb}"


def json(tested: Sequence[Tested], *, covers: bool = False) -> str:
    """All failures as one JSON document, ending with a newline. covers: with what the tests reach."""
    return printed(
        {
            "format": FORMAT,
            "version": VERSION,
            "tests": sum(len(one.cases) for one in tested),
            "failed": sum(len(one.failed) for one in tested),
            "instances": [
                {
                    "name": one.name,
                    "tests": len(one.cases),
                    "failed": len(one.failed),
                    "coverage": coverage.value(one) if covers else None,
                }
                for one in tested
            ],
            "failures": [_failure(one, case) for one in tested for case in one.failed],
        }
    )


def _failure(tested: Tested, case: Case) -> dict[str, object]:
    at = case.test.at
    return {
        "instance": tested.name,
        "file": at.file,
        "line": at.line,
        "column": at.column,
        "name": case.test.name or None,
        "message": case.message.text,
        "jid": case.message.jid,
        "fromMe": case.message.from_me,
        "expected": list(case.test.bots),
        "reason": case.failure and case.failure.why.value,
        "answers": {path: list(answer.bots) for path, answer in case.answers.items()},
        "said": _wrong(Failed(tested, case, ())),
        "why": _whys(tested, case),
    }


# -- JUnit ------------------------------------------------------------------------------------


def junit(tested: Sequence[Tested]) -> str:
    """JUnit's XML: a suite for each instance, a case for each message."""
    cases, failed = (
        sum(map(len, each)) for each in ([one.cases for one in tested], [one.failed for one in tested])
    )
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f'<testsuites tests="{cases}" failures="{failed}">']
    for one in tested:
        lines.append(
            f'  <testsuite name="{_xml(one.name)}" tests="{len(one.cases)}" failures="{len(one.failed)}">'
        )
        for case in one.cases:
            lines += _testcase(one, case)
        lines.append("  </testsuite>")
    lines.append("</testsuites>")
    return safe.inert("\n".join(lines) + "\n")


def _testcase(tested: Tested, case: Case) -> Iterator[str]:
    at, test = case.test.at, case.test
    name = f"{test.name}: {_said(case)}" if test.name else _said(case)
    place = f'file="{_xml(at.file)}" line="{at.line}"'
    head = f'    <testcase classname="{_xml(tested.name)}" name="{_xml(name)}" {place}'
    if case.failure is None:
        yield f"{head}/>"
        return
    said = _wrong(Failed(tested, case, ()))
    yield f"{head}>"
    yield f'      <failure type="{case.failure.why}" message="{_xml(said)}">{_xml(str(at))}'
    yield from map(_xml, routing.lines(Routed(tested.name, tested.instance), case.message))
    yield "</failure>"
    yield "    </testcase>"


def _xml(text: str) -> str:
    return escape(_NO_XML.sub("\ufffd", safe.line(text)))
