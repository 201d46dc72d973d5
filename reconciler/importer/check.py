"""Whether new manifests declare what the server has: they are loaded, planned, and corrected until they do.

After an import a plan has only adoptions. What a manifest cannot declare is removed from its draft, with the
reason: a field where the bot is the same without it, else the bot. Writes to a directory of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath

from reconciler.domain.desired import Desired
from reconciler.domain.errors import ManifestError, Problem
from reconciler.domain.kinds import KINDS, Kind, Value
from reconciler.domain.observed import Observed
from reconciler.domain.plan import Change, InstancePlan, Of, Verb, settings_label
from reconciler.domain.records import dataclass, field, replace
from reconciler.domain.servers import Servers
from reconciler.importer import layout
from reconciler.importer.draft import BOT, DOUBLE, FIELD, Draft, called, tree
from reconciler.importer.factor import Member
from reconciler.importer.factored import Factored, factor
from reconciler.importer.layout import CREDENTIAL
from reconciler.importer.page import Page, Place, content, file_names, lift, page
from reconciler.manifests.cache import Memory
from reconciler.manifests.load import folders, load
from reconciler.manifests.variables import literal
from reconciler.plan.options import Options
from reconciler.plan.planner import make
from reconciler.yaml.emit import Tagged

Files = dict[str, str]
"""Texts of files by their paths, relative to the manifests' directory."""

_AT_LEAST = re.compile(r": write at least (\d+)$")


def below(paths: Iterable[str], home: PurePosixPath) -> frozenset[str]:
    """Those of the paths that are in a folder, from there. paths: in lower case."""
    if not home.parts:
        return frozenset(paths)
    above = f"{home.as_posix().lower()}/"
    return frozenset(path.removeprefix(above) for path in paths if path.startswith(above))


@dataclass(slots=True)
class Grouped:
    """A group on its way. declared: its folder has a file of its own already, which stays as it is.

    alone: bots that are not to be shared; "" for settings. undone: nothing is. made: what is shared, None for
    nothing. shared: the files of all. pages: of its files, by path. flat: what it would be without sharing.
    """

    home: PurePosixPath
    members: list[Member] = field(default_factory=list)
    declared: bool = False
    alone: set[str] = field(default_factory=set)
    undone: bool = False
    made: Factored | None = None
    shared: Files = field(default_factory=dict)
    pages: dict[str, Page] = field(default_factory=dict)
    flat: Files = field(default_factory=dict)

    def blame(self, bot: str) -> None:
        """Share this bot no more; nothing at all where that is known not to help. bot: "" for settings."""
        if bot in self.alone:
            self.undone = True
        self.alone.add(bot)


class Check:
    """The drafts and their files, corrected until they load and plan as they should.

    directory: a copy of the manifests, to which the drafts are written. beside: files that go with each
    instance. taken: paths of existing prompts. files: of each instance, its included files before its
    manifest. skipped: instances that no manifest can describe, and why.
    """

    def __init__(
        self,
        drafts: Mapping[str, Draft],
        directory: Path,
        taken: frozenset[str],
        beside: Files,
        *,
        flat: bool = True,
        beside_folders: Files | None = None,
        servers: Servers | None = None,
    ) -> None:
        self._folders_schema = beside_folders or {}
        self._above = {
            home: folders(directory, directory / home) for home in {made.home for made in drafts.values()}
        }
        self.drafts = dict(drafts)
        self.files: dict[str, Files] = {}
        self.skipped: dict[str, str] = {}
        self._directory, self._taken, self._beside, self._flat = directory, taken, beside, flat
        self._servers = servers
        self._loaded = Memory()
        self._written: Files = {}
        self._faults: dict[str, str] = {}  # of the last round, by instance
        self._pages: dict[str, tuple[str, Page]] = {}

    def run(self, seen: Observed, owner: str) -> None:
        """Write, load, plan and correct, until nothing is wrong. Each round has less to write.

        Raises ManifestError for errors in existing manifests.
        """
        while True:
            before = dict(self._written)
            self._write()
            if self._written == before:  # there is nothing left to correct
                for made in [one for one in self.drafts.values() if one.instance in self._faults]:
                    self._skip(made, self._faults[made.instance])
                self._write()
            self._faults = {}
            if not self.drafts:
                return
            try:
                desired = self._load()
            except ManifestError as error:
                self._correct_errors(error)
                continue
            self._correct_changes(desired, seen, owner)
            if not self._faults:
                return

    def _load(self) -> Desired:
        """What all manifests declare. Raises ManifestError."""
        return load(self._directory, origins=False, cached=self._loaded, servers=self._servers)

    def _write(self) -> None:
        """Write the drafts to the directory."""
        self.drafts = {name: made for name, made in self.drafts.items() if not made.empty}
        names = self._names()
        wanted: Files = {}
        self._pages, self.files = {}, {}
        for instance, made in self.drafts.items():
            included = names.get(instance, {})
            inherited = self.inherited(made.home)
            made.others = [name for name in inherited if name not in made.bots]
            for name, kind in inherited.items():
                if name in made.bots and made.bots[name].kind is not kind:
                    made.bots[name].declared["kind"] = made.bots[name].kind.path
            variables = self.has_variables(made.home)
            written = page(content(made, included), variables=variables)
            self._pages[str(self._directory / made.path)] = (instance, written)
            said = partial(literal, variables=variables)
            texts = {(made.home / included[text]).as_posix(): f"{said(text)}\n" for text in included}
            self.files[instance] = self._beside | texts | {made.path: written.text}
            wanted |= self.files[instance]
        self._put(wanted)

    def _names(self) -> dict[str, dict[str, str]]:
        """The paths of texts that become files, by instance: of each instance alone, unless it is flat."""
        if self._flat:
            return file_names(self.drafts.values(), self._taken)
        found: dict[str, dict[str, str]] = {}
        for made in self.drafts.values():
            found |= file_names([made], below(self._taken, made.home))
        return found

    def has_variables(self, home: PurePosixPath) -> bool:
        """Whether a folder's file gives `${name}` a meaning in a folder."""
        return any(layer.vars is not None for layer in self._above[home])

    def inherited(self, home: PurePosixPath) -> dict[str, Kind]:
        """The bots that folders' files declare for a folder, and their kinds."""
        return dict(self._above[home][0].kinds or {}) if self._above[home] else {}

    def variables(self, home: PurePosixPath) -> set[str]:
        """The names of variables that have a value in a folder."""
        return {name for layer in self._above[home] for name in layer.vars or {}}

    def _put(self, wanted: Files) -> None:
        """Make the directory have these files of ours, and no others."""
        for path in self._written.keys() - wanted.keys():
            (self._directory / path).unlink()
        for path, text in wanted.items():
            if self._written.get(path) != text:
                (self._directory / path).parent.mkdir(parents=True, exist_ok=True)
                (self._directory / path).write_text(text, encoding="utf-8", newline="")
        self._written = wanted

    # -- what groups share ------------------------------------------------------------------------

    def factor(self, seen: Observed, owner: str) -> dict[PurePosixPath, Grouped]:
        """Say once what the instances of each group share, and prove it: load and plan again.

        What does not hold is not shared.
        """
        found: dict[PurePosixPath, Grouped] = {}
        for made in self.drafts.values():
            if made.home.parts:
                found.setdefault(made.home, Grouped(made.home)).members.append(
                    Member(made, seen.instances[made.instance])
                )
        plain = dict(self.files)
        for group in found.values():
            group.flat = {path: text for one in group.members for path, text in plain[one.name].items()}
            group.declared = any(
                layer.source.folder == self._directory / group.home for layer in self._above[group.home]
            )
        while True:
            wanted: Files = {}
            for name, its in plain.items():
                if not self.drafts[name].home.parts:
                    wanted |= its
            for group in found.values():
                wanted |= self._factored(group, plain)
            self._put(wanted)
            if not self._blame(found, seen, owner):
                return found

    def _factored(self, group: Grouped, plain: Mapping[str, Files]) -> Files:
        """The files of a group."""
        names = [one.name for one in group.members]
        home = group.home
        if group.declared or group.undone or len(names) < 2:
            group.made = None
            for name in names:
                self.files[name] = plain[name]
            return {path: text for name in names for path, text in plain[name].items()}
        made = factor(
            group.members,
            below(self._taken, home),
            alone=frozenset(group.alone),
            reserved=self.variables(home),
        )
        group.made, group.shared, group.pages = made, {}, {}
        variables = self.has_variables(home) or (made.shared is not None and made.shared.vars is not None)
        own = {path: name for name, paths in made.of.items() for path in paths}
        if made.shared is not None:
            shown = page(made.shared, variables=variables)
            path = (home / "_defaults.yaml").as_posix()
            group.shared[path] = shown.text
            group.pages[path] = shown
        group.shared |= {
            (home / path).as_posix(): text for path, text in made.texts.items() if path not in own
        }
        for one in group.members:
            shown = page(made.own[one.name], variables=variables)
            group.pages[one.draft.path] = shown
            texts = {(home / path).as_posix(): made.texts[path] for path in made.of[one.name]}
            self.files[one.name] = self._beside | texts | {one.draft.path: shown.text}
        if made.shared is not None and self._folders_schema:
            group.shared |= self._folders_schema
        return group.shared | {path: text for name in names for path, text in self.files[name].items()}

    def _blame(self, found: Mapping[PurePosixPath, Grouped], seen: Observed, owner: str) -> bool:
        """Find what does not hold when it is shared, and note that it is not to be. False for nothing."""
        shared = [group for group in found.values() if group.made is not None]
        if not shared:
            return False
        by_path = {str(self._directory / path): group for group in shared for path in group.pages}
        try:
            desired = self._load()
        except ManifestError as error:
            known = False
            for problem in error.problems:
                if group := by_path.get(problem.at.file):
                    path = Path(problem.at.file).relative_to(self._directory).as_posix()
                    group.blame(group.pages[path].places[problem.at.line].name)
                    known = True
            if not known:
                raise
            return True
        wrong = False
        instances = {one.name: group for group in shared for one in group.members}
        chosen = tuple(instance for instance in desired.instances if instance.name in instances)
        plan = make(replace(desired, instances=chosen), seen, Options(owner=owner))
        for declared, instance in zip(chosen, plan.instances, strict=True):
            names = {(bot.name, bot.kind.path) for bot in declared.bots}
            for change in _unwanted(instance, names):
                instances[instance.name].blame("" if change.of is not Of.BOT else change.bot)
                wrong = True
            if instance.problem is not None:
                instances[instance.name].undone = wrong = True
        return wrong

    # -- what does not load -------------------------------------------------------------------

    def _correct_errors(self, error: ManifestError) -> None:
        if not any(problem.at.file in self._pages for problem in error.problems):
            raise error
        done: set[object] = set()
        for problem in error.problems:
            if problem.at.file not in self._pages:
                continue
            instance, written = self._pages[problem.at.file]
            place = written.places[problem.at.line]
            self._faults[instance] = self._what(problem)
            if instance in self.drafts and (instance, place) not in done:
                done.add((instance, place))
                self._correct_error(self.drafts[instance], place, self._what(problem))

    def _correct_error(self, made: Draft, place: Place, why: str) -> None:
        name = place.name
        match place.section:
            case "bots" if name and name not in made.others:
                _without(made, name, place.key, why)
            case "defaults":
                defaults = lift(made.bots.values()).of(place.kind)
                for bot, entry in list(made.bots.items()):
                    its = place.kind in ("", entry.kind.path)
                    if its and name in defaults and entry.declared.get(name) == defaults[name]:
                        _without(made, bot, name, why)
            case "settings":
                made.settings[place.kind].pop(name, None)
                made.leave_out(f"{name} of {settings_label(KINDS[place.kind])}", why)
            case "credentials" if name:
                made.credentials.pop(name, None)
                made.leave_out(f"the credential {name}", why)
            case _:
                self._skip(made, why)

    def _what(self, problem: Problem) -> str:
        """What is wrong, without the advice and without the path of the copy."""
        said = _AT_LEAST.sub(r", and a manifest takes \1 and more", problem.message)
        said = said.rpartition(": ")[0] or said
        return re.sub(rf" \({re.escape(str(self._directory))}[^()]*\)", "", said)

    def _skip(self, made: Draft, why: str) -> None:
        self.skipped[made.instance] = why
        del self.drafts[made.instance]

    # -- what would be changed ----------------------------------------------------------------

    def _correct_changes(self, desired: Desired, seen: Observed, owner: str) -> None:
        """Remove what an apply would change."""
        chosen = tuple(instance for instance in desired.instances if instance.name in self.drafts)
        plan = make(replace(desired, instances=chosen), seen, Options(owner=owner))
        for declared, instance in zip(chosen, plan.instances, strict=True):
            made = self.drafts[instance.name]
            if instance.problem is not None:
                self._faults[instance.name] = instance.problem
            names = {(bot.name, bot.kind.path) for bot in declared.bots}
            for change in _unwanted(instance, names):
                self._faults[instance.name] = change.reason
                _correct_change(made, change)


def _unwanted(instance: InstancePlan, names: set[tuple[str, str]]) -> Iterator[Change]:
    """Changes that should not be left after an import: all but adoptions that only write the marker.

    names: of the declared bots, and their kinds; the plan may also have conflicts of others.
    """
    for change in instance.changes:
        marking = change.of is Of.BOT and change.verb in (Verb.ADOPT, Verb.UPDATE)
        if marking and {field.name for field in change.fields} == {"description"}:
            continue
        if change.verb.writes or (change.verb is Verb.CONFLICT and (change.bot, change.kind.path) in names):
            yield change


def _correct_change(made: Draft, change: Change) -> None:
    """Remove what causes the change."""
    match change.of:
        case Of.CREDENTIAL:
            if made.credentials.pop(change.bot, None) is not None:
                made.leave_out(f"the credential {change.bot}", change.reason)
        case Of.SETTINGS:
            names = {change.kind.credential: CREDENTIAL, "fallbackId": "fallback"}
            for field in change.fields:
                name = names.get(field.name, field.name)
                _correct_setting(made, change.kind, name, field.before, change.reason)
        case Of.BOT if change.bot in made.bots:
            _correct_bot(made, change)


def _correct_setting(made: Draft, kind: Kind, name: str, stored: Value | None, why: str) -> None:
    if (kind.path, name) in made.settled:
        return
    made.settled.add((kind.path, name))
    said = made.settings.setdefault(kind.path, {})
    if said.pop(name, None) is not None:
        made.leave_out(f"{name} of {settings_label(kind)}", why)
    elif stored is not None and name in kind.settings:  # a folder's defaults set another value
        said[name] = tree(name, stored)


def _correct_bot(made: Draft, change: Change) -> None:
    entry = made.bots[change.bot]
    fields = [field for field in change.fields if field.name != "description"]
    if change.verb not in (Verb.ADOPT, Verb.UPDATE) or not fields:
        _without(made, change.bot, "", change.reason, DOUBLE)
    elif known := [field for field in fields if field.name in {*entry.own, entry.kind.credential}]:
        _without(made, change.bot, known[0].name, f"an apply would change its {known[0].name}")
    else:  # a folder's defaults set another value than the server's
        for field in fields:
            value = tree(field.name, "" if field.before is None else field.before)
            if field.name in entry.secrets:
                value = Tagged("env", entry.secrets[field.name])
            if (
                entry.declared.get(field.name) == value
            ):  # a folder's value for this bot wins over the manifest's defaults
                entry.own.add(field.name)
            entry.declared[field.name] = value


def _without(made: Draft, bot: str, key: str, why: str, step: str = BOT) -> None:
    """Remove a field from a bot, or the bot from the draft where it needs the field.

    step: what to do about the bot.
    """
    entry = made.bots.get(bot)
    if entry is None:
        return
    credential = entry.kind.credential
    if key == CREDENTIAL or (key == credential and CREDENTIAL in entry.declared):
        del entry.declared[CREDENTIAL]
        entry.declared[str(credential)] = str(entry.remote.fields[str(credential)])
    elif key and key != "kind" and key not in layout.needed(entry.kind):
        entry.declared.pop(key, None)
        entry.unsayable.add(key)
        made.leave_out(f"{key} of {called(entry.remote)}", why, FIELD)
    else:
        del made.bots[bot]
        made.leave_out(
            called(entry.remote), why, DOUBLE if "and no bot may" in why or "apart by" in why else step
        )
        settings = made.settings.get(entry.kind.path, {})
        if settings.get("fallback") == bot:
            del settings["fallback"]
            made.leave_out(f"fallback of {settings_label(entry.kind)}", f"{bot} is left out")
