"""What a plan says beside its changes, about many instances at once. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set

from reconciler.domain.observed import Observed
from reconciler.domain.servers import local
from reconciler.domain.shards import Bare
from reconciler.plan.moves import Parts


def undeclared_unread(problems: Mapping[str, str]) -> Iterator[str]:
    """Instances that no manifest declares and that were not read: why, by name."""
    if problems:
        many = "instance that no manifest declares was"
        if len(problems) > 1:
            many = "instances that no manifest declares were"
        yield f"{len(problems)} {many} not read ({_named(sorted(problems))}): {problems[min(problems)]}"


def unchanged_unread(problems: Mapping[str, str]) -> Iterator[str]:
    """Instances that a pull request does not change and that were not read: why, by name, in order."""
    if problems:
        count = "1 instance" if len(problems) == 1 else f"{len(problems)} instances"
        first = next(iter(problems.values()))
        yield f"{count} that this does not change could not be read ({_named([*problems])}): {first}"


def bare(parts: Parts, observed: Observed) -> tuple[Bare, ...]:
    """The instances that lack all of their bots, by name."""
    declared: Counter[str] = Counter()
    found: Counter[str] = Counter()
    for (name, path), (desired, matches) in parts.items():
        declared[name] += 0 if path in observed.instances[name].off else len(desired.bots)
        found[name] += len(matches.found)
    return tuple(
        Bare(name, declared[name], observed.created.get(name, ""))
        for name in sorted(declared)
        if declared[name] and not found[name]
    )


def recreated(bare: Sequence[Bare], beside_others: bool) -> Iterator[str]:
    """Instances that lack all of their bots: they may have been recreated.

    beside_others: whether there are others that do not.
    """
    if not bare or not beside_others:
        return
    first = bare[0]
    created = f", created on {first.created[:10]}," if first.created else ""
    more = f", and so {'does' if len(bare) == 2 else 'do'} {len(bare) - 1} more" if len(bare) > 1 else ""
    yield (
        f"{first.instance}{created} has none of its {first.bots} bots{more}: if an instance was recreated, "
        "`reconciler restore INSTANCE` puts all back"
    )


def renamed(problem: str, names: Set[str], orphans: Mapping[str, Set[str]], server: str) -> str:
    """Why an instance cannot be planned; with the instance that it became if it was renamed on the server.

    names: of its bots. orphans: those of the instances that no manifest declares, by their names.
    """
    for name, bots in orphans.items():
        if bots and bots <= names:
            return (
                f"{problem} The instance {name!r} has its bots ({', '.join(sorted(bots)[:3])}): if "
                f"it was renamed, write `instance: {local(server, name)}` in its manifest."
            )
    return problem


def _named(names: Iterable[str]) -> str:
    every = [*names]
    return ", ".join(every[:3]) + (", …" if len(every) > 3 else "")
