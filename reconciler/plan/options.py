"""What a plan may do, and for whom. Options are given by the command line and change nothing themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from reconciler.domain.plan import Change, Prune, Verb
from reconciler.domain.records import dataclass, field, replace
from reconciler.plan.targeted import Targets


@dataclass(frozen=True, slots=True)
class Review:
    """What somebody looked at. digests: of the changes that may be made; all others are not made.

    reviewed: the bots and so on that it changes, (instance, label); another change of one of them is blocked.
    before: those that were to be changed without it; a change of one of them is nothing to the review.
    recreated: the instances that were recreated under their names since the review.
    approved: the digests of deletes that were approved beyond the limits.
    """

    digests: frozenset[str]
    reviewed: frozenset[tuple[str, str]] = frozenset()
    before: frozenset[tuple[str, str]] = frozenset()
    recreated: frozenset[str] = frozenset()
    approved: frozenset[str] = frozenset()

    def not_made(self, change: Change) -> Change:
        """The report of a change that is not among the reviewed ones."""
        place = (change.instance, change.label)
        if place in self.before or (change.cause == "drift" and place not in self.reviewed):
            return replace(change, verb=Verb.BEFORE, reason=f"{change.verb}: {change.reason}")
        since = " since the instance was recreated" if change.instance in self.recreated else ""
        reason = f"nobody reviewed this {change.verb}{since}: {change.reason}"
        return replace(change, verb=Verb.BLOCKED, reason=reason)


@dataclass(frozen=True, slots=True)
class Effect(Review):
    """The changes that a pull request adds to those that there are without it."""

    def not_made(self, change: Change) -> Change:
        """The report of a change that there is without the pull request too."""
        return replace(change, verb=Verb.BEFORE, reason=f"{change.verb}: {change.reason}")


@dataclass(frozen=True, slots=True)
class Crossings:
    """How a part of a fleet is planned where it depends on other parts.

    declared: the bots that any manifest declares, by name and kind: those may move. moves: what is known to
    move: from which instance, by kind, bot and the instance where it arrives. waits: which of the bots of an
    instance that may move stay, by their places; None for all of them.
    """

    declared: frozenset[tuple[str, str]] = frozenset()
    moves: Mapping[tuple[str, str, str], str] = field(default_factory=dict)
    waits: frozenset[int] | None = frozenset()


def unknown(instance: str) -> str:
    """What is said of an instance where nobody looks into the history."""
    return ""


def unknown_files(files: Iterable[str]) -> str:
    """The same, of files."""
    return ""


@dataclass(frozen=True, slots=True)
class Options:
    """What a plan may do. replace: recreate bots that differ.

    prune: when bots that nothing declares any more are deleted. unseen: the plan is applied right away, so
    nobody looks at its deletes first. foreign: why an instance that no manifest declares may be another
    repository's, whose bots are not deleted; "" where it was this one's. commit: the last commit that changed
    an instance's manifest, "" where that is not known. edited: the same, of files.
    fleet: how many bots all manifests declare, None for those that are planned.
    max_deletes: in the whole plan, None for no limits. max_delete_share: percent of the bots that are ours.
    allowed: what approves deletes beyond the limits (Plan.approval).
    review: what may be changed; None for everything. targets: the same, the bots that the user named.
    needs_keys: the plan is to be applied now, so what needs a key that is not available is a conflict.
    keeps: why nothing is deleted; "" where nothing forbids it. crossings: of the plan of a part; None of a
    whole one.
    """

    owner: str = "gitops"
    replace: bool = False
    prune: Prune = Prune.NEVER
    unseen: bool = False
    foreign: Callable[[str], str] = unknown
    commit: Callable[[str], str] = unknown
    edited: Callable[[Iterable[str]], str] = unknown_files
    fleet: int | None = None
    max_deletes: int | None = 5
    max_delete_share: int = 50
    allowed: frozenset[str] = frozenset()
    review: Review | None = None
    targets: Targets | None = None
    needs_keys: bool = False
    keeps: str = ""
    crossings: Crossings | None = None

    def may_make(self, change: Change) -> bool:
        """Whether a review, if there is one, has the change, and so have the targets."""
        if self.targets is not None and not self.targets.have(change):
            return False
        return self.review is None or change.digest in self.review.digests

    def made(self, change: Change) -> Change:
        """The change, or the report that it is not made."""
        return self.not_made(change) if change.verb.writes and not self.may_make(change) else change

    def not_made(self, change: Change) -> Change:
        """The report of a change that may not be made."""
        if self.review is None or (self.targets is not None and not self.targets.have(change)):
            return replace(change, verb=Verb.BEFORE, reason=f"{change.verb}: {change.reason}")
        return self.review.not_made(change)
