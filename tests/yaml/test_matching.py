"""What two texts have in common: always right, and in a time that many lines do not multiply."""

from __future__ import annotations

import random
import time
from difflib import SequenceMatcher

import pytest

from reconciler.domain.sequences import Matcher, equal
from reconciler.yaml.edit import Put, edit

MANY = 20_000

LINES = {
    "all differ": [f"Linha {i} do texto." for i in range(MANY)],
    "every second is blank": ["" if i % 2 else f"Linha {i}" for i in range(MANY)],
    "seven again and again": [f"Linha {i % 7}" for i in range(MANY)],
    "all the same": ["x"] * MANY,
    "pairs": [f"Linha {i // 2}" for i in range(MANY)],
}

CHANGES = {
    "every second": lambda lines: [f"{line} nova" if i % 2 else line for i, line in enumerate(lines)],
    "every second goes": lambda lines: lines[::2],
    "halves swapped": lambda lines: lines[MANY // 2 :] + lines[: MANY // 2],
    "backwards": lambda lines: lines[::-1],
    "one comes first": lambda lines: ["nova", *lines],
    "nothing stays": lambda lines: [f"{line}!" for line in lines],
}


@pytest.mark.parametrize("lines", LINES.values(), ids=LINES)
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_many_lines_take_seconds(lines: list[str], change: object) -> None:
    assert callable(change)
    new = change(lines)
    started = time.process_time()
    found = equal(lines, new)
    assert time.process_time() - started < 10
    check(lines, new)
    assert found or set(lines).isdisjoint(new)


def test_what_is_long_and_repeats_itself_is_compared_coarsely() -> None:
    once = [f"Linha {i}" for i in range(1_000)]
    again = [f"Linha {i % 7}" for i in range(1_000)]
    assert not Matcher(once, [*once[:500], "nova", *once[501:]]).coarse
    assert not Matcher(again[:90], again[10:100]).coarse
    assert Matcher(again, again[5:]).coarse
    assert not Matcher(again, [f"{line}!" for line in again]).coarse


@pytest.mark.parametrize("seed", range(30))
def test_it_finds_about_as_much_as_difflib(seed: int) -> None:
    pick = random.Random(seed)  # noqa: S311 - it guards nothing
    old = [pick.choice(["", "", f"Linha {i}", f"Item {i % 9}"]) for i in range(pick.randrange(400))]
    new = [line if pick.random() < 0.6 else f"{line}." for line in old if pick.random() < 0.9]
    blocks = SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
    assert check(old, new) >= 0.9 * sum(block.size for block in blocks)


def check(old: list[str], new: list[str]) -> int:
    """How many pieces are in common; they rise in both, and are equal."""
    i = j = many = 0
    for there, here in equal(old, new):
        assert there.start >= i
        assert here.start >= j
        assert old[there.start : there.stop] == new[here.start : here.stop]
        i, j, many = there.stop, here.stop, many + len(there)
    return many


STYLES = {"literal": "|", "folded": ">"}


@pytest.mark.parametrize("sign", STYLES.values(), ids=STYLES)
def test_a_long_text_is_edited_in_seconds(sign: str) -> None:
    old = ["" if sign == "|" and i % 2 else f"Linha {i} do texto." for i in range(6_000)]
    new = [f"{line} nova" if i % 4 == 0 else line for i, line in enumerate(old)]
    between = "\n\n" if sign == ">" else "\n"
    source = f"k: {sign}\n" + "".join(f"  {line}{between}" if line else "\n" for line in old)
    started = time.process_time()
    after = edit(source, {"k": Put("\n".join(old) + "\n", "\n".join(new) + "\n")})
    assert time.process_time() - started < 10
    assert after == f"k: {sign}\n" + "".join(f"  {line}{between}" if line else "\n" for line in new)


def test_a_long_list_is_edited_in_seconds() -> None:
    old = tuple(f"{5500000000 + i}@s.whatsapp.net" for i in range(3_000))
    new = tuple(f"{each}.br" if i % 2 else each for i, each in enumerate(old))
    started = time.process_time()
    after = edit("k:\n" + "".join(f"  - {each}\n" for each in old), {"k": Put(old, new)})
    assert time.process_time() - started < 10
    assert after == "k:\n" + "".join(f"  - {each}\n" for each in new)
