"""What loading 1,000 manifests of 10 bots each costs, against what ruamel's C composer takes for the bytes.

    python -m benchmarks.load

CPU seconds of this process, imports aside; the best of five runs of each, in turn. The floor is the bare
composing of the same texts, with positions. A load with origins may take at most 4 times that, a load from
the cache three quarters of it, one with the warnings of `validate` as much and a quarter, and one of an
instance that is named, without the cache, a fifth.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from reconciler import lint
from reconciler.manifests.load import load, read_all
from reconciler.yaml import compose

INSTANCES = 1_000
BOTS = 10
RUNS = 5

BOT = """\
  menu-{number}:
    botType: chatCompletion
    model: gpt-4o
    maxTokens: {tokens}
    systemMessages:
      - >-
{prompt}
    triggerType: keyword
    triggerOperator: equals
    triggerValue: {number}
    delayMessage: 1000
    unknownMessage: Por enquanto só consigo ler mensagens de texto.
    listeningFromMe: false
    keepOpen: false
"""
PROMPT = "\n".join(8 * ["        Você é a atendente virtual da loja; seja breve."])


def manifest(instance: int) -> str:
    """A manifest as a shop would have it, of some 7 kB."""
    bots = (BOT.format(number=number, tokens=100 + number, prompt=PROMPT) for number in range(BOTS))
    head = f"instance: loja-{instance}\ndefaults:\n  openaiCreds: main\n  ignoreJids: ['@g.us']\nbots:\n"
    return head + "".join(bots)


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds that the work takes."""
    started = time.process_time()
    work()
    return time.process_time() - started


def compose_all(texts: list[str]) -> None:
    """The floor; nothing is kept, since load keeps no nodes either."""
    for text in texts:
        compose(text)


def from_cache(root: Path) -> None:
    """What a plan needs."""
    read_all(root, origins=False, cached=True)


def by_name(root: Path) -> None:
    """What a plan of one instance needs."""
    read_all(root, origins=False, asked=["loja-7"])


def checked(root: Path) -> None:
    """What `validate` does."""
    loaded = read_all(root, origins=False, cached=True, look=lint.look(lint.NEWEST))
    lint.warnings({name: lint.seen(value) for name, value in loaded.seen.items()}, lint.Policy())


LIMITS: Mapping[str, tuple[Callable[[Path], object], float]] = {
    "load": (load, 4),
    "from the cache": (from_cache, 0.75),
    "with warnings": (checked, 1.25),
    "one by name": (by_name, 0.2),
}


def main() -> None:
    """Prints the figures; exit code 1 when a limit is passed."""
    with tempfile.TemporaryDirectory() as directory:
        os.environ["XDG_CACHE_HOME"] = f"{directory}/cache"
        root = Path(directory, "bots")
        root.mkdir()
        texts = [manifest(instance) for instance in range(INSTANCES)]
        for number, text in enumerate(texts):
            (root / f"{number}.yaml").write_text(text, encoding="utf-8")
        megabytes = sum(len(text.encode()) for text in texts) / 1e6
        checked(root)  # fills the cache
        works: list[Callable[[], object]] = [
            partial(compose_all, texts),
            *(partial(work, root) for work, _ in LIMITS.values()),
        ]
        runs = [[seconds(work) for work in works] for _ in range(RUNS)]
    floor, *ours = (min(times) for times in zip(*runs, strict=True))
    print(f"{INSTANCES} manifests, {INSTANCES * BOTS} bots, {megabytes:.1f} MB; best of {RUNS}, CPU seconds")
    print(f"  {'bare composing':<16}{floor:6.2f} s  {megabytes / floor:6.1f} MB/s")
    broken = False
    for (name, (_, most)), took in zip(LIMITS.items(), ours, strict=True):
        ratio = took / floor
        broken |= ratio > most
        print(
            f"  {name:<16}{took:6.2f} s  {megabytes / took:6.1f} MB/s  {ratio:.2f} times, at most {most:.2f}"
        )
    sys.exit(broken)


if __name__ == "__main__":
    main()
