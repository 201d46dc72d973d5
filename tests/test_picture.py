"""The picture in the documentation shows what the tool shows."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from docs import picture


def test_the_picture_is_true() -> None:
    drawn = picture.draw(picture.reviewed())
    assert picture.PICTURE.read_text(encoding="utf-8") == drawn, "run `python docs/picture.py`"


def test_the_picture_is_a_whole_svg() -> None:
    text = "".join(ET.parse(picture.PICTURE).getroot().itertext())  # noqa: S314 - our own file
    assert "Plan: 4 to update, 7 in sync" in text
    assert "· drift" in text
