"""Decode JSON to Plan and Results, strictly. Pure.

A saved plan may come from anywhere, and apply does what it says. So nothing in it is ignored: it is read into
the model, encoded again, and must be the same, value by value and type by type. That refuses an unknown key,
a wrong summary, a wrong digest, or `true` for 1. What the model itself cannot see is checked before
(duplicate keys, numbers without a bound) and after (consistency/: calls that are not those of the changes).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NoReturn

from pydantic import TypeAdapter, ValidationError

from reconciler.domain import signals
from reconciler.domain.errors import ReconcilerError
from reconciler.domain.kinds import KINDS
from reconciler.domain.plan import Plan
from reconciler.domain.results import Results
from reconciler.domain.shards import PlanShard
from reconciler.saved import encode, packed, shards
from reconciler.saved.consistency.check import check
from reconciler.saved.shards import Shard

Document = dict[str, Any]
"""A JSON object as it was parsed."""

_MOST_DIGITS = 18
_SURROGATE = re.compile("[\ud800-\udfff]")
_SURROGATE_ESCAPE = re.compile(
    r"\\u[dD](?:[89abAB]..(?!\\u[dD][c-fC-F])|[c-fC-F](?<!\\u[dD][89abAB]..\\u[dD].))", re.DOTALL
)
"""Finds where JSON may escape a lone surrogate; only then is every text checked."""

_SIGNATURE = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_CREATED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")
_ORIGIN = ("tool", "created", "commit")


class NotAPlanError(ReconcilerError):
    """Why a text is not the JSON of a plan or of results; completes "FILE ..."."""


def parse(text: str) -> Document:
    """The JSON object in a text, of our format and version. Raises NotAPlanError."""
    document = _loaded(text)
    if not isinstance(document, dict) or document.get("format") not in encode.FORMATS:
        raise NotAPlanError("is not a saved plan: it is JSON of another kind")
    version = document.get("version")
    if type(version) is not int or version not in (encode.VERSION, packed.VERSION):
        raise NotAPlanError(
            f"has version {json.dumps(version)[:40]} of the format, and this tool reads "
            f"{encode.VERSION} and {packed.VERSION}: plan again with this version of the tool"
        )
    if document.get("sha256") != encode.sha256(document):
        raise NotAPlanError(
            "was altered after it was written, or written by another version of the tool: plan again"
        )
    if "signature" in document and not _SIGNATURE.fullmatch(str(document["signature"])):
        raise NotAPlanError("has a malformed signature")
    return document


def read(document: Document) -> tuple[Plan, Results | None, Mapping[str, str | None], Shard | None]:
    """The plan, its results if the document has them, where the document comes from, and its shard.

    Raises NotAPlanError, and ContradictionError for a plan that contradicts itself.
    """
    try:
        whole = packed.unpack(document) if document["version"] == packed.VERSION else document
        origin = _origin(whole)
        plan = to_plan(whole["plan"] if "results" in whole else whole)
        results = _results(whole, plan) if "results" in whole else None
        shard = shards.decode(whole["shard"], _instances, _messages) if "shard" in whole else None
        if shard is not None:
            shards.check(shard, len(plan.routing or ()))
        expected = encode.document(plan, results, origin, document["version"], shard=shard)
    except packed.PackedError as error:
        raise NotAPlanError(f"is not a saved plan: it {error}") from None
    except RecursionError:
        raise NotAPlanError("is not a saved plan: it is nested too deeply") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "its beginning"
        raise NotAPlanError(f"is not a saved plan ({first['msg']} at {where})") from None
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        what = f" (it lacks {error})" if isinstance(error, KeyError) else ""
        raise NotAPlanError(f"is not a saved plan{what}") from None
    written = {name: value for name, value in document.items() if name != "signature"}
    if encode.canonical(written) != (canonical := encode.canonical(expected)):
        place = _difference(written, json.loads(canonical))
        raise NotAPlanError(f"contradicts itself, or was altered, at {place}")
    check(plan, part=isinstance(shard, PlanShard))
    return plan, results, origin, shard


# -- JSON ---------------------------------------------------------------------------------------


def _loaded(text: str) -> object:
    try:
        return json.loads(
            text,
            object_pairs_hook=_object_of_whole_characters if _SURROGATE_ESCAPE.search(text) else _object,
            parse_int=_integer,
            parse_float=_refused("a number with a fraction or an exponent"),
            parse_constant=_refused("NaN or Infinity"),
        )
    except RecursionError:
        raise NotAPlanError("is not a saved plan: it is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise NotAPlanError(_no_json(text, error)) from None


def _no_json(text: str, error: json.JSONDecodeError) -> str:
    """Why a text is not JSON."""
    start = text.strip()[:200]
    if not start:
        return "is empty: the command that writes it failed, or is still running"
    if start.startswith("<"):
        return "is not a saved plan: it is a web page or XML, such as an error or login page"
    if start.startswith(("Plan: ", "No changes.", "Nothing to apply")):
        return "is a plan as text, which cannot be read back: save one with `plan --out FILE`"
    if start.startswith("**"):
        return "is a plan as markdown, which cannot be read back: save one with `plan --out FILE`"
    unterminated = error.msg.startswith("Unterminated")
    if start.startswith("{") and (unterminated or not text[error.pos :].strip()):
        return "is incomplete: it ends in the middle. Download or save it again"
    return f"is not a saved plan: it is not JSON (line {error.lineno}, column {error.colno})"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise NotAPlanError(f"is not a saved plan: {json.dumps(twice)[:80]} occurs twice in an object")
    return found


def _object_of_whole_characters(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = _object(pairs)
    if any(_SURROGATE.search(text) for pair in pairs for text in _texts(pair)):
        raise NotAPlanError("is not a saved plan: it has a lone surrogate, which is half a character")
    return found


def _texts(value: object) -> list[str]:
    """The texts in a value that is not an object."""
    if isinstance(value, str):
        return [value]
    return [text for part in value for text in _texts(part)] if isinstance(value, list | tuple) else []


def _integer(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise NotAPlanError("is not a saved plan: it has a number that is too large")
    return int(digits)


def _refused(what: str) -> Callable[[str], NoReturn]:
    def refuse(text: str) -> NoReturn:
        raise NotAPlanError(f"is not a saved plan: it has {what}")

    return refuse


def _difference(one: object, other: object) -> str:
    """Where two documents differ first, such as `instances[0].changes[2].verb`."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in (*one, *other):
            rest = _difference(one.get(key), other.get(key))
            if (
                key not in one
                or key not in other
                or encode.canonical(one[key]) != encode.canonical(other[key])
            ):
                return f"{key}.{rest}".rstrip(".").replace(".[", "[")
    if isinstance(one, list) and isinstance(other, list):
        for place, (a, b) in enumerate(zip(one, other, strict=False)):
            if encode.canonical(a) != encode.canonical(b):
                return f"[{place}].{_difference(a, b)}".rstrip(".").replace(".[", "[")
    return ""


# -- the model ----------------------------------------------------------------------------------


def _origin(document: Document) -> Mapping[str, str | None]:
    """Where a saved document comes from; {} for one that was only printed."""
    if not any(name in document for name in _ORIGIN):
        return {}
    tool, created, commit = (document[name] for name in _ORIGIN)
    if not isinstance(tool, str) or len(tool) > 40 or not _CREATED.fullmatch(created):
        raise ValueError
    if commit is not None and not _COMMIT.fullmatch(commit):
        raise ValueError
    return {"tool": tool, "created": created, "commit": commit}


def to_plan(document: Document) -> Plan:
    """The plan in a document. Raises what its parts raise: ValidationError, LookupError, TypeError."""
    return _plans().validate_python(
        {
            "server": document["server"] or "",
            "servers": document.get("servers", {}),
            "server_name": document["serverName"] or "",
            "owner": document["owner"],
            "base": document["base"] or "",
            "limits": document["limits"],
            "approval": document["approval"] or "",
            "approved": document["approved"],
            "notes": document["notes"],
            "routing": document["routing"] and _messages(document["routing"]),
            "instances": _instances(document["instances"]),
        }
    )


def _instances(documents: Sequence[Document]) -> list[Document]:
    """The plans of instances, as the model has them."""
    return [
        {
            "name": instance["name"],
            "server": instance.get("server", ""),
            "id": instance["id"] or "",
            "changes": [
                _with_kind(
                    {
                        **change,
                        "instance": instance["name"],
                        "server": instance.get("server", ""),
                        "other": change["other"] or "",
                        "before": change["before"] and _with_kind(change["before"]),
                    }
                )
                for change in instance["changes"]
            ],
            "steps": [_with_kind(step) for step in instance["steps"]],
            "in_sync": instance["inSync"],
            "manifest": instance["manifest"] or "",
            "answering": instance["answering"],
            "problem": instance["problem"],
            "credentials": instance["credentials"],
            "unverified": instance["keyless"],
        }
        for instance in documents
    ]


def _messages(documents: Sequence[Document]) -> list[Document]:
    """The messages that are answered differently, as the model has them."""
    return [
        {
            "instances": one["instances"],
            "text": one["message"],
            "jid": one["jid"],
            "from_me": one["fromMe"],
            "other": one["other"],
            "before": one["before"],
            "after": one["after"],
        }
        for one in documents
    ]


def _with_kind(value: Document) -> Document:
    """A value with its kind as the domain has it. Raises LookupError, ValueError."""
    if (kind := KINDS.get(value["kind"])) is None:
        raise ValueError("a kind is not known")
    return {**value, "kind": kind}


@cache
@signals.held()
def _plans() -> TypeAdapter[Plan]:
    """Reads plans. Building it is slow."""
    return TypeAdapter(Plan)


@cache
@signals.held()
def _endings() -> TypeAdapter[Results]:
    return TypeAdapter(Results)


def _results(document: Document, plan: Plan) -> Results:
    """How the plan ended, each of its changes at most once."""
    changes = {
        (c.instance, c.of.value, c.kind.path, c.bot or c.name): c for c in plan.changes() if c.verb.writes
    }
    found = _endings().validate_python(
        {
            "signal": document["signal"],
            "missing": document.get("missing", ()),
            "results": [{**result, "change": changes[_place(result)]} for result in document["results"]],
        }
    )
    ended = Counter((result.change.instance, result.change.label) for result in found.results)
    if any(number > 1 for number in ended.values()):
        raise ValueError
    return found


def _place(result: Document) -> tuple[str, str, str, str]:
    """What tells the changes of a plan apart: a bot without a name by its id; settings have neither."""
    name = result["bot"] or ("?" if result["of"] == "settings" else result["id"])
    return result["instance"], result["of"], result["kind"], str(name)
