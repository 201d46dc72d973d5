"""The sandbox answers as the real server did: every recorded exchange, played to it."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from reconciler.sandbox import Sandbox
from tests.sandbox.replay import Exchange, Replay, scenarios, sequences, siblings
from tests.support import World

KEY = "testkey"

_REMOVED_LATER = "The real server removes an instance after it has answered; the sandbox before."
_AT_ONCE = (
    "Made at the same time as its neighbours; played in turn here. test_races.py makes such calls at once."
)
_AFTER_RACE = "Shows what only calls made at the same time leave behind."
_PRISMA = "The real answer is Prisma's text with a piece of source code; the sandbox has a short one."
_HUGE = "137 MB each; test_server.py sends one such body."

OTHERWISE = {
    "07_delete/29": _REMOVED_LATER,
    "07b_instance_delete/4": _REMOVED_LATER,
    **dict.fromkeys(
        (f"09_concurrency/{n}" for n in (2, 3, 4, 5, 6, 46, 48, 50, 52, 54, 61, 67, 68, 69, 70, 77, 78, 79)),
        _AT_ONCE,
    ),
    "09_concurrency/65": _AFTER_RACE,
    "11_openai_disabled/1": "The race of 09_concurrency/79 ended the instance racei.",
    "09b_after_race/0": _AFTER_RACE,
    "09b_after_race/2": _AFTER_RACE,
    "10_names/30": _PRISMA,
    "10_names/42": _PRISMA,
    "13_headers_misc/1": "The recording has gzip's bytes as text, which is no longer legible.",
}
"""Exchanges that the sandbox answers otherwise, with the reason. They are played too, and must differ."""

SKIPPED = {"13_headers_misc/5": _HUGE, "13_headers_misc/6": _HUGE}
"""Exchanges that are not played, with the reason."""


@pytest.fixture(scope="module")
def differences() -> dict[str, str]:
    """What the replay found, by exchange: the scenarios share a database, so they are played in one go."""
    found: dict[str, str] = {}
    with Sandbox(api_key=KEY) as server, Replay(server.url) as replay:
        for exchange in scenarios("2.3.6"):
            disabled = exchange.at.startswith("11_openai_disabled")
            server.options.disabled = frozenset({"openai"} if disabled else ())
            if exchange.at not in SKIPPED and (difference := replay.play(exchange)):
                found[exchange.at] = difference
    return found


@pytest.mark.parametrize("scenario", sorted({exchange.at.split("/")[0] for exchange in scenarios("2.3.6")}))
def test_scenarios(scenario: str, differences: dict[str, str]) -> None:
    unexpected = [
        text for at, text in differences.items() if at.split("/")[0] == scenario and at not in OTHERWISE
    ]
    assert not unexpected, "\n".join(unexpected)


def test_no_exception_is_listed_in_vain(differences: dict[str, str]) -> None:
    known = {exchange.at for exchange in scenarios("2.3.6")}
    assert OTHERWISE.keys() - differences.keys() == set()
    assert SKIPPED.keys() <= known


def test_random_sequences() -> None:
    with Sandbox(api_key=KEY) as server, World(server.url, KEY) as world:
        # It was registered on the real server before the first of these sequences.
        world.instance("earlier")
        world.creds("earlier", "earlier", "sk-other")
        assert _differences(server, sequences("2.3.6", KEY), 1900) == []


def test_random_sequences_of_2_2_3() -> None:
    with Sandbox(api_key=KEY, version="2.2.3") as server:
        assert _differences(server, sequences("2.2.3", KEY), 1900) == []


def test_random_sequences_of_the_other_kinds() -> None:
    with Sandbox(api_key=KEY) as server:
        assert _differences(server, siblings("2.3.6", KEY), 3291) == []


def _differences(server: Sandbox, recorded: Iterable[list[Exchange]], least: int) -> list[str]:
    """What the replay found. least: how many exchanges there are at least."""
    played = [exchange for sequence in recorded for exchange in sequence]
    assert len(played) >= least
    with Replay(server.url) as replay:
        return [difference for exchange in played if (difference := replay.play(exchange))]
