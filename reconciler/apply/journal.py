"""The journal of an apply: what of its plan is done, so that another run can go on after this one was killed.

A file with a line of JSON for what a read has shown to be done, and for each change that did not end as
applied. It is appended to at once, so whatever ends the process, what was said is there. What is not in it is
made again, which does no harm: each call looks first whether it is done already. It holds names, ids and the
words of results, and no key.

Another plan's journal, another server's and a damaged one are refused. Half a last line is what was being
written when the process ended, and is dropped.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from reconciler.domain import files
from reconciler.domain.errors import ReconcilerError
from reconciler.domain.plan import Plan, Step
from reconciler.domain.records import dataclass
from reconciler.domain.results import Outcome, Result

FILE = Path(".reconciler/journal")
"""Where it is kept, from the current directory."""

VERSION = 1
MAX_BYTES = 256 * 2**20

_Key = tuple[str, str, str, str | None]
"""What a step is known by: its instance, change, call and id."""


@dataclass(frozen=True, slots=True)
class Done:
    """A step that was seen to be done. made: the id of what it created."""

    note: str
    made: str | None


class Journal:
    """What is done of one plan. results: of changes that did not end as applied, by instance and label.

    failure: why it could not be written any more; "" as long as it can.
    """

    def __init__(self, path: Path | None = None) -> None:
        """path: None for a journal that is not kept. `begin` and `resume` make those that are."""
        self.results: dict[tuple[str, str], tuple[Outcome, str, str | None]] = {}
        self.failure = ""
        self._path = path
        self._file: int | None = None
        self._done: dict[_Key, list[Done]] = {}

    # -- reading ------------------------------------------------------------------------------

    def take(self, instance: str, step: Step) -> Done | None:
        """How a step was done by an earlier run, once for each time."""
        done = self._done.get(_key(instance, step))
        return done.pop(0) if done else None

    # -- writing ------------------------------------------------------------------------------

    def done(self, instance: str, step: Step, note: str, made: str | None) -> None:
        """Note a step that a read has shown to be done."""
        self._write({"done": [*_key(instance, step), note, made]})

    def ended(self, result: Result) -> None:
        """Note a change that did not end as applied."""
        change = result.change
        self._write({"result": [change.instance, change.label, result.outcome, result.detail, result.id]})

    def finish(self) -> None:
        """Remove it: its plan is done with. Close it in any case."""
        self.close()
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink()

    def close(self) -> None:
        """Write no more."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _write(self, value: object) -> None:
        if self._file is None:
            return
        try:
            os.write(self._file, json.dumps(value).encode() + b"\n")
        except OSError as error:  # the apply goes on
            self.failure = f"{self._path} cannot be written: {error.strerror}"
            self.close()

    def _open(self, path: Path, kept: int) -> None:
        """Open the file to append to its first bytes. Raises ReconcilerError."""
        self._file = files.append(path, kept)


def begin(plan: Plan, path: Path = FILE) -> Journal:
    """A new journal; another plan's is kept beside it. Raises ReconcilerError where it cannot be written.

    Raises InterruptedError where there is one that says something of the same plan, which is to be resumed.
    """
    if os.path.lexists(path):
        with suppress(ReconcilerError):
            head, lines, _ = _read(path)
            if head.get("plan") == plan.digest and lines:
                raise InterruptedError
        with suppress(OSError):
            path.replace(path.with_suffix(".old"))
    made = Journal(path)
    made._open(path, 0)
    made._write({"journal": VERSION, "plan": plan.digest, "server": plan.server})
    return made


def resume(plan: Plan, path: Path = FILE) -> Journal:
    """The journal of an apply of this plan that was interrupted. Raises ReconcilerError."""
    head, lines, length = _read(path)
    if head.get("journal") != VERSION:
        raise ReconcilerError(f"{path} is not resumed: another version of this tool wrote it. Plan again.")
    if head.get("server") != plan.server:
        raise ReconcilerError(f"{path} is not resumed: it is of an apply to another server.")
    if head.get("plan") != plan.digest:
        raise ReconcilerError(f"{path} is not resumed: it is of an apply of another plan.")
    made = Journal(path)
    for number, line in enumerate(lines, 2):
        try:
            _note(made, line)
        except (LookupError, TypeError, ValueError):
            raise _damaged(path, number) from None
    changes = {(change.instance, change.label) for change in plan.changes() if change.verb.writes}
    planned = Counter(_key(one.name, step) for one in plan.instances for step in one.steps)
    extra = [key for key, done in made._done.items() if len(done) > planned[key]]
    if extra or not made.results.keys() <= changes:
        raise ReconcilerError(f"{path} is not resumed: it says that something was done that the plan lacks.")
    made._open(path, length)
    return made


def _key(instance: str, step: Step) -> _Key:
    return instance, step.bot, step.call.value, step.id


def _read(path: Path) -> tuple[dict[str, Any], list[Any], int]:
    """The head, the other lines, and the bytes of all whole lines. Raises ReconcilerError."""
    if not os.path.lexists(path):
        raise ReconcilerError(f"there is nothing to resume: {path} does not exist. Apply without --resume.")
    content = files.read(path, MAX_BYTES, through_link=False)
    whole = content[: content.rfind(b"\n") + 1]
    found = []
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            found.append(json.loads(line))
        except (ValueError, RecursionError):
            raise _damaged(path, number) from None
    if not found or not isinstance(found[0], dict):
        raise _damaged(path, 1)
    return found[0], found[1:], len(whole)


def _damaged(path: Path, line: int) -> ReconcilerError:
    return ReconcilerError(f"{path} is not resumed: line {line} is damaged. Plan again.")


def _note(journal: Journal, line: Any) -> None:
    """Take in a line. Raises LookupError, TypeError or ValueError for one that is not ours."""
    if not isinstance(line, dict) or len(line) != 1:
        raise ValueError
    [(what, value)] = line.items()
    if not isinstance(value, list) or not all(one is None or isinstance(one, str) for one in value):
        raise ValueError
    if what == "done":
        instance, bot, call, id, note, made = value
        if None in (instance, bot, call, note):
            raise ValueError
        journal._done.setdefault((instance, bot, call, id), []).append(Done(note, made))
    elif what == "result":
        instance, label, outcome, detail, id = value
        journal.results[instance, label] = (Outcome(outcome), detail or "", id)
    else:
        raise ValueError
