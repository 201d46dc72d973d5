"""From the inputs of an instance and a kind to their draft: targets, order, changes, steps. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import NamedTuple

from reconciler.domain.observed import RemoteBot
from reconciler.domain.plan import NEW_BOT, Call, Change, FieldChange, Of, Step, Verb
from reconciler.domain.records import replace
from reconciler.plan import changes, removal, rotations, settings, steps, targets
from reconciler.plan.draft import Draft
from reconciler.plan.inputs import Inputs
from reconciler.plan.matching import called
from reconciler.plan.order import Order, order
from reconciler.plan.removal import UNDECLARED
from reconciler.plan.simulation import Transition
from reconciler.plan.targets import Targets


def draft(given: Inputs) -> Draft:
    """The plan of one kind of bot on one instance, but for old credentials."""
    if given.off:
        return _switched_off(given)
    settings_draft = given.settings_draft()
    wanted, conflicts = targets.find(given, settings_draft)
    blocked = given.blocked_changes()
    obstacles = _obstacles(given, [*blocked, *conflicts])
    ordered = _order(given, settings_draft, wanted, obstacles)
    written = {write.label for write in ordered.writes}
    possible = {name: target for name, target in wanted.items() if name not in ordered.impossible}

    fallback = _fallback(given, possible, written)
    settings_part = _settings(given, settings_draft, fallback)
    bot_steps = list(steps.of_writes(given, ordered.writes, wanted, moves_fallback=bool(settings_part.after)))
    moves = list(rotations.find(given, settings_draft, possible))
    if not settings_draft.after.exists:
        moves = [rotations.with_created_settings(rotation, bot_steps) for rotation in moves]
    return Draft(
        given.desired,
        (
            *settings_part.changes,
            *blocked,
            *conflicts,
            *_bot_changes(given, wanted, ordered, obstacles),
            *changes.switched_off(given),
            *changes.reports(given, wanted, settings_problem=bool(settings_draft.problem)),
        ),
        settings_part.before,
        (*bot_steps, *settings_part.after),
        tuple(
            Step(Call.LEAVE, given.label(name), bot.id, {}, kind=given.kind)
            for name, bot in given.leaving.items()
        ),
        tuple(moves),
        tuple(removal.old_credentials(given)),
        _left(given, possible, written, moves),
        frozenset(id for target in possible.values() for id in target.credential_ids),
        sum(name not in written and not target.off for name, target in possible.items()),
    )


def _switched_off(given: Inputs) -> Draft:
    """Nothing but conflicts, as the server has no bots of the kind or has them switched off."""
    desired, kind, why = given.desired, given.kind, given.off
    return Draft(
        replace(desired, credentials=()),
        (
            *(
                Change(given.name, one.name, Verb.CONFLICT, why, at=one.at, of=Of.CREDENTIAL)
                for one in desired.credentials
            ),
            *settings.changes(desired, given.row, settings.Draft(given.row, problem=why), None, kind),
            *(targets.conflict(given.name, bot, why, ()) for bot in desired.bots),
        ),
    )


def _obstacles(given: Inputs, unwritten: Iterable[Change]) -> dict[str, RemoteBot]:
    """The bots that stay as they are, by what they are called in a sentence.

    unwritten: the changes that are blocked or in conflict.
    """
    found = {f"{called(bot)} ({why})": bot for why, bot in given.matches.unmanaged}
    deletes = given.deletes
    for name, bot in given.matches.orphans:
        if name not in deletes:
            found[f"the orphan {name} (bot {bot.id})"] = bot
    for change in unwritten:
        if (match := given.matches.found.get(change.bot)) is not None:
            found[f"{change.bot} (bot {match.remote.id}), which stays as it is,"] = match.remote
    return found


def _order(
    given: Inputs, draft: settings.Draft, wanted: Targets, obstacles: Mapping[str, RemoteBot]
) -> Order:
    """The writes for the bots that differ or are deleted, and those that are impossible."""
    first = targets.first_creates(given, draft, wanted)
    transitions = {
        name: Transition(name, target.start or None, target.fields, target.recreate, name in first)
        for name, target in wanted.items()
        if target.differs
    }
    transitions |= {name: Transition(name, bot.fields, None) for name, bot in given.deletes.items()}
    if not transitions:
        return Order()
    in_place = {name: target.start for name, target in wanted.items() if name not in transitions}
    fixed = {name: bot.fields for name, bot in obstacles.items()}
    return order(transitions, in_place, fixed, given.options.owner, given.kind)


def _bot_changes(
    given: Inputs, wanted: Targets, ordered: Order, obstacles: Mapping[str, RemoteBot]
) -> Iterable[Change]:
    """A change for each bot that is written, and a conflict for each that cannot be."""
    written = {write.label for write in ordered.writes}
    for name, target in wanted.items():
        if (why := ordered.impossible.get(name)) is not None:
            yield changes.of_impossible(given, target, why, wanted, obstacles)
        elif name in written:
            yield changes.of_target(given, target)


def _left(
    given: Inputs, possible: Targets, written: Set[str], moves: Sequence[rotations.Rotation]
) -> frozenset[str]:
    """The bots that leave the credential that they use: deleted, moved, or written with another one."""
    left = {bot.id for bot in (*given.deletes.values(), *given.leaving.values())}
    left |= {id for rotation in moves for id in rotation.moves.values()}
    return frozenset(left) | {
        target.remote.id
        for name, target in possible.items()
        if name in written and target.leaves_credential and target.remote is not None
    }


# -- the settings -----------------------------------------------------------------------------


def _noted(field: FieldChange, former: Set[str]) -> FieldChange:
    """The field of settings, with the note that it goes back to its default."""
    return replace(field, note="undeclared") if field.name in former else field


class _Settings(NamedTuple):
    """The changes of the settings, and their steps before and after those of the bots."""

    changes: Sequence[Change] = ()
    before: tuple[Step, ...] = ()
    after: tuple[Step, ...] = ()


def _fallback(given: Inputs, possible: Targets, written: Set[str]) -> settings.Fallback | str | None:
    """How the fallback changes."""
    ids = {
        name: NEW_BOT + given.label(name) if target.recreate or target.remote is None else target.remote.id
        for name, target in possible.items()
        if name in written or target.remote is not None
    }
    names = {found.remote.id: name for name, found in given.matches.found.items()}
    names |= {bot.id: name for name, bot in given.matches.orphans}
    going = {bot.id for bot in (*given.deletes.values(), *given.leaving.values())}
    going |= {
        target.remote.id for target in possible.values() if target.recreate and target.remote is not None
    }
    return settings.fallback(given.declared_settings, given.row, ids, names, going)


def _settings(given: Inputs, draft: settings.Draft, fallback: settings.Fallback | str | None) -> _Settings:
    """What becomes of the settings. Nothing, where nobody reviewed it or a report says why."""
    if given.settings_blocked or (given.row.unread and not draft.problem):
        return _Settings()
    found = [
        replace(change, fields=tuple(_noted(field, given.former_settings) for field in change.fields))
        for change in settings.changes(given.desired, given.row, draft, fallback, given.kind)
    ]
    if given.kind.path in given.former.blocks and given.declared_settings is None and given.row.exists:
        reason = f"{UNDECLARED}: they stay as they are, and are not managed any more"
        found.append(Change(given.name, "", Verb.FORGET, reason, of=Of.SETTINGS, kind=given.kind))
    change = next((change for change in found if change.verb.writes), None)
    if change is None:
        return _Settings(found)
    before = Step(Call.SETTINGS, change.label, None, draft.body, merge=draft.merge, kind=given.kind)
    after: tuple[Step, ...] = ()
    if isinstance(fallback, settings.Fallback):
        body = {**given.unshown, "fallbackId": fallback.id}
        after = (Step(Call.FALLBACK, change.label, None, body, kind=given.kind),)
    return _Settings(found, (before,) if draft.body else (), after)
