"""Writes to bots: created exactly once, and never changed when they are not as the plan saw them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from reconciler import differ, identity
from reconciler.errors import Refused, Unclear
from reconciler.kinds import Value
from reconciler.model import Call, Fields, Outcome, RemoteBot, Step
from reconciler.rules import describe, holds, takes
from reconciler.steps.state import NotAppliedError, State

CREATE_TRIES = 4
"""How often a create is made, at most, when looking for the bot does not find it."""


class Bots:
    """The bots of one instance."""

    def __init__(self, state: State) -> None:
        self.state, self.kind = state, state.kind
        self.client, self.instance = state.shared.client, state.name
        self.fallbacks = state.later(Call.FALLBACK)

    async def make(self, step: Step) -> str:
        """Make one call. Returns what there is to say of it; raises where the change ends here."""
        bots = await self.client.find(self.instance)
        self.state.shared.stop.check()
        if step.call is Call.CREATE:
            return await self._create(step, bots)
        own = next((bot for bot in bots if bot.id == step.id), None)
        if step.call is Call.MOVE:
            return await self._move(step, own, bots)
        if own is None:
            if step.call is Call.DELETE:
                return "it was gone already"
            raise NotAppliedError(Outcome.STALE, "it was deleted since the plan was made")
        expected = self.state.expected[own.id]
        if not differ.equal(own.fields, expected):
            moved = [c.name for c in differ.changes(expected, own.fields, self.kind)]
            done = differ.equal(own.fields, {**own.fields, **step.body}) and step.body.keys() >= set(moved)
            if step.call is Call.DELETE or not done:
                raise NotAppliedError(
                    Outcome.STALE, f"it changed since the plan was made: {', '.join(moved)}"
                )
            self._wrote(step, own)
            return "it was so already"
        if step.call is Call.DELETE:
            detail = await self._delete(own)
            self.state.halfway[step.bot] = "the old bot is deleted, the next apply makes the new one" + (
                ", but the settings' fallback is lost" if step.bot in self.fallbacks else ""
            )
            return detail
        return await self._update(step, own, bots)

    # -- in place -----------------------------------------------------------------------------

    async def _update(self, step: Step, own: RemoteBot, bots: tuple[RemoteBot, ...]) -> str:
        after = {**own.fields, **step.body}
        self._refuse_collision(after, own.id, bots)
        stored, detail = await self._put(own, step.body, after)
        self._wrote(step, stored)
        self._compare(after, stored)
        return detail

    async def _put(self, own: RemoteBot, body: Fields, after: Fields) -> tuple[RemoteBot, str]:
        try:
            return await self.client.update(self.instance, own.id, body), ""
        except (Refused, Unclear) as error:
            seen = await self._look(lambda bot: bot.id == own.id)
            if not seen or not differ.equal(seen[0].fields, after):
                raise
            return seen[0], f"seen to be done, although: {error}"

    def _wrote(self, step: Step, stored: RemoteBot) -> None:
        """From now on the bot is expected to look like this."""
        self.state.expected[stored.id] = stored.fields
        if step.call is Call.PARK:
            self.state.halfway[step.bot] = (
                "it is left parked on a trigger that matches nothing, the next apply ends that"
            )
        else:
            self.state.halfway.pop(step.bot, None)

    async def _move(self, step: Step, own: RemoteBot | None, bots: tuple[RemoteBot, ...]) -> str:
        """Give a bot another credential, whatever else became of it since the plan was made."""
        target = {"openaiCredsId": step.body["openaiCredsId"]}
        if own is None:
            return f"bot {step.id} was deleted since the plan was made"
        now, detail = own.fields.get("openaiCredsId"), ""
        if now != target["openaiCredsId"]:
            if now not in self.state.changes[step.bot].ids:
                return f"bot {own.id} uses another credential since the plan was made, and is left alone"
            after = {**own.fields, **target}
            if collision := self._collision(after, own.id, bots):
                if any(own.id == other.id for other in self.state.instance.steps if other is not step):
                    return ""  # refused as it is now; its own update, which is to come, moves it too
                other, words = collision
                raise NotAppliedError(
                    Outcome.FAILED,
                    f"bot {own.id} cannot be moved: bot {other.id} has {words} too, "
                    "and the server refuses a change of either",
                )
            body = differ.update_body(own.fields, after, self.kind)
            try:
                stored, detail = await self._put(own, body, after)
            except (Refused, Unclear) as error:
                raise NotAppliedError(Outcome.FAILED, f"bot {own.id} was not moved: {error}") from None
            self._compare(after, stored)
        if own.id in self.state.expected:
            self.state.expected[own.id] = {**self.state.expected[own.id], **target}
        return detail

    async def _delete(self, own: RemoteBot) -> str:
        try:
            await self.client.delete(self.instance, own.id)
        except (Refused, Unclear) as error:
            if await self._look(lambda bot: bot.id == own.id):
                raise
            return f"seen to be done, although: {error}"
        return ""

    # -- what is in the way, and what came of it ----------------------------------------------

    def _collision(
        self, fields: Fields, own: str | None, bots: tuple[RemoteBot, ...]
    ) -> tuple[RemoteBot, str] | None:
        """The bot for which the server would refuse these fields, and what both would have."""
        wanted = takes(self.kind, fields)
        for bot in bots:
            if bot.id != own and (claims := holds(self.kind, bot.fields) & wanted):
                return bot, " and ".join(describe(claim) for claim in sorted(claims))
        return None

    def _refuse_collision(self, fields: Fields, own: str | None, bots: tuple[RemoteBot, ...]) -> None:
        """The server would answer 500 without a reason; say which bot is in the way instead."""
        if (collision := self._collision(fields, own, bots)) is None:
            return
        bot, words = collision
        for label, result in self.state.results.items():
            if bot.id in (result.id, *result.change.ids) and result.outcome is not Outcome.APPLIED:
                raise NotAppliedError(Outcome.SKIPPED, f"it needs {words}, and {label} was not applied")
        raise NotAppliedError(Outcome.STALE, f"bot {bot.id} has got {words} since the plan was made")

    def _compare(self, sent: Fields, stored: RemoteBot) -> None:
        """What the server stored must be what was sent."""
        if wrong := differ.changes(
            {n: stored.fields[n] for n in sent if n in stored.fields}, sent, self.kind
        ):
            names = ", ".join(change.name for change in wrong)
            raise NotAppliedError(Outcome.FAILED, f"the server stored something else in: {names}")

    async def _look(self, wanted: Callable[[RemoteBot], bool]) -> list[RemoteBot]:
        """The bots of the instance, read now, that are wanted; the oldest first."""
        bots = await self.client.find(self.instance)
        return sorted(filter(wanted, bots), key=lambda bot: (bot.created, bot.id))

    # -- exactly one --------------------------------------------------------------------------

    def _is(self, label: str) -> Callable[[RemoteBot], bool]:
        """Whether a bot carries our marker for this name."""
        owner = self.state.shared.owner
        return lambda bot: identity.marked(str(bot.fields.get("description", "")), owner, label)

    async def _create(self, step: Step, bots: tuple[RemoteBot, ...]) -> str:
        """Make a bot, exactly one: it is looked for before each try, and twins are settled after it."""
        state, body = self.state, step.body
        if here := sorted(filter(self._is(step.bot), bots), key=lambda bot: (bot.created, bot.id)):
            ids = ", ".join(bot.id for bot in here)
            if len(here) > 1 or not _has(here[0], body):
                raise NotAppliedError(Outcome.STALE, f"it was made since the plan was made: {ids}")
            state.made[step.bot] = here[0].id
            return "it was made already, just so"
        self._refuse_collision(body, None, bots)
        mine, detail = await self._create_once(step.bot, body)
        twins = await self._look(self._is(step.bot))
        if len(twins) > 1:
            mine, detail = await self._settle(step.bot, mine, twins), "another run made it at the same time"
        state.made[step.bot] = mine.id
        state.halfway.pop(step.bot, None)
        if step.bot in self.fallbacks:
            state.halfway[step.bot] = f"the settings' fallback is lost, point it to {mine.id} by hand"
        self._compare(body, mine)
        return detail

    async def _create_once(self, label: str, body: Mapping[str, Value]) -> tuple[RemoteBot, str]:
        for attempt in range(1, CREATE_TRIES + 1):
            try:
                return await self.client.create(self.instance, body), ""
            except (Refused, Unclear) as error:
                if isinstance(error, Unclear) and attempt < CREATE_TRIES:
                    await asyncio.sleep(error.retry_after or self.client.retry_delay * 2**attempt)
                if seen := await self._look(self._is(label)):
                    return seen[0], f"seen to be done, although: {error}"
                if isinstance(error, Refused) or attempt == CREATE_TRIES or self.state.shared.stop.asked:
                    raise
        raise AssertionError("the last try returns or raises")

    async def _settle(self, label: str, mine: RemoteBot, twins: list[RemoteBot]) -> RemoteBot:
        """Two runs made the same bot. The newer goes; each run deletes only what it made.

        The other run may have looked before ours was there, and then it deletes nothing: if its bot is
        still there after a while, ours goes even if it is the older one.
        """
        for attempt in range(5):
            if twins[0].id != mine.id:
                break
            await asyncio.sleep(self.client.retry_delay * 2**attempt)
            twins = await self._look(self._is(label))
            if len(twins) < 2:
                return mine
        await self._delete(mine)
        if kept := await self._look(self._is(label)):
            return kept[0]
        raise NotAppliedError(
            Outcome.FAILED, "another run made it at the same time and removed it; apply again"
        )


def _has(bot: RemoteBot, body: Fields) -> bool:
    """Whether a bot is as a create with this body would make it."""
    return differ.equal({name: bot.fields[name] for name in body if name in bot.fields}, body)
