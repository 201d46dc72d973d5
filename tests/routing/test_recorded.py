"""Every start and every silence that a running 2.3.6 was recorded with is what the module says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.domain.kinds import KINDS
from reconciler.routing.choice import route
from reconciler.routing.values import Bot, Instance, Message, Settings
from tests.support import Json

LINES: list[Json] = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "recordings" / "routing_2.3.6.jsonl").read_text().splitlines()
]


def recorded(line: Json) -> Instance:
    """The instance of a line."""
    return Instance(
        tuple(Bot(str(at), KINDS[kind], fields) for at, (kind, fields) in enumerate(line["bots"])),
        {
            kind: Settings(
                {"ignoreJids": tuple(row["ignoreJids"])},
                "" if row["fallback"] is None else str(row["fallback"]),
            )
            for kind, row in line["settings"].items()
            if row["status"] == 200
        },
        (2, 3, 6),
    )


def test_the_recording_is_whole() -> None:
    assert len(LINES) == 60
    assert sum(len(line["messages"]) for line in LINES) == 840


@pytest.mark.parametrize("line", LINES, ids=[str(at) for at in range(len(LINES))])
def test_who_answered(line: Json) -> None:
    instance = recorded(line)
    for one in line["messages"]:
        found = route(instance, Message(one["text"], one["jid"], one["fromMe"]))
        for kind, answer in found.items():
            started = [str(at) for at in one["starts"].get(kind, [])]
            assert len(started) <= 1
            if started:
                assert started[0] in answer.bots, (one, kind, answer)
            else:
                assert answer.silent, (one, kind, answer)
            assert not answer.undecided
        assert set(one["starts"]) <= set(found)
