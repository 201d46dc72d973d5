"""Which manifests a command is about: the selected ones of the work tree, and the base's beside them."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from hashlib import blake2b
from pathlib import Path

from reconciler.domain.desired import Desired, DesiredInstance
from reconciler.domain.errors import ManifestError, Problem
from reconciler.domain.records import dataclass, field, replace
from reconciler.domain.servers import NONE, Servers, local
from reconciler.domain.shards import Assigned
from reconciler.manifests import base, changed
from reconciler.manifests.history import History
from reconciler.manifests.load import read_all
from reconciler.manifests.loaded import counted
from reconciler.manifests.selection import check_globs, matches, names_alone


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be planned.

    desired: the selected instances. every: all that is declared. base: what the base declares of the
    same ones, None without a base or where its manifests are invalid. commit: the base's, "" for none.
    globs: the selection. targets: of --target, the globs of instances. only: the names that are looked at at
    all, None for all. notes: for the plan. broken: the errors of manifests that are not selected. names: of
    all instances that are declared. servers: all that may be named. chosen: those of several that are looked
    at. part: which instances are the shard's, None for all. whole, whole_base: then desired and base of all
    shards. others: instances of other shards that are planned beside those of this one. complete:
    whether all manifests were read; else every has what concerns the selected instances, each of which is
    selected by its name.
    """

    desired: Desired
    every: Desired
    directory: Path
    base: Desired | None = None
    commit: str = ""
    globs: Sequence[str] = ()
    targets: Sequence[str] = ()
    only: frozenset[str] | None = None
    notes: tuple[str, ...] = ()
    broken: tuple[Problem, ...] = ()
    names: frozenset[str] = frozenset()
    servers: Servers = NONE
    chosen: tuple[str, ...] = ()
    part: Assigned | None = None
    whole: Desired = field(default_factory=lambda: Desired(()))
    whole_base: Desired | None = None
    others: frozenset[str] = frozenset()
    complete: bool = True

    def only_these(self, instances: tuple[DesiredInstance, ...]) -> Wanted:
        """The same, of these instances alone."""
        names = frozenset(one.name for one in instances)
        return replace(self, desired=_with_creds_owners(Desired(instances), self.every), only=names)

    def selects(self, instance: str) -> bool:
        """Whether an instance is selected by its name."""
        if self.servers.several and self.servers.of(instance) not in self.chosen:
            return False
        return matches(instance, self.globs) and matches(instance, self.targets)

    def looks_at(self, instance: str) -> bool:
        """Whether an instance of the server is looked at that no manifest declares."""
        if instance in self.names:
            return False  # it was not selected
        return self.selects(instance) and (self.only is None or instance in self.only) and self.owns(instance)

    def owns(self, instance: str) -> bool:
        """Whether an instance is one of the shard's, by its name."""
        server = self.servers.of(instance)
        return self.part is None or self.part.has(instance, server, local(server, instance))

    def of(self, part: Assigned) -> Wanted:
        """What is wanted of a shard, with the instances of others whose credentials its bots use."""
        wanted = replace(self, part=part, whole=self.desired, whole_base=self.base)
        declared = {(one.name, each.name) for one in wanted._whole for each in one.credentials}
        bots = (bot for one in wanted._whole if wanted.owns(one.name) for bot in one.bots)
        return wanted.beside(
            bot.creds_owner for bot in bots if bot.creds_owner and (bot.creds_owner, bot.creds) in declared
        )

    def beside(self, more: Iterable[str]) -> Wanted:
        """The same with more instances that are planned beside the shard's, as far as they are selected."""
        others = self.others | set(more)

        def chosen(desired: Desired, every: Desired) -> Desired:
            found = (one for one in desired.instances if self.owns(one.name) or one.name in others)
            return _with_creds_owners(Desired(tuple(found)), every)

        before = self.whole_base
        if before is not None:
            before = chosen(before, Desired((*before.instances, *before.creds_owners)))
        return replace(self, desired=chosen(self.whole, self.every), base=before, others=others)

    @property
    def _whole(self) -> tuple[DesiredInstance, ...]:
        """The selected instances of all shards, as the manifests and the base declare them."""
        return (*self.whole.instances, *(self.whole_base.instances if self.whole_base else ()))

    def check(self, others: Collection[str]) -> None:
        """Raises ReconcilerError for a glob that matches nothing. others: instances that were read."""
        check_globs(self.every, self.globs, others)

    @property
    def history(self) -> History:
        """What git knows of these manifests."""
        return History(self.directory, self.every, self.servers)

    def declares(self, instance: str) -> bool:
        """Whether these manifests or the base's declare an instance."""
        base = self.base.instances if self.base else ()
        return instance in self.names or any(one.name == instance for one in base)

    @property
    def digest(self) -> str:
        """32 hex digits over the contents of all files that the manifests were read from."""
        found = sorted({file for one in self.every.instances for file in one.files})
        parts = blake2b(digest_size=16)
        for file in found:
            name = os.path.relpath(file, self.directory)
            content = Path(file).read_bytes()
            parts.update(f"{name}\0{len(content)}\0".encode(errors="surrogateescape") + content)
        return parts.hexdigest()

    @property
    def fleet(self) -> int | None:
        """How many bots all manifests declare, None where that is not known."""
        return sum(len(one.bots) for one in self.every.instances) if self.complete else None


def read(
    directory: Path,
    globs: Sequence[str],
    changed_since: str | None = None,
    ref: str | None = None,
    *,
    targets: Sequence[str] = (),
    others_valid: bool = True,
    all_read: bool = False,
    servers: Servers = NONE,
    chosen: Sequence[str] = (),
    meanwhile: Callable[[], object] | None = None,
) -> Wanted:
    """Load the manifests of the work tree and of the base, and select. Raises ReconcilerError.

    changed_since: a commit; only what changed since then is wanted. ref: the base. targets: see Wanted.
    others_valid: whether all manifests must be valid; else only those that are selected, and what they need.
    all_read: whether all are read, even if they need not be valid. servers, chosen: see Wanted. meanwhile:
    see read_all.
    """
    partly = not (others_valid or all_read or changed_since is not None)
    asked = names_alone(globs, targets) if partly else ()
    loaded = read_all(
        directory, origins=False, cached=True, servers=servers, asked=asked, meanwhile=meanwhile
    )
    broken = loaded.of_others(targets or globs)
    if broken and others_valid:
        raise ManifestError(sorted(loaded.every_problem))
    every = loaded.desired
    names = frozenset(one.name for one in every.instances)
    wanted = Wanted(
        *(every, every, directory),
        globs=tuple(globs),
        targets=tuple(targets),
        broken=broken,
        names=names,
        servers=servers,
        chosen=tuple(chosen),
        complete=loaded.whole,
    )
    selected = Desired(tuple(one for one in every.instances if wanted.selects(one.name)))
    wanted = replace(wanted, desired=selected)
    if changed_since is not None:
        selected = changed.since(changed_since, directory, selected)
        gone = _former(changed_since, directory, servers) - names
        only = {one.name for one in selected.instances} | gone
        wanted = replace(wanted, desired=selected, only=frozenset(only))
    if broken:
        wanted = _of_valid(wanted)
    if ref is not None:
        wanted = _with_base(wanted, base.read(ref, directory, "--base", servers, asked))
    return replace(wanted, desired=_with_creds_owners(wanted.desired, every))


def _of_valid(wanted: Wanted) -> Wanted:
    """The same, of declared instances alone: one that seems to be declared no more may be a broken one."""
    note = (
        f"{counted(wanted.broken)}: it was not checked whether these declare the same instances, credentials "
        "or keys, and instances that no manifest declares were not looked at"
    )
    only = frozenset(one.name for one in wanted.desired.instances)
    return replace(wanted, only=only, notes=(*wanted.notes, note))


def _former(ref: str, directory: Path, servers: Servers) -> frozenset[str]:
    """The instances that were declared where HEAD left a commit, as far as their manifests changed since."""
    known = None if servers.several else changed.former(ref, directory)
    if known is not None:
        return known
    before = base.read(ref, directory, "--changed-since", servers).desired
    return frozenset(one.name for one in before.instances)


def _with_base(wanted: Wanted, found: base.Base) -> Wanted:
    if found.invalid:
        note = f"the manifests of {found.commit[:12]} are invalid, so every change counts as this one's: "
        return replace(wanted, commit=found.commit, notes=(*wanted.notes, note + found.invalid))
    if not found.desired.instances:  # of a repository that begins, everything is new
        return replace(wanted, commit=found.commit)
    chosen = tuple(
        one
        for one in found.desired.instances
        if wanted.selects(one.name) and (wanted.only is None or one.name in wanted.only)
    )
    before = _with_creds_owners(Desired(chosen), found.desired)
    return replace(wanted, commit=found.commit, base=before)


def _with_creds_owners(selected: Desired, every: Desired) -> Desired:
    """The selected instances, and with them the owning instances of the credentials that they share."""
    names = {instance.name for instance in selected.instances}
    owners = {bot.creds_owner for instance in selected.instances for bot in instance.bots} - names
    return replace(selected, creds_owners=tuple(one for one in every.instances if one.name in owners))


def both(one: Desired, other: Desired) -> Desired:
    """What a fetch reads for two plans: every instance of either, with the credentials that either names."""
    there = {each.name: each for each in one.instances}
    mine = [_both(each, there.pop(each.name, None)) for each in other.instances]
    owners = {each.name: each for each in (*one.creds_owners, *other.creds_owners)}
    return replace(
        other,
        instances=tuple(sorted([*mine, *there.values()], key=lambda each: each.name)),
        creds_owners=tuple(owners.values()),
    )


def _both(mine: DesiredInstance, other: DesiredInstance | None) -> DesiredInstance:
    if other is None or other == mine:
        return mine
    names = {each.name for each in mine.credentials}
    return replace(
        mine,
        bots=(*mine.bots, *other.bots),
        credentials=(*mine.credentials, *(each for each in other.credentials if each.name not in names)),
        settings={**other.settings, **mine.settings},
    )
