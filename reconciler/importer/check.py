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
from reconciler.domain.kinds import OPENAI, Value
from reconciler.domain.observed import Observed
from reconciler.domain.plan import Change, InstancePlan, Of, Verb
from reconciler.importer.draft import Draft, called, tree
from reconciler.importer.page import Page, file_names, lift, page
from reconciler.manifests.load import folder, load
from reconciler.manifests.variables import literal
from reconciler.plan.options import Options
from reconciler.plan.planner import make
from reconciler.yaml.emit import Tagged

Files = dict[str, str]
"""Texts of files by their paths, relative to the manifests' directory."""

_NEEDED = frozenset(
    {"botType", "triggerType", "openaiCredsId"}
    | {name for names in OPENAI.keys.values() for name in names}
    | {name for names in OPENAI.trigger_parts.values() for name in names}
)
"""Fields that a bot cannot be declared without."""

_SETTINGS = {"openaiCredsId": "openaiCreds", "fallbackId": "fallback"}
"""Fields of the settings that a manifest names differently than a change."""

_AT_LEAST = re.compile(r": write at least (\d+)$")


class Check:
    """The drafts and their files, corrected until they load and plan as they should.

    directory: a copy of the manifests, to which the drafts are written. beside: files that go with each
    instance. taken: paths of existing prompts. files: of each instance, its included files before its
    manifest. skipped: instances that no manifest can describe, and why.
    """

    def __init__(
        self, drafts: Mapping[str, Draft], directory: Path, taken: frozenset[str], beside: Files
    ) -> None:
        above = folder(directory)
        self._variables = above is not None and above.vars is not None
        self._inherited = tuple(above.bots or ()) if above is not None else ()
        self.drafts = dict(drafts)
        self.files: dict[str, Files] = {}
        self.skipped: dict[str, str] = {}
        self._directory, self._taken, self._beside = directory, taken, beside
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
                desired = load(self._directory)
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
            section, name, key = written.places[problem.at.line]
            self._faults[instance] = self._what(problem)
            if instance in self.drafts and (instance, section, name, key) not in done:
                done.add((instance, section, name, key))
                self._correct_error(self.drafts[instance], section, name, key, self._what(problem))

    def _correct_error(self, made: Draft, section: str, name: str, key: str, why: str) -> None:
        match section:
            case "bots" if name and name not in made.others:
                _without(made, name, key, why)
            case "defaults":
                defaults, _ = lift(made.bots.values())
                for bot, entry in list(made.bots.items()):
                    if name in defaults and entry.declared.get(name) == defaults[name]:
                        _without(made, bot, name, why)
            case "settings":
                made.settings.pop(name, None)
                made.leave_out(f"{name} of the settings", why)
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
            names = {bot.name for bot in declared.bots}
            for change in _unwanted(instance, names):
                self._faults[instance.name] = change.reason
                _correct_change(made, change)


def _unwanted(instance: InstancePlan, names: set[str]) -> Iterator[Change]:
    """Changes that should not be left after an import: all but adoptions that only write the marker.

    names: of the declared bots; the plan may also have conflicts of others.
    """
    for change in instance.changes:
        marking = change.of is Of.BOT and change.verb in (Verb.ADOPT, Verb.UPDATE)
        if marking and {field.name for field in change.fields} == {"description"}:
            continue
        if change.verb.writes or (change.verb is Verb.CONFLICT and change.bot in names):
            yield change


def _correct_change(made: Draft, change: Change) -> None:
    """Remove what causes the change."""
    match change.of:
        case Of.CREDENTIAL:
            if made.credentials.pop(change.bot, None) is not None:
                made.leave_out(f"the credential {change.bot}", change.reason)
        case Of.SETTINGS:
            for field in change.fields:
                _correct_setting(made, _SETTINGS.get(field.name, field.name), field.before, change.reason)
        case Of.BOT if change.bot in made.bots:
            _correct_bot(made, change)


def _correct_setting(made: Draft, name: str, stored: Value | None, why: str) -> None:
    if name in made.settled:
        return
    made.settled.add(name)
    if made.settings.pop(name, None) is not None:
        made.leave_out(f"{name} of the settings", why)
    elif stored is not None and name in OPENAI.settings:  # a folder's defaults set another value
        made.settings[name] = tree(name, stored)


def _correct_bot(made: Draft, change: Change) -> None:
    entry = made.bots[change.bot]
    fields = [field for field in change.fields if field.name != "description"]
    if change.verb not in (Verb.ADOPT, Verb.UPDATE) or not fields:
        _without(made, change.bot, "", change.reason)
    elif known := [field for field in fields if field.name in {*entry.own, "openaiCredsId"}]:
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
    if key == "openaiCreds" or (key == "openaiCredsId" and "openaiCreds" in entry.declared):
        del entry.declared["openaiCreds"]
        entry.declared["openaiCredsId"] = str(entry.remote.fields["openaiCredsId"])
    elif key and key not in _NEEDED:
        entry.declared.pop(key, None)
        entry.unsayable.add(key)
        made.leave_out(f"{key} of {called(entry.remote)}", why)
    else:
        del made.bots[bot]
        made.leave_out(called(entry.remote), why)
        if made.settings.get("fallback") == bot:
            del made.settings["fallback"]
            made.leave_out("fallback of the settings", f"{bot} is left out")
