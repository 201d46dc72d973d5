"""Writes to bots: created exactly once, never changed when they are not as the plan saw them, and seen after.

Each write is followed by a read, which judges it (seen.py) and is what the next step starts from: so an
instance with n writes is read n + 1 times. What an answer says of a bot is not looked at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Mapping, Sequence
from contextlib import suppress

from reconciler.apply import seen
from reconciler.apply.seen import Whole
from reconciler.apply.state import UNSEEN, NotAppliedError, State
from reconciler.domain import markers
from reconciler.domain.desired import Fields
from reconciler.domain.errors import InstanceError, Refused, ServerError, Unclear
from reconciler.domain.kinds import Value
from reconciler.domain.observed import RemoteBot, not_understood
from reconciler.domain.plan import Call, Step
from reconciler.domain.results import Outcome
from reconciler.domain.uniqueness import describe, holds, takes
from reconciler.plan import differ, matching

CREATE_TRIES = 4
"""How often a create is made, at most, when looking for the bot does not find it."""


class Bots:
    """The bots of one instance. rows: as they were last read, by id."""

    def __init__(self, state: State) -> None:
        self.state, self.kind = state, state.kind
        self.client, self.instance, self.owner = state.shared.client, state.name, state.shared.owner
        self.secrets = self.client.secrets
        self.fallbacks = state.later(Call.FALLBACK)
        self.rows: Mapping[str, RemoteBot] = {}
        self.fresh = False  # whether nothing of ours happened since

    async def make(self, step: Step) -> str:
        """Make one call. Returns what there is to say of it; raises where the change ends here."""
        if not self.fresh:
            await self.lost()
        self.state.shared.stop.check()
        if step.call is Call.CREATE:
            return await self._create(step)
        own = self.rows.get(step.id or "")
        if step.call is Call.MOVE:
            return await self._move(step, own)
        if own is None:
            if step.call is Call.DELETE:
                await self._refuse_hidden(step.id or "")
                if others := self._carriers(step.bot):
                    ids = ", ".join(bot.id for bot in others)
                    raise NotAppliedError(Outcome.STALE, f"it was made again since the plan was made: {ids}")
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
            self._wrote(step)
            return "it was so already"
        if step.call is Call.DELETE:
            detail = await self._delete(own)
            self.state.halfway[step.bot] = "the old bot is deleted, the next apply makes the new one" + (
                ", but the settings' fallback is lost" if step.bot in self.fallbacks else ""
            )
            return detail
        self._refuse_collision({**own.fields, **step.body}, own.id)
        detail = await self._put(own, step.body)
        self._wrote(step)
        return detail

    async def read(self) -> None:
        """Know the bots as they are now."""
        # Of a row without an id nothing more can be said than that it takes what it takes.
        found = await self.client.find(self.instance)
        self.rows = {bot.id or f"?{number}": bot for number, bot in enumerate(found)}
        self.fresh = True

    async def lost(self) -> list[str]:
        """Read the bots again, after a call that was about none of them or a while: what became of them.

        What was applied and is not so any more is not applied.
        """
        before = self.rows
        await self.read()
        return self._unexpected(before, ())

    # -- in place -----------------------------------------------------------------------------

    async def _put(self, own: RemoteBot, body: Fields) -> str:
        """Change a bot. Returns what there is to say when it is seen to be so."""
        before, after = self.rows, {**own.fields, **body}
        doubt = await self._try(self.client.update(self.instance, own.id, body))
        row, note = self.rows.get(own.id), ""
        if doubt is not None:
            if row is None or not differ.equal(row.fields, after):
                raise doubt
            note = f"seen to be done, although: {doubt}"
        elif row is not None and _lost_its_marker(row, after, self.owner):
            note = await self._mark(row, after)
        await self._check(before, own.id, body, {**dict.fromkeys(self.kind.fields), **after})
        return note

    async def _mark(self, row: RemoteBot, whole: Fields) -> str:
        """Write a description once more that the server lost, and with it whose the bot is."""
        after = {**whole, **row.fields, "description": whole["description"]}
        await self._try(self.client.update(self.instance, row.id, differ.update_body(row.fields, after)))
        return "the server lost its description, which was written once more"

    def _wrote(self, step: Step) -> None:
        """From now on the bot is expected to look like this."""
        if step.id is not None:
            self.state.expected[step.id] = self.rows[step.id].fields
        if step.call is Call.PARK:
            self.state.halfway[step.bot] = (
                "it is left parked on a trigger that matches nothing, the next apply ends that"
            )
        else:
            self.state.halfway.pop(step.bot, None)

    async def _move(self, step: Step, own: RemoteBot | None) -> str:
        """Give a bot another credential, whatever else became of it since the plan was made."""
        target = {"openaiCredsId": step.body["openaiCredsId"]}
        if own is None:
            await self._refuse_hidden(step.id or "")
            return f"bot {step.id} was deleted since the plan was made"
        now, detail = own.fields.get("openaiCredsId"), ""
        if now != target["openaiCredsId"]:
            if now not in self.state.changes[step.bot].ids:
                return f"bot {own.id} uses another credential since the plan was made, and is left alone"
            after = {**own.fields, **target}
            if collision := self._collision(after, own.id):
                if any(own.id == other.id for other in self.state.instance.steps if other is not step):
                    return ""  # refused as it is now; its own update, which is to come, moves it too
                other, words = collision
                raise NotAppliedError(
                    Outcome.FAILED,
                    f"bot {own.id} cannot be moved: {matching.called(other)} has {words} too, "
                    "and the server refuses a change of either",
                )
            try:
                detail = await self._put(own, differ.update_body(own.fields, after, self.kind))
            except (Refused, Unclear) as error:
                raise NotAppliedError(Outcome.FAILED, f"bot {own.id} was not moved: {error}") from None
            except NotAppliedError as trouble:
                raise NotAppliedError(trouble.outcome, f"bot {own.id}: {trouble.detail}") from None
        if own.id in self.state.expected:
            self.state.expected[own.id] = {**self.state.expected[own.id], **target}
        return detail

    async def _refuse_hidden(self, id: str) -> None:
        """A bot is not gone while a credential is shown to have it, whatever the list of bots says."""
        with suppress(InstanceError, ServerError):
            there = await self.client.credentials(self.instance)
            if any(id in (one.users or ()) for one in there.values()):
                raise NotAppliedError(
                    Outcome.FAILED,
                    f"the server's list of bots does not show bot {id}, but a credential does",
                )

    async def _delete(self, own: RemoteBot) -> str:
        before = self.rows
        doubt = await self._try(self.client.delete(self.instance, own.id))
        if own.id in self.rows:
            raise doubt or NotAppliedError(
                Outcome.FAILED, "the server answered that it is deleted, but it is still there"
            )
        self._raise_strange(before, (own.id,))
        return "" if doubt is None else f"seen to be done, although: {doubt}"

    # -- what came of it ----------------------------------------------------------------------

    async def _try(self, call: Awaitable[object], wait: float = 0.0) -> Refused | Unclear | None:
        """Make a writing call and read the bots after it. Returns why it may not be done, if it may not.

        wait: seconds to give a call that may still arrive, if the server does not say how many.
        """
        self.fresh = False
        doubt: Refused | Unclear | None = None
        try:
            await call
        except (Refused, Unclear) as error:
            doubt = error
            if wait and isinstance(error, Unclear):
                await asyncio.sleep(error.retry_after or wait)
        try:
            await self.read()
        except (InstanceError, ServerError) as error:
            if isinstance(error, ServerError):
                self.state.shared.stop.lost()
            raise NotAppliedError(Outcome.FAILED, str(doubt) if doubt else f"{UNSEEN}{error}") from None
        return doubt

    async def _check(
        self, before: Mapping[str, RemoteBot], id: str, sent: Fields, whole: Whole, made: str = ""
    ) -> None:
        """Raises NotAppliedError for what is not as it should be after a write: this bot, or another."""
        row = self.rows.get(id)
        if row is None:
            raise NotAppliedError(Outcome.FAILED, "the server answered that it is done, but it is gone")
        if row.unread:
            raise NotAppliedError(Outcome.FAILED, f"{UNSEEN}{not_understood(row.unread)}")
        whole = {name: value for name, value in whole.items() if name not in row.unseen}
        if wrong := seen.unlike(
            sent, self._unstamped(whole), self._unstamped(row.fields), self.secrets, self.kind
        ):
            await self._stamp(row)
            raise NotAppliedError(Outcome.FAILED, "; ".join(wrong))
        self._raise_strange(before, (id,), made)

    def _unstamped(self, fields: Whole) -> dict[str, Value | None]:
        """Fields without the stamp, which nobody declares."""
        text = markers.unstamped(str(fields.get("description") or ""), self.owner)
        return {**fields, "description": text}

    async def _stamp(self, row: RemoteBot) -> None:
        """Note beside the marker what the bot became, so that the next plan can tell that from an edit."""
        text = differ.restamped(row.fields, self.owner, self.kind)
        if text is None or self.state.shared.stop.asked:
            return
        after = {**row.fields, "description": text}
        self.fresh = False
        with suppress(Refused, Unclear):  # nothing but a sentence of the next plan depends on it
            await self.client.update(self.instance, row.id, differ.update_body(row.fields, after, self.kind))

    def _raise_strange(self, before: Mapping[str, RemoteBot], own: tuple[str, ...], made: str = "") -> None:
        if strange := self._unexpected(before, own, made):
            raise NotAppliedError(
                Outcome.FAILED,
                f"it is done, but in the same moment, by this call or by another hand: {'; '.join(strange)}",
            )

    def _unexpected(self, before: Mapping[str, RemoteBot], own: tuple[str, ...], made: str = "") -> list[str]:
        """What became of bots that have no change in this run; those that have end with it."""
        found = []
        for id, words in seen.strange(before, self.rows, own, made, self.owner, self.secrets).items():
            if (label := self.state.label(id)) is None:
                found.append(words)
            else:
                # One whose step is yet to come is found stale by that.
                self.state.undone(label, f"it was done, but then {words}")
        return found

    # -- what is in the way -------------------------------------------------------------------

    def _collision(self, fields: Fields, own: str | None) -> tuple[RemoteBot, str] | None:
        """The bot for which the server would refuse these fields, and what both would have."""
        wanted = takes(self.kind, fields)
        for bot in self.rows.values():
            if bot.id != own and (claims := holds(self.kind, bot.fields) & wanted):
                return bot, " and ".join(describe(claim) for claim in sorted(claims))
        return None

    def _refuse_collision(self, fields: Fields, own: str | None) -> None:
        """The server would answer 500 without a reason; say which bot is in the way instead."""
        if (collision := self._collision(fields, own)) is None:
            return
        bot, words = collision
        for label, result in self.state.results.items():
            if bot.id in (result.id, *result.change.ids) and result.outcome is not Outcome.APPLIED:
                raise NotAppliedError(Outcome.SKIPPED, f"it needs {words}, and {label} was not applied")
        raise NotAppliedError(
            Outcome.STALE, f"{matching.called(bot)} has got {words} since the plan was made"
        )

    # -- exactly one --------------------------------------------------------------------------

    def _carriers(self, label: str) -> list[RemoteBot]:
        """The bots that carry our marker for this name; the oldest first."""
        found = [
            bot
            for bot in self.rows.values()
            if markers.marked(str(bot.fields.get("description", "")), self.owner, label)
        ]
        return sorted(found, key=lambda bot: (bot.created, bot.id))

    async def _create(self, step: Step) -> str:
        """Make a bot, exactly one: it is looked for before each try, and twins are settled after it."""
        state, body, label = self.state, step.body, step.bot
        if here := self._carriers(label):
            ids = ", ".join(bot.id for bot in here)
            if len(here) > 1 or seen.unlike(body, body, here[0].fields, self.secrets):
                raise NotAppliedError(Outcome.STALE, f"it was made since the plan was made: {ids}")
            state.made[label] = here[0].id
            return "it was made already, just so"
        self._refuse_collision(body, None)
        before = self.rows
        mine, detail = await self._create_once(label, body)
        if not markers.marked(str(mine.fields.get("description", "")), self.owner, label):
            detail = await self._mark(mine, body)
        if len(duplicates := self._carriers(label)) > 1:
            mine, detail = await self._settle(label, mine, duplicates), "another run made it at the same time"
        state.made[label] = mine.id
        state.halfway.pop(label, None)
        if label in self.fallbacks:
            state.halfway[label] = f"the settings' fallback is lost, point it to {mine.id} by hand"
        await self._check(before, mine.id, body, body, made=label)
        return detail

    async def _create_once(self, label: str, body: Fields) -> tuple[RemoteBot, str]:
        before = self.rows.keys()
        for attempt in range(1, CREATE_TRIES + 1):
            answered: list[str] = []
            wait = self.client.retry_delay * 2**attempt if attempt < CREATE_TRIES else 0.0
            doubt = await self._try(self._post(body, answered), wait)
            if (found := self._made(label, body, before, answered)) is not None:
                return found, "" if doubt is None else f"seen to be done, although: {doubt}"
            if doubt is None:
                raise NotAppliedError(
                    Outcome.FAILED, "the server answered that it is made, but it is not there"
                )
            if isinstance(doubt, Refused) or attempt == CREATE_TRIES or self.state.shared.stop.asked:
                raise doubt
        raise AssertionError("the last try returns or raises")

    async def _post(self, body: Fields, answered: list[str]) -> None:
        """Create, and keep the id that the answer names."""
        answered.append((await self.client.create(self.instance, body)).id)

    def _made(
        self, label: str, body: Fields, before: Collection[str], answered: Sequence[str]
    ) -> RemoteBot | None:
        """The bot that was made: by its marker, else a new one by the answer's id, or by all else it has."""
        carriers = self._carriers(label)
        new = [bot for id, bot in self.rows.items() if id not in before]
        named = [bot for bot in new if bot.id in answered]
        rest = {name: value for name, value in body.items() if name != "description"}
        like = [
            bot
            for bot in new
            if "[" not in str(bot.fields.get("description", ""))
            and not seen.unlike(rest, rest, bot.fields, self.secrets)
        ]
        mine = [bot for bot in carriers if bot.id in answered]
        return next(iter((*mine, *carriers, *named, *like)), None)

    async def _settle(self, label: str, mine: RemoteBot, duplicates: list[RemoteBot]) -> RemoteBot:
        """Two runs made the same bot. The newer goes; each run deletes only what it made.

        The other run may have looked before ours was there, and then it deletes nothing: if its bot is
        still there after a while, ours goes even if it is the older one.
        """
        for attempt in range(5):
            if duplicates[0].id != mine.id:
                break
            await asyncio.sleep(self.client.retry_delay * 2**attempt)
            await self.read()
            duplicates = self._carriers(label)
            if len(duplicates) < 2:
                return mine
        await self._delete(mine)
        if kept := self._carriers(label):
            return kept[0]
        raise NotAppliedError(
            Outcome.FAILED, "another run made it at the same time and removed it; apply again"
        )


def _lost_its_marker(row: RemoteBot, after: Fields, owner: str) -> bool:
    """Whether a bot that should carry our marker does not, and another's neither."""
    text = str(row.fields.get("description", ""))
    name = markers.name_of(str(after.get("description", "")), owner)
    return bool(name) and not markers.name_of(text, owner)
