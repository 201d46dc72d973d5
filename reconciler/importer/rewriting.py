"""Drifts → new contents of the manifests and their files, tried out in memory.

An edit is made where a value stands; what is shared (an anchor, defaults, a folder's file, a `!file`) is left
to the others. The manifests are then read as if they were written, edited again where that moved something
else, and are right only when they say exactly what they said before, and the drifts. Writes nothing.
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reconciler.domain.desired import Desired, DesiredBot, DesiredInstance, DesiredSettings
from reconciler.domain.errors import ManifestError, Position
from reconciler.domain.kinds import Value
from reconciler.domain.origins import Origin
from reconciler.domain.reports import SETTINGS, Note
from reconciler.importer.drift import Drift
from reconciler.manifests import confined
from reconciler.manifests.confined import MAX_INCLUDED, MAX_MANIFEST
from reconciler.manifests.load import load
from reconciler.manifests.variables import literal
from reconciler.yaml import MappingNode, Node, SequenceNode, index, tag
from reconciler.yaml.edit import CannotEditError, Edits, Put, edit
from reconciler.yaml.matching import Matched, reused
from reconciler.yaml.spans import ANCHOR

_PASSES = 5
"""How often manifests are edited until they are right: an edit of an anchor moves what its aliases say."""

_NOWHERE = Position("", 0, 0)

Contents = Mapping[Path, bytes]
"""What files are to hold, by their paths without links."""


class NotDoneError(Exception):
    """Why a drift cannot be written: a sentence."""


class Manifests:
    """The manifests below a directory, as they are. Raises what load does."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.desired = load(directory)
        self._read: dict[Path, bytes] = {}

    def with_drifts(self, drifts: Iterable[Drift]) -> dict[Path, bytes]:
        """The contents of every file that has to change. Raises NotDoneError."""
        wanted = _wanted(self.desired, drifts)
        edited = self._included(wanted)
        for _ in range(_PASSES):
            try:
                now = load(self._directory, edited) if edited else self.desired
            except ManifestError as error:
                raise NotDoneError(error.problems[0].message) from None
            edits = {one.name: _edits(one, wanted[one.name]) for one in now.instances}
            if not any(edits.values()):
                if [_essence(one) for one in now.instances] == [_essence(one) for one in wanted.values()]:
                    return edited
                break
            for instance in now.instances:
                if edits[instance.name]:
                    self._edit(instance, edits[instance.name], edited)
        raise NotDoneError("it is written in a way that cannot be edited safely: change it by hand")

    def notes(self, drifts: Sequence[Drift], edited: Contents) -> Iterator[Note]:
        """What a person should know of how the drifts were written."""
        wanted = _wanted(self.desired, drifts)
        before = {instance.name: instance for instance in self.desired.instances}
        after = {instance.name: instance for instance in load(self._directory, edited).instances}
        unfit = {path for path, contents in self._rewritten(wanted).items() if None in contents}
        for drift in drifts:
            name = drift.instance
            for text in _notes(before[name], wanted[name], after[name], drift, edited, unfit):
                yield Note(name, drift.about, text)

    def original(self, path: Path) -> bytes:
        """What a file holds."""
        if path not in self._read:
            self._read[path] = confined.read(self._directory.resolve(), path, MAX_MANIFEST)
        return self._read[path]

    def _edit(self, instance: DesiredInstance, edits: Edits, edited: dict[Path, bytes]) -> None:
        path = Path(instance.files[0]).resolve()
        data = edited.get(path) or self.original(path)
        mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
        try:
            text = edit(
                data[len(mark) :].decode(),
                edits,
                as_json=path.suffix.lower() == ".json",
                literal=_literal(instance),
            )
        except CannotEditError as error:
            raise NotDoneError(str(error)) from None
        edited[path] = mark + text.encode()

    # -- files --------------------------------------------------------------------------------

    def _included(self, wanted: Mapping[str, DesiredInstance]) -> dict[Path, bytes]:
        """The new contents of files that all of their users want to say the same."""
        found: dict[Path, bytes] = {}
        for path, contents in self._rewritten(wanted).items():
            [content, *others] = contents
            if content is not None and not others:
                found[path] = content
        return found

    def _rewritten(self, wanted: Mapping[str, DesiredInstance]) -> dict[Path, set[bytes | None]]:
        """What users of a file want it to hold, where that is something new; None for what it cannot hold."""
        uses: dict[Path, list[_Use]] = {}
        for instance in self.desired.instances:
            for use in _uses(instance, wanted[instance.name]):
                uses.setdefault(use.path, []).append(use)
        return {
            path: {self._with_text(use) for use in those if use.after is not None}
            for path, those in uses.items()
            if any(use.after not in (use.before, None) for use in those)
        }

    def _with_text(self, use: _Use) -> bytes | None:
        """The file with another text, where that can be in a file; lines that stay are not touched."""
        data = self.original(use.path)
        if use.after is None or use.after == use.before:
            return data
        mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
        raw = data[len(mark) :].decode()
        newline = "\r\n" if "\r\n" in raw else "\n"
        source = raw.removesuffix("\n").split("\n")
        lines, before = use.after.split("\n"), use.before.split("\n")
        if len(before) != len(source):
            before = source = []
        literal = _literal(use.instance)
        behind = newline.removesuffix("\n")
        made = [line for _, line in reused(before, source, lines, lambda j: literal(lines[j]) + behind)]
        if not raw.endswith("\n"):
            made[-1] = made[-1].removesuffix("\r")
        ends = raw.endswith("\n") or not raw or use.after.endswith("\n")
        content = mark + ("\n".join(made) + ("\n" if ends else "")).encode()
        carried = "\r\n" not in use.after + "\n" and (mark or not use.after.startswith("\ufeff"))
        return content if carried and len(content) <= MAX_INCLUDED else None


# -- what is wanted ---------------------------------------------------------------------------


def _wanted(desired: Desired, drifts: Iterable[Drift]) -> dict[str, DesiredInstance]:
    """The instances with the drifts."""
    found = {instance.name: instance for instance in desired.instances}
    by_instance: dict[str, list[Drift]] = {}
    for drift in drifts:
        by_instance.setdefault(drift.instance, []).append(drift)
    for name, those in by_instance.items():
        instance = found[name]
        bots = {bot.name: bot for bot in instance.bots}
        settings = instance.settings
        for drift in those:
            if drift.about != SETTINGS:
                bots[drift.about] = _bot(bots[drift.about], drift)
            elif settings is not None:
                settings = _settings(settings, drift)
        found[name] = replace(instance, bots=tuple(bots.values()), settings=settings)
    return found


def _bot(bot: DesiredBot, drift: Drift) -> DesiredBot:
    creds, creds_owner = drift.creds or (bot.creds, bot.creds_owner)
    return replace(bot, fields={**bot.fields, **drift.fields}, creds=creds, creds_owner=creds_owner)


def _settings(settings: DesiredSettings, drift: Drift) -> DesiredSettings:
    creds = drift.creds[0] if drift.creds else settings.creds
    fallback = settings.fallback if drift.fallback is None else drift.fallback
    return replace(settings, fields={**settings.fields, **drift.fields}, creds=creds, fallback=fallback)


def _essence(instance: DesiredInstance) -> DesiredInstance:
    """All that an instance says, without the places where it does."""
    bots = sorted(instance.bots, key=lambda bot: bot.name)
    return replace(
        instance,
        at=_NOWHERE,
        bots=tuple(replace(bot, at=_NOWHERE) for bot in bots),
        credentials=tuple(replace(one, at=_NOWHERE) for one in instance.credentials),
        settings=instance.settings and replace(instance.settings, at=_NOWHERE),
    )


# -- what is to be edited ---------------------------------------------------------------------


def _edits(now: DesiredInstance, wanted: DesiredInstance) -> dict[str, Edits]:
    """What to put where in a manifest, so that it says what is wanted."""
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
    if now.settings is not None and wanted.settings is not None:
        puts: dict[str, Put | Edits] = dict(_puts(now.settings, wanted.settings, home))
        if now.settings.fallback != wanted.settings.fallback:
            puts["fallback"] = Put(now.settings.fallback, wanted.settings.fallback or "")
        if "ignoreJids" in puts and isinstance(now.settings.origins["ignoreJids"].value, MappingNode):
            puts["ignoreJids"] = {"merge": puts["ignoreJids"]}
        if puts:
            found["settings"] = puts
    return found


def _of_defaults(now: DesiredInstance, bots: Mapping[str, Mapping[str, Put]]) -> dict[str, Put]:
    """What is put into the manifest's defaults: where all bots that have it from there want the same."""
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
    """The credential in the manifest's words."""
    creds_owner = of.creds_owner if isinstance(of, DesiredBot) else None
    return (
        of.creds if of.creds is None or creds_owner is None else {"instance": creds_owner, "name": of.creds}
    )


def _files(of: DesiredBot | DesiredSettings, name: str, home: Path) -> dict[str, str]:
    """The texts of a field that stand in files, and the files' paths from home."""
    if name not in of.origins:
        return {}
    return {
        text: Path(os.path.relpath(path, home)).as_posix()
        for _, text, path in _included(of.origins[name], of.fields[name])
    }


def _literal(instance: DesiredInstance) -> Any:
    """How a text is written in this instance's manifest so that nothing in it is a variable."""
    if instance.vars is None:
        return str
    return literal


# -- texts that stand in files ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Use:
    """One text that a file holds: what it is, and what it is to be, None where it is not needed any more."""

    instance: DesiredInstance
    about: str
    field: str
    path: Path
    before: str
    after: str | None


def _uses(instance: DesiredInstance, wanted: DesiredInstance) -> Iterator[_Use]:
    after = {bot.name: bot for bot in wanted.bots}
    pairs: list[tuple[str, Any, Any]] = [(bot.name, bot, after[bot.name]) for bot in instance.bots]
    if instance.settings is not None:
        pairs.append((SETTINGS, instance.settings, wanted.settings))
    for about, now, then in pairs:
        for name, value in now.fields.items():
            for slot, text, path in _included(now.origins[name], value):
                yield _Use(instance, about, name, path, text, _at(value, then.fields[name], slot))


def _included(origin: Origin, value: Value) -> Iterator[tuple[int, str, Path]]:
    """The parts of a value that stand in files: their numbers, texts and paths without links."""
    node = origin.value
    parts: Sequence[tuple[Node, object]] = [(node, value)]
    if isinstance(node, SequenceNode) and isinstance(value, tuple):
        parts = list(zip(node.value, value, strict=False))
    for slot, (part, text) in enumerate(parts):
        if tag(part) == "!file" and isinstance(text, str):
            yield slot, text, (origin.source.folder / part.value).resolve()


def _at(before: Value, after: Value, slot: int) -> str | None:
    """What an item of a list, or a text, becomes; None for one that goes."""
    if not (isinstance(before, tuple) and isinstance(after, tuple)):
        return str(after)
    matched = Matched.of(before, after)
    if slot in matched.moves.values():
        return before[slot]
    return next((after[j] for j, i in matched.stays.items() if i == slot), None)


def _notes(
    instance: DesiredInstance,
    wanted: DesiredInstance,
    written: DesiredInstance,
    drift: Drift,
    edited: Contents,
    unfit: Set[Path],
) -> Iterator[str]:
    """unfit: files that cannot hold what is wanted."""
    of, now = _of(instance, drift), _of(written, drift)
    uses = [use for use in _uses(instance, wanted) if use.about == drift.about]
    in_defaults = _edits(instance, wanted).get("defaults", {})
    for name in drift.keys:
        origin = of.origins.get(name)
        moved = [use for use in uses if use.field == name and use.after not in (None, use.before)]
        inlined = [use.path for use in moved if use.path not in edited]
        if origin is None:
            yield f"{name} is declared now: what it is on the server needs it"
            continue
        if origin.layer not in ("bot", "settings") and (inlined or not moved):
            where = f"{name} came from {origin.layer} ({origin.at})"
            if origin.layer == "defaults" and name in in_defaults:
                yield f"{where}: it was changed there, as all that have it from there drifted alike"
            else:
                yield f"{where}: it has its own now, the others keep theirs"
        if any(path not in unfit for path in inlined):
            yield f"{name} was in a file that others use too: it stands in the manifest now"
        if any(path in unfit for path in inlined):
            yield f"{name} was in a file, which cannot hold what it is now: it stands in the manifest now"
        here = now.origins[name]
        if lost := [f"${{{each}}}" for each in origin.variables if each not in here.variables]:
            yield f"{name} said {', '.join(lost)}: what is written now says it in plain words"
        for anchor in sorted(_anchors(of, name) - _anchors(now, name)):
            if re.search(rf"{re.escape(anchor)}(?!\S)", here.source.raw):
                yield f"{name} had the anchor {anchor}: the first of the others that use it has it now"


def _of(instance: DesiredInstance, drift: Drift) -> Any:
    """What the drift is about."""
    if drift.about == SETTINGS:
        return instance.settings
    return next(bot for bot in instance.bots if bot.name == drift.about)


def _anchors(of: Any, name: str) -> set[str]:
    """The anchors at a value, or at the items of a list, that stands in the bot or the settings itself."""
    origin: Origin = of.origins[name]
    value = origin.value
    if origin.layer not in ("bot", "settings") or origin.at < of.at:
        return set()  # an anchor stands above what merges it
    items = value.value if isinstance(value, SequenceNode) else []
    own = [node for node in (value, *items) if index(node) > index(origin.key)]
    found = (ANCHOR.match(origin.source.raw, index(node)) for node in own)
    return {anchor[0] for anchor in found if anchor}
