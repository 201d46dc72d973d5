"""How an import and an update of the manifests ended, for a renderer to show. Frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something of the server that is not in the manifest. what: a bot's id, or what else it is."""

    instance: str
    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class Written:
    """A manifest that was written. variables: those that are to hold its keys, and URLs with a secret."""

    instance: str
    path: Path
    bots: int
    credentials: int
    variables: tuple[str, ...]
    settings: bool


@dataclass(frozen=True, slots=True)
class ImportReport:
    """How an import ended.

    directory: of the manifests. skipped: instances without a new manifest. left_out: what the new ones lack.
    empty: how many instances have nothing that a manifest could say. failed: whether one could not be read
    or written.
    """

    directory: Path
    written: tuple[Written, ...]
    skipped: tuple[LeftOut, ...]
    left_out: tuple[LeftOut, ...]
    empty: int
    failed: bool


SETTINGS = "the settings"
"""What an instance's settings are called in the place of a bot's name; no bot's name has a space."""


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence about a bot, SETTINGS, or "" for an instance as a whole."""

    instance: str
    about: str
    text: str


@dataclass(frozen=True, slots=True)
class Edited:
    """A bot, or drift.SETTINGS, of which the manifest says something else now. keys: what, in its words."""

    instance: str
    about: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UpdateReport:
    """How an update ended. files: those that were written. failed: what could not be brought back."""

    edited: tuple[Edited, ...]
    files: tuple[Path, ...]
    failed: tuple[Note, ...]
    said: tuple[Note, ...]
