"""How the time of what grows with one instance grows: 100, 1,000 and 10,000 bots, lines or items.

    python -m benchmarks.growth [--most 10000]

For each size its seconds of CPU, and from the second size on how many times as long it takes as the size
before, divided by how many times as long n log n takes. About 1 is n log n, 10 would be quadratic. Then some
at a size with a goal. Ends with 1 when one takes more than MOST_TIMES as long, as caches, garbage and a busy
machine make some of that, or misses its goal.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from math import log
from pathlib import Path
from random import Random

from reconciler.domain.credential_versions import by_name, declared
from reconciler.domain.desired import Desired, DesiredBot, DesiredInstance, Fields
from reconciler.domain.errors import Position
from reconciler.domain.kinds import OPENAI
from reconciler.domain.observed import Observed, ObservedInstance, RemoteBot, RemoteCredential
from reconciler.domain.plan import Plan, Prune
from reconciler.domain.shards import Limits, PlanShard, Shard
from reconciler.lint.run import lint
from reconciler.manifests.load import load
from reconciler.plan import applying, crossing, differ, joining
from reconciler.plan.options import Crossings, Options
from reconciler.plan.order import order
from reconciler.plan.planner import make
from reconciler.plan.simulation import Transition
from reconciler.render import markdown, values
from reconciler.saved import encode

SIZES = (100, 1_000, 10_000)
MOST_TIMES = 3

Case = Callable[[int], Callable[[], object]]
"""Prepares a case of a size, which is not measured, and returns what is."""

_AT = Position("bots/loja.yaml", 1, 1)
_ORIGIN = {"tool": "benchmark", "created": "2026-01-01T00:00:00+00:00", "commit": None}


# -- the order of calls ------------------------------------------------------------------------


def _name(number: int) -> str:
    return f"bot-{number:05}"


def _bot(number: int, trigger: object, key: int | None = None) -> Fields:
    """A bot by its trigger and the number in its assistant's id, which is its own if none is given."""
    return {
        "enabled": True,
        "description": f"[gitops:{_name(number)}]",
        "openaiCredsId": "creds-1",
        "botType": "assistant",
        "assistantId": f"asst-{number if key is None else key}",
        "triggerType": "keyword",
        "triggerOperator": "equals",
        "triggerValue": f"trigger {trigger}",
    }


def _chat(number: int, tokens: int) -> Fields:
    """A bot whose key is a model with a number of tokens."""
    bot = {name: value for name, value in _bot(number, number).items() if name != "assistantId"}
    return {**bot, "botType": "chatCompletion", "model": "gpt-4o", "maxTokens": 100 + tokens}


def _ordered(start: Callable[[int], Fields], target: Callable[[int, int], Fields], stay: int = 0) -> Case:
    """Bots that become others. start: by number. target: by number and size. stay: how many are taken."""

    def prepare(size: int) -> Callable[[], object]:
        moves = {_name(n): Transition(_name(n), start(n), target(n, size)) for n in range(size)}
        fixed = {f"another bot {n}": _bot(size + n, size + n) for n in range(stay)}
        return lambda: order(moves, {}, fixed, "gitops", OPENAI)

    return prepare


def _own(number: int) -> Fields:
    return _bot(number, number)


def _at_random(number: int, size: int) -> Fields:
    """With the key of one bot and the trigger of another."""
    return _bot(number, _shuffled(size, 2)[number], _shuffled(size, 1)[number])


@cache
def _shuffled(size: int, seed: int) -> Sequence[int]:
    return Random(seed).sample(range(size), size)  # noqa: S311 - any order does


def _excluding(number: int, size: int) -> Fields:
    """Threes, of which two swap all, and the third wants the trigger of the second."""
    first = number - number % 3
    other = (first + 1, first, number)[number % 3]
    return _bot(number, (first + 1, first, first)[number % 3], other)


# -- whole plans -------------------------------------------------------------------------------


def _prompt(number: int, new: str = "") -> tuple[str, ...]:
    return ("\n".join(f"Bot {number}, line {line}{new if line % 2 else ''}" for line in range(10)),)


def _planned(size: int, *, rotated: bool = False, prompts: bool = False, each: int | None = None) -> Plan:
    """A plan whose bots all change: of one instance, or of as many as there are with `each` bots."""
    each = each or size
    made = [_instance(f"loja-{n}", each, rotated, prompts) for n in range(size // each)]
    desired = Desired(tuple(instance for instance, _ in made))
    seen = {one.name: one for _, one in made}
    return make(desired, Observed("https://api.example", seen), Options(prune=Prune.NEVER))


def _instance(name: str, size: int, rotated: bool, prompts: bool) -> tuple[DesiredInstance, ObservedInstance]:
    bots, there = [], []
    for n in range(size):
        before, after = dict(_bot(n, n)), dict(_bot(n, (n + 1) % size))
        if prompts:
            before["systemMessages"], after["systemMessages"] = _prompt(n), _prompt(n, " new")
        there.append(RemoteBot(f"id-{name}-{n}", before))
        fields = {
            name: value for name, value in after.items() if name not in {"description", "openaiCredsId"}
        }
        bots.append(DesiredBot(_name(n), fields, "main" if rotated else None, _AT))
    users = frozenset(one.id for one in there)
    credentials = {"main": RemoteCredential("creds-1", same=None, users=users)}
    if rotated:
        credentials = {
            "main": replace(credentials["main"], same=False),
            "main@2": RemoteCredential("creds-2", same=True, users=frozenset()),
        }
    return DesiredInstance(name, tuple(bots), _AT), ObservedInstance(name, tuple(there), credentials)


def _credentials(size: int) -> Callable[[], object]:
    there = {f"key-{n}@2": RemoteCredential(f"id-{n}", same=False) for n in range(size)}

    def every() -> object:
        stored = by_name(there)
        return [declared(f"key-{n}", stored, makes=True) for n in range(size)]

    return every


def _of_plan(use: Callable[[Plan], object], each: int | None = None) -> Case:
    def prepare(size: int) -> Callable[[], object]:
        made = _planned(size, prompts=True, each=each)
        return lambda: use(made)

    return prepare


# -- shards ------------------------------------------------------------------------------------

SHARDS = 10


def _in_shards(size: int, *, moves: bool) -> list[tuple[Plan, PlanShard]]:
    """The plans of all shards of a fleet whose bots, ten an instance, are created, or move to another one."""
    desired: list[DesiredInstance] = []
    there: dict[str, ObservedInstance] = {}
    for first in range(0, size, 10):
        bots = tuple(
            DesiredBot(_name(n), {k: v for k, v in _bot(n, n).items() if k != "description"}, None, _AT)
            for n in range(first, first + 10)
        )
        new, old = f"new-{first}", f"old-{first}"
        desired += [DesiredInstance(new, bots, _AT), DesiredInstance(old, (), _AT)]
        has = tuple(RemoteBot(f"id-{n}", _bot(n, n)) for n in range(first, first + 10)) if moves else ()
        there |= {new: ObservedInstance(new), old: ObservedInstance(old, has)}
    every = Desired(tuple(sorted(desired, key=lambda one: one.name)))
    options = Options(
        prune=Prune.ALWAYS, max_deletes=None, crossings=Crossings(crossing.declared_bots(every))
    )
    found = []
    for each in range(1, SHARDS + 1):
        shard = Shard(each, SHARDS)
        own = Desired(tuple(one for one in every.instances if shard.has("", one.name)))
        seen = Observed("https://api.example", {one.name: there[one.name] for one in own.instances})
        made = make(own, seen, options)
        said = crossing.find(made, seen, own, options, lambda name: True)
        made, places = crossing.with_routing(made, seen, own)
        limits = Limits(size, 100, size)
        found.append((made, PlanShard(shard, "", None, "", {}, limits, (), replace(said, order=places))))
    return found


def _merged(*, moves: bool) -> Case:
    def prepare(size: int) -> Callable[[], object]:
        parts = _in_shards(size, moves=moves)
        return lambda: joining.joined(parts)

    return prepare


def _applied(size: int) -> Callable[[], object]:
    made = joining.joined(_in_shards(size, moves=True))
    return lambda: [applying.part(made, Shard(each, SHARDS)) for each in range(1, SHARDS + 1)]


# -- texts, lists, manifests -------------------------------------------------------------------


def _diff(size: int) -> Callable[[], object]:
    before = [f"line {n}" for n in range(size)]
    after = [f"{line} new" if n % 2 else line for n, line in enumerate(before)]
    return lambda: list(values.diff(before, after, 80))


def _jids(size: int) -> Callable[[], object]:
    before = tuple(f"55{n:09}@s.whatsapp.net" for n in range(size))
    after = tuple(f"1{jid}" if n % 2 else jid for n, jid in enumerate(before))
    return lambda: differ.items(before, after)


def _loaded(text: Callable[[int], str]) -> Case:
    def prepare(size: int) -> Callable[[], object]:
        with tempfile.TemporaryDirectory() as directory:
            Path(directory, "loja.yaml").write_text(text(size))
            desired = load(Path(directory))
        return lambda: lint(desired)

    return prepare


def _keywords(size: int) -> str:
    head = (
        "defaults: {openaiCreds: main, botType: assistant, triggerType: keyword, triggerOperator: contains}\n"
    )
    return (
        head
        + "bots:\n"
        + "".join(
            f"  {_name(n)}: {{assistantId: asst-{n}, triggerValue: palavra-{n:05}}}\n" for n in range(size)
        )
    )


OPERATORS = ("equals", "contains", "startsWith", "endsWith", "regex")


def _mixed(size: int) -> str:
    head = "defaults: {openaiCreds: main, botType: assistant, triggerType: keyword}\n"
    triggers = (f"{OPERATORS[n % 5]}, triggerValue: palavra-{n:05}" for n in range(size))
    bots = (
        f"  {_name(n)}: {{assistantId: asst-{n}, triggerOperator: {each}}}\n"
        for n, each in enumerate(triggers)
    )
    return f"{head}bots:\n{''.join(bots)}"


def _catch_all(size: int) -> str:
    head = "defaults: {openaiCreds: main, botType: assistant, triggerType: none}\nbots:\n"
    return head + "".join(f"  {_name(n)}: {{assistantId: asst-{n}}}\n" for n in range(size))


CASES: Mapping[str, Case] = {
    "order: triggers rotated": _ordered(_own, lambda n, size: _bot(n, (n + 1) % size)),
    "order: triggers swapped": _ordered(_own, lambda n, _: _bot(n, n ^ 1)),
    "order: numbers of tokens swapped": _ordered(lambda n: _chat(n, n), lambda n, _: _chat(n, n ^ 1)),
    "order: keys rotated, triggers back": _ordered(
        _own, lambda n, size: _bot(n, (n - 1) % size, (n + 1) % size)
    ),
    "order: keys by 1, triggers by 7": _ordered(
        _own, lambda n, size: _bot(n, (n + 7) % size, (n + 1) % size)
    ),
    "order: keys, triggers at random": _ordered(_own, _at_random),
    "order: a chain that is blocked": _ordered(_own, lambda n, _: _bot(n, n + 1), stay=1),
    "order: all want one trigger": _ordered(_own, lambda n, _: _bot(n, "all")),
    "order: swaps, one wants theirs": _ordered(_own, _excluding),
    "plan: keywords rotated": lambda size: lambda: _planned(size),
    "plan: a credential rotated too": lambda size: lambda: _planned(size, rotated=True),
    "credentials, a version of each": _credentials,
    "diff: every second line changed": _diff,
    "diff: every second ignoreJid": _jids,
    "lint: keyword bots": _loaded(_keywords),
    "lint: keywords of all operators": _loaded(_mixed),
    "lint: all match every message": _loaded(_catch_all),
    "comment of markdown": _of_plan(markdown.plan),
    "comment of markdown, tens": _of_plan(markdown.plan, each=10),
    "merge: bots created": _merged(moves=False),
    "merge: bots that move": _merged(moves=True),
    "apply: a plan in ten shards": _applied,
    "saved plan": _of_plan(lambda made: encode.saved(made, None, _ORIGIN)),
}

GOALS: Mapping[str, tuple[int, float]] = {
    "order: triggers rotated": (5_000, 2),
    "order: numbers of tokens swapped": (5_000, 2),
    "order: keys rotated, triggers back": (5_000, 2),
    "order: a chain that is blocked": (800, 1),
    "order: all want one trigger": (800, 1),
    "plan: keywords rotated": (2_000, 1),
    "plan: a credential rotated too": (2_000, 1),
    "diff: every second line changed": (32_000, 1),
    "diff: every second ignoreJid": (8_000, 1),
    "comment of markdown, tens": (10_000, 1),
}
"""What some may take: the size, and seconds of CPU."""


def _seconds(case: Callable[[], object]) -> float:
    gc.collect()
    start = time.process_time()
    case()
    return time.process_time() - start


def _growth(sizes: Sequence[int]) -> bool:
    """Prints a line for each case. Whether one grows faster than it may."""
    broken = False
    print(f"{'':36}" + "".join(f"{size:>16,}" for size in sizes))
    for title, prepare in CASES.items():
        line, before = f"{title:36}", 0.0
        for number, size in enumerate(sizes):
            seconds = _seconds(prepare(size))
            line += f"{seconds:8.3f} s"
            if number:
                least = sizes[number - 1]
                times = seconds / max(before, 0.001) / (size * log(size) / (least * log(least)))
                broken |= times > MOST_TIMES and seconds > 0.1
                line += f" {times:4.1f}×"
            else:
                line += " " * 6
            before = seconds
        print(line, flush=True)
    return broken


def _goals() -> bool:
    """Prints a line for each goal. Whether one is missed."""
    broken = False
    print(f"\n{'':36}{'size':>8}{'seconds':>10}{'goal':>6}")
    for title, (size, most) in GOALS.items():
        seconds = _seconds(CASES[title](size))
        broken |= seconds > most
        print(f"{title:36}{size:8,}{seconds:10.3f}{most:6}", flush=True)
    return broken


def main() -> None:
    """Prints both; ends with 1 when one grows faster than it may, or misses its goal."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--most", type=int, default=SIZES[-1], help="the largest size")
    most = parser.parse_args().most
    broken = [_growth([size for size in SIZES if size <= most]), _goals()]
    sys.exit(any(broken))


if __name__ == "__main__":
    main()
