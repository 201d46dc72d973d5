"""The JSON Schema, as an editor uses it: it takes what the loader takes, and marks what is plainly wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor

from reconciler.domain.kinds import KINDS, OPENAI, Field, Kind, Type
from reconciler.manifests.discovery import is_defaults
from reconciler.manifests.load import load
from reconciler.manifests.schema import schema
from tests.manifests.test_good import DOCUMENTED, MERGES, SCALARS
from tests.manifests.writing import CHAT, problems, read, whole

SAMPLE = Path(__file__).parents[2] / "bots"
DIFY = KINDS["dify"]
ONE = f"bots:\n  a:\n{CHAT}"


class _Plain(SafeConstructor):
    """YAML 1.2 as editors read it: a tag that is not known leaves the text that it stands before."""


_Plain.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: node.value)  # no type in 1.2
_Plain.add_constructor(None, lambda loader, node: loader.construct_scalar(node))


def plain(text: str) -> Any:
    """What a text says to an editor; keys are texts."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _Plain
    return _keyed(yaml.load(text))


def _keyed(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _keyed(item) for key, item in value.items()}
    return [_keyed(item) for item in value] if isinstance(value, list) else value


def marks(text: str, *, folder: bool = False) -> list[str]:
    """What the schema says is wrong, by its path."""
    validator = Draft202012Validator(schema(folder=folder))
    return [error.json_path for error in validator.iter_errors(plain(text))]


def field(line: str) -> str:
    """A whole bot with this line in the place of the same field."""
    name = line.partition(":")[0]
    kept = [old for old in CHAT.splitlines() if old.split(":")[0].strip() != name]
    return "bots:\n  a:\n" + "\n".join([*kept, f"    {line}"]) + "\n"


@pytest.mark.parametrize("folder", [False, True])
def test_it_is_a_schema(folder: bool) -> None:
    Draft202012Validator.check_schema(schema(folder=folder))


@pytest.mark.parametrize("file", sorted(SAMPLE.rglob("*.yaml")), ids=lambda file: file.name)
def test_the_samples(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    name = "defaults" if is_defaults(file.name) else "manifest"
    assert marks(text, folder=name == "defaults") == []
    depth = len(file.relative_to(SAMPLE).parts)
    up = "../" * depth
    assert text.startswith(f"# yaml-language-server: $schema={up}docs/{name}.schema.json\n")


GOOD = {
    "documented": f"bots: {{a: {DOCUMENTED}}}",
    **{f"scalar {written}": field(f"triggerValue: {written}") for written, _ in SCALARS},
    **{
        f"merge {name}": "x-one: &one {triggerValue: one, maxTokens: 100}\n"
        "x-two: &two {triggerValue: two, maxTokens: 200}\n"
        "x-three: &three\n  <<: *two\n  triggerValue: three\n"
        "defaults: {openaiCreds: c, botType: chatCompletion, model: m, triggerValue: default}\n"
        f"bots:\n  a:\n    triggerType: keyword\n    triggerOperator: equals\n    {row[0]}\n"
        for name, row in MERGES.items()
    },
    "numbers for texts": field("systemMessages: [1, 2.5, true, 0x1F, 'a']"),
    "numbers for names": "instance: 1\nbots: {}\nsilence: [1]\nsettings: {openaiCreds: 5}\nvars: {a: 1}",
    "a bot named by a number": f"bots:\n  1:\n{CHAT}    previously: [2, true]\n",
    "a file": field("description: !file p.md"),
    "credentials": "credentials: {main: {apiKey: !env A}, 2: {apiKey: !secret-file /run/x}}\nbots: {}",
    "settings": "settings: {ignoreJids: {merge: [x, 1]}, speechToText: true, fallback: ''}\nbots: {}",
    "jids": "settings: {ignoreJids: ['@g.us']}\nbots: {}",
    "borrowed": field("openaiCreds: {instance: other, name: 1}"),
    "limits": field(f"functionUrl: {'é' * 500}"),
    "onDrift": field("onDrift: replace"),
    "silence": field("silence: [catch-all]"),
    "tests": f"{ONE}tests:\n  - {{message: 1, bot: null, fromMe: true}}\n"
    "  - {message: [a, 2], bot: [a, b], jid: x@g.us, name: 5}\n  - {message: a, bot: a}\n",
    "variables": "vars: {loja: Centro}\n" + field("description: 'Loja ${loja}'"),
    **{f"kind {path}": f"bots:\n  {whole(kind)}\n" for path, kind in KINDS.items()},
    "kinds": "kinds: {dify: {defaults: {botType: agent, onDrift: replace}, settings: {fallback: ''}}, "
    "openai: {settings: {speechToText: true}}}\nbots: {}",
    "defaults of several kinds": "defaults: {botType: agent, apiUrl: x, model: m, openaiCreds: c}\nbots: {}",
}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_what_the_loader_takes(tmp_path: Path, text: str) -> None:
    read(tmp_path, {"loja.yaml": text, "p.md": "x"})
    assert marks(text) == []


def test_a_bot_that_inherits_its_kind(tmp_path: Path) -> None:
    """Without `kind` any kind's field is right, and OpenAI's are offered."""
    folder = f"bots:\n  {whole(DIFY, 'menu')}\n"
    manifest = "bots: {menu: {apiUrl: x, botType: agent, apiKey: !env OTHER}}"
    read(tmp_path, {"_defaults.yaml": folder, "loja.yaml": manifest})
    assert (marks(folder, folder=True), marks(manifest)) == ([], [])
    [offered] = [case["then"] for case in schema()["$defs"]["Bot"]["allOf"] if "not" in case["if"]]
    assert offered["properties"].keys() >= OPENAI.fields.keys()
    assert not {"apiUrl", "apiKey"} & offered["properties"].keys()


def test_a_folders_file_and_what_is_opted_out_of(tmp_path: Path) -> None:
    folder = f"vars: {{a: 1}}\nx-a: 1\nsilence: [x]\nsettings: {{expire: 1}}\ndefaults: {{expire: 1}}\n{ONE}"
    manifest = "bots: {a: false}"
    read(tmp_path, {"_defaults.yaml": folder, "loja.yaml": manifest})
    assert (marks(folder, folder=True), marks(manifest)) == ([], [])


BROKEN = {
    "unknown key": ("bot: {}\nbots: {}", "$"),
    "unknown field": (field("modle: x"), "$.bots.a"),
    "unknown default": ("defaults: {modle: x}\nbots: {}", "$.defaults"),
    "unknown setting": ("settings: {model: x}\nbots: {}", "$.settings"),
    "previously in defaults": ("defaults: {previously: [x]}\nbots: {}", "$.defaults"),
    "a bot's name": (ONE.replace("a:", "A:", 1), "$.bots"),
    "a long name": (ONE.replace("a:", f"{'a' * 65}:", 1), "$.bots"),
    "true for a bot": ("bots: {a: true}", "$.bots.a"),
    "null": (field("triggerValue: null"), "$.bots.a.triggerValue"),
    "nothing": (field("description:"), "$.bots.a.description"),
    "a list for a text": (field("model: [a]"), "$.bots.a.model"),
    "a text for a list": (field("ignoreJids: x"), "$.bots.a.ignoreJids"),
    "a null in a list": (field("ignoreJids: [~]"), "$.bots.a.ignoreJids[0]"),
    "yes": (field("enabled: yes"), "$.bots.a.enabled"),
    "a quoted number": (field('maxTokens: "300"'), "$.bots.a.maxTokens"),
    "too small": (field("maxTokens: 0"), "$.bots.a.maxTokens"),
    "beyond int32": (field("expire: 2147483648"), "$.bots.a.expire"),
    "not one of the words": (field("triggerOperator: is"), "$.bots.a.triggerOperator"),
    "too long": (field(f"keywordFinish: {'x' * 101}"), "$.bots.a.keywordFinish"),
    "merge in a bot": (field("ignoreJids: {merge: []}"), "$.bots.a.ignoreJids"),
    "merge mistyped": ("settings: {ignoreJids: {mrge: []}}\nbots: {}", "$.settings.ignoreJids"),
    "settings that borrow": (
        "settings: {openaiCreds: {instance: a, name: b}}\nbots: {}",
        "$.settings.openaiCreds",
    ),
    "borrowed without a name": (field("openaiCreds: {instance: a}"), "$.bots.a.openaiCreds"),
    "a plain key": ("credentials: {main: {apiKey: sk-proj-x}}\nbots: {}", "$.credentials.main.apiKey"),
    "no apiKey": ("credentials: {main: {}}\nbots: {}", "$.credentials.main"),
    "a rotated name": ("credentials: {main@2: {apiKey: !env A}}\nbots: {}", "$.credentials"),
    "a variable's name": ("vars: {a-b: x}\nbots: {}", "$.vars"),
    "a kind": (f"bots:\n  {whole(DIFY).replace('kind: dify', 'kind: difi')}\n", "$.bots.a.kind"),
    "a kind of kinds": ("kinds: {difi: {}}\nbots: {}", "$.kinds"),
    "a field of another kind": (f"bots:\n  {whole(DIFY, model='x')}\n", "$.bots.a"),
    "a choice of another kind": (f"bots:\n  {whole(DIFY, botType='assistant')}\n", "$.bots.a.botType"),
    "a credential of another kind": (f"bots:\n  {whole(DIFY, openaiCreds='x')}\n", "$.bots.a"),
    "a default of another kind": ("kinds: {dify: {defaults: {model: x}}}\nbots: {}", "$.kinds.dify.defaults"),
    "a kind in defaults": ("defaults: {kind: dify}\nbots: {}", "$.defaults"),
    "a setting of another kind": (
        "kinds: {dify: {settings: {speechToText: true}}}\nbots: {}",
        "$.kinds.dify.settings",
    ),
    "a test without a bot": (f"{ONE}tests: [{{message: x}}]", "$.tests[0]"),
    "a test without a message": (f"{ONE}tests: [{{bot: a}}]", "$.tests[0]"),
    "a test of nothing": (f"{ONE}tests: [{{message: [], bot: a}}]", "$.tests[0].message"),
    "a key of a test": (f"{ONE}tests: [{{message: x, bot: a, bots: b}}]", "$.tests[0]"),
    "a dropped test with a bot": (f"{ONE}tests: [{{name: x, drop: true, bot: a}}]", "$.tests[0]"),
    "an empty instance": ("instance: ''\nbots: {}", "$.instance"),
}


@pytest.mark.parametrize(("text", "path"), BROKEN.values(), ids=BROKEN)
def test_what_is_wrong_is_marked_and_refused(tmp_path: Path, text: str, path: str) -> None:
    assert marks(text) == [path]
    assert problems(tmp_path, {"loja.yaml": text})


@pytest.mark.parametrize("text", ["instance: x", "credentials: {}"])
def test_a_folders_file_is_about_no_single_instance(text: str) -> None:
    assert marks(text, folder=True) == ["$"]


def _properties(section: str, kind: Kind) -> dict[str, Any]:
    """The properties of a section as an editor finds them."""
    parts = schema()["$defs"]
    if section == "Bot":
        [of] = [
            case["then"]
            for case in parts["Bot"]["allOf"]
            if case["if"].get("properties") == {"kind": {"const": kind.path}}
        ]
    else:
        of = schema()["properties"]["kinds"]["properties"][kind.path]["properties"][section.lower()]
    found: dict[str, Any] = parts[of["$ref"].rpartition("/")[2]]["properties"]
    return {name: parts[each["$ref"].rpartition("/")[2]] for name, each in found.items()}


@pytest.mark.parametrize("kind", KINDS.values(), ids=str)
def test_every_field_is_told_whole(kind: Kind) -> None:
    beside = {"openaiCreds"} if kind.credential else set()
    every = {"Bot": {"kind", "previously", "onDrift", "silence"}, "Defaults": {"onDrift", "silence"}}
    for section in ("Bot", "Defaults", "Settings"):
        table = kind.settings if section == "Settings" else kind.fields
        properties = _properties(section, kind)
        assert properties.keys() == {*table, *beside, *every.get(section, {"fallback"})}
        for spec in table.values():
            _told_whole(properties[spec.name], spec)


def _told_whole(said: dict[str, Any], spec: Field) -> None:
    assert said["description"].startswith(spec.about)
    assert spec.unit is None or f"In {spec.unit}." in said["description"]
    assert said.get("default") == (list(spec.default) if isinstance(spec.default, tuple) else spec.default)
    assert ("!env" in said["description"]) == (spec.hides == "whole")
    assert ("!file" in said["description"]) == (
        spec.type in {Type.TEXT, Type.TEXTS} and spec.hides != "whole"
    )
    if spec.type is Type.ENUM:
        assert said["enum"] == list(spec.choices)
    if spec.type is Type.INT:
        assert (said["minimum"], said["maximum"]) == (spec.minimum, 2**31 - 1)
    if spec.type is Type.TEXT:
        assert said.get("maxLength") == spec.limit


def test_the_samples_load() -> None:
    assert load(SAMPLE).instances
