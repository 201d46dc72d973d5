"""Credentials, settings, silence and borrowing: what a manifest says beside its bots."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler.domain.desired import DesiredCredential, DesiredInstance, DesiredSettings, SecretRef
from reconciler.domain.errors import Position
from tests.manifests.writing import CHAT, HERE, bot, marked, problems, read

KEY = "sk-proj-canary0123456789abcdef"
ODD_KEY = "hunter2-canary"  # not every key looks like OpenAI's
BOTS = f"bots:\n  a:\n{CHAT}"


def instance(directory: Path, text: str) -> DesiredInstance:
    (only,) = read(directory, {"loja.yaml": text}).instances
    return only


# -- what is read -----------------------------------------------------------------------------


def test_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = """\
credentials:
  main: {apiKey: !env OPENAI_KEY_LOJA}
  1:
    apiKey: !secret-file ../../run/./key
  "olá mundo": {apiKey: !secret-file /run/secrets/openai}
bots: {}
"""
    read(tmp_path, {"x/loja.yaml": text})
    found = read(Path(), {}).instances[0].credentials
    assert found == (
        DesiredCredential("main", SecretRef("env", "OPENAI_KEY_LOJA"), Position("bots/x/loja.yaml", 2, 3)),
        DesiredCredential("1", SecretRef("secret-file", "run/key"), Position("bots/x/loja.yaml", 3, 3)),
        DesiredCredential(
            "olá mundo", SecretRef("secret-file", "/run/secrets/openai"), Position("bots/x/loja.yaml", 5, 3)
        ),
    )


def test_a_secret_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # whoever reads it waits for ever
    text = f"credentials: {{m: {{apiKey: !secret-file {tmp_path}/pipe}}}}\nbots: {{}}"
    assert instance(tmp_path, text).credentials[0].key.name == f"{tmp_path}/pipe"


def test_settings(tmp_path: Path) -> None:
    text = f"""\
{BOTS}
settings:
  openaiCreds: main
  speechToText: true
  expire: 60
  unknownMessage: 1
  fallback: a
  ignoreJids: [5511, "@g.us"]
"""
    settings = instance(tmp_path, text).settings["openai"]
    assert settings == DesiredSettings(
        {"expire": 60, "unknownMessage": "1", "ignoreJids": ("5511", "@g.us"), "speechToText": True},
        Position(str(tmp_path / "bots" / "loja.yaml"), 11, 1),
        creds="main",
        fallback="a",
    )
    assert list(settings.fields) == ["expire", "unknownMessage", "ignoreJids", "speechToText"]
    assert {name: (origin.at.line, origin.layer) for name, origin in settings.origins.items()} == {
        "openaiCreds": (12, "settings"),
        "speechToText": (13, "settings"),
        "expire": (14, "settings"),
        "unknownMessage": (15, "settings"),
        "fallback": (16, "settings"),
        "ignoreJids": (17, "settings"),
    }


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("", None),
        ("settings: {}", None),
        ('settings: {fallback: ""}', ({}, "", False)),
        ("settings: {ignoreJids: {merge: [x]}}", ({"ignoreJids": ("x",)}, None, True)),
        ("settings: {ignoreJids: {merge: []}}", ({"ignoreJids": ()}, None, True)),
        ("settings: {ignoreJids: []}", ({"ignoreJids": ()}, None, False)),
        (
            "x-a: &a {expire: 1}\nsettings: {<<: *a, keepOpen: false}",
            ({"expire": 1, "keepOpen": False}, None, False),
        ),
    ],
)
def test_settings_at_the_edge(
    tmp_path: Path, written: str, meant: tuple[dict[str, object], str | None, bool] | None
) -> None:
    found = instance(tmp_path, f"{written}\nbots: {{}}").settings.get("openai")
    assert (found and (dict(found.fields), found.fallback, found.merge_jids)) == meant


def test_silence_adds_up(tmp_path: Path) -> None:
    text = f"""\
silence: [of-all]
defaults: {{silence: [of-defaults]}}
bots:
  a:
{CHAT}    silence: [of-a]
  b:
{CHAT.replace("300", "1").replace("oi", "b")}"""
    found = instance(tmp_path, text)
    assert found.ignored == {"of-all"}
    assert [one.ignored for one in found.bots] == [
        {"of-all", "of-defaults", "of-a"},
        {"of-all", "of-defaults"},
    ]


@pytest.mark.parametrize(
    ("default", "own", "meant"),
    [
        ("openaiCreds: {instance: x, name: y}", "", ("y", "x", None)),
        ("openaiCreds: {instance: x, name: y}", "openaiCreds: z", ("z", None, None)),
        ("openaiCreds: z", "openaiCreds: {instance: 1, name: 2}", ("2", "1", None)),
        ("openaiCreds: {instance: x, name: y}", "openaiCredsId: z", (None, None, "z")),
        ("openaiCredsId: z", "openaiCreds: {instance: x, name: y}", ("y", "x", None)),
    ],
)
def test_borrowing(tmp_path: Path, default: str, own: str, meant: tuple[str | None, ...]) -> None:
    rest = CHAT.replace("openaiCreds: main", own)
    found = bot(tmp_path, f"defaults:\n  {default}\nbots:\n  a:\n{rest}")
    assert (found.creds, found.creds_owner, found.fields.get("openaiCredsId")) == meant


# -- what is wrong ----------------------------------------------------------------------------

CREDENTIALS = {
    "a plain key": (f"main: {{apiKey: ‸{KEY}}}", "must not be in a manifest", "!env NAME"),
    "an odd key": (f"main: {{apiKey: ‸{ODD_KEY}}}", "must not be in a manifest", "revoke"),
    "a quoted key": (f'main: {{apiKey: ‸"{KEY}"}}', "must not be in a manifest"),
    "a key in place of the mapping": (f"main: ‸{ODD_KEY}", "a mapping with apiKey", "!secret-file PATH"),
    "a key as a list": (f"main: {{apiKey: ‸[{ODD_KEY}]}}", "where to find"),
    "a key as a mapping": (f"main: {{apiKey: ‸{{{ODD_KEY}: 1}}}}", "where to find"),
    "a key as a key": (f"main: {{apiKey: !env A, ‸{ODD_KEY}: 1}}", "nothing else"),
    "a key twice": (f"main: {{apiKey: !env A, ‸apiKey: {ODD_KEY}}}", "a key appears twice"),
    "a key as a name": (f"‸{KEY}: {{apiKey: !env A}}", "looks like an API key"),
    "a key in a merge": (f"main: {{<<: ‸{ODD_KEY}, apiKey: !env A}}", "merges"),
    "a key behind another tag": (f"main: {{apiKey: ‸!envv {ODD_KEY}}}", "did you mean '!env'?"),
    "a key as a tag": (f"main: {{apiKey: ‸!{KEY} x}}", "where to find"),
    "a key behind !file": (f"main: {{apiKey: ‸!file {ODD_KEY}}}", "where to find"),
    "a key behind !env": (f"main: {{apiKey: ‸!env {KEY}}}", "name of an environment variable"),
    "a key of Groq behind !env": ("main: {apiKey: ‸!env gsk_4f0123456789abcdefXy}", "not the key", "revoke"),
    "a hexadecimal key behind !env": (f"main: {{apiKey: ‸!env b{'0f' * 16}}}", "not the key", "revoke"),
    "a key behind !secret-file": (f"main: {{apiKey: ‸!secret-file {KEY}}}", "path of a file"),
    "!env of the server's own key": ("main: {apiKey: ‸!env EVOLUTION_API_KEY}", "the server itself"),
    "!env of nothing": ("main: {apiKey: ‸!env ''}", "name of an environment variable"),
    "!env with a digit first": ("main: {apiKey: ‸!env 1A}", "no digit first"),
    "!secret-file of nothing": ("main: {apiKey: ‸!secret-file ''}", "path of a file"),
    "!secret-file with NUL": ('main: {apiKey: ‸!secret-file "a\\0b"}', "path of a file"),
    "no value": ("main: {apiKey: ‸}", "where to find"),
    "no apiKey": ("‸main: {}", "no apiKey", "add"),
    "!env in place of the mapping": ("main: ‸!env A", "a mapping with apiKey"),
    "rotated": ("‸main@2: {apiKey: !env A}", "@ and digits", "rotation"),
    "empty": ("‸'': {apiKey: !env A}", "empty"),
    "too long": (f"‸{'n' * 256}: {{apiKey: !env A}}", "256 characters", "255"),
    "one name twice": ("a: {apiKey: !env A}\n  ‸a: {apiKey: !env B}", "appears twice"),
    "one key twice": (
        "a: {apiKey: !env A}\n  ‸b: {apiKey: !env A}",
        "is already that of 'a'",
        "openaiCreds: 'a'",
    ),
}
BESIDE = {
    "credentials as a text": (f"credentials: ‸{ODD_KEY}", "credentials must be a mapping"),
    "credentials as a list": (f"credentials: ‸[{ODD_KEY}]", "credentials must be a mapping"),
    "credentials with a tag": ("credentials: ‸!env X", "credentials must be a mapping"),
    "an apiKey in defaults": (f"defaults: {{apiKey: ‸{ODD_KEY}}}", "must not be in a manifest"),
    "settings as a list": ("settings: ‸[]", "settings must be a mapping"),
    "unknown setting": ("settings: {‸speechTotext: true}", "not a setting", "did you mean 'speechToText'?"),
    "a field that is not a setting": ("settings: {‸model: x}", "'model' is not a setting"),
    "setting of a wrong type": ("settings: {expire: ‸soon}", "whole number"),
    "setting too small": ("settings: {expire: ‸-1}", "at least 0"),
    "setting too long": (f"settings: {{keywordFinish: ‸{'x' * 101}}}", "101 characters"),
    "settings that borrow": ("settings: {openaiCreds: ‸{instance: x, name: y}}", "of their own instance"),
    "settings with an empty name": ("settings: {openaiCreds: ‸''}", "openaiCreds is empty"),
    "fallback": ("settings: {fallback: ‸aa}", "no bot 'aa'", "did you mean 'a'?", '""'),
    "fallback null": ("settings: {fallback: ‸null}", "cannot be null"),
    "fallback from a file": ("settings: {fallback: ‸!file x}", "without `!file`"),
    "merge of nothing": ("settings: {ignoreJids: {merge: ‸}}", "list of texts"),
    "merge of a text": ("settings: {ignoreJids: {merge: ‸x}}", "list of texts", "merge: ['x']"),
    "merge mistyped": ("settings: {ignoreJids: {merge: [], ‸merg: []}}", "did you mean 'merge'?"),
    "merge missing": ("settings: {ignoreJids: ‸{}}", "has no merge"),
    "merge in a bot": ("defaults: {ignoreJids: ‸{merge: []}}", "list of texts"),
    "speechToText in a bot": ("defaults: {‸speechToText: true}", "move it to `settings:`"),
    "fallback in a bot": ("defaults: {‸fallback: a}", "move it to `settings:`"),
    "silence as a text": ("silence: ‸catch-all", "list of texts"),
    "silence of no id": ("silence: [a, ‸Catch All]", "'Catch All'", "lint rule"),
    "silence of no id in defaults": ("defaults: {silence: [‸'']}", "lint rule"),
    "vars as a list": ("vars: ‸[]", "vars must be a mapping"),
    "variable null": ("vars: {a: ‸null}", "the variable 'a' cannot be null"),
    "variable list": ("vars: {a: ‸[]}", "the variable 'a' must be a text"),
    "variable's name": ("vars: {‸a-b: x}", "'a-b' cannot be a variable's name"),
    "variable instance": ("vars: {‸instance: x}", "${instance} is already the instance's name"),
}
CREDS = {
    "itself": ("‸{instance: loja, name: x}", "own instance", "only its name"),
    "no name": ("‸{instance: x}", "has no name", "add"),
    "no instance": ("‸{name: x}", "has no instance"),
    "another key": ("{instance: x, name: y, ‸nme: z}", "'nme'", "did you mean 'name'?"),
    "empty name": ("{instance: x, name: ‸''}", "the name of openaiCreds is empty"),
    "empty instance": ("{instance: ‸'', name: x}", "the instance of openaiCreds is empty"),
    "name null": ("{instance: x, name: ‸null}", "cannot be null"),
    "list": ("‸[]", "must be a text, not a list"),
    "a key": (f"‸{KEY}", "looks like an API key"),
    "a key to borrow": (f"{{instance: x, name: ‸{KEY}}}", "looks like an API key"),
    "!env": ("‸!env X", "'!env'", "no meaning here"),
    "too long": (f"‸{'x' * 256}", "256 characters"),
}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        *(
            pytest.param(f"credentials:\n  {row[0]}\nbots: {{}}", row[1:], id=f"credentials: {name}")
            for name, row in CREDENTIALS.items()
        ),
        *(pytest.param(f"{row[0]}\n{BOTS}", row[1:], id=name) for name, row in BESIDE.items()),
        *(
            pytest.param(BOTS.replace("Creds: main", f"Creds: {row[0]}"), row[1:], id=f"openaiCreds: {name}")
            for name, row in CREDS.items()
        ),
    ],
)
def test_place_and_words(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    text, place = marked(text)
    found = problems(tmp_path, {"loja.yaml": text})
    assert len(found) == 1, found
    assert found[0].startswith(f"loja.yaml:{place}: ")
    for word in words:
        assert word in found[0]
    assert "canary" not in found[0]


def test_a_key_is_not_shown_wherever_it_was_put_by_mistake(tmp_path: Path) -> None:
    places = [f"{KEY}: 1", f"enabled: {KEY}", f"expire: {KEY}", f"botType: {KEY}", f"ignoreJids: {KEY}"]
    places += [f"triggerOperator: [{KEY}]", f"previously: [{KEY.upper()}, {KEY}_]", f"onDrift: {KEY}"]
    bots = "".join(f"  b{n}:\n    {place}\n" for n, place in enumerate(places))
    found = problems(tmp_path, {"loja.yaml": f"bots:\n{bots}  {KEY}_: {{}}\n{KEY}: 1\n"})
    assert len(found) > len(places)
    assert KEY not in "\n".join(found)


def test_where_an_alias_leads(tmp_path: Path) -> None:
    text, place = marked(f"x-key: ‸&k {ODD_KEY}\ncredentials: {{main: {{apiKey: *k}}}}\nbots: {{}}")
    (found,) = problems(tmp_path, {"loja.yaml": text})
    assert found.startswith(f"loja.yaml:{place}: an apiKey must not be")
    assert "canary" not in found


# -- across manifests -------------------------------------------------------------------------

B = "b.yaml"
ACROSS: dict[str, tuple[dict[str, str], list[str]]] = {
    "one name": (
        {
            "a.yaml": "credentials: {main: {apiKey: !env A}}\nbots: {}",
            B: "credentials:\n  ‸main: {apiKey: !env B}\nbots: {}",
        },
        ["'main' is already declared by instance 'a' (", "openaiCreds: {instance: 'a', name: 'main'}"],
    ),
    "one variable": (
        {
            "a.yaml": "credentials: {one: {apiKey: !env A}}\nbots: {}",
            B: "credentials:\n  ‸two: {apiKey: !env A}\nbots: {}",
        },
        [
            "the key '!env A' is already that of 'one' of instance 'a'",
            "openaiCreds: {instance: 'a', name: 'one'}",
        ],
    ),
    "one file": (
        {
            "a.yaml": "credentials: {one: {apiKey: !secret-file keys/x}}\nbots: {}",
            "c/d/b.yaml": "credentials:\n  ‸two: {apiKey: !secret-file ../.././keys//x}\nbots: {}",
        },
        ["is already that of 'one' of instance 'a'"],
    ),
    "a lender without it": (
        {
            "a.yaml": "credentials: {main: {apiKey: !env A}}\nbots: {}",
            B: BOTS.replace("main", "‸{instance: a, name: mian}"),
        },
        ["instance 'a' declares no credential 'mian'", "did you mean 'main'?"],
    ),
    "the wrong lender": (
        {
            "a.yaml": "credentials: {main: {apiKey: !env A}}\nbots: {}",
            "c.yaml": "bots: {}",
            B: BOTS.replace("main", "‸{instance: c, name: main}"),
        },
        ["belongs to instance 'a', not to 'c'", "{instance: 'a', name: 'main'}"],
    ),
    "another's, not borrowed": (
        {"a.yaml": "credentials: {main: {apiKey: !env A}}\nbots: {}", B: BOTS.replace("main", "‸main")},
        ["belongs to instance 'a', not to 'b'", "share it with openaiCreds: {instance: 'a', name: 'main'}"],
    ),
    "another's in settings": (
        {
            "a.yaml": "credentials: {main: {apiKey: !env A}}\nbots: {}",
            B: "settings: {openaiCreds: ‸main}\nbots: {}",
        },
        ["belongs to instance 'a', not to 'b'"],
    ),
    "its own, lent by another": (
        {
            "a.yaml": "credentials: {other: {apiKey: !env A}}\nbots: {}",
            B: "credentials: {main: {apiKey: !env B}}\n" + BOTS.replace("main", "‸{instance: a, name: main}"),
        },
        ["write only its name"],
    ),
    "what a rotation made": (
        {"a.yaml": "credentials: {main: {apiKey: !env A}}\n" + BOTS.replace("main", "‸main@2")},
        ["'main@2' is a version of 'main'"],
    ),
}


@pytest.mark.parametrize(("files", "words"), ACROSS.values(), ids=ACROSS)
def test_across_manifests(tmp_path: Path, files: dict[str, str], words: list[str]) -> None:
    [(file, text)] = [(file, text) for file, text in files.items() if HERE in text]
    plain, place = marked(text)
    found = problems(tmp_path, files | {file: plain})
    assert len(found) == 1, found
    assert found[0].startswith(f"{file}:{place}: ")
    for word in words:
        assert word in found[0]


def test_of_three_all_but_the_first(tmp_path: Path) -> None:
    text = "credentials: {main: {apiKey: !env A}}\nbots: {}"
    found = problems(tmp_path, {"b.yaml": text, "a.yaml": text, "x/c.yaml": text})
    assert [line.partition(": ")[0] for line in found] == ["b.yaml:1:15", "x/c.yaml:1:15"]


def test_a_key_that_is_wrong_is_the_one_error(tmp_path: Path) -> None:
    """What names the credential is right."""
    credentials = "credentials: {main: !env M, two: {apiKey: y}, three: {apiKey: !env A}}\n"
    files = {"a.yaml": credentials + BOTS, "b.yaml": BOTS.replace("main", "{instance: a, name: main}")}
    found = problems(tmp_path, files)
    assert [line.partition(": ")[0] for line in found] == ["a.yaml:1:21", "a.yaml:1:43"]


def test_what_may_be_made_by_hand(tmp_path: Path) -> None:
    """Credentials that no manifest declares: their own, a lender's, an unknown instance's."""
    declared = "credentials: {main: {apiKey: !env A}}\n"
    files = {
        "a.yaml": declared + BOTS.replace("main", "by-hand"),
        "b.yaml": BOTS.replace("main", "{instance: nowhere, name: x}"),
        "c.yaml": BOTS.replace("main", "{instance: b, name: x@2}"),
        "d.yaml": BOTS.replace("main", "{instance: a, name: main}"),
    }
    assert [one.bots[0].creds for one in read(tmp_path, files).instances] == ["by-hand", "x", "x@2", "main"]
