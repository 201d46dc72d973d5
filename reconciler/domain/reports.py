"""How an import, an update of the manifests and a switch ended, for a renderer to show. Frozen values."""

from __future__ import annotations

from pathlib import Path

from reconciler.domain.kinds import OPENAI, Kind
from reconciler.domain.records import dataclass, replace
from reconciler.domain.results import Outcome
from reconciler.domain.servers import full


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something of the server that is not in the manifest. what: a bot's id, or what else it is.

    step: what to do about it, a sentence; "" where the reason says it.
    """

    instance: str
    what: str
    reason: str
    step: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """A manifest that was written. variables: those that are to hold its keys, and URLs with a secret."""

    instance: str
    path: Path
    bots: int
    credentials: int
    variables: tuple[str, ...]
    settings: bool
    group: str = ""


@dataclass(frozen=True, slots=True)
class Apart:
    """What an instance has of its own, of a bot that its group shares. keys: none where it lacks the bot."""

    instance: str
    bot: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GroupReport:
    """What the instances of a group share.

    folder: of its files, below that of all manifests. bots, variables: by name. apart: what is not shared of
    these bots. note: why nothing is shared; "" where something is.
    """

    folder: str
    instances: int
    bots: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    apart: tuple[Apart, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Saving:
    """What groups saved: the lines of their manifests and prompts. shared: how many `_defaults` files."""

    manifests: int
    lines_before: int
    shared: int
    lines_after: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """Instances that might be declared as a group. alike: how many of their bots another of them has too."""

    glob: str
    instances: int
    bots: int
    alike: int


@dataclass(frozen=True, slots=True)
class ImportReport:
    """How an import ended.

    directory: of the manifests. skipped: instances without a new manifest. left_out: what the new ones lack.
    empty: how many instances have nothing that a manifest could say. failed: whether one could not be read
    or written. off: why bots of some kinds were not read, a sentence each. groups: that were declared.
    saving: None without any. candidates: for groups, where none was declared. replaced: files of an untouched
    sample that were removed.
    """

    directory: Path
    written: tuple[Written, ...]
    skipped: tuple[LeftOut, ...]
    left_out: tuple[LeftOut, ...]
    empty: int
    failed: bool
    off: tuple[str, ...] = ()
    groups: tuple[GroupReport, ...] = ()
    saving: Saving | None = None
    candidates: tuple[Candidate, ...] = ()
    replaced: tuple[Path, ...] = ()

    def of(self, server: str) -> ImportReport:
        """The report of one of several servers."""

        def named(of: tuple[LeftOut, ...]) -> tuple[LeftOut, ...]:
            return tuple(replace(one, instance=full(server, one.instance)) for one in of)

        return replace(
            self,
            directory=self.directory.parent,
            written=tuple(
                replace(
                    one,
                    instance=full(server, one.instance),
                    group=full(server, one.group) if one.group else "",
                )
                for one in self.written
            ),
            skipped=named(self.skipped),
            left_out=named(self.left_out),
            off=tuple(f"{server}: {why}" for why in self.off),
            groups=tuple(replace(one, folder=full(server, one.folder)) for one in self.groups),
            candidates=(),
        )

    def beside(self, other: ImportReport) -> ImportReport:
        """This report and that of another server. Says nothing of what groups saved."""
        return replace(
            self,
            written=self.written + other.written,
            skipped=self.skipped + other.skipped,
            left_out=self.left_out + other.left_out,
            empty=self.empty + other.empty,
            failed=self.failed or other.failed,
            off=self.off + other.off,
            groups=self.groups + other.groups,
            saving=None,
            replaced=self.replaced + other.replaced,
        )


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence about a bot, by its name, or settings, by their label, or "" for a whole instance."""

    instance: str
    about: str
    text: str


@dataclass(frozen=True, slots=True)
class Edited:
    """A bot, or settings, of which the manifest says something else now. keys: what, in its words."""

    instance: str
    about: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UpdateReport:
    """How an update ended. files: those that were written. failed: what could not be brought back."""

    edited: tuple[Edited, ...]
    files: tuple[Path, ...]
    failed: tuple[Note, ...]
    said: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class Switched:
    """A bot that `reconciler disable` or `enable` was to switch.

    bot: its name, or the id of one that is not ours. on: whether it is on, as it was seen last; None where
    that is not known. outcome: how its call ended; None where there was nothing to do, or for a dry run.
    note: a sentence. sessions: how many it goes on answering; None where that was not asked or not answered,
    then unread says why. fallback: whether the instance's settings start it where no other bot answers.
    """

    instance: str
    bot: str
    on: bool | None
    outcome: Outcome | None = None
    note: str = ""
    sessions: int | None = None
    unread: str = ""
    fallback: bool = False
    kind: Kind = OPENAI


@dataclass(frozen=True, slots=True)
class SwitchReport:
    """How a `disable` or an `enable` ended.

    on: what was asked for. closed: how many sessions were ended. problems: what could not be read or
    switched, a sentence each. left: whether sessions that were to be ended are open. dry: nothing was
    written. signal: the number of the signal that ended it early.
    """

    on: bool
    bots: tuple[Switched, ...]
    problems: tuple[str, ...] = ()
    closed: int = 0
    left: bool = False
    dry: bool = False
    signal: int | None = None

    def of(self, server: str) -> SwitchReport:
        """The report of one of several servers."""
        if not server:
            return self
        bots = tuple(replace(bot, instance=full(server, bot.instance)) for bot in self.bots)
        return replace(self, bots=bots, problems=tuple(f"{server}: {each}" for each in self.problems))

    def beside(self, other: SwitchReport) -> SwitchReport:
        """This report and that of another server."""
        return replace(
            self,
            bots=self.bots + other.bots,
            problems=self.problems + other.problems,
            closed=self.closed + other.closed,
            left=self.left or other.left,
            signal=self.signal or other.signal,
        )

    @property
    def ok(self) -> bool:
        """Whether everything that was named is as it was to be."""
        ended = all(bot.outcome in {None, Outcome.APPLIED} for bot in self.bots)
        return ended and not self.problems and not self.left and self.signal is None
