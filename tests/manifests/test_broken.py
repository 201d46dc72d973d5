"""What is wrong with one manifest: the exact place, and the words that a person needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.manifests.writing import CHAT, HERE, marked, problems

ONE = f"bots:\n  a:\n{CHAT}"


def with_line(line: str) -> str:
    """A whole bot with one more line, or with another in the place of a field that it has."""
    name = line.replace(HERE, "").partition(":")[0]
    kept = [old for old in CHAT.splitlines() if old.split(":")[0].strip() != name]
    return "bots:\n  a:\n" + "\n".join([*kept, f"    {line}"]) + "\n"


def without(name: str, *lines: str) -> str:
    """A bot without a field, its name marked."""
    kept = [old for old in CHAT.splitlines() if old.split(":")[0].strip() != name]
    return f"bots:\n  {HERE}a:\n" + "\n".join([*kept, *(f"    {line}" for line in lines)]) + "\n"


def beside(fields: str) -> str:
    """A second bot beside the keyword bot `a`, which stands at 2:3."""
    lines = [f"    {line}" for line in fields.split("; ")]
    return ONE + "\n".join(["  b:", "    openaiCreds: main", *lines]) + "\n"


CHAT_IN_FLOW = "botType: chatCompletion, model: m, maxTokens: 1, openaiCreds: c"
OTHER_CHAT = "botType: chatCompletion; model: gpt-4o; maxTokens: 5; "

SYNTAX = {
    "tab": ("bots:\n‸\ta: 1", "tab", "spaces"),
    "sign": ("bots: ‸@x", "cannot start with `@`", "quotes"),
    "colon in a text": ("bots: a‸: b", "`:`", "quotes"),
    "colon in flow": ("bots: {a: b‸:c}", "braces", "quotes"),
    "open quote": ('bots: ‸"a', "never closed"),
    "open list": ("bots: [a,‸\n", "bracket", "missing"),
    "list without a comma": ("bots: [a\nb‸: 1]", "`,`"),
    "indentation": ("bots:\n    a: 1\n  ‸b: 2", "indentation"),
    "key without a colon": ("bots:\n  a: 1\n  ‸b\nc: 1", "`:`"),
    "quote in a quote": ("bots: 'it'‸s'", "quote"),
    "escape": ('bots: "‸\\d"', "backslash"),
    "surrogate escape": ('bots: "\\u‸d83d\\ude00"', "surrogate", "character itself"),
    "unknown alias": ("bots: ‸*x", "no anchor", "quotes"),
    "anchor twice": ("x-a: &a 1\nx-b: ‸&a 2", "anchor", "another name"),
    "tag handle": ("bots: ‸!x!y 1", "tag", "!file"),
    "two documents": ("bots: {}\n‸---\nbots: {}", "second document", "file of its own"),
    "control character": ("bots:\n  é‸\x01: 1", "control character"),
    "line at the left": ("bots: {}\n‸- a", "indentation"),
    "directive": ("‸%YAML 3.0\n---\nbots: {}", "not valid YAML", "%YAML"),
    "nothing": ("‸", "is empty", "bots:"),
    "only comments": ("‸# later\n", "is empty"),
    "a list": ("‸- a", "a manifest must be a mapping", "a list"),
    "a text": ("‸hello", "a manifest must be a mapping", "'hello'"),
    "nested lists": (f"x-a: {'[' * 48}‸[{'[' * 10_000}", "nesting", "50"),
    "nested blocks": (
        "x-a:\n" + "".join(f"{' ' * n}{HERE * (n == 49)}a:\n" for n in range(1, 100)),
        "nesting",
    ),
    "nested aliases": (
        "".join(f"x-{n}: {HERE * (n == 49)}&a{n} [{f'*a{n - 1}' if n else 1}]\n" for n in range(60)),
        "nesting",
    ),
    "cycle": ("x-a: ‸&a [*a]", "refers to the value that contains it"),
    "merge cycle": ("bots:\n  a: ‸&a\n    <<: *a\n", "refers to the value that contains it"),
    "alias bomb": (
        "x-0: &a0 [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]\n"
        + "".join(
            f"x-{n}: {HERE * (n == 5)}&a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 20)
        ),
        "aliases",
        "too large",
    ),
    "large text in many aliases": (
        f"x-a: &a {'a' * 1_000_000}\nx-b: ‸[{', '.join(['*a'] * 30)}]\n",
        "too large",
    ),
}

STRUCTURE = {
    "no bots": ("‸instance: a", "no bots", "bots: {}"),
    "unknown key": ("‸bot: {}\nbots: {}", "'bot'", "did you mean 'bots'?"),
    "key twice": (f"{ONE}‸bots: {{}}", "'bots' appears twice", "loja.yaml:1:1"),
    "bot twice": (f"{ONE}  ‸a: {{}}", "'a' appears twice", "loja.yaml:2:3"),
    "field twice": (f"{ONE}    ‸model: gpt-4o", "'model' appears twice", "loja.yaml:5:5"),
    "key is a list": (f"{ONE}? ‸[a]\n: 1", "key", "a list"),
    "key with a tag": (f"{ONE}    ‸!file x: 1", "key", "'x' with the tag '!file'"),
    "bots without a value": ("bots:‸", "bots must be a mapping", "nothing"),
    "bots as a list": ("bots:\n  ‸- a: 1", "bots must be a mapping", "a list"),
    "bot without a value": ("bots:\n  a:‸\n", "bot 'a' must be a mapping", "nothing"),
    "bots with a tag": ("bots: ‸!set {}", "bots must be", "'!set'"),
    "defaults as a list": ("defaults: ‸[]\nbots: {}", "defaults must be a mapping"),
    "merge of a text": (f"{ONE}    <<: ‸x", "`<<` merges", "mapping"),
    "merge of texts": (f"{ONE}    <<: [‸x]", "`<<` merges", "mapping"),
    "two merges": (f"x-a: &a {{}}\n{ONE}    <<: *a\n    ‸<<: *a", "`<<` appears twice", "[*one, *other]"),
    "quoted merge": (f'{ONE}    ‸"<<": 1', "'<<' is not a field"),
    "instance empty": ('instance: ‸""\nbots: {}', "instance", "empty"),
    "instance null": ("instance:‸\nbots: {}", "instance has no value"),
    "instance too long": (f"instance: ‸{'a' * 256}\nbots: {{}}", "256 characters", "255"),
    "instance from a file": ("instance: ‸!file x\nbots: {}", "instance", "without `!file`"),
    "name in capitals": (f"bots:\n  ‸Front:\n{CHAT}", "'Front' cannot be a bot's name", "lower-case"),
    "name with a hyphen first": (f"bots:\n  ‸-a:\n{CHAT}", "'-a' cannot"),
    "name with control characters": (f'bots:\n  ‸"a\\n\\u001b[31m":\n{CHAT}', r"'a\n\x1b[31m' cannot"),
    "name too long": (f"bots:\n  ‸{'a' * 65}:\n{CHAT}", "65 characters", "64"),
}

FIELDS = {
    "unknown field": (with_line("‸modle: x"), "'modle' is not a field", "did you mean 'model'?"),
    "unknown field, other case": (with_line("‸triggervalue: x"), "did you mean 'triggerValue'?"),
    "unknown field, key": (with_line("'‸[key]': x").replace("'‸", "‸'"), "'[key]' is not a field"),
    "after odd line breaks": (with_line("description: 'a\u2028b\x85c'\n    ‸nope: x"), "'nope'"),
    "unknown field, far": (with_line("‸zzz: x"), "'zzz' is not a field of a bot:"),
    "unknown field of defaults": (f"defaults:\n  ‸Model: x\n{ONE}", "did you mean 'model'?"),
    "previously in defaults": (f"defaults:\n  ‸previously: [x]\n{ONE}", "one bot", "move it"),
    "long key": (with_line(f"‸{'k' * 500}: x"), "k…' is not a field"),
    "bool yes": (with_line("enabled: ‸yes"), "true or false", "'yes'"),
    "bool in capitals": (with_line("enabled: ‸True"), "true or false", "'True'"),
    "bool quoted": (with_line('enabled: ‸"true"'), "true or false", "without quotes"),
    "bool number": (with_line("enabled: ‸1"), "true or false"),
    "bool empty": (with_line("enabled:‸"), "true or false", "nothing"),
    "bool null": (with_line("enabled: ‸null"), "true or false", "null"),
    "bool list": (with_line("enabled: ‸[true]"), "true or false", "a list"),
    "bool with a tag": (with_line("enabled: ‸!!bool true"), "true or false", "'!!bool'"),
    "int quoted": (with_line('maxTokens: ‸"300"'), "whole number", "without quotes"),
    "int with a point": (with_line("maxTokens: ‸300.0"), "whole number", "plain digits"),
    "int with zeros": (with_line("maxTokens: ‸0300"), "whole number"),
    "int with underscores": (with_line("maxTokens: ‸1_000"), "whole number"),
    "int hexadecimal": (with_line("maxTokens: ‸0x10"), "whole number"),
    "int exponent": (with_line("maxTokens: ‸1e3"), "whole number"),
    "int of another script": (with_line("maxTokens: ‸٣"), "whole number"),
    "int as a mapping": (with_line("maxTokens: ‸{a: 1}"), "whole number", "a mapping"),
    "int empty": (with_line("maxTokens:‸"), "whole number", "nothing"),
    "int too small": (with_line("maxTokens: ‸0"), "maxTokens is 0", "at least 1"),
    "int negative": (with_line("expire: ‸-1"), "expire is -1", "at least 0"),
    "int beyond int32": (with_line("expire: ‸2147483648"), "at most 2147483647"),
    "int of 5,000 digits": (with_line(f"expire: ‸{'9' * 5000}"), "at most 2147483647"),
    "enum": (with_line("botType: ‸chatcompletion"), "did you mean 'chatCompletion'?"),
    "enum far": (with_line("triggerOperator: ‸x"), "equals, contains, startsWith, endsWith or regex"),
    "enum empty": (with_line('triggerType: ‸""'), "triggerType cannot be ''"),
    "enum null": (with_line("triggerType: ‸~"), "null"),
    "enum from a file": (with_line("triggerType: ‸!file x"), "without `!file`"),
    "text empty": (with_line("triggerValue:‸"), "has no value", '""'),
    "text null": (with_line("triggerValue: ‸null"), "cannot be null", '"null"'),
    "text tilde": (with_line("triggerValue: ‸~"), "cannot be null", '"~"'),
    "text list": (with_line("triggerValue: ‸[a]"), "must be a text", "a list"),
    "text tag": (with_line("triggerValue: ‸!!str 1"), "'!!str'", "leave it out"),
    "text NUL": (with_line('triggerValue: ‸"a\\0"'), "NUL"),
    "text too long": (with_line(f"keywordFinish: ‸{'é' * 101}"), "101 characters", "100"),
    "text too long by spaces": (with_line(f'keywordFinish: ‸"{" " * 101}"'), "101 characters"),
    "texts as a text": (with_line("ignoreJids: ‸5511@g.us"), "list of texts", "ignoreJids: ['5511@g.us']"),
    "texts as a file": (with_line("systemMessages: ‸!file p.md"), "systemMessages: [!file 'p.md']"),
    "texts as an odd file": (with_line('systemMessages: ‸!file "\\n"'), r"[!file '\n']"),
    "texts as a mapping": (with_line("systemMessages: ‸{a: b}"), "list of texts", "a mapping"),
    "texts empty": (with_line("systemMessages:‸"), "list of texts", "nothing"),
    "texts with a list": (with_line("userMessages: [a, ‸[b]]"), "item of userMessages", "a list"),
    "texts with null": (with_line("userMessages: [a, ‸null]"), "item of userMessages", "null"),
    "onDrift": (with_line("onDrift: ‸replac"), "did you mean 'replace'?", "update or replace"),
    "creds empty": (with_line('openaiCreds: ‸""'), "openaiCreds is empty"),
    "marker": (with_line("description: ‸Front [gitops:a]"), "'[gitops:a]'", "tool writes its own"),
    "marker with spaces": (with_line("description: ‸'x [ GitOps : a ]'"), "'[ GitOps : a ]'"),
    "marker in front": (with_line("description: ‸'[gitops:a] Front'"), "'[gitops:a]'"),
    "marker of digits": (with_line("description: ‸'[8:18]~1f3a9c2b'"), "'[8:18]~1f3a9c2b'"),
    "marker of another": (with_line("description: ‸x [my.team-1:b-2] y"), "'[my.team-1:b-2]'"),
}

TOGETHER = {
    "no botType": (without("botType"), "'a' has no botType", "add"),
    "no triggerType": (without("triggerType"), "'a' has no triggerType"),
    "no credential": (without("openaiCreds"), "no credential", "openaiCreds"),
    "two credentials": (with_line("‸openaiCredsId: x"), "keep one"),
    "empty credential id": (
        without("openaiCreds", "openaiCredsId: ‸''").replace(HERE, "", 1),
        "openaiCredsId is empty",
    ),
    "no model": (without("model"), "'a' has no model", "chatCompletion"),
    "no maxTokens": (without("maxTokens"), "'a' has no maxTokens"),
    "empty model": (with_line("model: ‸''"), "model is empty", "chatCompletion"),
    "no assistantId": (with_line("botType: assistant").replace("  a:", "  ‸a:"), "assistantId", "assistant"),
    "no operator": (without("triggerOperator"), "triggerOperator", "keyword"),
    "no value": (without("triggerValue"), "triggerValue", "keyword"),
    "empty value": (with_line("triggerValue: ‸''"), "triggerValue is empty", "keyword"),
    "advanced without a value": (
        with_line("triggerType: advanced").replace("  a:", "  ‸a:").replace("triggerValue: oi", "expire: 1"),
        "triggerValue",
        "advanced",
    ),
    "previously itself": (with_line("previously: [x, ‸a]"), "own name"),
    "previously a bot": (
        f"{beside(OTHER_CHAT + 'triggerType: none; previously: [‸a]')}",
        "another bot of this",
    ),
    "previously twice": (with_line("previously: [x, ‸x]"), "so does 'a'"),
    "previously of two": (
        f"{ONE}    previously: [x]\n  b:\n    previously: [‸x]\n    openaiCreds: main\n"
        "    triggerType: none\n    botType: assistant\n    assistantId: y\n",
        "so does 'a'",
    ),
    "previously no name": (with_line("previously: [‸Old]"), "'Old' cannot be a bot's name"),
}

CLASHES = {
    "model and maxTokens": (
        "botType: chatCompletion; model: gpt-4o; ‸maxTokens: 300; triggerType: none",
        "'b' and 'a' (loja.yaml:2:3)",
        "same model and maxTokens",
        "give one of them another maxTokens",
    ),
    "keyword": (
        OTHER_CHAT + "triggerType: keyword; triggerOperator: equals; ‸triggerValue: oi",
        "same triggerOperator and triggerValue",
    ),
    "keyword and disabled": (
        OTHER_CHAT + "enabled: false; triggerType: keyword; triggerOperator: equals; ‸triggerValue: oi",
        "even if disabled",
    ),
    "keyword and the left-over of an all": (
        OTHER_CHAT + "triggerType: all; triggerOperator: equals; ‸triggerValue: oi",
        "whatever its triggerType",
    ),
    "advanced after keyword": (
        OTHER_CHAT + "triggerType: advanced; ‸triggerValue: oi",
        "same triggerValue",
        "advanced",
    ),
}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(row[0], row[1:], id=name)
        for table in (SYNTAX, STRUCTURE, FIELDS, TOGETHER)
        for name, row in table.items()
    ],
)
def test_place_and_words(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    text, place = marked(text)
    found = problems(tmp_path, {"loja.yaml": text})
    assert len(found) == 1, found
    assert found[0].startswith(f"loja.yaml:{place}: ")
    for word in words:
        assert word in found[0]


@pytest.mark.parametrize(("fields", "words"), [pytest.param(r[0], r[1:], id=n) for n, r in CLASHES.items()])
def test_clashes(tmp_path: Path, fields: str, words: tuple[str, ...]) -> None:
    text, place = marked(beside(fields))
    found = problems(tmp_path, {"loja.yaml": text})
    assert len(found) == 1, found
    assert found[0].startswith(f"loja.yaml:{place}: ")
    for word in words:
        assert word in found[0]


ASSISTANT = "botType: assistant, assistantId: asst, openaiCreds: c"
PAIRS = {
    "all": (f"{ASSISTANT}, triggerType: all", f"{CHAT_IN_FLOW}, triggerType: all", "triggerType all"),
    "all, said and unsaid": (
        f"{ASSISTANT}, triggerType: all, enabled: true",
        f"{CHAT_IN_FLOW}, triggerType: all",
        "`enabled: false`",
    ),
    "assistantId": (
        f"{ASSISTANT}, triggerType: none",
        f"{ASSISTANT}, triggerType: none, enabled: false",
        "same assistantId",
    ),
    "keyword and none": (
        f"{ASSISTANT}, triggerType: keyword, triggerOperator: regex, triggerValue: x",
        f"{CHAT_IN_FLOW}, triggerType: none, triggerOperator: regex, triggerValue: x",
        "same triggerOperator and triggerValue",
    ),
    "advanced and none": (
        f"{ASSISTANT}, triggerType: advanced, triggerValue: 'exact:x'",
        f"{CHAT_IN_FLOW}, triggerType: none, triggerValue: 'exact:x'",
        "same triggerValue",
    ),
    "advanced twice": (
        f"{ASSISTANT}, triggerType: advanced, triggerValue: 'exact:x'",
        f"{CHAT_IN_FLOW}, triggerType: advanced, triggerValue: 'exact:x'",
        "same triggerValue",
    ),
}


@pytest.mark.parametrize(("one", "other", "words"), PAIRS.values(), ids=PAIRS)
@pytest.mark.parametrize("swapped", [False, True])
def test_a_clash_does_not_hang_on_the_order(
    tmp_path: Path, one: str, other: str, words: str, swapped: bool
) -> None:
    first, second = (other, one) if swapped else (one, other)
    found = problems(tmp_path, {"loja.yaml": f"bots:\n  a: {{{first}}}\n  b: {{{second}}}\n"})
    assert len(found) == 1, found
    assert found[0].startswith("loja.yaml:3:")
    assert "'b' and 'a' (" in found[0]
    assert words in found[0]


def test_of_three_each_names_the_first(tmp_path: Path) -> None:
    text = "bots:\n" + "".join(f"  {name}: {{{ASSISTANT}, triggerType: none}}\n" for name in "abc")
    found = problems(tmp_path, {"loja.yaml": text})
    assert ["'b' and 'a'" in found[0], "'c' and 'a'" in found[1]] == [True, True]


def test_a_clash_of_defaults_is_shown_at_the_bot(tmp_path: Path) -> None:
    text, place = marked(f"defaults: {{{ASSISTANT}, triggerType: none}}\nbots:\n  a: {{}}\n  ‸b: {{}}\n")
    found = problems(tmp_path, {"loja.yaml": text})
    assert [line.startswith(f"loja.yaml:{place}: ") for line in found] == [True]
