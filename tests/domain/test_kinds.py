"""The kinds' data fits together, and says what the server's public source says of versions and secrets."""

from __future__ import annotations

import pytest

from reconciler.domain.kinds import DEFAULT, KINDS, OPENAI, Kind, Type
from reconciler.domain.kinds.common import COPIED


def _path(kind: Kind) -> str:
    return kind.path


each_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=_path)


def test_the_kinds() -> None:
    assert list(KINDS) == ["openai", "typebot", "dify", "flowise", "n8n", "evoai", "evolutionBot"]
    assert DEFAULT is OPENAI
    assert [name for name, kind in KINDS.items() if kind.credential] == ["openai"]
    assert {name for name, kind in KINDS.items() if not kind.uses_fallback} == {"dify", "n8n"}
    assert {name for name, kind in KINDS.items() if kind.since >= (2, 3, 0)} == {"n8n", "evoai"}
    assert {name for name, kind in KINDS.items() if "create" not in kind.keys_checked} == {
        "typebot",
        "evolutionBot",
    }
    assert {name for name, kind in KINDS.items() if kind.switch is None} == {"evolutionBot"}
    assert {name for name, kind in KINDS.items() if kind.passes_key == "global"} == {"typebot"}
    assert {name for name, kind in KINDS.items() if not kind.passes_key} == {"openai"}


@each_kind
def test_the_tables_name_fields_that_are_there(kind: Kind) -> None:
    keys = {name for names in kind.keys.values() for name in names}
    parts = {name for names in kind.trigger_parts.values() for name in names}
    named = {*keys, *parts, *kind.schema.required, *kind.schema.unchecked, *kind.schema.misnamed.values()}
    assert named | kind.unused | kind.fields_since.keys() <= kind.fields.keys()
    assert not kind.schema.misnamed.keys() & kind.fields.keys()
    assert kind.schema.unchecked_settings <= kind.settings.keys()
    assert {*kind.schema.required_settings} <= {
        *kind.settings,
        *([kind.credential] if kind.credential else []),
    }
    assert set(COPIED) == {name for name, field in kind.fields.items() if field.from_settings}
    assert set(COPIED) <= kind.settings.keys()


@each_kind
def test_keys_are_of_the_bot_types(kind: Kind) -> None:
    types = kind.fields["botType"].choices if "botType" in kind.fields else ("",)
    assert tuple(kind.keys) == types
    for bot_type in types:
        assert kind.key({"botType": bot_type})[-len(kind.keys[bot_type]) :] == kind.keys[bot_type]


@each_kind
def test_the_manifest_must_declare_what_the_server_requires(kind: Kind) -> None:
    """But for enabled, which has a default, and the credential, which has a name too."""
    required = {name for name, field in kind.fields.items() if field.required}
    assert required == {*kind.schema.required} - {"enabled", kind.credential}


@each_kind
def test_whatever_may_hold_a_secret_is_hidden(kind: Kind) -> None:
    for name, field in kind.fields.items():
        if name.lower().endswith("url"):
            assert (field.type, field.hides) == (Type.TEXT, "url")
        if name.lower().endswith(("key", "pass")):
            assert (field.type, field.hides) == (Type.TEXT, "whole")
