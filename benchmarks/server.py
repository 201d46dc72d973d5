"""A server that costs next to nothing: it answers every request after a fixed time, from memory.

    python -m benchmarks.server MILLISECONDS BOTS [INSTANCES]

prints its URL. It lists so many instances, none unless said; it answers for every other one all the same.
`GET /openai/find/{instance}` gives BOTS bots as `fleet.py` declares them, `GET /openai/creds/{instance}` the
one credential that they name. All other kinds of bot are switched off but EvolutionBot, which cannot be, and
has no bots. `GET /{kind}/fetchSettings/{instance}` gives what the server answers where there are none. `GET
/zone/{name}` gives the records of a zone, for peers. It knows no other route.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from zlib import crc32

from reconciler.domain.kinds import KINDS, Kind

INSTANCE = "c22def7d-036d-4bdf-80a5-60829d17abfc"
"""The id of the instance in answers, before each gets its own."""


def bot(number: int) -> dict[str, object]:
    """A bot as the manifest of `fleet.py` declares it, in the form in which the server stores it."""
    return {
        "id": f"cmwskt57500{number:014}",
        "enabled": True,
        "description": f"Bot {number} [gitops:bot-{number}]",
        "botType": "chatCompletion",
        "assistantId": None,
        "functionUrl": None,
        "model": "gpt-4o",
        "systemMessages": [f"You are number {number} of the shop. " + "Be brief, be kind, answer. " * 20],
        "assistantMessages": None,
        "userMessages": None,
        "maxTokens": 100 + number,
        "expire": 300,
        "keywordFinish": "#fim",
        "delayMessage": 1000,
        "unknownMessage": "Sorry, I dont understand",
        "listeningFromMe": False,
        "stopBotFromMe": True,
        "keepOpen": False,
        "debounceTime": 3,
        "splitMessages": False,
        "timePerChar": 50,
        "ignoreJids": ["@g.us"],
        "triggerType": "keyword",
        "triggerOperator": "equals",
        "triggerValue": str(number),
        "createdAt": "2026-11-23T01:17:26.177Z",
        "updatedAt": "2026-11-23T01:17:26.177Z",
        "openaiCredsId": "cmwskpqe400034p7dxka4nrnh",
        "instanceId": INSTANCE,
    }


CREDENTIALS = [{"id": "cmwskpqe400034p7dxka4nrnh", "name": "main", "apiKey": "none"}]

RECORDS = [
    {"name": f"host-{number}", "type": "A", "ttl": 300, "values": [f"192.0.2.{number + 1}"]}
    for number in range(10)
]
"""A zone, for peers that manage those."""


def response(data: object, status: bytes = b"200 OK") -> bytes:
    """The whole answer as it goes out."""
    body = json.dumps(data).encode()
    return (
        b"HTTP/1.1 "
        + status
        + b"\r\nContent-Type: application/json; charset=utf-8\r\nConnection: keep-alive\r\n"
        b"Keep-Alive: timeout=5\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    )


@cache
def of_instance(instance: bytes, answer: bytes) -> bytes:
    """The answer with ids that are this instance's own, of the same length."""
    own = crc32(instance)
    for id_ in (b"cmwskt57500", b"cmwskpqe400"):
        answer = answer.replace(id_, b"c%010d" % own)
    return answer.replace(INSTANCE.encode(), _id(instance).encode())


def _id(instance: bytes) -> str:
    """The id of an instance."""
    return f"{INSTANCE[:-12]}{crc32(instance):012}"


class Connection(asyncio.Protocol):
    """One connection; requests have no bodies."""

    def __init__(self, seconds: float, answers: Mapping[bytes, bytes]) -> None:
        self.seconds, self.answers = seconds, answers
        self.unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.later = asyncio.get_running_loop().call_later

    def data_received(self, data: bytes) -> None:
        *requests, self.unread = (self.unread + data).split(b"\r\n\r\n")
        for request in requests:
            route, _, instance = request.split(b" ", 2)[1].rpartition(b"/")
            answer = self.answers[route]
            self.later(self.seconds, self.transport.write, of_instance(instance, answer))


def settings(kind: Kind) -> dict[str, object]:
    """What the server answers for an instance without settings: the defaults, and no id."""
    defaults = {name: field.default for name, field in kind.settings.items()}
    return {**defaults, "fallbackId": "", "fallback": None}


def names(instances: int) -> list[str]:
    """What the instances of a fleet are called."""
    return [f"loja-{number:05}" for number in range(instances)]


async def serve(milliseconds: float, bots: int, instances: int = 0) -> None:
    answers = {
        f"/{path}/find".encode(): response(
            {"status": 400, "error": "Bad Request", "response": {"message": [f"{kind.title} is disabled"]}},
            b"400 Bad Request",
        )
        if kind.switch
        else response([])
        for path, kind in KINDS.items()
    }
    answers |= {
        b"/openai/find": response([bot(number) for number in range(bots)]),
        b"/openai/creds": response(CREDENTIALS),
        b"/instance": response([{"name": name, "id": _id(name.encode())} for name in names(instances)]),
        **{f"/{path}/fetchSettings".encode(): response(settings(kind)) for path, kind in KINDS.items()},
        b"/zone": response(RECORDS),
        b"": response({"status": 200, "version": "2.3.6"}),
    }
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(milliseconds / 1000, answers), "127.0.0.1", 0, backlog=512
    )
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


@contextmanager
def serving(milliseconds: float, bots: int, instances: int = 0) -> Iterator[str]:
    """Runs the server as a process of its own; gives its URL."""
    command = [sys.executable, "-m", "benchmarks.server", *map(str, (milliseconds, bots, instances))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1]), *(int(each) for each in sys.argv[2:])))
