"""Encode Plan and Results as JSON for programs: versioned, documented in docs/plan.schema.json. Pure.

A document holds all of a Plan, steps included, so that decode.py can read it back. What is printed has every
text where it belongs; a file has each text once (packed.py), and is the same else. Both are ASCII, so that
they survive every terminal and pipe. A checksum reveals accidental changes; a signature, if there is a key,
proves who wrote it. A change of meaning needs a new version.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from json.encoder import encode_basestring_ascii

from reconciler.domain.groups import Group, groups
from reconciler.domain.observed import RemoteBot
from reconciler.domain.plan import Change, InstancePlan, Of, Plan, Step, Verb
from reconciler.domain.rerouted import Rerouted
from reconciler.domain.results import Outcome, Result, Results
from reconciler.saved import packed, shards
from reconciler.saved.shards import Shard

VERSION = 2
"""Of what is printed. A file has packed.VERSION."""

FORMATS = ("evolution-reconciler/plan", "evolution-reconciler/results")

Origin = Mapping[str, str | None]
"""Where a saved document comes from: tool, created, commit. Empty for one that is only printed."""

_NOWHERE: Origin = {}

Document = Mapping[str, object]
"""A document as values, with its checksum; tuples stand for lists."""


def plan(
    plan: Plan, origin: Origin = _NOWHERE, key: bytes | None = None, *, shard: Shard | None = None
) -> str:
    """One JSON document, ending with a newline. key: signs it. shard: which the plan is of."""
    return printed(_signed(document(plan, None, origin, shard=shard), key))


def results(
    plan: Plan,
    results: Results,
    origin: Origin = _NOWHERE,
    key: bytes | None = None,
    *,
    shard: Shard | None = None,
) -> str:
    """One JSON document: the plan that was applied, and how each of its changes ended."""
    return printed(_signed(document(plan, results, origin, shard=shard), key))


def saved(
    plan: Plan,
    results: Results | None,
    origin: Origin,
    key: bytes | None = None,
    *,
    shard: Shard | None = None,
) -> str:
    """The content of a file: a plan, or its results, with each text once. Raises PackedError."""
    signed = _signed(document(plan, results, origin, packed.VERSION, shard=shard), key)
    lines = (
        f"{json.dumps(name)}: {json.dumps(value, separators=(',', ':'))}" for name, value in signed.items()
    )
    return _inert("{\n" + ",\n".join(lines) + "\n}\n")


def document(
    plan: Plan,
    results: Results | None = None,
    origin: Origin = _NOWHERE,
    version: int = VERSION,
    *,
    shard: Shard | None = None,
) -> Document:
    """The document of a plan, or of its results, as values. Raises PackedError for one that is packed."""
    whole: Document
    own = {} if shard is None else {"shard": shards.encode(shard, _instance, _rerouted)}
    if results is None:
        whole = {"format": FORMATS[0], "version": version, **origin, **own, **_plan(plan)}
    else:
        ended = Counter(result.outcome for result in results.results)
        whole = {
            "format": FORMATS[1],
            "version": version,
            **origin,
            **own,
            "plan": _plan(plan),
            "signal": results.signal,
            **({"missing": list(results.missing)} if results.missing else {}),
            "summary": {outcome.value: ended[outcome] for outcome in Outcome},
            "results": [_result(result) for result in results.results],
        }
    return _with_checksum(packed.pack(whole) if version == packed.VERSION else whole)


def canonical(value: object) -> bytes:
    """A JSON value in canonical form: equal values give equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def sha256(document: Mapping[str, object]) -> str:
    """The checksum of a document without its checksum and signature: 64 hex digits."""
    rest = {name: value for name, value in document.items() if name not in {"sha256", "signature"}}
    return hashlib.sha256(canonical(rest)).hexdigest()


def signature(document: Mapping[str, object], key: bytes) -> str:
    """HMAC-SHA256 of a document without its signature, in hex."""
    rest = {name: value for name, value in document.items() if name != "signature"}
    return hmac.new(key, canonical(rest), hashlib.sha256).hexdigest()


def _with_checksum(document: Mapping[str, object]) -> Document:
    return {**document, "sha256": sha256(document)}


def _signed(document: Document, key: bytes | None) -> Document:
    return document if key is None else {**document, "signature": signature(document, key)}


def printed(value: object) -> str:
    """The value as indented JSON that is safe to print, ending with a newline."""
    return _inert(indented(value) + "\n")


def printed_line(value: object) -> str:
    """The value as JSON on one line that is safe to print."""
    return _inert(json.dumps(value))


def _inert(text: str) -> str:
    """JSON that is safe to print."""
    # json.dumps leaves DEL as it is, the only ASCII control character that JSON allows in a text. `##[` is a
    # command to GitHub's runner anywhere in a log. Both occur in texts only; the values do not change.
    return text.replace("\x7f", "\\u007f").replace("##[", "#\\u0023[")


def indented(value: object, line: str = "\n") -> str:
    """The value as json.dumps(indent=2) writes it, several times as fast: with indent that is not C code.

    line: the newline and indentation that begin a line.
    """
    if isinstance(value, str):
        return encode_basestring_ascii(value)
    inner = f"{line}  "
    if isinstance(value, dict) and value:
        items = [f"{encode_basestring_ascii(key)}: {indented(one, inner)}" for key, one in value.items()]
        return f"{{{inner}{f',{inner}'.join(items)}{line}}}"
    if isinstance(value, (list, tuple)) and value:
        return f"[{inner}{f',{inner}'.join([indented(one, inner) for one in value])}{line}]"
    return _CONSTANTS[value] if value is None or isinstance(value, bool) else json.dumps(value)


_CONSTANTS = {None: "null", True: "true", False: "false"}


def _plan(plan: Plan) -> Mapping[str, object]:
    counts = plan.counts()
    return {
        "server": None if plan.servers else plan.server,
        **({"servers": dict(plan.servers)} if plan.servers else {}),
        "serverName": plan.server_name or None,
        "owner": plan.owner,
        "base": plan.base or None,
        "limits": plan.limits,
        "approval": plan.approval or None,
        "approved": plan.approved,
        "notes": plan.notes,
        "routing": None if plan.routing is None else [_rerouted(one) for one in plan.routing],
        "digest": plan.digest,
        "writes": plan.writes,
        "pending": plan.pending,
        "summary": {verb.value: counts.get(verb, 0) for verb in Verb if verb is not Verb.ROTATE}
        | {of.value: _writes(plan, of) for of in (Of.CREDENTIAL, Of.SETTINGS)}
        | {"inSync": plan.in_sync, "problems": plan.problems},
        "groups": [_group(group) for group in groups(plan)],
        "instances": [_instance(instance) for instance in plan.instances],
    }


def _rerouted(one: Rerouted) -> Mapping[str, object]:
    return {
        "message": one.text,
        "jid": one.jid,
        "fromMe": one.from_me,
        "other": one.other,
        "before": [asdict(each) for each in one.before],
        "after": [asdict(each) for each in one.after],
        "instances": one.instances,
    }


def _group(group: Group) -> Mapping[str, object]:
    return {
        "of": group.shown.of.value,
        "kind": group.shown.kind.path,
        "bot": group.shown.bot,
        "verb": group.shown.verb.value,
        "reason": group.shown.reason,
        "cause": group.shown.cause,
        "origins": group.origins,
        "changes": [{"instance": each.instance, "label": each.label} for each in group.changes],
    }


def _writes(plan: Plan, of: Of) -> int:
    return sum(number for verb, number in plan.counts(of).items() if verb.writes)


def _instance(instance: InstancePlan) -> Mapping[str, object]:
    return {
        "name": instance.name,
        **({"server": instance.server} if instance.server else {}),
        "id": instance.id or None,
        "manifest": instance.manifest or None,
        "problem": instance.problem,
        "inSync": instance.in_sync,
        "answering": instance.answering,
        "credentials": dict(instance.credentials),
        "keyless": dict(instance.unverified),
        "changes": [_change(change) for change in instance.changes],
        "steps": [_step(step) for step in instance.steps],
    }


def _change(change: Change) -> Mapping[str, object]:
    return {
        "of": change.of.value,
        "kind": change.kind.path,
        "bot": change.bot,
        "verb": change.verb.value,
        "reason": change.reason,
        "cause": change.cause,
        "digest": change.digest,
        "ids": change.ids,
        "fields": [asdict(one) for one in change.fields],
        "before": None if change.before is None else _remote(change.before),
        "at": None if change.at is None else asdict(change.at),
        "other": change.other or None,
        "origins": change.origins,
        "vars": dict(change.vars),
    }


def _remote(bot: RemoteBot) -> Mapping[str, object]:
    return {"id": bot.id, "kind": bot.kind.path, "created": bot.created, "fields": dict(bot.fields)}


def _step(step: Step) -> Mapping[str, object]:
    return {
        "call": step.call.value,
        "kind": step.kind.path,
        "bot": step.bot,
        "id": step.id,
        "body": dict(step.body),
        "why": step.why,
        "secret": None if step.secret is None else asdict(step.secret),
        "merge": step.merge,
    }


def _result(result: Result) -> Mapping[str, object]:
    return {
        "instance": result.change.instance,
        "of": result.change.of.value,
        "kind": result.change.kind.path,
        "bot": result.change.bot,
        "verb": result.change.verb.value,
        "outcome": result.outcome.value,
        "detail": result.detail,
        "id": result.id,
    }
