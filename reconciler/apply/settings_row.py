"""The row of an instance's settings, which the server takes as a whole only: what is saved in one call."""

from __future__ import annotations

from reconciler.apply.state import NotAppliedError, State
from reconciler.domain.desired import Fields
from reconciler.domain.kinds import Value
from reconciler.domain.observed import RemoteSettings, not_understood
from reconciler.domain.results import Outcome

TRIES = 4
"""How often settings are saved, at most, until they are what they should be."""


def whole(state: State, seen: RemoteSettings, target: Fields) -> dict[str, Value]:
    """The body that saves the target over what was seen, and what this run saved and the server hides.

    It has all fields, more than the server requires, because then the server takes empty texts.
    """
    defaults = {f.name: f.default for f in state.kind.settings.values() if f.default is not None}
    hidden = {name: value for name, value in state.saved.items() if name in seen.unseen}
    return {**defaults, **(seen.fields if seen.exists else {}), **hidden, **target}


async def read_after(state: State, error: Exception | None) -> RemoteSettings:
    """The settings after a call that saved them. error: why the call failed, if it did."""
    return await state.shared.read_after(state.shared.client.settings(state.name, state.kind), error)


def refuse_unread(row: RemoteSettings, prefix: str = "") -> None:
    """Raises NotAppliedError for a row that is not understood: it can be neither put back nor compared."""
    if row.unread:
        raise NotAppliedError(Outcome.FAILED, prefix + not_understood(row.unread))
