"""What a command found, for a renderer to show. Frozen values."""

from __future__ import annotations

from enum import StrEnum

from reconciler.domain.errors import Position
from reconciler.domain.records import dataclass, field


class Mark(StrEnum):
    """How something is: right, worth knowing, or in the way."""

    GOOD = "good"
    NOTE = "note"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. said, todo: sentences, not yet made safe to show; todo may be "".

    server: which of several it is about; "" for none of them, or the only one.
    """

    mark: Mark
    about: str
    said: str
    todo: str = ""
    server: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Warning:
    """What one rule says of one place. text: a sentence with whom it is about and what to do.

    error: the repository made the rule an error. remark: the sentence without whom it is about: warnings with
    the same one are the same to a reader.
    """

    at: Position
    rule: str
    text: str
    error: bool = False
    remark: str = field(default="", compare=False)

    @property
    def level(self) -> str:
        """As it is shown: `warning` or `error`."""
        return "error" if self.error else "warning"

    def __str__(self) -> str:
        return f"{self.at}: {self.level}: {self.text} [{self.rule}]"
