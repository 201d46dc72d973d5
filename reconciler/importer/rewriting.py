"""Drifts → new contents of the manifests and their files, tried out in memory.

A value is edited where it is written; what others share (an anchor, defaults, a folder's file, a `!file`)
stays theirs. The manifests are then loaded as if they were written, and edited again where an edit changed
something else. They are right only when they declare exactly what they did before, and the drifts. Writes
nothing.
"""

from __future__ import annotations

import codecs
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from reconciler.domain.desired import Desired, DesiredBot, DesiredInstance, DesiredSettings, essence
from reconciler.domain.errors import ManifestError
from reconciler.domain.records import dataclass, field, replace
from reconciler.domain.reports import Note
from reconciler.domain.servers import Servers, bare
from reconciler.importer.drift import Drift
from reconciler.importer.edits import edits
from reconciler.importer.included import Rewritten, Use, as_literal, for_all, rewritten, uses
from reconciler.importer.naming import slug, unique
from reconciler.importer.notes import Texts, notes
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


@dataclass(slots=True)
class Written:
    """New contents of files. own: the new files, and who drifted to have one, by the file that it was in."""

    edited: dict[Path, bytes] = field(default_factory=dict)
    own: dict[Path, dict[Path, list[Use]]] = field(default_factory=dict)


class Manifests:
    """The manifests below a directory, as they are. Raises what load does.

    names: of the instances that are edited. Only these, and those that share a file with them, are parsed.
    for_all: whether a text that a bot shares with others changes for all of them.
    """

    def __init__(
        self,
        directory: Path,
        names: Collection[str],
        servers: Servers | None = None,
        *,
        for_all: bool = False,
    ) -> None:
        self._directory, self._servers, self._for_all = directory, servers, for_all
        self._read: dict[Path, bytes] = {}
        self._edited: Contents = {}
        every = load(directory, origins=False, cached=True, servers=servers)
        self._traced = _sharing(every, names)
        self.desired = self._now = self._load({})

    def with_drifts(self, drifts: Sequence[Drift]) -> dict[Path, bytes]:
        """The contents of every file that has to change. Raises NotDoneError."""
        return self._with(drifts).edited

    def _with(self, drifts: Sequence[Drift]) -> Written:
        done = Written(self._shared(drifts))
        edited = done.edited
        before = self._after(edited)
        wanted = _wanted(before, drifts)
        texts: dict[str, dict[str, Path]] = {}
        for path, change in rewritten(
            before, wanted, lambda path: edited.get(path) or self.original(path)
        ).items():
            if (content := change.one) is not None:
                edited[path] = content
            else:
                self._apart(path, change, done, texts)
        for _ in range(_PASSES):
            now = self._after(edited)
            needed = {
                one.name: edits(bare(one), bare(wanted[one.name]), texts.get(one.name, {}))
                for one in now.instances
            }
            if not any(needed.values()):
                if [essence(one) for one in now.instances] == [essence(one) for one in wanted.values()]:
                    return done
                break
            for instance in now.instances:
                if needed[instance.name]:
                    self._edit(instance, needed[instance.name], edited)
        raise NotDoneError("the manifest cannot be edited safely: change it by hand")

    def _after(self, edited: Contents) -> Desired:
        """What the manifests declare with these contents. Raises NotDoneError."""
        try:
            return self._loaded(edited)
        except ManifestError as error:
            raise NotDoneError(error.problems[0].message) from None

    def _shared(self, drifts: Sequence[Drift]) -> dict[Path, bytes]:
        """The files that change for all their users, where that was asked for and is possible."""
        if not self._for_all:
            return {}
        found: dict[Path, bytes] = {}
        for path, change in rewritten(self.desired, _wanted(self.desired, drifts), self.original).items():
            original = self.original(path)
            texts = {for_all(those[0], content, original) for content, those in change.drifted.items()}
            if change.one is None and len(texts) == 1:
                found[path] = texts.pop()
        return found

    def _apart(self, path: Path, change: Rewritten, done: Written, texts: dict[str, dict[str, Path]]) -> None:
        """Give each text to which users of a shared file drifted a file of its own beside it."""
        taken = {each.name.lower() for each in (*path.parent.iterdir(), *done.edited)}
        for content, drifted in change.drifted.items():
            those = [use for use in drifted if Path(use.instance.files[0]).suffix.lower() != ".json"]
            if not those:
                continue  # JSON has no `!file`
            alone = len({use.instance.name for use, _ in change.contents}) == 1
            owners = {use.about if alone else use.instance.name for use in those}
            whose = slug(owners.pop()) if len(owners) == 1 else ""
            name = "-".join(filter(None, (path.stem, whose)))
            new = path.with_name(unique(name, {Path(each).stem for each in taken}) + path.suffix)
            taken.add(new.name.lower())
            done.edited[new] = content
            done.own.setdefault(path, {})[new] = those
            for use in those:
                if use.after is not None:
                    texts.setdefault(use.instance.name, {})[use.after] = new

    def notes(self, drifts: Sequence[Drift], edited: Contents) -> Iterator[Note]:
        """What a person should know about how the drifts were written."""
        if not drifts:
            return
        done, shared = self._with(drifts), self._shared(drifts)
        base = self._after(shared)
        wanted = _wanted(base, drifts)
        before = {instance.name: instance for instance in self.desired.instances}
        after = {instance.name: instance for instance in self._loaded(edited).instances}
        changes = rewritten(base, wanted, lambda path: shared.get(path) or self.original(path))
        unfit = {path for path, change in changes.items() if not change.fits}
        users: dict[Path, list[str]] = {}
        for instance in self.desired.instances:
            for use in uses(instance, instance):
                users.setdefault(use.path, []).append(f"{use.about}@{use.instance.name}")
        said = Texts(self._directory, users, done.own, frozenset(shared), for_all=self._for_all)
        for drift in drifts:
            name = drift.instance
            for text in notes(before[name], wanted[name], after[name], drift, edited, unfit, said):
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
        """What a file holds; nothing where it is not there yet."""
        if path not in self._read:
            try:
                self._read[path] = confined.read(self._directory.resolve(), path, MAX_MANIFEST)
            except FileNotFoundError:
                self._read[path] = b""
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
