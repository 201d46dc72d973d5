"""Writes to an instance's settings, which the server takes as a whole row only.

So the row is read right before, completed with what changes, and read back. The same settings may be saved
twice: when nobody knows what became of a call, it is looked, and tried again. The fallback needs a call of
its own: 2.3.x takes it beside an empty openaiCredsId only, 2.2.x under another name beside the full one.
"""

from __future__ import annotations

import asyncio

from reconciler.apply.seen import unlike
from reconciler.apply.state import UNSEEN, NotAppliedError, State, explained
from reconciler.domain.desired import Fields
from reconciler.domain.errors import InstanceError, Refused, ServerError, Unclear
from reconciler.domain.kinds import Value
from reconciler.domain.observed import RemoteSettings, not_understood
from reconciler.domain.plan import Call, Of, Step
from reconciler.domain.results import Outcome
from reconciler.plan.differ import same

TRIES = 4
"""How often the settings are saved, at most, until they are what they should be."""


class Settings:
    """The settings of one instance."""

    def __init__(self, state: State) -> None:
        self.state, self.stop = state, state.shared.stop
        self.client, self.instance = state.shared.client, state.name
        # By this run, as there are fields that a server does not show.
        self.wrote: Fields = {}

    # -- the row ------------------------------------------------------------------------------

    async def save(self, step: Step) -> str:
        """Write what the step says. Returns what there is to say of it; raises where the change ends here."""
        seen = await self.client.settings(self.instance)
        self.stop.check()
        _refuse_unread(seen, "")
        target = _target(step, seen)
        if self._is_rotation(step) and not self._is_old(step, seen, target):
            return "the settings name another credential since the plan was made, and are left alone"
        self._refuse_moved(step, seen, target)
        if seen.exists and not _wrong(target, seen) and not target.keys() & seen.unseen:
            return "" if self._is_rotation(step) else "they were so already"
        self.wrote = {**self.wrote, **target}
        detail, now = await self._write(seen, target)
        await self._keep_fallback(seen.fallback, now)
        return detail

    async def _write(self, seen: RemoteSettings, target: Fields) -> tuple[str, RemoteSettings]:
        """Save the row, and see that it is so. Returns what there is to say of it, and the row."""
        for attempt in range(1, TRIES + 1):
            unclear = ""
            whole = self._whole(seen, target)
            try:
                await self.client.save_settings(self.instance, whole)
            except Refused as error:
                raise NotAppliedError(Outcome.FAILED, explained(error, _WHY_REFUSED)) from None
            except Unclear as error:
                if attempt == TRIES or self.stop.asked:
                    raise
                unclear = f"seen to be done, although: {error}"
                await asyncio.sleep(error.retry_after or self.client.retry_delay * 2**attempt)
            now = await self._after(unclear)
            _refuse_unread(now, UNSEEN)
            wrong = unlike(
                target,
                {n: v for n, v in whole.items() if n not in now.unseen},
                _fields(now, whole),
                self.client.secrets,
            )
            if now.exists and not wrong:
                return unclear, now
            if not unclear:
                wrong = wrong if now.exists else ["the server answered that they are saved, but has none"]
                raise NotAppliedError(Outcome.FAILED, "; ".join(wrong))
        raise AssertionError("the last try returns or raises")

    async def _after(self, unclear: str) -> RemoteSettings:
        """The settings after a call that wrote them."""
        try:
            return await self.client.settings(self.instance)
        except (InstanceError, ServerError) as error:
            if isinstance(error, ServerError):
                self.stop.lost()
            raise NotAppliedError(Outcome.FAILED, unclear or f"{UNSEEN}{error}") from None

    def _whole(self, seen: RemoteSettings, target: Fields) -> dict[str, Value]:
        """A body with all fields, and so with more than the server insists on: then it takes empty texts."""
        defaults = {f.name: f.default for f in self.state.kind.settings.values() if f.default is not None}
        hidden = {name: value for name, value in self.wrote.items() if name in seen.unseen}
        return {**defaults, **(seen.fields if seen.exists else {}), **hidden, **target}

    def _is_rotation(self, step: Step) -> bool:
        return self.state.changes[step.bot].of is Of.CREDENTIAL

    def _is_old(self, step: Step, seen: RemoteSettings, target: Fields) -> bool:
        """Whether the settings name a credential that the rotation moves them away from, or is done."""
        named = seen.fields.get("openaiCredsId")
        return named == target["openaiCredsId"] or named in self.state.changes[step.bot].ids

    def _refuse_moved(self, step: Step, seen: RemoteSettings, target: Fields) -> None:
        """Nothing is written over that is neither as the plan saw it nor as it should be."""
        before = self.state.changes[step.bot].before
        if self._is_rotation(step) or (before is None and not seen.exists):
            return
        if not seen.exists:
            raise NotAppliedError(Outcome.STALE, "they were deleted since the plan was made")
        was = {} if before is None else before.fields
        moved = [
            name
            for name, value in target.items()
            if name not in seen.unseen
            and not (step.merge and name == "ignoreJids")
            and not same(was.get(name), seen.fields.get(name))
            and not same(seen.fields.get(name), value)
        ]
        if moved:
            raise NotAppliedError(Outcome.STALE, f"they changed since the plan was made: {', '.join(moved)}")

    async def _keep_fallback(self, fallback: str | None, now: RemoteSettings) -> None:
        """Saving the row must not lose what stands beside it."""
        if fallback is None or now.fallback == fallback:
            return
        try:
            await self._point(now, fallback)
        except (Refused, Unclear) as error:
            raise NotAppliedError(
                Outcome.FAILED, f"the fallback got lost on the way, point it to {fallback} by hand: {error}"
            ) from None
        if (await self._after("")).fallback != fallback:
            raise NotAppliedError(
                Outcome.FAILED, f"the fallback got lost on the way, point it to {fallback} by hand"
            )

    # -- the fallback -------------------------------------------------------------------------

    async def fallback(self, step: Step) -> str:
        """Point the fallback to a bot, or to none. Returns and raises as save does."""
        target = str(step.body["fallbackId"])
        beside = {name: value for name, value in step.body.items() if name != "fallbackId"}
        for attempt in range(TRIES + 1):
            now = await self.client.settings(self.instance)
            if (now.fallback or "") == target:
                return ""
            _refuse_unread(now, UNSEEN if attempt else "")
            if attempt == 0:
                self.stop.check()
                self._refuse_other(step, now)
            if attempt == TRIES:
                break
            try:
                await self._point(now, target, beside)
            except Unclear as error:
                await asyncio.sleep(error.retry_after or self.client.retry_delay * 2**attempt)
        made_anew = "it was made anew"
        why = made_anew if step.bot in self.state.made else f"the server did not take the fallback {target}"
        raise NotAppliedError(Outcome.FAILED, why)

    def _refuse_other(self, step: Step, now: RemoteSettings) -> None:
        """A fallback that the plan did not see is somebody's choice, and so is none.

        Of a bot that is made anew, deleting the old one has cleared it.
        """
        change = self.state.changes[step.bot]
        was = change.before and change.before.fields.get("fallbackId")
        if now.fallback is not None and now.fallback not in {*change.ids, was}:
            raise NotAppliedError(
                Outcome.STALE, f"bot {now.fallback} has become the fallback since the plan was made"
            )
        if now.fallback is None and change.of is Of.SETTINGS and was and was not in self._deleted():
            raise NotAppliedError(Outcome.STALE, "the fallback was cleared since the plan was made")

    def _deleted(self) -> set[str | None]:
        """The ids of the bots that this plan deletes, with which a fallback goes."""
        return {other.id for other in self.state.instance.steps if other.call is Call.DELETE}

    async def _point(self, now: RemoteSettings, target: str, beside: Fields | None = None) -> None:
        whole = self._whole(now, beside or {})
        try:
            await self.client.save_settings(
                self.instance, {**whole, "openaiCredsId": "", "fallbackId": target or None}
            )
        except Refused as error:
            if not target:
                raise NotAppliedError(Outcome.FAILED, explained(error, _NO_WAY_TO_NONE)) from None
            await self.client.save_settings(self.instance, {**whole, "openaiIdFallback": target})


_WHY_REFUSED = (
    "A credential can stand in the settings of one instance only, and another instance's may name this one, "
    "which a plan does not see: give one of the two another credential, `settings: {openaiCreds: NAME}`"
)
_NO_WAY_TO_NONE = "A server of 2.2.x has no way to clear the fallback, but that the bot is deleted"


def _target(step: Step, seen: RemoteSettings) -> Fields:
    """What the row should have in the fields of the step."""
    if not step.merge or "ignoreJids" not in step.body:
        return step.body
    there, more = seen.fields.get("ignoreJids"), step.body["ignoreJids"]
    jids = [jid for part in (there, more) if isinstance(part, tuple) for jid in part]
    return {**step.body, "ignoreJids": tuple(dict.fromkeys(jids))}


def _fields(now: RemoteSettings, whole: Fields) -> Fields:
    """The fields to compare with what was saved; JIDs may be added at any time, by the server too."""
    there, sent = now.fields.get("ignoreJids"), whole.get("ignoreJids")
    if isinstance(there, tuple) and isinstance(sent, tuple) and set(sent) <= set(there):
        return {**now.fields, "ignoreJids": sent}
    return now.fields


def _refuse_unread(row: RemoteSettings, what: str) -> None:
    """What is not understood cannot be put back, as the whole row must be, nor compared."""
    if row.unread:
        raise NotAppliedError(Outcome.FAILED, what + not_understood(row.unread))


def _wrong(target: Fields, now: RemoteSettings) -> list[str]:
    """The fields that are not as they should be, of those that can be seen."""
    return [n for n in target if n not in now.unseen and not same(target[n], now.fields.get(n))]
