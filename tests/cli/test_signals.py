"""A signal is neither lost nor taken for an error, wherever a library is when it comes."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable

import pytest

from reconciler.cli import failure
from reconciler.domain import signals
from reconciler.domain.errors import ReconcilerError
from reconciler.manifests import model
from reconciler.saved import decode

NUMBERS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_is_held_until_the_block_ends(number: signal.Signals) -> None:
    interrupts = signals.Interrupts()
    at_the_end = False
    with pytest.raises(KeyboardInterrupt), interrupts.caught(), signals.held():  # noqa: PT012
        signal.raise_signal(number)
        at_the_end = True
    assert at_the_end
    assert interrupts.number == number


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_is_held_when_the_block_fails(number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt), signals.Interrupts().caught(), signals.held():  # noqa: PT012
        signal.raise_signal(number)
        raise ValueError


def test_outside_of_the_main_thread_nothing_is_held() -> None:
    held: list[bool] = []

    def work() -> None:
        with signals.held():
            held.append(signal.getsignal(signal.SIGINT) is not before)

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert held == [False]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("made", [model.model, decode._plans])
def test_a_signal_while_pydantic_builds(made: Callable[[], object], number: signal.Signals) -> None:
    """pydantic-core makes a SchemaError of what is raised in the midst of it, or loses it."""
    build: Callable[[], object] = made.__wrapped__  # type: ignore[attr-defined]
    for step in range(10):
        kill = threading.Timer(step / 100, os.kill, (os.getpid(), number))
        with pytest.raises(KeyboardInterrupt), signals.Interrupts().caught():  # noqa: PT012
            kill.start()
            build()
            for _ in range(3000):
                time.sleep(0.01)
        kill.join()


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_while_a_loop_runs(number: signal.Signals) -> None:
    """The task is cancelled, and cleans up."""
    cleaned = False

    async def main() -> None:
        nonlocal cleaned
        try:
            signal.raise_signal(number)
            await asyncio.sleep(60)
        finally:
            cleaned = True

    with pytest.raises(KeyboardInterrupt), signals.Interrupts().caught():
        signals.run(main())
    assert cleaned


def _after_a_signal(error: Exception) -> Exception:
    try:
        try:
            raise KeyboardInterrupt
        finally:
            raise error
    except Exception as raised:
        return raised


@pytest.mark.parametrize("number", NUMBERS)
def test_an_error_that_comes_of_a_signal(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    """As of a loop that is closed while it runs. What tells a person something is still said."""
    assert failure.tell(_after_a_signal(RuntimeError("closed")), number) == 128 + number
    assert capsys.readouterr() == ("", "")
    assert failure.tell(_after_a_signal(ReconcilerError("no")), number) == 1
    assert capsys.readouterr() == ("", "Error: no\n")
