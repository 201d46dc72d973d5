"""The signals that end a command early: Ctrl-C, SIGTERM, and SIGHUP, which a closed terminal sends.

A signal that the caller ignores, as nohup does, stays ignored. Imported first, so it must stay fast.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import signal
else:
    try:
        import _signal as signal  # without the enums of signal: 4 ms
    except ImportError:
        import signal

T = TypeVar("T")

KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
"""What ends a process at once; Windows has one for both."""

INTERRUPT, TERMINATE, HANG_UP = signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", None)

NAMES: Mapping[int, str] = {
    number: name
    for number, name in ((INTERRUPT, "Ctrl-C"), (TERMINATE, "SIGTERM"), (HANG_UP, "SIGHUP"))
    if number is not None  # which Windows lacks
}


class _Interrupted(KeyboardInterrupt):
    """A subclass, as after a plain KeyboardInterrupt Python may end the process by SIGINT."""


class Interrupts:
    """Within `caught`, SIGTERM and SIGHUP raise KeyboardInterrupt as Ctrl-C does. number: of the signal."""

    def __init__(self) -> None:
        self.number: int = INTERRUPT

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Does nothing outside of the main thread, as only that gets signals."""
        every: dict[int, Any] = dict.fromkeys(NAMES, self._interrupt)
        with handled({**every, INTERRUPT: signal.default_int_handler}):  # asyncio checks for this one
            yield

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self.number = number
        kill_next(TERMINATE)
        handler = signal.getsignal(INTERRUPT)
        if handler is signal.default_int_handler or not callable(handler):
            raise _Interrupted
        handler(INTERRUPT, frame)  # that of asyncio, where a loop runs


@contextmanager
def handled(handlers: Mapping[int, Callable[[int, FrameType | None], Any]]) -> Iterator[None]:
    """Set these signal handlers for the length of the block."""
    before: dict[int, Any] = {}
    with suppress(ValueError):  # outside of the main thread
        for number, handler in handlers.items():
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def held() -> Iterator[None]:
    """A signal that comes within the block is heard after it: for code that loses what a handler raises.

    pydantic-core takes it for an error of the schema that it builds, and an event loop that is half made
    complains when it is thrown away. The block is to be short.
    """
    came: list[int] = []
    try:
        with handled(dict.fromkeys(NAMES, lambda number, frame: came.append(number))):
            yield
    finally:
        for number in came:
            signal.raise_signal(number)


def run(main: Coroutine[Any, Any, T]) -> T:
    """asyncio.run, for which a signal is no trouble while the loop is made."""
    import asyncio  # noqa: PLC0415  dear, and this module is imported first

    found: list[T] = []

    async def kept() -> None:
        """Returns nothing: Python makes a repr of the task, with all that it returns, when it is done."""
        found.append(await main)

    with closing(main), asyncio.Runner() as runner:
        with held():
            runner.get_loop()
        runner.run(kept())
    return found[0]


def reset() -> None:
    """Let each of them end the process, but for those that are ignored."""
    for number in NAMES:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def kill_next(*numbers: int) -> None:
    """Make the next of these end the process. Ignore SIGHUP, as a closed terminal sends several."""
    for number in numbers:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    if HANG_UP is not None:
        signal.signal(HANG_UP, signal.SIG_IGN)
