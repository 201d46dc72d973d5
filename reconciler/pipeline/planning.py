"""The plan of a request: the manifests against the server, or what a pull request adds to that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any

from reconciler.domain import markers, signals
from reconciler.domain.desired import Desired, DesiredInstance
from reconciler.domain.errors import ManifestError, ReconcilerError
from reconciler.domain.kinds import Kind
from reconciler.domain.observed import Observed, ObservedInstance, RemoteBot
from reconciler.domain.plan import Plan, Prune, Verb
from reconciler.domain.records import replace
from reconciler.domain.servers import full, local
from reconciler.domain.shards import Crossing, Variant
from reconciler.evolution.fetch import OnRead
from reconciler.manifests import secrets
from reconciler.manifests.selection import matches
from reconciler.manifests.wanted import Wanted, both
from reconciler.pipeline import fleet, sharding
from reconciler.pipeline.ahead import Reader
from reconciler.pipeline.request import ALL, Request, keys_of
from reconciler.pipeline.unchanged import Sources
from reconciler.plan import crossing, effect, matching, renewed, routes, targeted
from reconciler.plan.limits import deletes, exceeded
from reconciler.plan.options import Crossings, Options
from reconciler.plan.planner import Drafts, make
from reconciler.plan.removal import TOO_MUCH
from reconciler.plan.settled import at_a_glance, settle
from reconciler.saved import binding

MOST_ALONE = 5
"""Of the bots of an instance that may move, how many are planned to be the only one that stays."""

Reading = Callable[[], AbstractContextManager[OnRead]]
"""Surrounds the reading of a server, and yields what is told how far it is."""


@contextmanager
def silently() -> Iterator[OnRead]:
    """The Reading that shows nothing."""
    yield lambda number, of: None


def plan(
    request: Request,
    running: fleet.Running,
    wanted: Wanted,
    reviewed: Sequence[Plan] = (),
    *,
    applies: bool = False,
    reading: Reading = silently,
    reader: Reader | None = None,
) -> Plan:
    """Read the servers and compare. Raises ReconcilerError.

    With a base the plan is of what the work tree adds to it. reviewed: plans; where there are any, only their
    changes may be made. applies: whether the plan is to be applied, which takes the keys of credentials.
    reading: shows how far the reading is. reader: reads the servers ahead.
    """
    _, _, made = planned(request, running, wanted, reviewed, applies=applies, reading=reading, reader=reader)
    return made


def planned(
    request: Request,
    running: fleet.Running,
    wanted: Wanted,
    reviewed: Sequence[Plan] = (),
    *,
    applies: bool = False,
    reading: Reading = silently,
    reader: Reader | None = None,
    sources: Sources | None = None,
) -> tuple[Planner, Observed, Plan]:
    """As plan; with what was read, and the planner that can make other plans of it.

    sources: takes down what the plan is made of.
    """
    read = keys_of(request) if sources is None else sources.reading(keys_of(request))
    keys = fleet.keys(wanted.desired, running, read)
    given, wanted = wanted, filled(wanted, reviewed, read)
    planner = Planner(request, wanted, reviewed, applies=applies)
    listing = wanted.complete and (request.scope == ALL or wanted.only is not None)
    others = wanted.looks_at if listing else None

    async def run() -> tuple[Observed, Plan]:
        heard = None if sources is None else sources.of
        async with (
            reader.answers() if reader else nullcontext() as ahead,
            fleet.clients(running, ahead, heard) as clients,
        ):
            observed = await fleet.fetched(
                clients, planner.read, planner.needs_settings, keys, others, on_read, planner.settle
            )
            wanted.check(observed.instances.keys())
            made = planner.make(observed)
            if any(change.unkept for change in made.changes()):
                observed = await fleet.with_versions(clients, observed)
                made = planner.make(observed)
            if problems := await fleet.misplaced(clients, made):
                observed = observed.without(problems)
                made = planner.make(observed)
            return observed, made

    with reading() as on_read:
        observed, made = signals.run(run())
    if more := sharding.beside(wanted, observed, request.owner):
        return planned(request, running, given.beside(more), reviewed, applies=applies, reading=reading)
    made = fleet.bound(request, running, made)
    for each in reviewed:
        binding.check_same_server(each, made)
        binding.check_owner(each, made.owner)
    return planner, observed, made


def filled(wanted: Wanted, reviewed: Sequence[Plan], read: secrets.Read) -> Wanted:
    """The manifests with the secret values of bots' fields, and with what they do not declare any more."""
    desired = secrets.filled(wanted.desired, read)
    if wanted.base is None:
        selected = {one.name for one in desired.instances}
        former = {
            name: one
            for name, one in effect.of_reviewed(reviewed, desired).items()
            if name in selected or wanted.looks_at(name)
        }
        return replace(wanted, desired=replace(desired, former=former))
    former = effect.former(wanted.base, desired)
    with suppress(ManifestError):  # the base's key may be wrong: that is not this change's
        wanted = replace(wanted, base=secrets.filled(wanted.base, read))
    return replace(wanted, desired=replace(desired, former=former))


class Planner:
    """Makes the plan of what was read; of a pull request its effect."""

    def __init__(self, request: Request, wanted: Wanted, reviewed: Sequence[Plan], *, applies: bool) -> None:
        self._wanted, self._request, self._reviewed = wanted, request, reviewed
        self._history = wanted.history
        self._options = Options(
            owner=request.owner,
            replace=request.replace,
            prune=Prune(request.prune),
            unseen=applies and not reviewed,
            fleet=wanted.fleet,
            max_deletes=request.max_deletes,
            max_delete_share=request.max_delete_share,
            allowed=frozenset(request.allow_deletes),
            needs_keys=applies,
        )
        if request.rotate_keys and (reviewed or request.target or wanted.base is not None):
            raise ReconcilerError("--rotate-keys cannot be combined with --reviewed, --target and --base.")
        if addresses := targeted.parse(request.target):
            declared = [wanted.desired, *([] if wanted.base is None else [wanted.base])]
            self._options = replace(self._options, targets=targeted.targets(addresses, declared))
        if wanted.part is not None:
            self._options = replace(
                self._options, **sharding.options(request, wanted, reviewed, applies=applies)
            )
        self._declared = [wanted.desired, *([] if wanted.base is None else [wanted.base])]
        self._by_name = [{one.name: one for one in each.instances} for each in self._declared]
        self._owners = {one.name: one for one in wanted.desired.creds_owners} | self._by_name[0]
        self._settled: dict[str, Drafts] = {}
        known = wanted.desired.former.keys()
        if request.target or request.rotate_keys or wanted.part is not None:
            self._settling = frozenset[str]()
        elif wanted.base is None:
            self._settling = frozenset(self._by_name[0].keys() - known)
        else:
            self._settling = effect.alike(wanted.base, wanted.desired) - known

    @property
    def read(self) -> Desired:
        """What is to be read."""
        return (
            self._declared[0] if self._wanted.base is None else both(self._wanted.base, self._wanted.desired)
        )

    def needs_settings(self, instance: DesiredInstance, bots: tuple[RemoteBot, ...], kind: Kind) -> bool:
        """Whether an instance's settings are read."""
        if instance.name in self._wanted.desired.former:
            return True
        owner, replaces = self._request.owner, self._request.replace
        mine = [each[instance.name].of_kind(kind) for each in self._by_name if instance.name in each]
        return any(matching.needs_settings(one, bots, owner, kind, replace=replaces) for one in mine)

    def settle(
        self, instance: DesiredInstance, seen: ObservedInstance, /, *, early: bool
    ) -> tuple[RemoteBot, ...] | None:
        """Plan an instance that was just read, and keep that, if it is as it is declared: see settled.py.

        early: see Settle.
        """
        self._settled.pop(instance.name, None)  # it may have been read before
        if instance.name not in self._settling:
            return None
        declared = self._by_name[0][instance.name]
        names = dict.fromkeys(bot.creds_owner or instance.name for bot in declared.bots)
        owners = [self._owners[name] for name in names if name != instance.name and name in self._owners]
        if self._wanted.base is not None and any(one.name not in self._settling for one in owners):
            return None  # the base's plan may differ, as it knows another key
        found = (at_a_glance if early else settle)(declared, owners, seen, self._options)
        if found is None:
            return None
        self._settled[instance.name] = found.drafts
        return found.bots

    def make(self, observed: Observed, **other: Any) -> Plan:
        """The plan; of a shard that of its own instances. other: options in the place of its own.

        Raises ReconcilerError.
        """
        desired, base, options = self._wanted.desired, self._wanted.base, replace(self._options, **other)
        if (chosen := options.targets) is not None:
            observed = targeted.without_keys(observed)
            desired = targeted.with_needed_settings(desired, observed, chosen)
            base = base and targeted.with_needed_settings(base, observed, chosen)
        made = self._made(desired, base, observed, options)
        if chosen is not None:
            targeted.check(chosen, self._wanted.every, made)
            made = targeted.only(made, desired, chosen)
        if self._wanted.part is not None:
            made = crossing.only(made, self._wanted.owns)
        made = routes.with_routing(made, observed, desired)
        return replace(made, base=self._wanted.commit, notes=(*self._wanted.notes, *made.notes))

    def crossing(self, made: Plan, observed: Observed) -> tuple[Plan, Crossing]:
        """The plan of a shard with all its messages, and what it knows of what depends on other shards."""
        wanted, options = self._wanted, self._knowing(self._options, observed)
        desired, crossings = wanted.desired, options.crossings or Crossings()
        found = crossing.find(made, observed, desired, options, wanted.owns)

        def waiting(waits: frozenset[int] | None) -> Variant:
            other = self.make(observed, crossings=replace(crossings, waits=waits))
            return crossing.variant(made, other, observed, desired)

        if most := crossing.may_stay(found):
            found = replace(
                found,
                waiting=waiting(None),
                one_waiting=tuple(
                    waiting(frozenset({place})) for place in range(min(most, MOST_ALONE)) if most > 1
                ),
            )
        if crossing.deletes(made):
            other = self.make(observed, keeps=TOO_MUCH)
            found = replace(found, kept=crossing.variant(made, other, observed, desired))
        made, order = crossing.with_routing(made, observed, desired)
        return made, replace(found, order=order)

    def _made(self, desired: Desired, base: Desired | None, observed: Observed, options: Options) -> Plan:
        options = self._knowing(options, observed)
        if self._reviewed:
            ids = {name: instance.id for name, instance in observed.instances.items()}
            options = replace(options, review=effect.review(self._reviewed, ids))
        free = replace(options, max_deletes=None, keeps="")
        if options.crossings is not None:
            free = replace(free, crossings=replace(options.crossings, waits=frozenset()))
        if self._request.rotate_keys:
            whole = make(desired, observed, free, self._settled)
            kept = renewed.reduced(desired, whole)
            made = make(kept, observed, replace(free, review=renewed.review(whole)))
            return renewed.told(made, whole)
        if base is None:
            return make(desired, observed, options, self._settled)
        before = make(base, observed, free, self._settled)
        whole = make(desired, observed, free, self._settled)
        added = effect.of_plans(before, whole)
        made = make(desired, observed, replace(options, review=added), self._settled)
        if (more := effect.needed(made, whole, added)) is not added:
            made = make(desired, observed, replace(options, review=more), self._settled)
        return effect.marked(made, before, whole, effect.alike(base, desired))

    def _knowing(self, options: Options, observed: Observed) -> Options:
        """The options with what the history says of what was read."""
        return replace(
            options,
            foreign=self._foreign(observed),
            commit=self._history.commit,
            edited=self._history.edited,
        )

    def _foreign(self, observed: Observed) -> Callable[[str], str]:
        """Why an undeclared instance may be another repository's. Looks only at those that have our bots."""
        request, history = self._request, self._history
        reviewed = {c.instance for plan in self._reviewed for c in plan.changes() if c.verb is Verb.DELETE}
        unknown = {
            name
            for name, one in observed.instances.items()
            if self._ours(one)
            and not self._wanted.declares(name)
            and name not in reviewed
            and not (request.known_instance and matches(name, request.known_instance))
        }
        twins = {name for name in unknown if self._has_twin(observed, name)}
        unknown -= history.named(unknown - twins)
        why = (
            "no manifest or commit of this repository names the instance: another repository may use the "
            f"owner {request.owner} too. Give each repository an owner of its own, or pass --known-instance"
        )
        if history.is_shallow:
            why = (
                "no manifest names the instance, and in a shallow clone nobody knows whether a commit did: "
                "fetch all commits, with fetch-depth: 0 at actions/checkout, or pass --known-instance"
            )
        twin = (
            "another server has an instance of this name that a manifest declares, with these bots: if this "
            "one was yours too, pass --known-instance"
        )
        return lambda name: twin if name in twins else why if name in unknown else ""

    def _has_twin(self, observed: Observed, name: str) -> bool:
        """Whether an instance of this name, with all our bots that are here, is declared on another server.

        Then commits that name the instance may mean that one.
        """
        here = observed.instances[name]
        if not here.server:
            return False
        ours = self._ours(here)
        calls = {server: full(server, local(here.server, name)) for server in observed.parts}
        twins = (observed.instances.get(other) for server, other in calls.items() if server != here.server)
        return any(one and self._wanted.declares(one.name) and ours <= self._ours(one) for one in twins)

    def _ours(self, instance: ObservedInstance) -> set[str]:
        """The names in our markers."""
        texts = (str(bot.fields.get("description", "")) for bot in instance.bots)
        return {name for text in texts if (name := markers.name_of(text, self._request.owner))}


def check_deletes(request: Request, made: Plan) -> None:
    """Raises ReconcilerError when a saved plan deletes what may not be deleted."""
    gone = list(deletes(made))
    if gone and request.prune == Prune.NEVER:
        raise ReconcilerError(
            f"nothing was done: prune is `never`, and the plan deletes {len(gone)}: plan again, or pass "
            "--prune reviewed."
        )
    if made.approved:
        return
    # An instance with nothing but deletes may be one that no manifest declares: there the share is of all
    # bots, which a plan does not say.
    declared = {
        one.name
        for one in made.instances
        if one.in_sync or any(c.verb is not Verb.DELETE for c in one.changes)
    }
    fleet = 100 * len(gone)
    found = exceeded(made.instances, declared, fleet, request.max_deletes, request.max_delete_share)
    if found:
        raise ReconcilerError("nothing was done: " + "; ".join(found) + ".")
