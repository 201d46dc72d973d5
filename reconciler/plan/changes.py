"""What a plan says about one instance's bots: a change for each that is written, and the reports. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence

from reconciler.domain import known_issues
from reconciler.domain.markers import NO_MARKER
from reconciler.domain.observed import RemoteBot, not_understood
from reconciler.domain.plan import Cause, Change, FieldChange, Of, Verb
from reconciler.domain.records import replace
from reconciler.domain.uniqueness import describe, key_claim
from reconciler.plan import differ
from reconciler.plan.blocked import Impossible
from reconciler.plan.inputs import Inputs
from reconciler.plan.matching import How
from reconciler.plan.moves import arrives, leaves
from reconciler.plan.parking import is_parked
from reconciler.plan.removal import undeclared
from reconciler.plan.target import Target
from reconciler.plan.targets import Targets, conflict

_REASONS: dict[Cause, str] = {
    "": "it differs",
    "drift": "it was edited on the server",
    "pending": "its manifest was edited",
    "both": "its manifest was edited, and the bot on the server too",
}


def of_target(given: Inputs, target: Target) -> Change:
    """The change of a bot that is written."""
    fields = tuple(
        replace(each, note="undeclared") if each.name in target.undeclared else each
        for each in differ.changes(target.start, target.shown, given.kind)
    )
    if target.found is None:
        body = {**target.shown, "description": target.stamped}
        fields = tuple(FieldChange(name, None, value) for name, value in body.items())
    cause, unkept = target.moved
    verb, reason = _verb(given, target, fields, cause, unkept)
    if target.late and len(fields) > 1:
        # A rotation's other bots don't show it either, so a review holds wherever an apply was interrupted.
        fields = tuple(field for field in fields if field.name != "openaiCredsId")
        reason += ", and it gets the new credential"
    if target.stuck and target.found is not None:
        reason += f"; {', '.join(target.stuck)} cannot be cleared by an update: --replace clears it"
    before = target.remote or given.moves.replaces.get(target.bot.name)
    return Change(
        given.name,
        target.bot.name,
        verb,
        reason,
        () if before is None else (before.id,),
        fields,
        before=before,
        at=target.bot.at,
        cause=cause,
        other=given.moves.arriving.get(target.bot.name, "") if verb is Verb.MOVE else "",
        kind=given.kind,
        unkept=tuple(unkept),
    )


def _verb(
    given: Inputs, target: Target, fields: Sequence[FieldChange], cause: Cause, unkept: Sequence[str]
) -> tuple[Verb, str]:
    """What is done with a bot, and the reason. cause, unkept: see Target.moved."""
    found = target.found
    if found is None:
        return _created(given, target.bot.name)
    if found.how is How.KEY:
        claim = key_claim(given.kind, found.remote.fields)
        return Verb.ADOPT, f"a bot without a marker has {describe(claim) if claim else 'its key'}: {_OURS}"
    if found.how is How.TRIGGER:
        return Verb.ADOPT, f"a bot without a marker has its trigger: {_OURS}"
    if found.how is How.RENAME:
        return Verb.UPDATE, f"it was named {found.old_name} before"
    if target.recreate:
        return Verb.REPLACE, "it differs, and is recreated: its open sessions are lost"
    return Verb.UPDATE, _update_reason(given, target, fields, cause, unkept)


def _created(given: Inputs, name: str) -> tuple[Verb, str]:
    """Whether a bot moves here or replaces one of another kind, and why it is created."""
    if (remote := given.moves.replaces.get(name)) is not None:
        was, now = remote.kind, given.kind
        return Verb.REPLACE, (
            f"it was {was.article} {was.label} bot and becomes {now.article} {now.label} bot: its open "
            "sessions are lost"
        )
    if old := given.moves.arriving.get(name):
        return Verb.MOVE, arrives(old)
    return Verb.CREATE, "it is missing on the server"


_OURS = "it becomes ours"


def _update_reason(
    given: Inputs, target: Target, fields: Sequence[FieldChange], cause: Cause, unkept: Sequence[str]
) -> str:
    if not fields:
        return "it is moved aside while another bot is written, and back: it answers nobody meanwhile"
    if is_parked(target.start):
        return "an interrupted run left it parked"
    if [field.name for field in fields] == ["openaiCredsId"] and target.late:
        return "it gets the new credential as soon as the server accepts a change to it"
    if unkept:
        return _unkept_reason(unkept, given.version)
    if cause == "" and target.lost:
        return f"the server has no value for {', '.join(target.lost)} any more"
    return _REASONS[cause]


def _unkept_reason(fields: Sequence[str], version: str) -> str:
    server = f"Evolution API {version}" if version else "the server"
    known = "".join(f"; known issue: {issue}" for issue in known_issues.of(fields, version))
    return (
        f"{server} did not keep {', '.join(fields)} when it was last applied, and nobody edited it since: "
        f"take it out of the manifest, or update the server{known}"
    )


def of_impossible(
    given: Inputs,
    target: Target,
    why: Impossible,
    targets: Targets,
    obstacles: Mapping[str, RemoteBot],
) -> Change:
    """The conflict of a bot that the server would refuse in any order."""
    bots = [target.remote, *(targets[n].remote if n in targets else obstacles.get(n) for n in why.by)]
    ids = dict.fromkeys(bot.id for bot in bots if bot is not None)
    renamed = [name for name, bot in given.matches.orphans if bot.id in ids and target.found is None]
    hint = f"; if you renamed {renamed[0]}, add `previously: [{renamed[0]}]`" if renamed else ""
    return conflict(given.name, target.bot, f"the server would refuse it: {why.reason}{hint}", tuple(ids))


def switched_off(given: Inputs) -> Iterator[Change]:
    """The bots that `reconciler disable` switched off. They stay off, whatever else is written."""
    for bot in given.desired.bots:
        found = given.matches.found.get(bot.name)
        if found is None:
            continue
        if not (day := differ.switched_off(bot, found.remote.fields, given.options.owner)):
            continue
        address = shlex.quote(f"{bot.name}@{given.name}")
        reason = (
            f"switched off by hand on {day} with `reconciler disable`: it stays off until you run "
            f"`reconciler enable {address}`; to make that permanent, set `enabled: false` in its manifest"
        )
        ids = (found.remote.id,)
        yield Change(
            given.name,
            bot.name,
            Verb.SWITCHED_OFF,
            reason,
            ids,
            before=found.remote,
            at=bot.at,
            kind=bot.kind,
        )


# -- what nothing declares --------------------------------------------------------------------


def reports(given: Inputs, targets: Targets, *, settings_problem: bool) -> Iterator[Change]:
    """What nothing declares, and what is not understood.

    settings_problem: a conflict reports the settings already.
    """
    yield from _orphans(given)
    yield from _unmanaged(given, targets)
    for name, why in given.observed.unread:
        yield Change(given.name, name, Verb.UNMANAGED, why, of=Of.CREDENTIAL)
    if given.row.unread and not settings_problem:
        yield Change(
            given.name, "", Verb.UNMANAGED, not_understood(given.row.unread), of=Of.SETTINGS, kind=given.kind
        )


def _orphans(given: Inputs) -> Iterator[Change]:
    """Bots with our marker that nothing declares: deleted, or kept, with the reason."""
    for name, bot in given.matches.orphans:
        if name in given.blocked:
            continue
        replaced = given.moves.replaced.get(name)
        if replaced is not None and not replaced.apart:
            continue  # it is a part of the other's change
        kept = given.moves.waiting.get(name) or ("" if replaced else given.kept)
        verb, reason, other = Verb.DELETE, undeclared(given.options, given.name), ""
        fields = differ.changes(bot.fields, {}, given.kind)
        if kept:
            verb, reason, fields = Verb.ORPHAN, f"{reason}; it is kept, as {kept}", ()
        elif replaced:
            reason = f"it is declared as {replaced.kind.article} {replaced.kind.label} bot now"
        elif other := given.moves.leaving.get(name, ""):
            reason = leaves(other)
        ids = (bot.id,)
        yield Change(given.name, name, verb, reason, ids, fields, bot, other=other, kind=given.kind)


def _unmanaged(given: Inputs, targets: Targets) -> Iterator[Change]:
    """Bots that are not ours, apart from those that a conflict is about."""
    keys = {key_claim(given.kind, target.fields): name for name, target in targets.items()}
    in_conflict = {id for ambiguous in given.matches.conflicts.values() for id in ambiguous.ids}
    for why, bot in given.matches.unmanaged:
        if bot.id in in_conflict and why != NO_MARKER:
            continue
        claim, reason = key_claim(given.kind, bot.fields), why
        if claim and (duplicate := keys.get(claim)):
            reason += (
                f", and has {describe(claim)}, as {duplicate} has: the server refuses a change to either"
            )
        ids = (bot.id,) if bot.id else ()
        yield Change(given.name, "", Verb.UNMANAGED, reason, ids, before=bot, kind=given.kind)
