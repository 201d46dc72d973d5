"""A change of a credential and its calls: it is made, all is moved to it, the old ones are deleted."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.domain import credential_versions
from reconciler.domain.plan import NEW_CREDENTIAL, Call, Change, Step, Verb
from reconciler.saved.consistency import settings
from reconciler.saved.consistency.contradiction import refuse_change, refuse_duplicates
from reconciler.saved.consistency.fields import CREDS, expect_calls

_OF_A_ROTATION = frozenset({Call.NEW_CREDENTIAL, Call.SETTINGS, Call.MOVE, Call.OLD_CREDENTIAL})


def check(change: Change, steps: Sequence[Step]) -> None:
    """Raises ContradictionError."""
    new, rows, moves, old = (
        [step for step in steps if step.call is call]
        for call in (Call.NEW_CREDENTIAL, Call.SETTINGS, Call.MOVE, Call.OLD_CREDENTIAL)
    )
    _check_calls(change, steps, new, rows)
    if change.before is not None or (change.verb is Verb.CREATE and change.ids):
        refuse_change(change, "it is to be created, and exists already")
    _check_new(change, new)
    for step in rows:
        settings.check_row(change, step, {CREDS})
    _check_targets(change, [*rows, *moves], new)
    _check_moves(change, moves)
    _check_old(change, old)


def _check_calls(change: Change, steps: Sequence[Step], new: Sequence[Step], rows: Sequence[Step]) -> None:
    if change.verb is Verb.CREATE:
        expect_calls(change, steps, [Call.NEW_CREDENTIAL])
        return
    if change.verb is Verb.DELETE:
        expect_calls(change, steps, [Call.OLD_CREDENTIAL] * len(change.ids))
        if not change.ids:
            refuse_change(change, "it does not say which credential is deleted")
        return
    others = [step for step in steps if step.call not in _OF_A_ROTATION]
    if change.verb is not Verb.ROTATE or not steps or others or len(new) > 1 or len(rows) > 1:
        refuse_change(change, f"its calls are not those of a {change.verb.value}")


def _check_new(change: Change, new: Sequence[Step]) -> None:
    """The key is read where it is shown to be, and the credential made is one of this name."""
    if [field.after for field in change.fields] != [str(step.secret) for step in new]:
        refuse_change(change, "its key is not read from where the change shows")
    for step in new:
        if step.id is not None or step.body.keys() != {"name"} or not _is_version(change, step.body["name"]):
            refuse_change(change, "another credential is created")


def _is_version(change: Change, name: object) -> bool:
    """Whether a name is that of a version of the change's credential: main, main@2."""
    return credential_versions.split(str(name))[0] == change.bot


def _check_targets(change: Change, steps: Sequence[Step], new: Sequence[Step]) -> None:
    """All is moved to one credential: the new one, or a version of it that exists."""
    targets = {step.body.get(CREDS) for step in steps}
    made = [NEW_CREDENTIAL + str(step.body["name"]) for step in new]
    for id in [str(target or "") for target in targets]:
        is_new = id.startswith(NEW_CREDENTIAL)
        known = _is_version(change, id.removeprefix(NEW_CREDENTIAL)) if is_new else id != ""
        if not known or id in change.ids or (made and id != made[0]):
            refuse_change(change, "something is moved to a credential that is not the new one")
    if len(targets) > 1:
        refuse_change(change, "its bots are moved to two credentials")


def _check_moves(change: Change, moves: Sequence[Step]) -> None:
    for step in moves:
        if not step.id or step.body.keys() != {CREDS}:
            refuse_change(change, "a move of a bot changes more than its credential")
    refuse_duplicates(change.label, "the bot", [str(step.id) for step in moves])


def _check_old(change: Change, old: Sequence[Step]) -> None:
    refuse_duplicates(change.label, "the old credential", [str(step.id) for step in old])
    for step in old:
        known = step.id in change.ids and step.body.keys() == {"name"}
        if not known or not _is_version(change, step.body["name"]):
            refuse_change(change, "a credential is deleted that is not an old version of it")
