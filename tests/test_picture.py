"""The pictures in the documentation show what the tool shows, and what was measured."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

from benchmarks import picture as fleet
from benchmarks.measured import Figure, history
from docs import picture


def test_the_picture_is_true() -> None:
    drawn = picture.draw(picture.reviewed())
    assert picture.PICTURE.read_text(encoding="utf-8") == drawn, "run `python docs/picture.py`"


def test_the_picture_is_a_whole_svg() -> None:
    text = "".join(ET.parse(picture.PICTURE).getroot().itertext())  # noqa: S314 - our own file
    assert "Plan: 4 to update, 7 in sync" in text
    assert "· drift" in text


def test_the_picture_of_fleets_is_that_of_the_history() -> None:
    assert fleet.PICTURE.read_text(encoding="utf-8") == fleet.draw(history()), (
        "run python -m benchmarks.picture"
    )
    assert fleet.PICTURE.stat().st_size < 60_000


def test_the_newest_figures_of_the_last_machine_are_drawn() -> None:
    old = Figure("plan", 10, 9, 1, 90, 0.1, "a", "2026-01-01", "a machine", "3.11.7")
    new = replace(old, seconds=1, date="2026-02-01")
    other = replace(old, instances=1_000, machine="another")
    larger = replace(old, instances=100, seconds=5)
    assert fleet.newest([other, larger, old, new])["plan"] == {10: new, 100: larger}
    circles = [
        circle
        for circle in ET.fromstring(fleet.draw([other, larger, old, new])).iter()  # noqa: S314 - our own text
        if circle.tag.endswith("circle")
    ]
    assert len(circles) == 2 * 2


def test_both_axes_are_logarithmic() -> None:
    made = Figure("plan", 10, 1, 1, 10, 1, "a", "2026-01-01", "a machine", "3.11.7")
    tens = [replace(made, instances=10**power, seconds=10 ** (power - 1)) for power in (1, 2, 3)]
    drawn = ET.fromstring(fleet.draw(tens))  # noqa: S314 - our own text
    lines = [each.attrib["points"] for each in drawn.iter() if each.attrib.get("stroke") == "#0969da"]
    first, second, third = (tuple(map(float, point.split(","))) for point in lines[1].split())
    assert second == ((first[0] + third[0]) / 2, (first[1] + third[1]) / 2)
