"""No key in anything that can be shown: texts, reprs, tracebacks, logs; and addresses that are refused."""

from __future__ import annotations

import asyncio
import logging
import traceback
from base64 import b64encode

import pytest

from reconciler.domain.errors import ReconcilerError
from reconciler.evolution.client import Client, Server
from tests.evolution.scripted import KEY, LICENCE, Act, asked, drop, half, page, raw, refusal, reply, stall
from tests.evolution.test_behaviour import CALLS, SECRET
from tests.evolution.test_masking import shows

OPENAI_KEY = "sk-proj-4f_Xy-Z0123456789"
OTHER_KEY = SECRET.get_secret_value()
LEAKS: dict[str, Act] = {
    "words": refusal(400, [f"bad apikey {KEY}", f"Incorrect API key provided: {OPENAI_KEY}"]),
    "masked": refusal(500, f"x {KEY} {OPENAI_KEY}"),
    "unauthorized": refusal(401, f"Unauthorized {KEY}"),
    "missing": refusal(404, [f"The {KEY} instance does not exist"]),
    "route": refusal(404, [f"Cannot GET /{KEY}"]),
    "json": reply(403, {"headers": {"apikey": KEY}, "k": OPENAI_KEY}),
    "page": page(200, f"<title>{KEY} {OPENAI_KEY}</title>"),
    "gateway": page(502, f"{KEY} {OPENAI_KEY}"),
    "redirect": reply(302, b"", f"Location: http://{KEY}@h.test/{KEY}/?apikey={KEY}&k={OPENAI_KEY}\r\n"),
    "licence": reply(503, {**LICENCE, "message": KEY}),
    "shape": reply(200, [{"id": KEY, "apiKey": OPENAI_KEY, "enabled": KEY}]),
    "not http": raw(f"{KEY}\r\n\r\n".encode()),
    "own words": refusal(400, f"{OTHER_KEY} is taken"),
    "own in json": reply(403, {"apiKey": OTHER_KEY}),
    "own at the end of a gist": page(502, f"<title>{'x' * 70} {OTHER_KEY}</title>"),
    "own in a redirect": reply(302, b"", f"Location: https://h.test/{OTHER_KEY}\r\n"),
    "drop": drop,
    "half": half,
    "stall": stall,
}


FOURS = [KEY[at : at + 4] for at in range(0, len(KEY), 4)]


def _head(line: str, more: str = "", body: bytes = b"[]") -> Act:
    return raw(f"HTTP/1.1 {line}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body)


PLACES: dict[str, Act] = {
    "parts in a list": refusal(400, FOURS),
    "characters in a list": refusal(400, list(KEY)),
    "lists in a list": refusal(400, [FOURS[:4], FOURS[4:]]),
    "names of fields": refusal(400, dict.fromkeys(FOURS, 1)),
    "a half in each field": reply(400, {"error": KEY[:16], "response": {"message": [KEY[16:]]}}),
    "a text of JSON": reply(400, KEY),
    "JSON that is cut": reply(200, f'[{{"id": {KEY}'.encode()),
    "the reason of a status": _head(f"401 {KEY}"),
    "the reason of a redirect": _head(f"302 {KEY}", f"Location: /{KEY}/x\r\n"),
    "a path of parts": _head("302 X", f"Location: /{'/'.join(FOURS)}\r\n"),
    "a host": _head("302 X", f"Location: http://{KEY}.test/\r\n"),
    "a host of parts": _head("302 X", f"Location: http://{'.'.join(FOURS)}/\r\n"),
    "a charset": _head("200 OK", f"Content-Type: application/json; charset={KEY}\r\n"),
    "a type": _head("400 X", f"Content-Type: {KEY}\r\n", b"foo"),
    "an encoding": _head("200 OK", f"Content-Encoding: {KEY}\r\n"),
    "a transfer encoding": _head("200 OK", f"Transfer-Encoding: {KEY}\r\n"),
    "a time to wait": _head("400 X", f"Retry-After: {KEY}\r\n"),
    "a demand": _head("401 X", f"WWW-Authenticate: {KEY}\r\n"),
    "a length": raw(f"HTTP/1.1 200 OK\r\nContent-Length: {KEY}\r\n\r\n".encode()),
    "a status": raw(f"HTTP/1.1 {KEY} OK\r\n\r\n".encode()),
    "a version of HTTP": raw(f"HTTP/{KEY} 200 OK\r\n\r\n".encode()),
    "a header's name": raw(f"HTTP/1.1 200 OK\r\n{KEY}\r\n\r\n".encode()),
    "a chunk": raw(f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{KEY}zz\r\n".encode()),
    "titles": page(502, f"<title>{'</title><title>'.join(FOURS)}</title>"),
    "an attribute": page(502, f"<title x={KEY}>a</title>"),
    "a script": page(502, f"<script>{KEY}</script>"),
    "unseen entities": page(502, f"<title>{'&ZeroWidthSpace;'.join(KEY)}</title>"),
    "hyphens nobody sees": page(502, f"<title>{'&shy;'.join(KEY)}</title>"),
    "a page of UTF-16": reply(502, f"<title>{KEY}</title>".encode("utf-16"), "Content-Type: text/html\r\n"),
    "bytes that are none": reply(502, "é".join(KEY).encode("latin-1"), "Content-Type: text/html\r\n"),
    "a word of mail": refusal(400, [f"=?utf-8?B?{b64encode(KEY.encode()).decode()}?="]),
}


def everything(error: BaseException | None) -> str:
    """All that can be shown of an exception and of what led to it."""
    shown = ""
    while error is not None:
        shown += "".join(traceback.TracebackException.from_exception(error, capture_locals=False).format())
        shown += f"{error!s} {error!r} {vars(error)}"
        error = error.__cause__ or error.__context__
    return shown


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("leak", LEAKS)
def test_no_key_in_errors(name: str, leak: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    outcome, spy = asked(CALLS[name], LEAKS[leak], timeout=0.5 if leak == "stall" else 30)
    assert spy.requests[0].headers["apikey"] == KEY, "it was sent"
    if isinstance(outcome, Exception):
        assert isinstance(outcome, ReconcilerError)
        shown = everything(outcome)
        assert KEY not in shown
        assert OPENAI_KEY not in shown
        if name == "create_credential":
            assert OTHER_KEY[:8] not in shown
    assert KEY not in caplog.text
    assert OPENAI_KEY not in caplog.text
    assert name != "create_credential" or OTHER_KEY not in caplog.text


@pytest.mark.parametrize("name", ["find", "create"])
@pytest.mark.parametrize("place", PLACES)
def test_no_key_wherever_it_is_echoed(name: str, place: str) -> None:
    outcome, _ = asked(CALLS[name], PLACES[place], retry_delay=0)
    assert shows(str(outcome), KEY) == ""
    if isinstance(outcome, Exception):
        assert KEY not in everything(outcome)


def test_no_key_in_reprs() -> None:
    server = Server("https://evo.test", KEY)
    client = Client(server)
    assert KEY not in f"{server} {server!r} {client} {client!r} {client.url}"


def test_name_from_outside_stays_one_line() -> None:
    outcome, _ = asked(lambda client: client.find("a\n\x1b[31mb"), refusal(404, ["x"]))
    assert "a [31mb" in str(outcome)


def entered(server: Server) -> None:
    """Make a client, and open it."""

    async def run() -> None:
        async with Client(server):
            pass

    asyncio.run(run())


REFUSED = [
    ("", "looks like https://"),
    ("evo.example.com", "looks like https://"),
    ("evo.example.com:8080", "looks like https://"),
    ("ftp://evo.example.com", "looks like https://"),
    ("https://", "looks like https://"),
    ("https://evo.example.com:99999", "looks like https://"),
    ("https://evo.example.com:x", "looks like https://"),
    ("https://[::1", "looks like https://"),
    ("https://a..b", "looks like https://"),
    ("https://①.com", "its host name is not valid"),
    ("https://a\\b", "looks like https://"),
    ("https://[v1.x]", "looks like https://"),
    (f"https://{'a' * 64}.com", "looks like https://"),
    ("https://evo.example.com/?a=b", "without query"),
    ("https://evo.example.com/#x", "without query"),
    ("https://evo.example.com/a b", "spaces"),
    ("https://me:hunter2@evo.example.com", "must not carry a name or a password"),
    ("https://me:hun/hunter2@evo.example.com", "must not carry a name or a password"),
    ("me:hunter2@evo.example.com", "must not carry a name or a password"),
    ("http://evo.example.com", "--allow-http"),
    ("http://192.168.0.10:8080", "--allow-http"),
    ("http://localhost.example.com", "--allow-http"),
    ("http://127.0.0.1.example.com", "--allow-http"),
]


@pytest.mark.parametrize(("url", "words"), REFUSED)
def test_url_that_is_refused(url: str, words: str) -> None:
    with pytest.raises(ReconcilerError) as caught:
        entered(Server(url, KEY))
    assert words in str(caught.value)
    assert "hunter2" not in everything(caught.value)


def test_key_given_as_the_url_is_not_shown() -> None:
    with pytest.raises(ReconcilerError) as caught:
        Client(Server(KEY, KEY))
    assert KEY not in everything(caught.value)


@pytest.mark.parametrize(
    ("url", "normalised"),
    [
        ("https://evo.example.com", "https://evo.example.com"),
        (" HTTPS://evo.example.com:8443/evo/ \n", "https://evo.example.com:8443/evo"),
        ("https://évo.example.com", "https://évo.example.com"),
        ("http://localhost:8080/", "http://localhost:8080"),
        ("http://127.1.2.3", "http://127.1.2.3"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://evo.localhost", "http://evo.localhost"),
    ],
)
def test_url_that_is_taken(url: str, normalised: str) -> None:
    assert Client(Server(url, KEY)).url == normalised


def test_plain_http_to_another_machine_where_it_is_allowed() -> None:
    assert Client(Server("http://evolution:8080", KEY, allow_http=True)).url == "http://evolution:8080"


NOT_KEYS = {
    "": "is empty",
    " \n": "is empty",
    "canary-1\nb": "it has a line break inside",
    "canary-é": "it holds U+00E9",
    "canary\u200b-1": "it holds U+200B",
    "canary\u00a0-1": "it holds U+00A0",
    "\ufeffcanary-1": "it holds U+FEFF",
    "canary\x1b-1": "it holds U+001B",
    '"canary-1"': "it has quotes around it",
    "'canary-1'": "it has quotes around it",
    "“canary-1”": "it has quotes around it",
    "EVOLUTION_API_KEY=canary-1": "it has a name and = or : before",
    "AUTHENTICATION_API_KEY: canary-1": "it has a name and = or : before",
    "export EVOLUTION_API_KEY=canary-1": "it has a name and = or : before",
    "apikey: canary-1": "the name of a header",
    "Bearer canary-1": 'it has "Bearer"',
    "$EVOLUTION_KEY": "it is a placeholder",
    "${EVOLUTION_KEY}": "it is a placeholder",
    "${{ secrets.EVOLUTION_KEY }}": "it is a placeholder",
    "%EVOLUTION_KEY%": "it is a placeholder",
    "<canary-1>": "it is a placeholder",
    "[REDACTED]": "it is a placeholder",
    "op://vault/canary-1": "it is a placeholder",
    "***": "it is masked",
    "B6****canary-1": "it is masked",
    "B6…canary-1": "it is masked",
    '{"apikey": "canary-1"}': "it is JSON",
    "canary-1 # prod": "it has a comment",
}


@pytest.mark.parametrize(("key", "words"), NOT_KEYS.items())
def test_key_that_is_refused(key: str, words: str) -> None:
    with pytest.raises(ReconcilerError) as caught:
        Client(Server("https://evo.test", key))
    assert words in str(caught.value)
    assert "EVOLUTION_API_KEY" in str(caught.value)
    assert "canary" not in everything(caught.value)


@pytest.mark.parametrize(
    "key",
    [
        "B6D711FCDE4D4FD5936544120E713976",
        "change-me",
        "secret",
        "my-key",
        "a!b&c#d:e=",
        "it's",
        "two words",
        "zT3+/x==",
    ],
)
def test_key_that_somebody_made_up(key: str) -> None:
    assert Client(Server("https://evo.test", f" {key}\n")).url == "https://evo.test"


def test_proxy_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "socks5://me:hunter2@127.0.0.1:1080")
    with pytest.raises(ReconcilerError, match="not an HTTP proxy") as caught:
        entered(Server("https://evo.test", KEY))
    assert "hunter2" not in everything(caught.value)


def test_client_that_is_never_opened_leaves_nothing_behind() -> None:
    async def run() -> None:
        Client(Server("https://evo.test", KEY))

    asyncio.run(run())
