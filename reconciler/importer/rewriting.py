"""Drifts → new contents of the manifests and their files, tried out in memory.

A value is edited where it is written; what others share (an anchor, defaults, a folder's file, a `!file`)
stays theirs. The manifests are then loaded as if they were written, and edited again where an edit changed
something else. They are right only when they declare exactly what they did before, and the drifts. Writes
nothing.
"""

from __future__ import annotations

import codecs
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from reconciler.domain.desired import Desired, DesiredBot, DesiredInstance, DesiredSettings, essence
from reconciler.domain.errors import ManifestError
from reconciler.domain.reports import Note
from reconciler.domain.servers import Servers, bare
from reconciler.importer.drift import Drift
from reconciler.importer.edits import edits
from reconciler.importer.included import as_literal, rewritten
from reconciler.importer.notes import notes
from reconciler.manifests import confined
from reconciler.manifests.confined import MAX_MANIFEST
from reconciler.manifests.load import load
from reconciler.yaml.edit import CannotEditError, Edits, edit

_PASSES = 5
"""How often manifests are edited at most: an edit of an anchor changes what its aliases mean."""

Contents = Mapping[Path, bytes]
"""New contents of files, by their paths without links."""


class NotDoneError(Exception):
    """Says why a drift cannot be written."""


class Manifests:
    """The manifests below a directory, as they are. Raises what load does.

    names: of the instances that are edited. Only these, and those that share a file with them, are parsed.
    """

    def __init__(self, directory: Path, names: Collection[str], servers: Servers | None = None) -> None:
        self._directory, self._servers = directory, servers
        self._read: dict[Path, bytes] = {}
        self._edited: Contents = {}
        every = load(directory, origins=False, cached=True, servers=servers)
        self._traced = _sharing(every, names)
        self.desired = self._now = self._load({})

    def with_drifts(self, drifts: Iterable[Drift]) -> dict[Path, bytes]:
        """The contents of every file that has to change. Raises NotDoneError."""
        wanted = _wanted(self.desired, drifts)
        edited: dict[Path, bytes] = {}
        for path, contents in rewritten(self.desired, wanted, self.original).items():
            [content, *others] = contents
            if content is not None and not others:  # all users want the same
                edited[path] = content
        for _ in range(_PASSES):
            try:
                now = self._loaded(edited)
            except ManifestError as error:
                raise NotDoneError(error.problems[0].message) from None
            needed = {one.name: edits(bare(one), bare(wanted[one.name])) for one in now.instances}
            if not any(needed.values()):
                if [essence(one) for one in now.instances] == [essence(one) for one in wanted.values()]:
                    return edited
                break
            for instance in now.instances:
                if needed[instance.name]:
                    self._edit(instance, needed[instance.name], edited)
        raise NotDoneError("the manifest cannot be edited safely: change it by hand")

    def notes(self, drifts: Sequence[Drift], edited: Contents) -> Iterator[Note]:
        """What a person should know about how the drifts were written."""
        wanted = _wanted(self.desired, drifts)
        before = {instance.name: instance for instance in self.desired.instances}
        after = {instance.name: instance for instance in self._loaded(edited).instances}
        contents = rewritten(self.desired, wanted, self.original)
        unfit = {path for path, each in contents.items() if None in each}
        for drift in drifts:
            name = drift.instance
            for text in notes(before[name], wanted[name], after[name], drift, edited, unfit):
                yield Note(name, drift.about, text)

    def _loaded(self, edited: Contents) -> Desired:
        """What the manifests declare with these contents. Raises ManifestError."""
        if not edited:
            return self.desired
        if edited != self._edited:
            self._now = self._load(edited)
            self._edited = dict(edited)
        return self._now

    def _load(self, edited: Contents) -> Desired:
        return load(self._directory, edited, origins=self._traced, cached=True, servers=self._servers)

    def original(self, path: Path) -> bytes:
        """What a file holds."""
        if path not in self._read:
            self._read[path] = confined.read(self._directory.resolve(), path, MAX_MANIFEST)
        return self._read[path]

    def _edit(self, instance: DesiredInstance, needed: Edits, edited: dict[Path, bytes]) -> None:
        path = Path(instance.files[0]).resolve()
        data = edited.get(path) or self.original(path)
        mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
        try:
            text = edit(
                data[len(mark) :].decode(),
                needed,
                as_json=path.suffix.lower() == ".json",
                literal=as_literal(instance),
            )
        except CannotEditError as error:
            raise NotDoneError(str(error)) from None
        edited[path] = mark + text.encode()


def _sharing(desired: Desired, names: Collection[str]) -> set[Path]:
    """The manifests of the instances of these names, and of those that share a text with one of them."""
    files = {one.name: {Path(file).resolve() for file in one.files[1:]} for one in desired.instances}
    theirs = set[Path]().union(*(files[name] for name in names))
    return {
        Path(one.files[0])
        for one in desired.instances
        if one.name in names or not theirs.isdisjoint(files[one.name])
    }


# -- what is wanted ---------------------------------------------------------------------------


def _wanted(desired: Desired, drifts: Iterable[Drift]) -> dict[str, DesiredInstance]:
    """The instances, by name, with the drifts."""
    found = {instance.name: instance for instance in desired.instances}
    by_instance: dict[str, list[Drift]] = {}
    for drift in drifts:
        by_instance.setdefault(drift.instance, []).append(drift)
    for name, those in by_instance.items():
        instance = found[name]
        bots = {bot.name: bot for bot in instance.bots}
        settings = dict(instance.settings)
        for drift in those:
            if drift.is_settings:
                settings[drift.kind.path] = _settings(settings[drift.kind.path], drift)
            else:
                bots[drift.about] = _bot(bots[drift.about], drift)
        found[name] = replace(instance, bots=tuple(bots.values()), settings=settings)
    return found


def _bot(bot: DesiredBot, drift: Drift) -> DesiredBot:
    creds, creds_owner = drift.creds or (bot.creds, bot.creds_owner)
    return replace(bot, fields={**bot.fields, **drift.fields}, creds=creds, creds_owner=creds_owner)


def _settings(settings: DesiredSettings, drift: Drift) -> DesiredSettings:
    creds = drift.creds[0] if drift.creds else settings.creds
    fallback = settings.fallback if drift.fallback is None else drift.fallback
    return replace(settings, fields={**settings.fields, **drift.fields}, creds=creds, fallback=fallback)
