"""Which manifests tell all of a few instances, by a look at their texts: the others are not parsed. Pure.

A manifest is left out only where its text shows beyond doubt that it is another instance's, or that it
declares no credential that the few name. Whatever is not written in the plainest way is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePath

from reconciler.domain.desired import DesiredInstance
from reconciler.domain.records import dataclass

_NAME = rb"""(?:([A-Za-z0-9_][A-Za-z0-9_.-]*)|"([A-Za-z0-9_.-]+)"|'([A-Za-z0-9_.-]+)')"""
_PLAIN = re.compile(r"[A-Za-z0-9_.@-]+")
"""What is written in one way only, apart from quotes."""

_ODD_LINES = (b"\xc2\x85", b"\xe2\x80\xa8", b"\xe2\x80\xa9", b"\xef\xbb\xbf")
"""What ends a line of YAML besides the usual, and a byte order mark."""

_ODD = re.compile(rb"\\(?:x[2-7]|u00[2-7]|U000000[2-7]|\r?\n)|\r(?!\n)")
"""An escape for a letter, a line that goes on, and a line that ends in the way of old."""

_BLANK = rb"(?:[ \t\r]*\n)*+"
_COMMENTS = rb"(?:[ \t\r]*(?:#[^\n]*)?\n)*+"
_HEAD = _COMMENTS + rb"(?:---[ \t]*\r?\n)?" + _COMMENTS
_FIRST = re.compile(
    _HEAD + rb"instance:[ ]+" + _NAME + rb"[ \t]*(?:[ \t]#[^\n]*)?\r?\n" + _BLANK + rb"(?=\S|\Z)"
)
"""YAML whose first key is the instance's."""

_JSON_FIRST = re.compile(rb'\s*\{\s*"instance"\s*:\s*"([A-Za-z0-9_.-]+)"\s*[,}]')
_ROOT = re.compile(_HEAD + rb"[A-Za-z$][A-Za-z0-9$_-]*:(?:\s|\Z)")
"""YAML that is a mapping in block style from the first column on, so all its keys begin there."""

_KEY = re.compile(rb"^(?:[\"']?(?:instance|<<)|[?!&*{\[])", re.MULTILINE)
"""A line that may have the key `instance` of such a mapping."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a manifest's text shows.

    name: of the instance that it declares, on its server; None where only reading it tells. credentials:
    whether it may declare any.
    """

    name: str | None = None
    credentials: bool = True


def shown(path: Path, data: bytes) -> Shown:
    """What the text of a manifest shows without being parsed."""
    if _is_odd(data):
        return Shown()
    return Shown(_name(path, data), b"credentials" in data)


def _name(path: Path, data: bytes) -> str | None:
    json = path.suffix.lower() == ".json"
    if first := (_JSON_FIRST if json else _FIRST).match(data):
        return next(each for each in first.groups() if each is not None).decode()
    if b"instance" not in data or (not json and _ROOT.match(data) and not _KEY.search(data)):
        return path.stem
    return None


class Credentials:
    """The credentials that instances declare or name, for which the other manifests are looked through."""

    def __init__(self, instances: Iterable[DesiredInstance]) -> None:
        words = set[str]()
        for one in instances:
            words |= {bot.creds for bot in one.bots if bot.creds is not None}
            words |= {each.creds for each in one.settings.values() if each.creds is not None}
            words |= {each.name for each in one.credentials}
            words |= {PurePath(each.key.name).name for each in one.credentials}
        self._plain = all(map(_PLAIN.fullmatch, words))
        self._words = [word.encode(errors="replace") for word in words]

    def may_be_in(self, data: bytes) -> bool:
        """Whether a manifest that may declare any may declare one of these, or one with the same key."""
        if not self._words:
            return False
        plain = self._plain and b"${" not in data and not _is_odd(data)
        return not plain or any(word in data for word in self._words)


def _is_odd(data: bytes) -> bool:
    """Whether a text may not mean what it seems to."""
    return (
        b"\0" in data
        or ((b"\\" in data or b"\r" in data) and _ODD.search(data) is not None)
        or (not data.isascii() and any(each in data for each in _ODD_LINES))
    )
