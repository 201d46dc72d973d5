"""Whether new manifests declare what the server has: they are loaded, planned, and corrected until they do.

After an import a plan has only adoptions. What a manifest cannot declare is removed from its draft, with the
reason: a field where the bot is the same without it, else the bot. Writes to a directory of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from reconciler.domain.desired import Desired
from reconciler.domain.errors import ManifestError, Problem
from reconciler.domain.kinds import KINDS, Kind, Value
from reconciler.domain.observed import Observed
from reconciler.domain.plan import Change, InstancePlan, Of, Verb, settings_label
from reconciler.domain.servers import Servers
from reconciler.importer import layout
from reconciler.importer.draft import Draft, called, tree
from reconciler.importer.layout import CREDENTIAL
from reconciler.importer.page import Page, Place, file_names, lift, page
from reconciler.manifests.load import folder, load
from reconciler.manifests.variables import literal
from reconciler.plan.options import Options
from reconciler.plan.planner import make
from reconciler.yaml.emit import Tagged

Files = dict[str, str]
"""Texts of files by their paths, relative to the manifests' directory."""

_AT_LEAST = re.compile(r": write at least (\d+)$")


class Check:
    """The drafts and their files, corrected until they load and plan as they should.

    directory: a copy of the manifests, to which the drafts are written. beside: files that go with each
    instance. taken: paths of existing prompts. servers: see load. files: of each instance, its included files
    before its manifest. skipped: instances that no manifest can describe, and why.
    """

    def __init__(
        self,
        drafts: Mapping[str, Draft],
        directory: Path,
        taken: frozenset[str],
        beside: Files,
        servers: Servers | None = None,
    ) -> None:
        above = folder(directory)
        self._variables = above is not None and above.vars is not None
        self._inherited = dict(above.kinds or {}) if above is not None else {}
        self.drafts = dict(drafts)
        self.files: dict[str, Files] = {}
        self.skipped: dict[str, str] = {}
        self._directory, self._taken, self._beside, self._servers = directory, taken, beside, servers
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
                desired = load(self._directory, servers=self._servers)
            except ManifestError as error:
                self._correct_errors(error)
                continue
            self._correct_changes(desired, seen, owner)
            if not self._faults:
                return

    def _write(self) -> None:
        """Write the drafts to the directory."""
        self.drafts = {name: made for name, made in self.drafts.items() if not made.empty}
        names = file_names(self.drafts.values(), self._taken)
        wanted: Files = {}
        self._pages, self.files = {}, {}
        for instance, made in self.drafts.items():
            included = names.get(instance, {})
            made.others = [name for name in self._inherited if name not in made.bots]
            for name, kind in self._inherited.items():
                if name in made.bots and made.bots[name].kind is not kind:
                    made.bots[name].declared["kind"] = made.bots[name].kind.path
            written = page(made, included, variables=self._variables)
            path = f"{made.stem}.yaml"
            self._pages[str(self._directory / path)] = (instance, written)
            said = partial(literal, variables=self._variables)
            texts = {included[text]: f"{said(text)}\n" for text in included}
            self.files[instance] = self._beside | texts | {path: written.text}
            wanted |= self.files[instance]
        for path in self._written.keys() - wanted.keys():
            (self._directory / path).unlink()
        for path, text in wanted.items():
            if self._written.get(path) != text:
                (self._directory / path).parent.mkdir(parents=True, exist_ok=True)
                (self._directory / path).write_text(text, encoding="utf-8", newline="")
        self._written = wanted

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
        _without(made, change.bot, "", change.reason)
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


def _without(made: Draft, bot: str, key: str, why: str) -> None:
    """Remove a field from a bot, or the bot from the draft where it needs the field."""
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
        made.leave_out(f"{key} of {called(entry.remote)}", why)
    else:
        del made.bots[bot]
        made.leave_out(called(entry.remote), why)
        settings = made.settings.get(entry.kind.path, {})
        if settings.get("fallback") == bot:
            del settings["fallback"]
            made.leave_out(f"fallback of {settings_label(entry.kind)}", f"{bot} is left out")
