"""What loading 1,000 manifests of 10 bots each costs, against what ruamel's C composer takes for the bytes.

    python -m benchmarks.load

CPU seconds of this process, imports aside; the best of five runs of each, in turn. The floor is the bare
composing of the same texts, with positions: a load may take at most 4 times that.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from reconciler.manifests.load import load
from reconciler.yaml import compose

INSTANCES = 1_000
BOTS = 10
RUNS = 5
MOST_TIMES_FLOOR = 4

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


def main() -> None:
    """Prints the figures; exit code 1 when the limit is passed."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        texts = [manifest(instance) for instance in range(INSTANCES)]
        for number, text in enumerate(texts):
            (root / f"{number}.yaml").write_text(text, encoding="utf-8")
        megabytes = sum(len(text.encode()) for text in texts) / 1e6
        runs = [(seconds(lambda: compose_all(texts)), seconds(lambda: load(root))) for _ in range(RUNS)]
    floor, ours = (min(times) for times in zip(*runs, strict=True))
    print(f"{INSTANCES} manifests, {INSTANCES * BOTS} bots, {megabytes:.1f} MB; best of {RUNS}, CPU seconds")
    for name, took in (("bare composing", floor), ("load", ours)):
        print(f"  {name:<16}{took:6.2f} s  {megabytes / took:6.1f} MB/s")
    print(f"  ratio {ours / floor:.2f}, at most {MOST_TIMES_FLOOR}")
    sys.exit(ours / floor > MOST_TIMES_FLOOR)


if __name__ == "__main__":
    main()
