"""What can go wrong between a client and a server, and schedules of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from hypothesis import strategies as st

from tests.worlds.proxy import PASS, Fault

TIMEOUT = 0.15
"""Seconds that the client waits for an answer under faults."""

_SLOW = TIMEOUT * 1.5
_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
_JSON = json.dumps(
    {"status": 500, "error": "Internal Server Error", "response": {"message": "Error creating Openai"}}
).encode()


def answer(status: int, body: bytes = _PAGE, retry_after: int | None = None) -> bytes:
    """An answer that is not the server's."""
    wait = "" if retry_after is None else f"Retry-After: {retry_after}\r\n"
    kind = "text/html" if body[:1] in (b"", b"<") else "application/json"
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{wait}\r\n"
    return head.encode() + body


def _answers() -> Iterator[Fault]:
    """Whatever is answered, the server may have acted or not have seen the request."""
    answers = {
        "500 page": answer(500),
        "500 json": answer(500, _JSON),
        "502": answer(502),
        "503": answer(503),
        "503 json, retry-after 0": answer(503, _JSON, 0),
        "429": answer(429, b""),
        "429, retry-after 0": answer(429, b"", 0),
        "200 page": answer(200),
    }
    for name, raw in answers.items():
        yield Fault(name, answer=raw, forward=False)
        yield Fault(f"{name}, done", answer=raw)
    yield Fault("503, retry-after 1", answer=answer(503, _PAGE, 1), forward=False)


FAULTS = (
    Fault("refused 5 ms", refuse=0.005, forward=False, answer=b"", cut=True),
    Fault("refused 40 ms", refuse=0.04, forward=False, answer=b"", cut=True),
    Fault("refused 150 ms, done", refuse=0.15, answer=b"", cut=True),
    Fault("dropped", forward=False, answer=b"", cut=True),
    Fault("dropped, done", answer=b"", cut=True),
    *_answers(),
    Fault("slow", after=_SLOW),
    Fault("late", before=_SLOW),
    Fault("very late", before=2.5 * _SLOW),
    Fault("half", part=0.5, cut=True),
    Fault("nearly whole", part=0.98, cut=True),
    Fault("restart", restart=True),
    Fault("restart, dropped, done", restart=True, answer=b"", cut=True),
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """The faults that the reads and the writing calls of a run meet, in their order."""

    reads: tuple[Fault, ...]
    writes: tuple[Fault, ...]


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """Most reads meet no fault, and every other writing call does."""
    return Schedule(
        draw(_bursts(st.sampled_from((0, 1, 2, 3)), st.sampled_from((4, 3, 2, 5, 6, 8)))),
        draw(_bursts(st.sampled_from((1, 2, 3, 4, 5)), st.sampled_from((0, 1, 2)))),
    )


@st.composite
def _bursts(
    draw: st.DrawFn, counts: st.SearchStrategy[int], quiet: st.SearchStrategy[int]
) -> tuple[Fault, ...]:
    faults: list[Fault] = []
    for _ in range(draw(counts)):
        faults += [PASS] * draw(quiet)
        # Once, or until the client gives up.
        faults += [draw(st.sampled_from(FAULTS))] * draw(st.sampled_from((1, 1, 1, 2, 5)))
    return tuple(faults)
