"""What a manifest declares ↔ JSON, for the cache. Pure.

Without origins, and without secrets: an instance with one written in its manifest has no JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from sys import intern
from typing import Any

from reconciler.domain import hidden
from reconciler.domain.desired import (
    DesiredBot,
    DesiredCredential,
    DesiredInstance,
    DesiredSettings,
    DesiredTest,
    Fields,
    SecretRef,
    UrlTemplate,
)
from reconciler.domain.errors import Position
from reconciler.domain.hidden import Hidden
from reconciler.domain.kinds import KINDS, Field
from reconciler.domain.origins import Origin, Trace

_NONE = frozenset[str]()
_NO_ORIGINS: Mapping[str, Origin] = {}
_NO_TRACES: Mapping[str, Trace] = {}


class SecretInsideError(Exception):
    """The instance has a secret in it, which is written to no other file."""


def encode(instance: DesiredInstance) -> object:
    """The instance as JSON has it. Raises SecretInsideError."""
    file = instance.at.file
    return [
        instance.name,
        _place(instance.at, ""),
        [_bot(bot, file) for bot in instance.bots],
        [[one.name, one.key.tag, one.key.name, _place(one.at, file)] for one in instance.credentials],
        {path: _settings(one, file) for path, one in instance.settings.items()},
        sorted(instance.ignored),
        instance.files,
        instance.vars,
        [
            [one.messages, one.bots, _place(one.at, file), one.jid, one.from_me, one.name]
            for one in instance.tests
        ],
        instance.named_server and [instance.named_server[0], _place(instance.named_server[1], file)],
    ]


def line(value: object) -> bytes:
    """The value as JSON on a line."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _place(at: Position | None, file: str) -> object:
    """A place; without its file where that is this one."""
    return at and ([at.line, at.column] if at.file == file else [at.line, at.column, at.file])


def _bot(bot: DesiredBot, file: str) -> object:
    return [
        bot.name,
        _fields(bot.fields),
        bot.creds,
        _place(bot.at, file),
        bot.previously,
        bot.on_drift,
        bot.creds_owner,
        sorted(bot.ignored),
        bot.kind.path,
        _place(bot.creds_at, file),
        _traces(bot.traces),
    ]


def _settings(one: DesiredSettings, file: str) -> object:
    return [
        _fields(one.fields),
        _place(one.at, file),
        one.creds,
        one.fallback,
        one.merge_jids,
        _place(one.creds_at, file),
        _traces(one.traces),
    ]


def _fields(values: Fields) -> object:
    return {name: _hidden(value) if isinstance(value, Hidden) else value for name, value in values.items()}


def _hidden(value: Hidden) -> object:
    """Where a value is found that is not in the manifest."""
    ref = value.ref
    if value.real is not None or ref is None or (isinstance(ref, UrlTemplate) and ref.shown != ref.name):
        raise SecretInsideError
    return {"url": ref.name} if isinstance(ref, UrlTemplate) else {ref.tag: ref.name}


def _traces(traces: Mapping[str, Trace]) -> object:
    return {name: [one.places, one.variables] for name, one in traces.items()}


class Decoder:
    """JSON → instances. Texts, lists of texts, traces and places that many of them have are held once."""

    def __init__(self) -> None:
        self._lists: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._last = Position("", 0, 0)
        self._traces: dict[tuple[tuple[str, ...], tuple[str, ...]], Trace] = {}

    def instance(self, value: Any) -> DesiredInstance:
        """The instance that encode made this of. Raises whatever error for anything else."""
        name, at, bots, credentials, settings, ignored, files, variables, tests, server = value
        file = at[2]
        return DesiredInstance(
            name,
            tuple([self._bot(bot, file) for bot in bots]),
            Position(file, at[0], at[1]),
            tuple([_credential(one, file) for one in credentials]),
            {path: self._settings(path, one, file) for path, one in settings.items()},
            frozenset(ignored) if ignored else _NONE,
            tuple(files),
            variables,
            tuple([_test(one, file) for one in tests]),
            named_server=server and (server[0], _at(server[1], file)),
        )

    def _bot(self, value: Any, file: str) -> DesiredBot:
        name, fields, creds, at, previously, on_drift, owner, ignored, path, creds_at, traces = value
        kind = KINDS[path]
        return DesiredBot(
            name=name,
            fields=self._fields(kind.fields, fields),
            creds=creds,
            at=_at(at, file),
            previously=tuple(previously),
            on_drift=on_drift,
            creds_owner=owner,
            ignored=frozenset(ignored) if ignored else _NONE,
            kind=kind,
            creds_at=creds_at and self._creds_at(creds_at, file),
            origins=_NO_ORIGINS,
            traces=self._traced(traces) if traces else _NO_TRACES,
        )

    def _creds_at(self, value: Any, file: str) -> Position:
        """Where a credential is named: often the same place for all bots of an instance."""
        found = _at(value, file)
        if found != self._last:
            self._last = found
        return self._last

    def _settings(self, path: str, value: Any, file: str) -> DesiredSettings:
        fields, at, creds, fallback, merge_jids, creds_at, traces = value
        return DesiredSettings(
            fields=self._fields(KINDS[path].settings, fields),
            at=_at(at, file),
            creds=creds,
            fallback=fallback,
            merge_jids=merge_jids,
            creds_at=creds_at and _at(creds_at, file),
            origins=_NO_ORIGINS,
            traces=self._traced(traces) if traces else _NO_TRACES,
        )

    def _fields(self, table: Mapping[str, Field], values: dict[str, Any]) -> Fields:
        for name, value in values.items():
            kind = type(value)
            if kind is str:
                values[name] = intern(value)
            elif kind is list:
                texts = tuple([intern(each) for each in value])
                values[name] = self._lists.setdefault(texts, texts)
            elif kind is dict:
                [(tag, found)] = value.items()
                ref = hidden.template(found) if tag == "url" else hidden.reference(table[name], tag, found)
                values[name] = hidden.of_ref(ref)
        return values

    def _traced(self, traces: dict[str, Any]) -> dict[str, Trace]:
        found = {}
        for name, (places, variables) in traces.items():
            both = tuple(places), tuple(variables)
            found[name] = self._traces.setdefault(both, Trace(*both))
        return found


def _at(value: Any, file: str) -> Position:
    return Position(value[2] if len(value) > 2 else file, value[0], value[1])


def _credential(value: Any, file: str) -> DesiredCredential:
    name, tag, key, at = value
    return DesiredCredential(name, SecretRef(tag, key), _at(at, file))


def _test(value: Any, file: str) -> DesiredTest:
    messages, bots, at, jid, from_me, name = value
    return DesiredTest(tuple(messages), tuple(bots), _at(at, file), jid, from_me=from_me, name=name)
