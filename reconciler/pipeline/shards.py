"""The plan of a shard, and one plan or result of those of all shards. Reads files; calls no server itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from reconciler import __version__, saved
from reconciler.domain import shards
from reconciler.domain.errors import ReconcilerError
from reconciler.domain.plan import Plan
from reconciler.domain.results import Results
from reconciler.domain.shards import ApplyShard, Limits, PlanShard
from reconciler.manifests import git
from reconciler.manifests.wanted import Wanted
from reconciler.pipeline import fleet, sharding
from reconciler.pipeline.ahead import Reader
from reconciler.pipeline.planning import Reading, planned, silently
from reconciler.pipeline.request import Request
from reconciler.pipeline.unchanged import Sources
from reconciler.plan import applying, joining
from reconciler.saved import Saved

T = TypeVar("T", PlanShard, ApplyShard)


def plan(
    request: Request,
    running: fleet.Running,
    wanted: Wanted,
    *,
    reading: Reading = silently,
    reader: Reader | None = None,
    sources: Sources | None = None,
) -> tuple[Plan, PlanShard | None]:
    """The plan of a request; of a shard with what it says to the other shards. Raises ReconcilerError."""
    planner, observed, made = planned(
        request, running, wanted, reading=reading, reader=reader, sources=sources
    )
    if request.shard is None:
        return made, None
    made, found = planner.crossing(made, observed)
    limits = Limits(
        request.max_deletes, request.max_delete_share, wanted.fleet or 0, tuple(sorted(request.allow_deletes))
    )
    return made, PlanShard(
        request.shard,
        __version__,
        git.commit(Path(request.bots)),
        wanted.digest,
        sharding.bound(request),
        limits,
        wanted.notes,
        found,
    )


# -- merging ----------------------------------------------------------------------------------

PLAN_AGAIN = "Plan all shards again, and merge those"


def merged(files: Sequence[str], *, partial: bool = False) -> Saved:
    """The plan of the files of all shards, or their results. partial: whether results may be missing.

    Raises ReconcilerError.
    """
    found = [(file, saved.read(Path(file))) for file in files]
    for file, one in found:
        if one.shard is None:
            what = "a whole plan" if one.results is None else "the results of a whole apply"
            raise ReconcilerError(
                f"{file} is {what}, and of no shard: merge takes what `plan --shard I/N --out FILE` or "
                "`apply --shard I/N --out FILE` wrote."
            )
    if all(isinstance(one.shard, PlanShard) for _, one in found):
        plans, _ = _of(found, PlanShard)
        return _plan(plans)
    if all(isinstance(one.shard, ApplyShard) for _, one in found):
        results, missing = _of(found, ApplyShard, partial=partial)
        return _results(results, missing)
    mine, other = (
        next(file for file, each in found if isinstance(each.shard, kind)) for kind in (PlanShard, ApplyShard)
    )
    raise ReconcilerError(
        f"{mine} is the plan of a shard, and {other} the results of one: merge each kind by itself."
    )


def _of(
    found: Sequence[tuple[str, Saved]], of: type[T], *, partial: bool = False
) -> tuple[list[tuple[str, Saved, T]], tuple[str, ...]]:
    """The files of all shards in their order, each once, and which are missing. Raises ReconcilerError."""
    every = [(file, one, one.shard) for file, one in found if isinstance(one.shard, of)]
    first, _, one = every[0]
    for file, _, other in every:
        if other.shard.of != one.shard.of:
            raise ReconcilerError(
                f"{first} is one of {one.shard.of} shards, and {file} one of {other.shard.of}. {PLAN_AGAIN}."
            )
    numbers: dict[int, str] = {}
    for file, _, other in every:
        twin = numbers.get(other.shard.number)
        if twin is not None:
            twice = f"{twin} and {file} are both of the shard {other.shard}"
            twice = f"{file} is given twice" if twin == file else twice
            raise ReconcilerError(f"{twice}: give the file of each shard once.")
        numbers[other.shard.number] = file
    missing = sorted(set(range(1, one.shard.of + 1)) - numbers.keys())
    if missing and not partial:
        names = shards.listed(missing, one.shard.of)
        be, it = ("shard", "is") if len(missing) == 1 else ("shards", "are")
        raise ReconcilerError(f"the {be} {names} {it} missing: give the files of all {one.shard.of}.")
    lacks = tuple(f"{number}/{one.shard.of}" for number in missing)
    return sorted(every, key=lambda each: each[2].shard), lacks


def _plan(found: Sequence[tuple[str, Saved, PlanShard]]) -> Saved:
    """One plan. Raises ReconcilerError."""
    first, one, shard = found[0]
    if shard.tool != __version__:
        raise ReconcilerError(
            f"{first} is of version {shard.tool} of this tool, and this is {__version__}: use one version "
            "for the plans of all shards and to merge them."
        )
    for file, other, its in found[1:]:
        for what, mine, theirs in _compared(one.plan, shard, other.plan, its):
            if mine != theirs:
                raise ReconcilerError(
                    f"{first} and {file} do not belong together: {what} {mine} and {theirs}. {PLAN_AGAIN}."
                )
    made = joining.joined([(each.plan, its) for _, each, its in found])
    try:
        saved.check(made)
    except saved.ContradictionError as error:
        raise ReconcilerError(
            f"the plans of the shards contradict each other, as the server changed between them: {error}. "
            f"{PLAN_AGAIN}."
        ) from None
    return Saved(made, commit=shard.commit)


def _compared(one: Plan, mine: PlanShard, other: Plan, its: PlanShard) -> Iterator[tuple[str, str, str]]:
    """What all shards must have in common, for a sentence: what it is, and both values."""

    def named(text: str | None) -> str:
        return text or "none"

    yield "they are of the versions", mine.tool, its.tool
    yield "they are of the commits", named(mine.commit), named(its.commit)
    yield "the manifests have the digests", mine.manifests, its.manifests
    yield "they are compared with the commits", named(one.base), named(other.base)
    yield "they are for the owners", one.owner, other.owner
    yield "they are for the servers", one.where, other.where
    yield "the servers are named", named(one.server_name), named(other.server_name)
    for name in sorted({*mine.options, *its.options}):
        yield f"{name} is", _value(mine, name), _value(its, name)
    yield "the limits are of", str(mine.limits), str(its.limits)
    yield "they note", " ".join(mine.notes), " ".join(its.notes)


def _value(shard: PlanShard, option: str) -> str:
    return shard.options.get(option, "not given")


def _results(found: Sequence[tuple[str, Saved, ApplyShard]], missing: tuple[str, ...]) -> Saved:
    """One result. missing: the shards that are. Raises ReconcilerError."""
    first, one, shard = found[0]
    for file, _, its in found[1:]:
        if (its.plan, its.apart) != (shard.plan, shard.apart):
            raise ReconcilerError(
                f"{first} and {file} do not belong together: they are of applies of different plans. Give "
                "the results of one plan."
            )
    made = applying.whole([(each.plan, its) for _, each, its in found])
    if not missing and not shard.apart and made.digest != shard.plan:
        raise ReconcilerError(
            f"the results from {first} on are not those of all parts of one plan: give the files that the "
            "apply of each shard wrote, as they are."
        )
    ended = [(each.results or Results(())) for _, each, _ in found]
    by_change = {(r.change.instance, r.change.label): r for each in ended for r in each.results}
    changes = [(change.instance, change.label) for change in made.changes() if change.verb.writes]
    signal = next((each.signal for each in ended if each.signal is not None), None)
    results = tuple(by_change[each] for each in changes if each in by_change)
    return Saved(made, Results(results, signal, missing), commit=one.commit)
