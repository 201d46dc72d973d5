"""Which versions an issue of the server is mentioned for."""

from __future__ import annotations

import pytest

from reconciler.domain import known_issues, versions


@pytest.mark.parametrize(
    ("fields", "version", "known"),
    [
        (["ignoreJids"], "", 0),
        (["ignoreJids"], "2.0.10", 0),
        (["ignoreJids"], "2.1.0", 1),
        (["expire", "ignoreJids"], "v2.2.3", 1),
        (["ignoreJids"], "2.3.0", 0),
        (["expire"], "2.2.3", 0),
        ([], "2.2.3", 0),
    ],
)
def test_known_issues_of_a_version(fields: list[str], version: str, known: int) -> None:
    found = [str(issue) for issue in known_issues.of(fields, version)]
    assert found == ["EvolutionAPI/evolution-api#1027, reported for 2.1.0 to 2.2.1"][:known]


@pytest.mark.parametrize("text", ["2.3.6", "2.2", "v2.4.0-rc2"])
def test_a_version_is_recognized(text: str) -> None:
    assert versions.recognized(text) == text


@pytest.mark.parametrize("text", ["", "latest", "2.3.6 beta", " 2.3.6", "2.3.6\n", "2"])
def test_any_other_text_is_no_version(text: str) -> None:
    assert versions.recognized(text) == ""
