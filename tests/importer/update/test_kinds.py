"""Drift of every kind of bot: what comes back into the manifests, and where it is written."""

from __future__ import annotations

import pytest

from reconciler.domain.kinds import KINDS, OPENAI, Field, Kind, Type
from reconciler.manifests.load import load
from tests.importer.new.kinds import ALONE, own, secret
from tests.importer.new.servers import CANARY
from tests.importer.update.bench import Bench
from tests.support import Json

DIFY, FLOWISE, N8N = (KINDS[path] for path in ("dify", "flowise", "n8n"))
KEY = "A_KEY"

ids = pytest.mark.parametrize("kind", ALONE, ids=lambda kind: kind.path)


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret of every bot."""
    monkeypatch.setenv(KEY, secret(DIFY.fields["apiKey"]))


def entry(kind: Kind, name: str, number: int, *more: str) -> str:
    """A bot of a manifest, a key on each line."""
    hidden = [f"{field.name}: !env {KEY}" for field in kind.fields.values() if field.hides == "whole"]
    lines = [f"kind: {kind.path}", *(f"{key}: {value}" for key, value in own(kind, number).items())]
    lines += [*hidden, "triggerType: keyword", "triggerOperator: equals", f"triggerValue: v{number}", *more]
    return f"  {name}:\n" + "".join(f"    {line}\n" for line in lines)


def other(field: Field, value: Json) -> Json:
    """Another value of a field."""
    match field.type:
        case Type.BOOL:
            return not value
        case Type.INT:
            return value + 1
        case Type.ENUM:
            return next(choice for choice in field.choices[::-1] if choice != value)
        case Type.TEXTS:
            return [*value, "@lid"]
    return f"{value}-x"


@ids
def test_every_field_comes_back(bench: Bench, kind: Kind) -> None:
    names = [name for name, field in kind.fields.items() if field.from_settings]
    copied = [f"{name}: {_yaml(kind.fields[name].default)}" for name in names]
    settings = "".join(f"      {name}: {_yaml(kind.settings[name].default)}\n" for name in kind.settings)
    text = (
        f"kinds:\n  {kind.path}:\n    settings:\n{settings}      fallback: b\n"
        f"bots:\n{entry(kind, 'a', 1, 'enabled: true', 'description: Ana', *copied)}{entry(kind, 'b', 2)}"
    )
    bench.put({"loja.yaml": text}, {"loja": ()})
    [bot, _] = load(bench.bots).instances[0].bots
    fields = {
        name: other(kind.fields[name], list(value) if isinstance(value, tuple) else value)
        for name, value in bot.fields.items()
        if kind.fields[name].hides != "whole" and kind.fields[name].type is not Type.ENUM
    }
    bench.drift("loja", "a", kind, **fields)
    changed = {
        name: other(field, [] if field.default == () else field.default)
        for name, field in kind.settings.items()
    }
    a = bench.bot("loja", "a", kind)
    bench.drift_settings("loja", kind, **changed, fallbackId=a["id"])
    bench.sandbox.calls.clear()
    report = bench.update()
    assert not bench.sandbox.writes
    assert (report.failed, report.said) == ((), ())
    label = f"the {kind.label} settings"
    assert {one.about: {*one.keys} for one in report.edited} == {
        "a": {*fields},
        label: {*changed, "fallback"},
    }
    assert not bench.plan().writes
    after = bench.contents()["loja.yaml"].decode()
    assert after.count("\n") == text.count("\n"), "each value is written over"
    assert len(bench.diff()) == 2 * (len(fields) + len(changed) + 1)
    assert CANARY not in f"{after}{report}"


def _yaml(value: Json) -> str:
    return "[]" if value == () else str(value).lower() if isinstance(value, bool) else str(value)


@ids
def test_defaults_of_a_kind(bench: Bench, kind: Kind) -> None:
    text = (
        f"defaults:\n  debounceTime: 3\nkinds:\n  {kind.path}:\n"
        "    defaults:\n      expire: 5\n      keywordFinish: fim\n"
        f"bots:\n{entry(kind, 'a', 1)}{entry(kind, 'b', 2)}{entry(OTHER[kind.path], 'c', 3)}"
    )
    bench.put({"loja.yaml": text}, {"loja": ()})
    for name in "ab":
        bench.drift("loja", name, kind, expire=9, debounceTime=8)
    bench.drift("loja", "a", kind, keywordFinish="sair")
    report = bench.update()
    lines = bench.diff()
    assert lines[:2] == ["-      expire: 5\n", "+      expire: 9\n"]
    assert sorted(lines[2:]) == ["+    debounceTime: 8\n"] * 2 + ["+    keywordFinish: sair\n"], (
        "c keeps the default"
    )
    texts = [note.text for note in report.said]
    assert any(
        f"expire came from kinds.{kind.path}.defaults" in text and "drifted alike" in text for text in texts
    )
    assert any(
        f"keywordFinish came from kinds.{kind.path}.defaults" in text and "keep theirs" in text
        for text in texts
    )
    assert not bench.plan().writes


OTHER = {kind.path: ALONE[number - 1] for number, kind in enumerate(ALONE)}


@pytest.mark.parametrize("where", ["settings", "kinds: {openai: {settings", "both"])
def test_settings_are_written_where_they_are(bench: Bench, where: str) -> None:
    end = "" if where == "settings" else "}}"
    text = f"{where}: {{openaiCreds: main, expire: 5}}{end}\nbots: {{}}\n"
    if where == "both":
        text = "kinds: {dify: {settings: {expire: 5}}}\nsettings: {openaiCreds: main, expire: 5}\nbots: {}\n"
    bench.put({"loja.yaml": text}, {"loja": ("main",)})
    bench.drift_settings("loja", OPENAI, expire=7)
    bench.update()
    assert bench.contents()["loja.yaml"].decode() == "main, expire: 7".join(text.rsplit("main, expire: 5", 1))
    assert not bench.plan().writes


def test_a_folders_defaults_and_settings_of_a_kind(bench: Bench) -> None:
    folder = "kinds:\n  dify: {settings: {expire: 5}, defaults: {expire: 6}}\n"
    bench.put({"_defaults.yaml": folder, "loja.yaml": f"bots:\n{entry(DIFY, 'a', 1)}"}, {"loja": ()})
    bench.drift("loja", "a", DIFY, expire=8)
    bench.drift_settings("loja", DIFY, expire=9)
    bench.update()
    assert bench.diff() == [
        "+    expire: 8\n",
        "+kinds:\n",
        "+  dify:\n",
        "+    settings:\n",
        "+      expire: 9\n",
    ]
    assert not bench.plan().writes


def test_bots_of_two_kinds_that_swap_nothing(bench: Bench) -> None:
    """A trigger is unique among the bots of one kind only."""
    bench.put({"loja.yaml": f"bots:\n{entry(DIFY, 'a', 1)}{entry(FLOWISE, 'b', 2)}"}, {"loja": ()})
    bench.drift("loja", "a", DIFY, triggerValue="v2")
    bench.update()
    assert bench.diff() == ["-    triggerValue: v1\n", "+    triggerValue: v2\n"]


def test_a_trigger_that_moves_within_a_kind(bench: Bench) -> None:
    bench.put({"loja.yaml": f"bots:\n{entry(N8N, 'a', 1)}{entry(N8N, 'b', 2)}"}, {"loja": ()})
    for name, value in (("a", "v0"), ("b", "v1"), ("a", "v2")):
        bench.drift("loja", name, N8N, triggerValue=value)
    report = bench.update()
    assert not report.failed
    assert not bench.plan().writes
    assert bench.diff()[0] == "-    triggerValue: v1\n"


def test_a_secret_that_the_server_has_not(bench: Bench) -> None:
    bench.put({"loja.yaml": f"bots:\n{entry(DIFY, 'a', 1)}"}, {"loja": ()})
    bench.drift("loja", "a", DIFY, apiKey="")
    report = bench.update()
    assert bench.diff() == []
    assert [note.text for note in report.said] == [
        "apiKey is not set on the server, and stays in its manifest"
    ]


def test_a_url_that_has_a_secret_now(bench: Bench) -> None:
    bench.put({"loja.yaml": f"bots:\n{entry(N8N, 'a', 1)}"}, {"loja": ()})
    bench.drift("loja", "a", N8N, webhookUrl=secret(N8N.fields["webhookUrl"]), expire=8)
    report = bench.update()
    assert bench.diff() == []
    assert report.said[0].text.startswith("webhookUrl holds a secret on the server, and was not written")
    assert CANARY not in str(report)


def test_a_kind_that_is_switched_off(bench: Bench) -> None:
    text = f"bots:\n{entry(DIFY, 'a', 1, 'expire: 5')}{entry(FLOWISE, 'b', 2, 'expire: 5')}"
    bench.put({"loja.yaml": text}, {"loja": ()})
    for name, kind in (("a", DIFY), ("b", FLOWISE)):
        bench.drift("loja", name, kind, expire=7)
    bench.sandbox.options.disabled = frozenset({"dify", "n8n"})
    report = bench.update()
    [note] = report.failed
    assert note.text.startswith(
        f"The Dify integration of {bench.sandbox.url} is disabled: set DIFY_ENABLED=true"
    )
    assert report.said == ()
    assert bench.contents()["loja.yaml"].decode() == "expire: 7".join(text.rsplit("expire: 5", 1))
