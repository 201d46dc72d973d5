"""The bots of a fleet as `reconciler list` shows them. Frozen values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum

from reconciler.domain.desired import Fields
from reconciler.domain.kinds import OPENAI
from reconciler.domain.records import dataclass, field
from reconciler.domain.servers import local


class Standing(StrEnum):
    """What a bot is to the manifests. The values are those of the JSON."""

    DECLARED = "declared"
    """By a manifest; the server was not asked."""
    MANAGED = "managed"
    """By a manifest, and the server has it with our marker."""
    MISSING = "missing"
    """Declared, and not on the server."""
    ADOPTABLE = "adoptable"
    """Declared, and the server has one without a marker that an apply would adopt."""
    CONFLICT = "conflict"
    """Declared, and it is not clear which bot on the server it is."""
    UNKNOWN = "unknown"
    """Declared, and its instance could not be read."""
    UNDECLARED = "undeclared"
    """It has our marker, and no manifest declares it any more."""
    UNMANAGED = "unmanaged"
    """It is not ours."""


@dataclass(frozen=True, slots=True)
class ListedBot:
    """One bot. name: "" for one that is not ours. id: the server's, "" where there is none.

    why: what makes it a conflict or keeps it unmanaged; "" where that is plain. fields: the server's, or
    the declared ones of a bot that was not found there. off: the day on which `reconciler disable` switched
    it off, as in 2026-11-28; "" where it did not.
    """

    name: str
    id: str
    standing: Standing
    fields: Fields
    why: str = ""
    off: str = ""
    kind: str = OPENAI.path

    @property
    def enabled(self) -> bool | None:
        """Whether it is on; None where no manifest declares that, and the server was not asked."""
        value = self.fields.get("enabled")
        return value if isinstance(value, bool) else None


@dataclass(frozen=True, slots=True)
class ListedInstance:
    """An instance and its bots. manifest: the file that declares it, "" for none.

    vars: the value of each ${name} in its manifest. problem: why it could not be read, a sentence.
    server: as of a DesiredInstance.
    """

    name: str
    manifest: str
    bots: tuple[ListedBot, ...]
    vars: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None
    server: str = ""

    @property
    def local(self) -> str:
        """What its server calls it."""
        return local(self.server, self.name)


@dataclass(frozen=True, slots=True)
class Listing:
    """All of them. server: its address, "" where it was not asked. note: what was not looked at.

    servers: the addresses of several, by their names.
    """

    server: str
    instances: tuple[ListedInstance, ...]
    note: str = ""
    servers: Mapping[str, str] = field(default_factory=dict)

    def bots(self) -> Iterator[ListedBot]:
        """The bots of all instances."""
        return (bot for instance in self.instances for bot in instance.bots)

    @property
    def problems(self) -> int:
        """How many instances could not be read."""
        return sum(instance.problem is not None for instance in self.instances)
