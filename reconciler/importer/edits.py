"""A manifest as it is and as it is wanted → what to put where in its text. Pure."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from reconciler.domain.desired import DesiredBot, DesiredInstance, DesiredSettings
from reconciler.domain.kinds import DEFAULT
from reconciler.domain.records import dataclass
from reconciler.importer.included import included
from reconciler.importer.layout import CREDENTIAL
from reconciler.yaml import MappingNode
from reconciler.yaml.edit import Edits, Put


def edits(
    now: DesiredInstance, wanted: DesiredInstance, texts: Mapping[str, Path] = MappingProxyType({})
) -> dict[str, Edits]:
    """What to put where in a manifest, so that it declares what is wanted. texts: of new files."""
    found: dict[str, Edits] = {}
    files = _Files(Path(now.files[0]).resolve(), texts)
    after = {bot.name: bot for bot in wanted.bots}
    bots = {bot.name: _puts(bot, after[bot.name], files) for bot in now.bots if bot.name in after}
    for layer, defaults in in_defaults(now, wanted, texts).items():
        _add(found, layer, defaults)
        for bot in now.bots:
            for name in defaults.keys() & bots[bot.name].keys():
                if bot.origins[name].layer == layer:
                    del bots[bot.name][name]
    if bots := {name: puts for name, puts in bots.items() if puts}:
        found["bots"] = bots
    for path, declared in now.settings.items():
        there = wanted.settings[path]
        puts: dict[str, Put | Edits] = dict(_puts(declared, there, files))
        if declared.fallback != there.fallback:
            puts["fallback"] = Put(declared.fallback, there.fallback or "")
        if "ignoreJids" in puts and isinstance(declared.origins["ignoreJids"].value, MappingNode):
            puts["ignoreJids"] = {"merge": puts["ignoreJids"]}
        if puts:
            _add(found, _of_settings(path, declared), puts)
    return found


def _add(found: dict[str, Edits], layer: str, puts: Edits) -> None:
    """Add what is put into a section, by its layer."""
    *above, last = layer.split(".")
    inner: Any = found
    for key in above:
        inner = inner.setdefault(key, {})
    inner[last] = puts


def _of_settings(path: str, declared: DesiredSettings) -> str:
    """The section of the manifest that has, or would have, the settings of a kind."""
    whole = f"kinds.{path}.settings"
    layers = {origin.layer for origin in declared.origins.values()}
    return "settings" if path == DEFAULT.path and whole not in layers else whole


def is_own(layer: str) -> bool:
    """Whether a layer is the bot, or the settings, of the manifest itself."""
    return layer == "bot" or (layer.endswith("settings") and not layer.startswith("folder"))


def in_defaults(
    now: DesiredInstance, wanted: DesiredInstance, texts: Mapping[str, Path] = MappingProxyType({})
) -> dict[str, dict[str, Put]]:
    """What to put into the manifest's defaults, by layer: what all bots that inherit a field want alike."""
    files = _Files(Path(now.files[0]).resolve(), texts)
    after = {bot.name: bot for bot in wanted.bots}
    users: dict[tuple[str, str], list[Put | None]] = {}
    for bot in now.bots:
        puts = _puts(bot, after[bot.name], files) if bot.name in after else {}
        for name, origin in bot.origins.items():
            if origin.layer.endswith("defaults") and not origin.layer.startswith("folder"):
                users.setdefault((origin.layer, name), []).append(puts.get(name))
    found: dict[str, dict[str, Put]] = {}
    for (layer, name), (first, *others) in users.items():
        if (
            others
            and first is not None
            and all(put is not None and put.after == first.after for put in others)
        ):
            found.setdefault(layer, {})[name] = first
    return found


def _puts(
    now: DesiredBot | DesiredSettings, wanted: DesiredBot | DesiredSettings, files: _Files
) -> dict[str, Put]:
    found = {
        name: Put(now.fields.get(name), value, files.of(now, name))
        for name, value in wanted.fields.items()
        if now.fields.get(name) != value
    }
    before, after = _creds(now), _creds(wanted)
    if after is not None and after != before:
        found[CREDENTIAL] = Put(before, after)
    return found


def _creds(of: DesiredBot | DesiredSettings) -> str | dict[str, str] | None:
    """The credential as a manifest names it."""
    creds_owner = of.creds_owner if isinstance(of, DesiredBot) else None
    return (
        of.creds if of.creds is None or creds_owner is None else {"instance": creds_owner, "name": of.creds}
    )


@dataclass(frozen=True, slots=True)
class _Files:
    """The files that a manifest may name: one in JSON none. texts: new files, by their texts."""

    manifest: Path
    texts: Mapping[str, Path]

    def of(self, of: DesiredBot | DesiredSettings, name: str) -> dict[str, str]:
        """The texts of a field that are in files, with the files' paths from home."""
        if name not in of.origins or self.manifest.suffix.lower() == ".json":
            return {}
        there = {text: path for _, text, path in included(of.origins[name], of.fields[name])}
        found = {**self.texts, **there}
        return {
            text: Path(os.path.relpath(path, self.manifest.parent)).as_posix() for text, path in found.items()
        }
