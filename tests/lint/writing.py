"""Manifests for the tests of lint: fragments, completed with what every bot needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from reconciler.domain.findings import Warning
from reconciler.domain.kinds import KINDS, OPENAI, Kind
from reconciler.domain.versions import NEWEST, Version
from reconciler.lint import Policy, look, seen, warnings
from reconciler.lint.run import lint
from reconciler.manifests.load import load, read_all
from tests.manifests.writing import write

_TOP = {"bots", "settings", "defaults", "silence", "credentials", "instance", "kinds", "vars"}


def warned(directory: Path, fragment: str, server: Version = NEWEST) -> list[Warning]:
    """What is said of a fragment of a manifest: the fields of a bot, or a whole with bots or settings."""
    return linted(write(directory, {"loja.json": json.dumps(completed(fragment))}), server)


def linted(root: Path, server: Version = NEWEST) -> list[Warning]:
    """The warnings about a directory, which are the same when they are kept in the cache and found there."""
    found = lint(load(root), server)
    for _ in ("written", "found"):
        loaded = read_all(root, origins=False, cached=True, look=look(server))
        kept = {one.name: seen(loaded.seen[one.files[0]]) for one in loaded.desired.instances}
        assert warnings(kept, Policy()) == found
        assert found == sorted(found)
    return found


def rules(directory: Path, fragment: str, server: Version = NEWEST) -> set[str]:
    """The ids of the rules that speak."""
    return {warning.rule for warning in warned(directory, fragment, server)}


def _needed(kind: Kind, number: int) -> dict[str, Any]:
    """The fields that a bot of another kind than OpenAI's needs."""
    needed = [
        field
        for field in kind.fields.values()
        if (field.required or field.hides == "url") and field.name != "triggerType"
    ]
    texts = {"url": f"https://typebot/{number}", "botType": "chatBot"}
    return {
        field.name: texts.get(field.name, f"https://bot/{number}" if field.hides else f"bot-{number}")
        for field in needed
    }


def completed(fragment: str) -> dict[str, Any]:
    """The manifest of a fragment; what a bot needs and neither it nor the defaults have is added."""
    whole: dict[str, Any] = YAML(typ="safe").load(fragment)
    if not _TOP & whole.keys() or whole.keys() == {"silence"}:
        whole = {"bots": {"um": whole}}
    whole.setdefault("bots", {"um": {}})
    defaults = whole.get("defaults", {})
    for number, bot in enumerate(whole["bots"].values(), 1):
        merged = {**defaults, **bot}
        added: dict[str, Any] = {}
        kind = KINDS[merged.get("kind", "openai")]
        if kind is OPENAI and "openaiCredsId" not in merged:
            added["openaiCreds"] = "main"
        if kind is OPENAI and merged.setdefault("botType", "chatCompletion") == "assistant":
            added["assistantId"] = f"asst_{number}"
        elif kind is OPENAI:
            added |= {"botType": "chatCompletion", "model": "gpt-4o-mini", "maxTokens": number * 100}
        else:
            added |= _needed(kind, number)
        match merged.setdefault("triggerType", "keyword"):
            case "keyword":
                added |= {
                    "triggerType": "keyword",
                    "triggerOperator": "equals",
                    "triggerValue": f"opção {number}",
                }
            case "advanced":
                added |= {"triggerValue": f"contains:opção{number}"}
        bot |= {name: value for name, value in added.items() if name not in defaults and name not in bot}
    return whole
