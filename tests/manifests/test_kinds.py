"""Bots of every kind: which fields they take, what is inherited, and what is said of the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.domain import hidden
from reconciler.domain.desired import PasswordRef, UrlRef
from reconciler.domain.hidden import Hidden
from reconciler.domain.kinds import DEFAULT, KINDS, Kind, Type
from reconciler.manifests.tables import fields, keys
from tests.manifests.writing import HERE, bot, marked, problems, read, whole, written

CANARY = "canario-9f8e7d6c5b4a"
DIFY, N8N, TYPEBOT = KINDS["dify"], KINDS["n8n"], KINDS["typebot"]

every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=str)


@every_kind
def test_a_bot_with_what_its_kind_needs(tmp_path: Path, kind: Kind) -> None:
    found = bot(tmp_path, f"bots:\n  {whole(kind)}\n")
    assert found.kind is kind
    assert found.creds == ("main" if kind.credential else None)
    for name, value in found.fields.items():
        if kind.fields[name].hides == "whole":
            assert isinstance(value, Hidden)
            assert (value.ref, value.real, str(value)) == (
                hidden.reference(kind.fields[name], "env", "A_SECRET"),
                None,
                "!env A_SECRET",
            )


@every_kind
def test_every_field_of_a_kind(tmp_path: Path, kind: Kind) -> None:
    """A body with all fields of the API's own names."""
    given = {
        field.name: written(field)
        for field in kind.fields.values()
        if field.name not in {"openaiCredsId", "triggerType"}
    }
    found = bot(tmp_path, f"bots:\n  {whole(kind, **given | {'triggerType': 'keyword'})}\n")
    assert list(found.fields) == [name for name in kind.fields if name in {*given, "triggerType"}]


@every_kind
def test_each_field_that_is_needed(tmp_path: Path, kind: Kind) -> None:
    for field in kind.fields.values():
        if not field.required:
            continue
        lines = whole(kind).replace(f"{field.name}: ", f"x-{field.name}: ")
        said = problems(tmp_path, {"loja.yaml": f"bots:\n  {lines}\n"})
        who = "a bot" if kind is DEFAULT else f"a bot of kind {kind.path}"
        assert any(f"'a' has no {field.name}, which {who} needs: add it" in each for each in said)


@every_kind
def test_a_text_that_is_too_long(tmp_path: Path, kind: Kind) -> None:
    for field in kind.fields.values():
        if field.limit is None or field.hides == "whole" or field.type is not Type.TEXT:
            continue
        text = "https://x/".ljust(field.limit, "x")
        assert str(bot(tmp_path, f"bots:\n  {whole(kind, **{field.name: repr(text)})}\n").fields[field.name])
        [said] = problems(
            tmp_path, {"loja.yaml": f"bots:\n  {whole(kind, **{field.name: repr(text + 'x')})}\n"}
        )
        assert f"{field.name} has {field.limit + 1} characters, and the limit is {field.limit}" in said


def test_fields_of_one_name_are_alike() -> None:
    """`defaults` are read before it is known for which kind: choices alone may differ."""
    for section in ("bot", "settings"):
        for name, together in fields(section, None).items():
            for kind in KINDS.values():
                if (own := fields(section, kind).get(name)) is not None:
                    assert (own.type, own.limit, own.minimum, own.unit, own.default, own.hides) == (
                        together.type,
                        together.limit,
                        together.minimum,
                        together.unit,
                        together.default,
                        together.hides,
                    )
                    assert set(own.choices) <= set(together.choices)


# -- secrets ----------------------------------------------------------------------------------

SECRETS = [
    (kind, field.name) for kind in KINDS.values() for field in kind.fields.values() if field.hides == "whole"
]
LITERALS = [
    CANARY,
    f"'{CANARY}'",
    f"[{CANARY}]",
    f"{{x: {CANARY}}}",
    f"!file {CANARY}",
    f"!x {CANARY}",
    f"|\n      {CANARY}",
]


@pytest.mark.parametrize(("kind", "name"), SECRETS, ids=str)
@pytest.mark.parametrize("literal", LITERALS)
def test_a_secret_is_no_literal(tmp_path: Path, kind: Kind, name: str, literal: str) -> None:
    required = "".join(
        f"    {field.name}: {written(field)}\n" for field in kind.fields.values() if field.required
    )
    text = f"bots:\n  a:\n    kind: {kind.path}\n{required}    {name}: {literal}\n"
    said = problems(tmp_path, {"loja.yaml": text.replace("triggerType: all", "triggerType: none")})
    assert CANARY not in "\n".join(said)
    assert len(said) == 1
    assert f"{name}" in said[0]
    assert "!env NAME or !secret-file PATH" in said[0]


@pytest.mark.parametrize(("kind", "name"), SECRETS, ids=str)
def test_where_a_secret_is_found(tmp_path: Path, kind: Kind, name: str) -> None:
    for tag, place in (("env", "A_KEY"), ("secret-file", "/run/secrets/a")):
        value = bot(tmp_path, f"bots:\n  {whole(kind, **{name: f'!{tag} {place}'})}\n").fields[name]
        assert isinstance(value, Hidden)
        assert value.ref == hidden.reference(kind.fields[name], tag, place)
        assert (type(value.ref) is PasswordRef) == kind.fields[name].password


@every_kind
def test_a_url_may_be_found_elsewhere(tmp_path: Path, kind: Kind) -> None:
    for field in kind.fields.values():
        if field.hides == "url":
            given = {field.name: "!env A_URL"}
            value = bot(tmp_path, f"bots:\n  {whole(kind, **given)}\n").fields[field.name]
            assert isinstance(value, Hidden)
            assert value.ref == UrlRef("env", "A_URL")


# -- layers -----------------------------------------------------------------------------------


def test_defaults_apply_to_the_fields_that_a_kind_has(tmp_path: Path) -> None:
    text = """
defaults: {botType: chatCompletion, model: m, apiUrl: "https://x.example", delayMessage: 5, openaiCreds: c}
bots:
  o: {maxTokens: 5, triggerType: none}
  t: {kind: typebot, url: "https://t.example.com", typebot: x, triggerType: none}
  f: {kind: flowise, triggerType: none}
"""
    [instance] = read(tmp_path, {"loja.yaml": text}).instances
    assert {one.name: dict(one.fields) for one in instance.bots} == {
        "o": {
            "botType": "chatCompletion",
            "model": "m",
            "maxTokens": 5,
            "triggerType": "none",
            "delayMessage": 5,
        },
        "t": {"url": "https://t.example.com", "typebot": "x", "triggerType": "none", "delayMessage": 5},
        "f": {"apiUrl": "https://x.example", "triggerType": "none", "delayMessage": 5},
    }
    assert [one.creds for one in instance.bots] == ["c", None, None]
    assert set(instance.bots[1].origins) == {"kind", "url", "typebot", "triggerType", "delayMessage"}


def test_a_choice_that_a_kind_does_not_have_is_not_applied(tmp_path: Path) -> None:
    text = "defaults: {botType: %s}\nbots:\n  d: {kind: dify, triggerType: none}\n"
    assert bot(tmp_path, text % "agent").fields["botType"] == "agent"
    assert problems(tmp_path, {"loja.yaml": text % "assistant"}) == [
        "loja.yaml:3:3: 'd' has no botType, which a bot of kind dify needs: add it"
    ]
    [wrong] = problems(tmp_path, {"loja.yaml": text.partition("bots")[0] % "agnt" + "bots: {}"})
    assert wrong.startswith(
        "loja.yaml:1:21: botType cannot be 'agnt' (did you mean 'agent'?): write assistant, "
    )


PLACES = {
    "bots": "bots: {{d: {{delayMessage: {}}}}}",
    "kinds": "kinds: {{dify: {{defaults: {{delayMessage: {}}}}}}}",
    "defaults": "defaults: {{delayMessage: {}}}",
}
ORDER = [
    ("loja.yaml", "bots"),
    ("sul/_defaults.yaml", "bots"),
    ("_defaults.yaml", "bots"),
    ("loja.yaml", "kinds"),
    ("loja.yaml", "defaults"),
    ("sul/_defaults.yaml", "kinds"),
    ("sul/_defaults.yaml", "defaults"),
    ("_defaults.yaml", "kinds"),
    ("_defaults.yaml", "defaults"),
]
"""Where a value may be declared, the strongest first."""


@pytest.mark.parametrize("strongest", range(len(ORDER)))
def test_which_value_wins(tmp_path: Path, strongest: int) -> None:
    dify = "kind: dify, botType: agent, triggerType: none"
    files = {"sul/loja.yaml": "bots:", "sul/_defaults.yaml": "bots:", "_defaults.yaml": "bots:"}
    lines: dict[str, dict[str, int]] = {name: {} for name in files}
    for number, (file, place) in enumerate(ORDER[strongest:], start=strongest):
        lines["sul/loja.yaml" if file == "loja.yaml" else file][place] = number
    for name, places in lines.items():
        own = f", delayMessage: {places.pop('bots')}" if "bots" in places else ""
        head = dify if name == "_defaults.yaml" else "enabled: true"
        files[name] = "\n".join(
            [
                f"bots: {{d: {{{head}{own}}}}}",
                *(PLACES[place].format(number) for place, number in places.items()),
            ]
        )
    [instance] = read(tmp_path, files).instances
    assert instance.bots[0].fields["delayMessage"] == strongest
    file, place = ORDER[strongest]
    origin = instance.bots[0].origins["delayMessage"]
    layer = {"bots": "bot", "kinds": "kinds.dify.defaults", "defaults": "defaults"}[place]
    assert origin.layer == (layer if file == "loja.yaml" else f"folder {layer}")
    assert origin.source.file.endswith(file)


def test_an_inherited_bot_keeps_its_kind(tmp_path: Path) -> None:
    files = {
        "_defaults.yaml": f"bots:\n  {whole(DIFY, 'd')}\n  {whole(TYPEBOT, 't')}\n",
        "sul/_defaults.yaml": "bots: {d: {botType: workflow}}",
        "sul/loja.yaml": "bots: {d: {apiUrl: 'https://loja.example.com'}, t: false}",
        "norte/loja-n.yaml": "bots: {d: {model: x}}",
    }
    [said] = problems(tmp_path, files)
    assert said.startswith(
        "norte/loja-n.yaml:1:12: model is a field of kind openai, and not of dify: leave it out"
    )
    del files["norte/loja-n.yaml"]
    (tmp_path / "bots/norte/loja-n.yaml").unlink()
    [instance] = read(tmp_path, files).instances
    [found] = instance.bots
    assert (found.kind, found.fields["botType"], found.fields["apiUrl"]) == (
        DIFY,
        "workflow",
        "https://loja.example.com",
    )


def test_a_nearer_kind_leaves_out_what_it_does_not_have(tmp_path: Path) -> None:
    files = {
        "_defaults.yaml": f"bots:\n  {whole(DIFY, 'menu', delayMessage='7')}\n",
        "loja.yaml": "bots: {menu: {kind: typebot, url: 'https://t.example.com', typebot: menu}}",
    }
    [instance] = read(tmp_path, files).instances
    assert instance.bots[0].kind is TYPEBOT
    assert dict(instance.bots[0].fields) == {
        "url": "https://t.example.com",
        "typebot": "menu",
        "triggerType": "none",
        "delayMessage": 7,
    }


def test_a_bot_that_was_left_out_above_begins_anew(tmp_path: Path) -> None:
    files = {
        "_defaults.yaml": f"bots:\n  {whole(DIFY, 'menu')}\n",
        "sul/_defaults.yaml": "bots: {menu: false}",
        "sul/loja.yaml": f"bots:\n  {whole(DEFAULT, 'menu').replace('kind: openai, ', '')}\n",
    }
    [instance] = read(tmp_path, files).instances
    assert instance.bots[0].kind is DEFAULT


def test_nothing_is_said_of_fields_where_a_folder_s_file_is_broken(tmp_path: Path) -> None:
    files = {
        "_defaults.yaml": "bots: [",
        "loja.yaml": "bots: {menu: {apiUrl: 'https://x.example.com', model: x}}",
    }
    said = problems(tmp_path, files)
    assert [each.partition(":")[0] for each in said] == ["_defaults.yaml"]


# -- settings ---------------------------------------------------------------------------------


def _settings(kind: Kind, text: str) -> str:
    return f"kinds: {{{kind.path}: {{settings: {text}}}}}\nbots:\n  {whole(kind)}\n"


@every_kind
def test_settings_of_each_kind(tmp_path: Path, kind: Kind) -> None:
    given = {field.name: written(field) for field in kind.settings.values()}
    line = ", ".join(f"{name}: {text}" for name, text in given.items())
    [instance] = read(tmp_path, {"loja.yaml": _settings(kind, f"{{{line}, fallback: a}}")}).instances
    [(path, found)] = instance.settings.items()
    assert (path, list(found.fields), found.fallback, found.merge_jids) == (
        kind.path,
        list(kind.settings),
        "a",
        False,
    )
    text = _settings(kind, "{ignoreJids: {merge: [x]}, fallback: ''}")
    [instance] = read(tmp_path, {"loja.yaml": text}).instances
    merged = instance.settings[kind.path]
    assert (merged.fields, merged.merge_jids, merged.fallback) == ({"ignoreJids": ("x",)}, True, "")


def test_settings_and_those_of_openai_are_the_same(tmp_path: Path) -> None:
    plain = read(tmp_path, {"loja.yaml": "settings: {expire: 5}\nbots: {}"}).instances[0].settings
    named = (
        read(tmp_path, {"loja.yaml": "kinds: {openai: {settings: {expire: 5}}}\nbots: {}"})
        .instances[0]
        .settings
    )
    assert (plain["openai"].fields, list(plain)) == (named["openai"].fields, list(named))
    both = {
        "_defaults.yaml": "settings: {expire: 5, delayMessage: 1}",
        "loja.yaml": "kinds: {openai: {settings: {expire: 6}}}\nbots: {}",
    }
    assert read(tmp_path, both).instances[0].settings["openai"].fields == {"expire": 6, "delayMessage": 1}


# -- errors -----------------------------------------------------------------------------------

ERRORS = {
    "a kind that is none": (
        "bots: {a: {kind: ‸tyepbot}}",
        "there is no kind 'tyepbot' (did you mean 'typebot'?): write openai, ",
    ),
    "a kind in other letters": ("bots: {a: {kind: ‸N8N}}", "there is no kind 'N8N' (did you mean 'n8n'?)"),
    "a kind that is null": ("bots: {a: {kind: ‸null}}", "kind cannot be null"),
    "a kind that is a list": ("bots: {a: {kind: ‸[dify]}}", "kind must be a text"),
    "a kind of kinds": ("kinds: {‸difi: {}}\nbots: {}", "there is no kind 'difi' (did you mean 'dify'?)"),
    "kinds as a list": ("kinds: ‸[dify]\nbots: {}", "kinds must be a mapping"),
    "a key of a kind": (
        "kinds: {dify: {‸default: {}}}\nbots: {}",
        "not a key of a kind (did you mean 'defaults'?): write defaults and settings",
    ),
    "kind in defaults": ("defaults: {‸kind: dify}\nbots: {}", "kind belongs to one bot: move it there"),
    "kind in a kind's defaults": (
        "kinds: {dify: {defaults: {‸kind: dify}}}\nbots: {}",
        "kind belongs to one bot",
    ),
    "a default of no kind": (
        "defaults: {‸modle: x}\nbots: {}",
        "'modle' is not a field of a bot (did you mean 'model'?)",
    ),
    "a default of another kind": (
        "kinds: {dify: {defaults: {‸model: x}}}\nbots: {}",
        "model is a field of kind openai, and not of dify: leave it out",
    ),
    "a field of other kinds": (
        f"bots:\n  {whole(TYPEBOT, **{'‸apiUrl': 'x'})}\n",
        "apiUrl is a field of kind dify, flowise and evolutionBot, and not of typebot: leave it out, or "
        "change the bot's kind",
    ),
    "a field of another kind": (
        f"bots:\n  {whole(N8N, **{'‸agentUrl': 'x'})}\n",
        "agentUrl is a field of kind evoai, and not of n8n: leave it out, or write `kind: evoai`",
    ),
    "a credential": (
        f"bots:\n  {whole(N8N, **{'‸openaiCreds': 'x'})}\n",
        "openaiCreds is a field of kind openai, and not of n8n",
    ),
    "a field of no kind": (
        f"bots:\n  {whole(N8N, **{'‸webhokUrl': 'x'})}\n",
        "'webhokUrl' is not a field of a bot (did you mean 'webhookUrl'?)",
    ),
    "a field that is not stored": (
        f"bots:\n  {whole(N8N, **{'‸basicAuthPassword': 'x'})}\n",
        "the server accepts basicAuthPassword and ignores it: write basicAuthPass",
    ),
    "a default that is not stored": ("defaults: {‸basicAuthPassword: x}\nbots: {}", "write basicAuthPass"),
    "a choice of another kind": (
        f"bots:\n  {whole(DIFY, botType='‸assistant')}\n",
        "botType cannot be 'assistant': write chatBot, textGenerator, agent or workflow",
    ),
    "a setting of another kind": (
        _settings(DIFY, "{‸speechToText: true}"),
        "speechToText is a setting of kind openai, and not of dify: leave it out",
    ),
    "a fallback of another kind": (
        f"kinds: {{dify: {{settings: {{fallback: ‸a}}}}}}\nbots:\n  {whole(N8N)}\n",
        "'a' is a bot of kind n8n, and the settings of kind dify can only fall back to one of their own",
    ),
    "a fallback that is none": (
        _settings(DIFY, "{fallback: ‸b}"),
        "the instance has no bot 'b' of kind dify",
    ),
    "settings twice": (
        "settings: {}\nkinds: {openai: {‸settings: {}}}\nbots: {}",
        "kinds.openai.settings and settings are the same",
    ),
    "a name twice": (f"bots:\n  {whole(N8N)}\n  ‸{whole(DIFY)}\n", "'a' appears twice"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_place_and_words(tmp_path: Path, case: str) -> None:
    written_, said = ERRORS[case]
    text, place = marked(written_)
    [found] = problems(tmp_path, {"loja.yaml": text})
    assert found.startswith(f"loja.yaml:{place}: ")
    assert said in found


@every_kind
def test_settings_that_the_server_ignores(tmp_path: Path, kind: Kind) -> None:
    for name in kind.schema.misnamed_settings:
        [found] = problems(tmp_path, {"loja.yaml": _settings(kind, f"{{{name}: x}}")})
        assert found.endswith(f"the server accepts {name} and ignores it: write fallback")


@every_kind
def test_a_row_of_the_server(tmp_path: Path, kind: Kind) -> None:
    given = {"id": "1", "createdAt": "x", "unknownMessage": "null", f"{kind.path}IdFallback": "x"}
    [found] = problems(tmp_path, {"loja.yaml": f"bots:\n  {whole(kind, **given)}\n"})
    assert found.endswith(f": delete id, createdAt, unknownMessage, {kind.path}IdFallback")


# -- clashes ----------------------------------------------------------------------------------

OTHERS = [kind for kind in KINDS.values() if kind.omitted_key == "any"]


@pytest.mark.parametrize("kind", OTHERS, ids=str)
def test_two_bots_of_a_kind_have_different_keys(tmp_path: Path, kind: Kind) -> None:
    [found] = problems(tmp_path, {"loja.yaml": f"bots:\n  {whole(kind, 'a')}\n  {whole(kind, 'b')}\n"})
    names = [
        name
        for name in kind.key(
            {"botType": kind.fields["botType"].choices[0] if "botType" in kind.fields else ""}
        )
        if f"{name}: " in whole(kind)
    ]
    listed = " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
    assert "'b' and 'a' (loja.yaml:2:3)" in found
    assert "without" not in found
    assert f"have the same {listed}, and the server tells bots of kind {kind.path} apart by" in found
    other = "'https://other.example.com'" if kind.fields[names[-1]].hides == "url" else "!env OTHER"
    if not kind.fields[names[-1]].hides:
        other = "other"
    different = f"bots:\n  {whole(kind, 'a')}\n  {whole(kind, 'b', **{names[-1]: other})}\n"
    assert len(read(tmp_path, {"loja.yaml": different}).instances[0].bots) == 2


def test_a_bot_without_a_part_of_its_key(tmp_path: Path) -> None:
    one, other = whole(N8N, "a"), whole(N8N, "b").replace(", basicAuthPass: !env A_SECRET", "")
    for lines in ((one, other), (other, one)):
        [found] = problems(tmp_path, {"loja.yaml": "bots:\n  {}\n  {}\n".format(*lines)})
        assert "have the same webhookUrl, and" in found
        assert "one without basicAuthPass is taken for every other" in found


@pytest.mark.parametrize("trigger", ["all", "keyword, triggerOperator: equals, triggerValue: oi"])
def test_triggers_are_a_kind_s_own(tmp_path: Path, trigger: str) -> None:
    lines = "\n  ".join(whole(kind, kind.path.lower(), triggerType=trigger) for kind in KINDS.values())
    assert len(read(tmp_path, {"loja.yaml": f"bots:\n  {lines}\n"}).instances[0].bots) == len(KINDS)
    another = whole(DIFY, "another", triggerType=trigger, apiUrl="'https://another.example.com'")
    [found] = problems(tmp_path, {"loja.yaml": f"bots:\n  {lines}\n  {another}\n"})
    assert "'another' and 'dify'" in found


def test_a_rename_within_an_instance(tmp_path: Path) -> None:
    text = f"bots:\n  {whole(DIFY, 'a', previously='[b]')}\n  {whole(N8N, 'b')}\n"
    [found] = problems(tmp_path, {"loja.yaml": text})
    assert "previously lists 'b', which is another bot of this manifest" in found


def test_every_key_is_known_by_some_kind() -> None:
    assert {name for kind in KINDS.values() for name in keys("bot", kind)} == set(keys("bot", None))
    assert HERE not in "".join(keys("bot", None))
