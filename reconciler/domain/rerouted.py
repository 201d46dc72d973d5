"""Messages that are answered differently after an apply. Frozen values."""

from __future__ import annotations

from reconciler.domain.records import dataclass


@dataclass(frozen=True, slots=True)
class Answered:
    """What one kind of bot makes of a message.

    kind: its path. bots: any one of them answers, by name, or by id where there is no name. certain: one of
    them does. undecided: it could not be worked out.
    """

    kind: str
    bots: tuple[str, ...]
    certain: bool = True
    undecided: bool = False


@dataclass(frozen=True, slots=True)
class Rerouted:
    """A message that is answered differently, on all instances where that is the same.

    text, jid, from_me: the message. other: it stands for any message that no trigger is about. before, after:
    of the kinds that may answer, in the order of the kinds.
    """

    instances: tuple[str, ...]
    text: str
    jid: str
    from_me: bool
    other: bool
    before: tuple[Answered, ...]
    after: tuple[Answered, ...]

    @property
    def silenced(self) -> bool:
        """Whether it was answered, and nobody answers any more."""
        return bool(self.before) and not self.after

    @property
    def doubled(self) -> bool:
        """Whether several kinds answer, each by itself, which was not so before."""
        return len(self.after) > 1 and len(self.before) < 2
