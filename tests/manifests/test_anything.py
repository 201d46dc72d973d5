"""Whatever the bytes: a Desired or a ManifestError, never anything else, and in little time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from reconciler.domain.errors import ManifestError, Problem
from reconciler.domain.kinds import OPENAI
from reconciler.manifests.load import load
from tests.manifests.writing import CHAT, bot, write

CANARY = "sk-canary-0123456789abcdef"
PIECES = [
    *"\n\t -:#[]{},&*!|>'\"%@`~?",
    *("\n  ", "\n    ", "- ", ": ", "---\n", "...\n", "<<: ", "&a ", "*a", "!file ", "!!str ", "!x ", "null"),
    *(
        "bots:",
        "defaults:",
        "instance: ",
        "x-a: ",
        "\n  a:",
        "\n    ",
        "true",
        "300",
        "\\u00e7",
        "\0",
        "\x85",
    ),
    *(f"{name}: " for name in OPENAI.fields),
    *(
        "previously: [a]",
        "onDrift: ",
        "openaiCreds: c\n    ",
        *("vars:", "credentials:", "settings:", "silence:", "silence: [x]", "fallback: a", "speechToText: "),
        *("{apiKey: !env A}", "apiKey: ", "!env A", "!secret-file x", "merge: ", "instance: x, name: y"),
        *("${", "$${", "${instance}", "${x}", "false", CANARY),
        "é",
        "\ufeff",
        "\u2028",
        "😀",
        "\r\n",
        "../x",
        "x",
    ),
]
YAMLISH = st.lists(st.sampled_from(PIECES), max_size=60).map("".join)

same_directory = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@given(st.one_of(st.binary(max_size=200), YAMLISH.map(str.encode)), st.sampled_from(["yaml", "json"]))
@same_directory
def test_bytes(tmp_path: Path, data: bytes, ending: str) -> None:
    check(tmp_path, data, ending)


@given(YAMLISH, st.integers(0, len(CHAT)), st.sampled_from(["    ", "\n    ", ""]))
@same_directory
def test_a_bot_with_something_in_it(tmp_path: Path, text: str, at: int, before: str) -> None:
    check(tmp_path, f"bots:\n  a:\n{CHAT[:at]}{before}{text}{CHAT[at:]}".encode(), "yaml")


BESIDE = """\
vars: {x: y}
credentials: {main: {apiKey: !env A}}
settings: {fallback: a, openaiCreds: main, ignoreJids: {merge: [x]}, unknownMessage: "${x}"}
silence: [x]
"""


@given(YAMLISH, st.integers(0, len(BESIDE)), st.sampled_from(["  ", "\n  ", ""]))
@same_directory
def test_a_manifest_with_something_beside_its_bots(tmp_path: Path, text: str, at: int, before: str) -> None:
    check(tmp_path, f"{BESIDE[:at]}{before}{text}{BESIDE[at:]}bots:\n  a:\n{CHAT}".encode(), "yaml")


@given(YAMLISH, st.integers(0, len(BESIDE)), st.booleans())
@same_directory
def test_a_folders_file(tmp_path: Path, text: str, at: int, inside: bool) -> None:
    common = BESIDE.replace("credentials", "x-a") + f"defaults: {{expire: 1}}\nbots:\n  a:\n{CHAT}"
    at = at if inside else len(common)
    for old in tmp_path.glob("bots/*"):
        old.unlink()
    write(tmp_path, {"b.yaml": "vars: {z: 1}", "c.yaml": "bots: {a: {description: '${x}'}}"})
    check(tmp_path, (common[:at] + text + common[at:]).encode(), "yaml", "_defaults")


@given(st.text("$${}ab_0 é\n"), st.booleans())
@same_directory
def test_a_text_with_signs_of_variables_comes_back(tmp_path: Path, text: str, variables: bool) -> None:
    written = text.replace("${", "$${") if variables else text
    manifest = f"bots:\n  a:\n{CHAT}    description: {json.dumps(written)}\n"
    assert bot(tmp_path, "vars: {a: A}\n" * variables + manifest).fields["description"] == text


def check(tmp_path: Path, data: bytes, ending: str, stem: str = "a") -> None:
    if stem == "a":
        for old in tmp_path.glob("bots/*"):
            old.unlink()
    root = write(tmp_path, {f"{stem}.{ending}": data})
    lines = data.split(b"\n")
    found: tuple[Problem, ...] = ()
    try:
        load(root)
    except ManifestError as error:
        found = error.problems
    for problem in found:
        assert CANARY not in problem.message
        assert str(problem).isprintable()
        if problem.at.file != str(root / f"{stem}.{ending}"):
            assert stem == "_defaults"
            continue
        assert 1 <= problem.at.line <= len(lines)
        assert 1 <= problem.at.column <= len(lines[problem.at.line - 1]) + 1


PRINTABLE = st.characters(min_codepoint=0x20, exclude_categories=["Cs", "Cc", "Zl", "Zp"])


@given(st.text(PRINTABLE.filter(lambda char: char not in "\ufeff\ufffe\uffff"), min_size=1))
@example("it's")
@example("# no comment")
@same_directory
def test_a_quoted_text_comes_back(tmp_path: Path, text: str) -> None:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    single = text.replace("'", "''")
    for quoted in (f'"{escaped}"', f"'{single}'"):
        manifest = f"bots:\n  a:\n{CHAT}".replace("triggerValue: oi", f"triggerValue: {quoted}")
        assert bot(tmp_path, manifest).fields["triggerValue"] == text


@given(st.from_regex(r"[0-9A-Za-z._/+=()é😀-][0-9A-Za-z._/+=()@*!?%é😀:-]*[0-9a-z]", fullmatch=True))
@example("0010")
@example("1e3")
@example("yes")
@example("0o17")
@same_directory
def test_a_plain_text_comes_back(tmp_path: Path, text: str) -> None:
    if text in ("null", "Null", "NULL") or text.startswith("---"):
        return
    manifest = f"bots:\n  a:\n{CHAT}".replace("triggerValue: oi", f"triggerValue: {text}")
    assert bot(tmp_path, manifest).fields["triggerValue"] == text


def _whole_bots(count: int) -> str:
    fields = CHAT.replace("300", "{n}").replace("oi", "oi{n}")
    return "bots:\n" + "".join(f"  b{n}:\n" + fields.replace("{n}", str(n + 1)) for n in range(count))


HEAVY: dict[str, Callable[[], str]] = {
    "open brackets": lambda: "[" * 5_000_000,
    "open braces": lambda: "{a: " * 1_000_000,
    "dashes": lambda: "- " * 2_000_000,
    "questions": lambda: "? " * 2_000_000,
    "one long plain text": lambda: "bots: " + "a " * 2_000_000,
    "one long key": lambda: "a" * 5_000_000 + ": 1",
    "unknown fields": lambda: "bots:\n  a:\n" + "".join(f"    f{n}: x\n" for n in range(50_000)),
    "bots without anything": lambda: "bots:\n" + "".join(f"  b{n}: {{}}\n" for n in range(50_000)),
    "one clash after the other": lambda: "bots:\n" + "".join(f"  b{n}:\n{CHAT}" for n in range(10_000)),
    "a list in many aliases": lambda: (
        f"x-a: &a [{', '.join('a' * 2000)}]\nbots:\n"
        + "".join(f"  b{n}:\n    systemMessages: *a\n" for n in range(400))
    ),
    "merges in merges": lambda: (
        "x-0: &a0 {model: m}\n"
        + "".join(f"x-{n}: &a{n}\n  <<: [{', '.join([f'*a{n - 1}'] * 3)}]\n" for n in range(1, 11))
        + "bots:\n  a: *a10\n"
    ),
    "files": lambda: f"bots:\n  a:\n    systemMessages: [{', '.join(['!file big.md'] * 20_000)}]\n",
}


@pytest.mark.parametrize("make", HEAVY.values(), ids=HEAVY)
def test_heavy_input_is_an_error_and_no_hang(tmp_path: Path, make: Callable[[], str]) -> None:
    root = write(tmp_path, {"a.yaml": make()[: 5 * 2**20], "big.md": "a" * 2**20})
    started = time.process_time()
    with pytest.raises(ManifestError):
        load(root)
    assert time.process_time() - started < 20, "seconds; some ten times what it takes"


def test_many_bots_are_no_error(tmp_path: Path) -> None:
    root = write(tmp_path, {"a.yaml": _whole_bots(5000)})
    assert len(load(root).instances[0].bots) == 5000
