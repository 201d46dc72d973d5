"""Warnings and errors of manifests as text, JSON and SARIF. In the text the same remark stands once.

SARIF is what code scanning reads; JSON and SARIF hold everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote

from reconciler.domain import safe
from reconciler.domain.errors import Position, Problem
from reconciler.domain.findings import Warning
from reconciler.domain.text import count

FORMAT = "evolution-reconciler/findings"
VERSION = 1

ERROR = "manifest"
"""The rule of errors, in SARIF."""

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def grouped(warnings: Iterable[Warning]) -> list[tuple[Warning, int]]:
    """The first of the warnings that are the same, and how many they are; in the order of the first."""
    found: dict[tuple[str, str], list[Warning]] = {}
    for warning in warnings:
        found.setdefault((warning.rule, warning.remark or warning.text), []).append(warning)
    return [(same[0], len(same)) for same in found.values()]


def text(warnings: Sequence[Warning]) -> str:
    """A line for each remark, with the number of its other places; then how many warnings there are."""
    remarks = grouped(warnings)
    lines = [safe.inert(safe.line(f"{first}{others(number)}")) for first, number in remarks]
    if warnings:
        different = f", {len(remarks)} of them different" if len(remarks) < len(warnings) else ""
        lines.append(f"{counted(warnings)} in the manifests{different}.")
    return "".join(f"{line}\n" for line in lines)


def counted(warnings: Sequence[Warning]) -> str:
    """How many errors and warnings they are."""
    levels = [(sum(each.level == level for each in warnings), level) for level in ("error", "warning")]
    return " and ".join(count(number, level) for number, level in levels if number)


def others(number: int) -> str:
    """What is said of a remark that is made at so many places."""
    return f" (also at {count(number - 1, 'other place')})" if number > 1 else ""


def json(problems: Sequence[Problem], warnings: Sequence[Warning]) -> str:
    """One JSON document, ending with a newline."""
    from reconciler.saved.encode import printed  # noqa: PLC0415  slow to import

    return printed(
        {
            "format": FORMAT,
            "version": VERSION,
            "errors": [{**_place(problem.at), "message": problem.message} for problem in problems],
            "warnings": [
                {**_place(each.at), "rule": each.rule, "level": each.level, "message": each.text}
                for each in warnings
            ],
        }
    )


def _place(at: Position) -> dict[str, object]:
    return {"file": at.file, "line": at.line, "column": at.column}


def sarif(
    problems: Sequence[Problem], warnings: Sequence[Warning], rules: Mapping[str, str], version: str
) -> str:
    """A SARIF 2.1.0 document, ending with a newline. rules: the title of each. version: of this tool."""
    from reconciler.saved.encode import printed  # noqa: PLC0415  slow to import

    titles = {ERROR: "The manifests are valid.", **rules}
    used = [*([ERROR] if problems else []), *sorted({warning.rule for warning in warnings})]
    return printed(
        {
            "$schema": _SCHEMA,
            "version": "2.1.0",
            "runs": [
                {
                    "tool": {
                        "driver": {
                            "name": "evolution-reconciler",
                            "version": version,
                            "rules": [
                                {"id": id_, "shortDescription": {"text": titles.get(id_, id_)}}
                                for id_ in used
                            ],
                        }
                    },
                    "results": [
                        *(_result(ERROR, "error", one.at, one.message) for one in problems),
                        *(_result(one.rule, one.level, one.at, one.text) for one in warnings),
                    ],
                }
            ],
        }
    )


def _result(rule: str, level: str, at: Position, message: str) -> dict[str, object]:
    place = {
        "artifactLocation": {"uri": quote(at.file, errors="replace")},
        "region": {"startLine": at.line, "startColumn": at.column},
    }
    return {
        "ruleId": rule,
        "level": level,
        "message": {"text": safe.line(message)},
        "locations": [{"physicalLocation": place}],
    }
