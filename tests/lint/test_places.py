"""Where a warning stands, whom it names, and what silences it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from reconciler.domain.versions import NEWEST
from reconciler.lint.run import lint
from reconciler.manifests.load import load
from tests.lint.writing import linted
from tests.manifests.writing import HERE, write

_BASE = (
    "openaiCreds: main, botType: chatCompletion, model: gpt-4o, triggerType: keyword, triggerOperator: equals"
)


def _said(directory: Path, files: Mapping[str, str | bytes]) -> list[str]:
    root = write(directory, files)
    return [str(warning).replace(f"{root}/", "") for warning in linted(root)]


@pytest.mark.parametrize(
    ("manifest", "start", "rule"),
    [
        (
            "bots:\n  a: {%s, maxTokens: 1, triggerValue: 1, debounceTime: ‸8000}",
            "'a': ",
            "debounce-milliseconds",
        ),
        (
            "defaults:\n  debounceTime: ‸90\nbots:\n  a: {%s, maxTokens: 1, triggerValue: 1}",
            "'a': ",
            "debounce-milliseconds",
        ),
        (
            "x-base: &base {%s, expire: ‸60}\nbots:\n  a: {<<: *base, maxTokens: 1, triggerValue: 1}\n"
            "  b: {<<: *base, maxTokens: 2, triggerValue: 2}",
            "'a', 'b': ",
            "never-read",
        ),
        (
            "settings:\n  ignoreJids:\n    - '@g.us'\n    - ‸'5511999999999'\nbots: {}\nx-base: {%s}",
            "the settings of 'loja': '5511999999999' matches nobody",
            "jid-matches-nothing",
        ),
        (
            "settings: {ignoreJids: {merge: ['@g.us', ‸grupos]}}\nbots: {}\nx-base: {%s}",
            "the settings of 'loja': 'grupos'",
            "jid-matches-nothing",
        ),
        (
            "settings: {fallback: ‸a}\nbots:\n  a: {%s, maxTokens: 1, triggerValue: 1, enabled: false}",
            "the settings of 'loja': 'a' is disabled",
            "disabled-fallback",
        ),
        (
            "bots:\n  a: {%s, maxTokens: 1, triggerValue: 1, silence: ‸[nonsense]}",
            "there is no rule 'nonsense'",
            "unknown-rule",
        ),
        (
            "defaults: {expire: ‸5, %s}\nbots:\n"
            "  a: {maxTokens: 1, triggerValue: 1}\n  b: {maxTokens: 2, triggerValue: 2}\n"
            "  c: {maxTokens: 3, triggerValue: 3, expire: 0}\n  d: {maxTokens: 4, triggerValue: 4}\n",
            "'a', 'b' and 1 more: expire",
            "never-read",
        ),
    ],
)
def test_a_place(tmp_path: Path, manifest: str, start: str, rule: str) -> None:
    before, _, after = (manifest % _BASE).partition(HERE)
    place = f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"
    [said] = _said(tmp_path, {"loja.yaml": before + after})
    assert said.startswith(f"loja.yaml:{place}: warning: {start}")
    assert said.endswith(f" [{rule}]")


def test_what_a_folder_says_is_spoken_of_once(tmp_path: Path) -> None:
    shop = "bots:\n  extra: {maxTokens: 9, triggerValue: 9}\n"
    common = f"defaults: {{{_BASE}, expire: 60}}\nbots:\n  tudo: {{triggerType: all, maxTokens: 1}}\n"
    files = {f"lojas/l{number:02}.yaml": shop for number in range(40)}
    said = _said(tmp_path, {"lojas/_defaults.yaml": common, **files})
    assert [line.split("]")[0].rpartition("[")[2] for line in said] == ["never-read", "catch-all"]
    assert said[0].startswith("lojas/_defaults.yaml:1:")
    assert "'extra@l00', 'tudo@l00' and 78 more: expire" in said[0]
    assert said[1].startswith("lojas/_defaults.yaml:3:23: warning: 'tudo@l00', 'tudo@l01' and 38 more: ")


def test_two_remarks_on_one_place_are_two_warnings(tmp_path: Path) -> None:
    manifest = (
        f"bots:\n  a: {{{_BASE.replace('equals', 'regex')}, maxTokens: 1, triggerValue: '\\\\Aoi\\\\Z'}}\n"
    )
    said = _said(tmp_path, {"loja.yaml": manifest.replace("\\\\", "\\")})
    assert len(said) == 2
    assert [line.split(": ")[0] for line in said] == ["loja.yaml:2:140"] * 2


_SILENT = f"{{{_BASE}, maxTokens: 1, triggerValue: 1, expire: 5}}"


@pytest.mark.parametrize(
    "manifest",
    [
        f"silence: [never-read]\nbots: {{a: {_SILENT}}}",
        f"defaults: {{silence: [never-read]}}\nbots: {{a: {_SILENT}}}",
        f"bots: {{a: {_SILENT.replace('expire', 'silence: [never-read], expire')}}}",
        f"silence: [never-read, catch-all]\nsettings: {{expire: 60}}\nbots: {{a: {_SILENT}}}",
    ],
)
def test_silence(tmp_path: Path, manifest: str) -> None:
    assert _said(tmp_path, {"loja.yaml": manifest}) == []


@pytest.mark.parametrize(
    ("manifest", "left"),
    [
        (f"silence: [no-effect]\nbots: {{a: {_SILENT}}}", 1),
        (f"defaults: {{silence: [never-read]}}\nsettings: {{expire: 60}}\nbots: {{a: {_SILENT}}}", 1),
        (
            f"bots:\n  a: {_SILENT.replace('expire', 'silence: [never-read], expire')}\n"
            f"  b: {_SILENT.replace('maxTokens: 1, triggerValue: 1', 'maxTokens: 2, triggerValue: 2')}",
            1,
        ),
    ],
)
def test_silence_is_only_where_it_is_asked_for(tmp_path: Path, manifest: str, left: int) -> None:
    assert len(_said(tmp_path, {"loja.yaml": manifest})) == left


def test_a_folder_silences_what_is_below_it(tmp_path: Path) -> None:
    files = {
        "lojas/_defaults.yaml": "silence: [never-read]\n",
        "lojas/a.yaml": f"bots: {{a: {_SILENT}}}",
        "b.yaml": f"bots: {{a: {_SILENT}}}",
    }
    [said] = _said(tmp_path, files)
    assert said.startswith("b.yaml:1:")


@pytest.mark.parametrize("manifests", ["bots", "reconciler/setup/templates/bots"])
def test_what_we_show_people_is_not_warned_of(manifests: str) -> None:
    assert lint(load(Path(__file__).parents[2] / manifests)) == []


def test_a_large_fleet_takes_little_time(tmp_path: Path) -> None:
    operators = ("equals", "contains", "startsWith", "endsWith", "regex")
    bots = "".join(
        f"  b{number}: {{maxTokens: {number + 1}, triggerOperator: {operators[number % 5]}, "
        f"triggerValue: 'palavra {number}'}}\n"
        for number in range(10)
    )
    manifest = f"defaults: {{{_BASE}, expire: 60}}\nbots:\n{bots}"
    desired = load(write(tmp_path, {f"l{number}.yaml": manifest for number in range(200)}))
    start = time.perf_counter()
    assert len(lint(desired, NEWEST)) == 200
    assert time.perf_counter() - start < 10  # 0.1 s on an idle machine
