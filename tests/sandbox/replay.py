"""Plays recorded exchanges to a server and says where it answers otherwise.

An id of the recording stands for the id that the server gave in the same place; times are left out; lists of
objects are compared without their order. Where the recording trims a long run of one character, the whole
run is sent and expected. Requests go out byte for byte: a client library would tidy up paths that matter.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

RECORDINGS = Path(__file__).parent.parent / "recordings"

_ID = re.compile(r"\bc[a-z0-9]{24}\b|\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")
_SERVER = re.compile(r"http://127\.0\.0\.1:80\d\d(?=/manager)")
_TIMES = {"createdAt", "updatedAt"}
_TRIMMED = re.compile(r"(.*)…\[trimmed: string of (\d+) chars\]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A recorded call and its answer. at: where it stands in the recordings. raw: a body that is not JSON."""

    at: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: Any
    raw: str | None
    status: int
    answer: Any


def scenarios(version: str) -> Iterator[Exchange]:
    """The scenario files of a version, in the order in which they happened in one database."""
    for e in _lines(f"scenarios_{version}.jsonl"):
        yield Exchange(e["at"], e["m"], e["p"], e["h"], e.get("b"), e.get("raw"), e["s"], e["r"])


def sequences(version: str, api_key: str) -> Iterator[list[Exchange]]:
    """The random sequences of a version, each of which starts from nothing."""
    return _sequences(f"random_sequences_{version}.jsonl", api_key)


def siblings(version: str, api_key: str) -> Iterator[list[Exchange]]:
    """The same of the kinds beside OpenAI: twenty sequences each, one kind after the other."""
    return _sequences(f"random_siblings_{version}.jsonl", api_key)


def _sequences(name: str, api_key: str) -> Iterator[list[Exchange]]:
    for number, steps in enumerate(_lines(name)):
        yield [
            Exchange(f"{number}/{step}", e["m"], e["p"], {"apikey": api_key}, e["b"], None, e["s"], e["r"])
            for step, e in enumerate(steps)
        ]


def _lines(name: str) -> Iterator[Any]:
    # Not splitlines(): a text may hold separators that only Python takes for the end of a line.
    return map(json.loads, (RECORDINGS / name).read_text(encoding="utf-8").strip().split("\n"))


class Replay:
    """A conversation with one server, for as long as the `with` block lasts."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection = HTTPConnection(urlsplit(url).netloc, timeout=30)
        self._ids: dict[str, str] = {}  # what the recording's ids are called here

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def play(self, exchange: Exchange) -> str | None:
        """Makes the call; what is other than recorded, in words, or None."""
        status, text = self._call(exchange)
        answer = _parsed(text)
        recorded = exchange.answer
        if isinstance(recorded, dict) and "__raw__" in recorded:
            recorded, answer = recorded["__raw__"], text
        self._learn(recorded, answer)
        expected = _comparable(self._translated(recorded))
        if (status, _comparable(answer)) == (exchange.status, expected):
            return None
        return (
            f"{exchange.at}: {exchange.method} {exchange.path} {json.dumps(exchange.body)[:400]}\n"
            f"  recorded {exchange.status} {json.dumps(expected, ensure_ascii=False)[:1500]}\n"
            f"  answered {status} {json.dumps(_comparable(answer), ensure_ascii=False)[:1500]}"
        )

    def _call(self, exchange: Exchange) -> tuple[int, str]:
        headers = dict(exchange.headers)
        body: bytes | None = None
        if exchange.raw is not None:
            body = self._translated(exchange.raw).encode()
        elif exchange.body is not None:
            body = json.dumps(self._translated(exchange.body)).encode()
            headers.setdefault("Content-Type", "application/json")
        self._connection.request(exchange.method, self._translated(exchange.path), body, headers)
        response = self._connection.getresponse()
        return response.status, response.read().decode("utf-8", "replace")

    def _translated(self, recorded: Any) -> Any:
        if isinstance(recorded, str):
            whole = _TRIMMED.fullmatch(recorded)
            text = whole[1] + whole[1][-1] * (int(whole[2]) - len(whole[1])) if whole else recorded
            return _SERVER.sub(self._url, _ID.sub(lambda match: self._ids.get(match[0], match[0]), text))
        if isinstance(recorded, list):
            return [self._translated(item) for item in recorded]
        if isinstance(recorded, dict):
            return {name: self._translated(value) for name, value in recorded.items()}
        return recorded

    def _learn(self, recorded: Any, answer: Any) -> None:
        """Takes an id that is new as the name of what the server calls otherwise in the same place."""
        if isinstance(recorded, dict) and isinstance(answer, dict):
            for name in recorded.keys() & answer.keys():
                self._learn(recorded[name], answer[name])
        elif isinstance(recorded, list) and isinstance(answer, list) and len(recorded) == len(answer):
            pairs = zip(sorted(recorded, key=self._shape), sorted(answer, key=self._shape), strict=True)
            for one, other in pairs:
                self._learn(one, other)
        elif _is_id(recorded) and _is_id(answer):
            self._ids.setdefault(recorded, answer)

    def _shape(self, value: Any) -> str:
        """What orders a list the same on both sides: an object without the ids that are not known yet."""
        known = set(self._ids.values())
        text = json.dumps(_comparable(self._translated(value)), sort_keys=True)
        return _ID.sub(lambda match: match[0] if match[0] in known else "?", text)


def _is_id(value: object) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _comparable(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _comparable(item) for name, item in sorted(value.items()) if name not in _TIMES}
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return sorted(map(_comparable, value), key=lambda item: json.dumps(item, sort_keys=True))
    return value
