"""What docs/concepts/routing.md says was recorded is in the recording, and is what the module says too."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reconciler.domain.kinds import KINDS
from reconciler.routing.choice import answer
from reconciler.routing.values import Message, Rule
from tests.routing.test_recorded import LINES, recorded
from tests.support import Json

PAGE = (Path(__file__).parents[2] / "docs" / "concepts" / "routing.md").read_text()
ROWS = re.findall(r"^\| ([^|]+) \| (\d+)\.(\d+) \| (.+) \| (.+) \| (.+) \|$", PAGE, re.MULTILINE)
STEPS = {"1": Rule.IGNORED, "3": Rule.ALL, "4": Rule.ADVANCED, "6": Rule.FALLBACK, "nothing": Rule.NOTHING}


def _trigger(bot: Json) -> str:
    fields = bot[1]
    how = fields.get("triggerOperator") if fields["triggerType"] == "keyword" else fields["triggerType"]
    value = fields.get("triggerValue") if fields["triggerType"] in {"keyword", "advanced"} else None
    return f"`{how} {value}`" if value else f"`{how}`"


def test_every_step_that_was_recorded_has_a_row() -> None:
    assert [row[0].partition(",")[0] for row in ROWS] == [
        *("1", "1", "3", "3", "4"),
        *["5"] * 7,
        *("6", "nothing matches", "from the number itself"),
    ]


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_it_was_recorded(row: tuple[str, ...]) -> None:
    step, line, number, triggers, message, started = row
    found = LINES[int(line) - 1]
    one = found["messages"][int(number) - 1]
    kind = "flowise" if step == "3, `none`" else "openai"
    bots = [bot for bot in found["bots"] if bot[0] == kind]
    assert ", ".join(_trigger(bot) for bot in bots if bot[1]["enabled"]) == triggers
    about = [f"`{one['text']}`" if one["text"] else "an empty one"]
    about += ["in a group"] * one["jid"].endswith("@g.us") + ["from itself"] * one["fromMe"]
    assert ", ".join(about) == message
    ids = one["starts"].get(kind, [])
    assert (" ".join(_trigger(found["bots"][id]) for id in ids) or "nobody") == started
    instance = recorded(found)
    said = answer(instance, KINDS[kind], Message(one["text"], one["jid"], one["fromMe"]))
    word = step.split(" ")[0].rstrip(",")
    operator = re.search("`(equals|regex|startsWith|endsWith|contains)`", step)
    if word in STEPS:
        assert said.rule is STEPS[word]
    elif operator:
        assert said.rule == operator[1]
    assert bool(said.broken) == ("refuses" in step)
    assert (len(said.bots) > 1) == ("tie" in step)
