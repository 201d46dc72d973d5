"""Random fleets in shards: the merged plan is the whole one, and applied in any order all of it is done.

And shards whose processes are killed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import pytest

from reconciler.domain.shards import number
from tests.cli.servers import BOT, Fleet, fleet
from tests.support import at_night
from tests.worlds.conftest import SEED
from tests.worlds.fleets import clients
from tests.worlds.proxy import Proxy, Request

EVERY_DAY, EVERY_NIGHT = 6, 200


@pytest.mark.parametrize(
    "seed", [at_night(SEED * 1000 + each, everyday=each < EVERY_DAY) for each in range(EVERY_NIGHT)]
)
def test_the_plans_of_all_shards_are_the_whole_plan(tmp_path: Path, seed: int) -> None:
    random = Random(-seed)  # noqa: S311  nothing secret
    with fleet(tmp_path, *("eu-1", "us-1")[: random.choice((1, 2, 2))]) as found:
        clients(found, seed)
        most, share = random.choice(("1", "100")), random.choice(("50", "100"))
        options = ("--known-instance", "*", "--max-deletes", most, "--max-delete-share", share)
        whole = found.run("plan", "--format", "json", *options)
        merged = _merged(found, random.randint(1, 5), random, *options)
        assert (merged.stdout, merged.exit_code) == (whole.stdout, whole.exit_code)
        document = json.loads(whole.stdout)
        _apply(found, random.randint(1, 4), random, document)
        again = json.loads(found.run("plan", "--format", "json", *options).stdout)
        assert not again["writes"] or document["summary"]["problems"]


def _merged(found: Fleet, of: int, random: Random, *options: str) -> Any:
    names = []
    for each in random.sample(range(1, of + 1), of):
        names.append(f"{each}.json")
        found.run("plan", "--shard", f"{each}/{of}", "--out", names[-1], *options)
    return found.run("merge", *names, "--out", "whole.json", "--format", "json")


def _apply(found: Fleet, of: int, random: Random, plan: dict[str, Any]) -> None:
    names = []
    limits = ("--max-deletes", "100", "--max-delete-share", "100")
    for each in random.sample(range(1, of + 1), of):
        names.append(f"r{each}.json")
        found.run("apply", "whole.json", "--shard", f"{each}/{of}", "--yes", "--out", names[-1], *limits)
    result = found.run("merge", *names, "--format", "json")
    document = json.loads(result.stdout)
    changes = [change for one in plan["instances"] for change in one["changes"]]
    reports = {"held", "conflict", "orphan", "forget", "off", "before", "withdrawn", "unmanaged"}
    assert document["summary"]["applied"] == sum(change["verb"] not in reports for change in changes)
    assert document["plan"]["digest"] == plan["digest"]
    assert result.exit_code == int(bool(plan["summary"]["problems"]))


# -- killed ------------------------------------------------------------------------------------

SHOPS = ("aa", "ai", "ba", "ca", "da", "de")
"""Of two shards each has three."""


_APPLY = ("apply", "whole.json", "--yes", "--format", "json", "--concurrency", "1")
"""One instance after the other, so that the first is done when the second is written to."""


class Killed:
    """A fleet behind a proxy that kills the running command at its second writing call."""

    def __init__(self, found: Fleet) -> None:
        self.fleet, self.kills, self.writes = found, False, 0
        self.process: subprocess.Popen[str] | None = None
        port = urlsplit(found.urls["eu-1"]).port or 0
        self.proxy = Proxy(lambda: port, edit=self._edit)

    def _edit(self, request: Request) -> bytes:
        self.writes += request.writes
        if not (request.writes and self.kills and self.writes >= 2):
            return request.raw
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        return request.raw if self.writes == 2 else b""

    def apply(self, shard: str, *options: str, kills: bool = False) -> tuple[int, str, str]:
        """Apply a shard of whole.json. Returns the exit code, stdout and stderr."""
        self.kills, self.writes = kills, 0
        self.process = subprocess.Popen(
            [sys.executable, "-m", "reconciler", *_APPLY, "--shard", shard, *options],
            env={**os.environ, **self.fleet.env, "EVOLUTION_API_URL": "", "EVOLUTION_API_KEY": ""},
            cwd=self.fleet.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        out, err = self.process.communicate(timeout=120)
        self.proxy.drain()
        return self.process.returncode, out, err


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[Killed]:
    assert [number("", name, 2) for name in SHOPS] == [1, 1, 1, 2, 2, 2]
    with fleet(tmp_path, "eu-1") as found:
        found.declare(*(f"eu-1/{name}" for name in SHOPS))
        made = Killed(found)
        with made.proxy:
            found.urls["eu-1"] = made.proxy.url
            found.configure()
            _merged(found, 2, Random(0))  # noqa: S311  nothing secret
            yield made


def test_a_shard_that_was_killed_is_resumed_while_others_go_on(killed: Killed) -> None:
    home = killed.fleet.home / ".reconciler"
    assert killed.apply("1/2", kills=True)[0] == -signal.SIGKILL
    kept = (home / "journal-1-of-2").read_bytes()
    assert killed.apply("2/2", "--out", "r2.json")[0] == 0
    assert (home / "journal-1-of-2").read_bytes() == kept, "each shard has a journal of its own"
    assert not (home / "journal-2-of-2").exists()
    code, _, err = killed.apply("1/2")
    assert code == 1
    assert "an apply of this plan was interrupted, and .reconciler/journal-1-of-2 says what" in err
    code, _, err = killed.apply("2/2", "--resume")
    assert code == 1
    assert "there is nothing to resume: .reconciler/journal-2-of-2 does not exist" in err
    code, out, err = killed.apply("1/2", "--resume", "--out", "r1.json")
    assert code == 0, err
    assert [one["outcome"] for one in json.loads(out)["results"]] == ["applied"] * 3
    assert "6 changes: 6 applied." in killed.fleet.done("merge", "r1.json", "r2.json")
    assert all(killed.fleet.names("eu-1", name) == ["menu"] for name in SHOPS)
    assert killed.fleet.done("plan").startswith("No changes.")


def test_the_journal_of_a_shard_is_of_no_other_plan(killed: Killed) -> None:
    killed.apply("1/2", kills=True)
    journal = killed.fleet.home / ".reconciler" / "journal-1-of-2"
    journal.rename(journal.with_name("journal-2-of-2"))
    code, _, err = killed.apply("2/2", "--resume")
    assert code == 1
    assert "journal-2-of-2 is not resumed: it is of an apply of another plan" in err
    killed.fleet.write("eu-1/aa.yaml", BOT.replace("100", "200"))
    _merged(killed.fleet, 2, Random(0))  # noqa: S311  nothing secret
    code, _, err = killed.apply("2/2")
    assert code == 0, err
