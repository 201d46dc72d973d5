"""A manifest as it is and as it is wanted → what to put where in its text. Pure."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from reconciler.domain.desired import DesiredBot, DesiredInstance, DesiredSettings
from reconciler.domain.kinds import OPENAI
from reconciler.importer.included import included
from reconciler.yaml import MappingNode
from reconciler.yaml.edit import Edits, Put


def edits(now: DesiredInstance, wanted: DesiredInstance) -> dict[str, Edits]:
    """What to put where in a manifest, so that it declares what is wanted."""
    found: dict[str, Edits] = {}
    home = Path(now.files[0]).resolve().parent
    after = {bot.name: bot for bot in wanted.bots}
    bots = {bot.name: _puts(bot, after[bot.name], home) for bot in now.bots if bot.name in after}
    if defaults := _of_defaults(now, bots):
        found["defaults"] = defaults
        for bot in now.bots:
            for name in defaults.keys() & bots[bot.name].keys():
                if bot.origins[name].layer == "defaults":
                    del bots[bot.name][name]
    if bots := {name: puts for name, puts in bots.items() if puts}:
        found["bots"] = bots
    declared, there = now.settings_of(OPENAI), wanted.settings_of(OPENAI)
    if declared is not None and there is not None:
        puts: dict[str, Put | Edits] = dict(_puts(declared, there, home))
        if declared.fallback != there.fallback:
            puts["fallback"] = Put(declared.fallback, there.fallback or "")
        if "ignoreJids" in puts and isinstance(declared.origins["ignoreJids"].value, MappingNode):
            puts["ignoreJids"] = {"merge": puts["ignoreJids"]}
        if puts:
            found["settings"] = puts
    return found


def _of_defaults(now: DesiredInstance, bots: Mapping[str, Mapping[str, Put]]) -> dict[str, Put]:
    """What to put into the manifest's defaults: the fields that all bots that inherit them want alike."""
    users: dict[str, list[Put | None]] = {}
    for bot in now.bots:
        for name, origin in bot.origins.items():
            if origin.layer == "defaults":
                users.setdefault(name, []).append(bots.get(bot.name, {}).get(name))
    return {
        name: first
        for name, (first, *others) in users.items()
        if others
        and first is not None
        and all(put is not None and put.after == first.after for put in others)
    }


def _puts(
    now: DesiredBot | DesiredSettings, wanted: DesiredBot | DesiredSettings, home: Path
) -> dict[str, Put]:
    found = {
        name: Put(now.fields.get(name), value, _files(now, name, home))
        for name, value in wanted.fields.items()
        if now.fields.get(name) != value
    }
    before, after = _creds(now), _creds(wanted)
    if after is not None and after != before:
        found["openaiCreds"] = Put(before, after)
    return found


def _creds(of: DesiredBot | DesiredSettings) -> str | dict[str, str] | None:
    """The credential as a manifest names it."""
    creds_owner = of.creds_owner if isinstance(of, DesiredBot) else None
    return (
        of.creds if of.creds is None or creds_owner is None else {"instance": creds_owner, "name": of.creds}
    )


def _files(of: DesiredBot | DesiredSettings, name: str, home: Path) -> dict[str, str]:
    """The texts of a field that are in files, with the files' paths from home."""
    if name not in of.origins:
        return {}
    return {
        text: Path(os.path.relpath(path, home)).as_posix()
        for _, text, path in included(of.origins[name], of.fields[name])
    }
