"""What a command found, for a renderer to show. Frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from reconciler.domain.errors import Position


class Mark(StrEnum):
    """How something is: right, worth knowing, or in the way."""

    GOOD = "good"
    NOTE = "note"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. said, todo: sentences, not yet made safe to show; todo may be ""."""

    mark: Mark
    about: str
    said: str
    todo: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Warning:
    """What one rule says of one place. text: a sentence with whom it is about and what to do.

    error: the repository made the rule an error.
    """

    at: Position
    rule: str
    text: str
    error: bool = False

    @property
    def level(self) -> str:
        """As it is shown: `warning` or `error`."""
        return "error" if self.error else "warning"

    def __str__(self) -> str:
        return f"{self.at}: {self.level}: {self.text} [{self.rule}]"
