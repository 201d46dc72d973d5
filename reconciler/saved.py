"""Plans and results as files: written for a review, read back to be shown or applied.

The form is the JSON that `--format json` prints (docs/plan.schema.json), with where it came from: the tool's
version, the time, and the commit of the manifests where there is one. It holds prompts, and no key.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from reconciler import __version__, git
from reconciler.errors import ReconcilerError
from reconciler.model import Plan, Results
from reconciler.render import json

MAX_BYTES = 256 * 2**20
"""A file larger than this is no plan of ours."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What a file held. results: how its plan ended, where that is what was saved."""

    plan: Plan
    results: Results | None = None
    tool: str = ""
    created: str = ""
    commit: str | None = None


def write(path: Path, plan: Plan, results: Results | None = None, *, manifests: Path | None = None) -> None:
    """Save a plan, or how it ended. manifests: the directory whose commit is noted."""
    origin = {
        "tool": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": None if manifests is None else git.commit(manifests),
    }
    text = json.plan(plan, origin) if results is None else json.results(plan, results, origin)
    try:
        path.write_text(text, encoding="ascii")
    except OSError as error:
        raise ReconcilerError(f"{path} cannot be written: {error.strerror}.") from None


def read(path: Path) -> Saved:
    """Read a file that `write` wrote. Raises ReconcilerError for anything else."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ReconcilerError(f"{path} is no saved plan: it is too large.")
        text = path.read_text(encoding="ascii")
    except OSError as error:
        raise ReconcilerError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ReconcilerError(f"{path} is no saved plan: it is not ASCII.") from None
    try:
        document = TypeAdapter(dict[str, Any]).validate_json(text)
        _check_format(path, document)
        planned = document.get("plan", document)
        plan = _plan(planned)
        results = _results(document, plan) if "results" in document else None
        saved = Saved(plan, results, *_origin(document))
        as_written = planned["digest"]
    except (ValidationError, KeyError, TypeError, AttributeError) as error:
        where = ""
        if isinstance(error, ValidationError):
            first = error.errors(include_url=False, include_input=False)[0]
            where = f" ({first['msg']} at {'.'.join(map(str, first['loc'])) or 'its beginning'})"
        raise ReconcilerError(f"{path} is no saved plan{where}.") from None
    if as_written != plan.digest:
        raise ReconcilerError(f"{path} was altered after it was written: its digest is another.")
    return saved


def _check_format(path: Path, document: dict[str, Any]) -> None:
    if document.get("format") not in json.FORMATS:
        raise ReconcilerError(f"{path} is no saved plan: its format is another.")
    if document.get("version") != json.VERSION:
        raise ReconcilerError(
            f"{path} has version {document.get('version')!r} of the format, and this tool reads "
            f"{json.VERSION}: plan again with this version of the tool."
        )


def _origin(document: dict[str, Any]) -> tuple[str, str, str | None]:
    return TypeAdapter(tuple[str, str, str | None]).validate_python(
        (document.get("tool", ""), document.get("created", ""), document.get("commit"))
    )


def _plan(document: dict[str, Any]) -> Plan:
    """The plan that the document says, as model.py has it."""
    instances = [
        {
            "name": instance["name"],
            "changes": [{**change, "instance": instance["name"]} for change in instance["changes"]],
            "steps": instance["steps"],
            "in_sync": instance["inSync"],
            "problem": instance["problem"],
            "credentials": instance["credentials"],
            "keyless": instance.get("keyless", {}),  # it came later than version 1
        }
        for instance in document["instances"]
    ]
    return TypeAdapter(Plan).validate_python(
        {"server": document["server"], "owner": document["owner"], "instances": instances}
    )


def _results(document: dict[str, Any], plan: Plan) -> Results:
    changes = {(c.instance, c.of.value, c.bot or c.label): c for c in plan.changes() if c.verb.writes}
    return TypeAdapter(Results).validate_python(
        {
            "signal": document["signal"],
            "results": [
                {**result, "change": changes[result["instance"], result["of"], _name(result)]}
                for result in document["results"]
            ],
        }
    )


def _name(result: dict[str, Any]) -> str:
    """The name of a change, or its label where it has none: the settings, or a bot that nothing declares."""
    return str(result["bot"] or ("the settings" if result["of"] == "settings" else result["id"]))
