"""The sandbox's HTTP: routes, the order of the checks, and answers as Express writes them.

A request for another host than this machine, or for none, is refused first: a page in a browser, whose name
somebody pointed at 127.0.0.1, must not read what is here. So is a browser's question whether a page of
another host may call it.

The order, as on the real server: the body parses (400, 413), the path is a route's (404), the instance exists
(404, whatever the key), the key fits (401), the body fits the schema (400), the integration is enabled
(400); then the controller.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import re
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, unquote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Router
from starlette.types import Receive, Scope, Send

from reconciler.domain.kinds import OPENAI, Kind
from reconciler.domain.records import dataclass
from reconciler.sandbox import schema
from reconciler.sandbox.body import LIMIT, parse, too_large
from reconciler.sandbox.controllers import VERSIONS, Controllers, OfKind
from reconciler.sandbox.instances import EVENTS, Instances
from reconciler.sandbox.refusals import RefusalError, bad_request, forbidden, not_found, unauthorized
from reconciler.sandbox.rows import id_parameter
from reconciler.sandbox.schema import Body, Call, Schema
from reconciler.sandbox.store import DatabaseError, Store

_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]*)?", re.IGNORECASE)
"""A Host header that names this machine."""

# Names that every JavaScript object has. The server keeps its instances in one, so these exist for it.
_INHERITED = frozenset(
    {
        "__proto__",
        "__defineGetter__",
        "__defineSetter__",
        "__lookupGetter__",
        "__lookupSetter__",
        "constructor",
        "hasOwnProperty",
        "isPrototypeOf",
        "propertyIsEnumerable",
        "toLocaleString",
        "toString",
        "valueOf",
    }
)


@dataclass(slots=True)
class Options:
    """How a sandbox behaves.

    api_key: the server's global key. version: one of VERSIONS. disabled: the kinds that are switched off, as
    OPENAI_ENABLED and so on do it; EvolutionBot always answers.
    latency: seconds before each answer. pause: seconds before each query of the database; others' calls run
    between a check and the write that follows it, as on the real server: a few milliseconds let equal creates
    at the same moment all succeed.
    """

    api_key: str
    version: str = "2.3.6"
    disabled: frozenset[str] = frozenset()
    latency: float = 0.0
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Served:
    """One call that was answered. path: as it came, with its query string."""

    method: str
    path: str
    status: int

    @property
    def writes(self) -> bool:
        """Whether the method is one that may change something."""
        return self.method not in {"GET", "HEAD", "OPTIONS"}


@dataclass(frozen=True, slots=True)
class Route:
    """A method, a path and what answers them. schema: of the body. status: of success. kind: whose it is."""

    method: str
    path: str
    handler: Callable[[Call], Awaitable[Any]]
    schema: Schema | None = schema.INSTANCE
    status: int = 200
    kind: Kind | None = None


def _routes(controllers: Controllers, instances: Instances) -> Iterator[Route]:
    for each in controllers.kinds:
        yield from _routes_of_kind(each)
    credentials, models = controllers.credentials, controllers.models
    yield from (
        Route("POST", "/openai/creds/:instanceName", credentials.create, schema.CREDS, 201, OPENAI),
        Route("GET", "/openai/creds/:instanceName", credentials.find, kind=OPENAI),
        Route("DELETE", "/openai/creds/:openaiCredsId/:instanceName", credentials.delete, kind=OPENAI),
        Route("GET", "/openai/getModels/:instanceName", models.fetch, kind=OPENAI),
        Route("POST", "/instance/create", instances.create, schema.INSTANCE, 201),
        Route("GET", "/instance/fetchInstances", instances.fetch, None),
        Route("GET", "/instance/connectionState/:instanceName", instances.connection_state, None),
        Route("DELETE", "/instance/delete/:instanceName", instances.delete, None),
    )


def _routes_of_kind(of: OfKind) -> Iterator[Route]:
    bot = schema.bot(of.kind)
    for method, action, handler, body, status in (
        ("POST", "create", of.bots.create, bot, 201),
        ("GET", "find", of.bots.find, schema.INSTANCE, 200),
        ("GET", "fetch/:ID", of.bots.fetch, schema.INSTANCE, 200),
        ("PUT", "update/:ID", of.bots.update, bot, 200),
        ("DELETE", "delete/:ID", of.bots.delete, schema.INSTANCE, 200),
        ("POST", "settings", of.settings.save, schema.settings(of.kind), 200),
        ("GET", "fetchSettings", of.settings.fetch, schema.INSTANCE, 200),
        ("POST", "changeStatus", of.sessions.change_status, schema.STATUS, 200),
        ("GET", "fetchSessions/:ID", of.sessions.fetch, schema.INSTANCE, 200),
        ("POST", "ignoreJid", of.settings.ignore_jid, schema.IGNORE_JID, 200),
    ):
        path = f"/{of.kind.path}/{action.replace('ID', id_parameter(of.kind))}/:instanceName"
        yield Route(method, path, handler, body, status, of.kind)


def application(
    options: Options, store: Store, ready: Callable[[], None], served: Callable[[Served], None]
) -> Router:
    """The sandbox as an ASGI application.

    ready: called when the server is up, in its thread. served: called for each call. options may be changed
    while it runs, except for the version and the key.
    """
    app = _App(options, store)

    @asynccontextmanager
    async def lifespan(_: Router) -> AsyncIterator[None]:
        ready()
        yield

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await app.answer(request)
        except ClientDisconnect:
            return
        served(Served(request.method, _url(scope), response.status_code))
        await response(scope, receive, send)

    return Router(default=answer, lifespan=lifespan)


class _App:
    """Makes the checks in their order, over one store."""

    def __init__(self, options: Options, store: Store) -> None:
        self._options = options
        self._store = store
        self._table: dict[tuple[str, str, int], dict[str, Route]] = {}
        controllers = VERSIONS[options.version](store)
        instances = Instances(store, options.api_key, events=EVENTS[options.version])
        for route in _routes(controllers, instances):
            kind, action, *params = route.path.split("/")[1:]
            self._table.setdefault((kind.lower(), action.lower(), len(params)), {})[route.method] = route

    async def answer(self, request: Request) -> Response:
        """What the server answers."""
        if self._options.latency:
            await asyncio.sleep(self._options.latency)
        self._store.pause = self._options.pause
        try:
            _check_host(request)
            if request.method == "OPTIONS":
                return Response(status_code=204)
            body = await _body(request)
            path = request.scope["raw_path"].decode("latin-1")
            status, content = (
                (200, self._welcome(request)) if path == "/" else await self._routed(request, path, body)
            )
        except RefusalError as refusal:
            status, content = refusal.status, refusal.content
        except DatabaseError as error:
            status, content = 500, RefusalError(500, str(error)).content
        except ClientDisconnect:
            raise
        except Exception as error:
            # As in Express: the caller gets an unforeseen error, and the server goes on.
            status, content = 500, RefusalError(500, f"{type(error).__name__}: {error}").content
        return _response(request, status, content)

    def _welcome(self, request: Request) -> dict[str, object]:
        return {
            "status": 200,
            "message": "Welcome to the Evolution API, it is working!",
            "version": self._options.version,
            "clientName": "evolution_exchange",
            "manager": f"http://{request.headers.get('host', '')}/manager",
            "documentation": "https://doc.evolution-api.com",
            "whatsappWebVersion": "2.3000.1027934701",
        }

    async def _routed(self, request: Request, path: str, body: Body) -> tuple[int, Any]:
        method = "GET" if request.method == "HEAD" else request.method
        kind, action, *segments = [*path.removesuffix("/").split("/")[1:], "", ""]
        segments = segments[:-2]
        methods = self._table.get((kind.lower(), action.lower(), len(segments)), {}) if all(segments) else {}
        if methods:
            names = next(iter(methods.values())).path.split("/:")[1:]
            decoded = dict(zip(names, map(_decoded, segments), strict=True))
        route = methods.get(method)
        if route is None:
            raise not_found(f"Cannot {request.method} {_url(request.scope)}")
        key = request.headers.get("apikey", "")
        await self._guard(route, decoded, body, key)
        query = dict(parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True))
        call = Call({**decoded, **query}, body, key)
        if route.schema and (errors := schema.errors(body, route.schema)):
            raise bad_request(errors)
        if route.kind and route.kind.switch and route.kind.path in self._options.disabled:
            raise bad_request(f"{route.kind.title} is disabled")
        return route.status, await route.handler(call)

    async def _guard(self, route: Route, params: Mapping[str, str], body: Body, key: str) -> None:
        name = params.get("instanceName")
        if name is not None and not await self._exists(name):
            raise not_found(f'The "{name}" instance does not exist')
        if route.path == "/instance/create" and await self._exists(body.get("instanceName")):
            raise forbidden(f'This name "{body.get("instanceName", "undefined")}" is already in use.')
        if not key:
            raise unauthorized()
        if key != self._options.api_key and not await self._owns(route, name, key):
            raise unauthorized()

    async def _exists(self, name: Any) -> bool:
        """Whether an instance of this name exists for the server; without a name, whether any does."""
        if isinstance(name, str) and name in _INHERITED:
            return True
        try:
            found = await self._store.first("instances", **({} if name is None else {"name": name}))
        except DatabaseError as error:
            raise RefusalError(500, [f"DriverAdapterError: {error}"]) from error
        return found is not None

    async def _owns(self, route: Route, name: str | None, key: str) -> bool:
        if name is None and route.path != "/instance/fetchInstances":
            return False
        where = {} if name is None else {"name": name}
        return await self._store.first("instances", token=key, **where) is not None


def _check_host(request: Request) -> None:
    """Raises RefusalError for a request that names another host, or none, or that a web page prepares."""
    hosts = request.headers.getlist("host")
    preflight = "access-control-request-method" in request.headers
    if preflight or not hosts or not all(_HOST.fullmatch(host) for host in hosts):
        sentence = "The sandbox serves 127.0.0.1, localhost and [::1] only, on any port, and no web page."
        raise RefusalError(421, [sentence], "Misdirected Request")


async def _body(request: Request) -> Body:
    length = request.headers.get("content-length", "0")
    if not length.isdigit() or int(length) > LIMIT:
        async for _ in request.stream():  # read to its end, so that the caller gets to read the answer
            pass
        raise too_large()
    return parse(request.headers.get("content-type", ""), await request.body())


def _decoded(segment: str) -> str:
    """A segment of the path as decodeURIComponent has it, which refuses what is not percent-encoded UTF-8."""
    try:
        if re.search("%(?![0-9a-fA-F]{2})", segment):
            raise ValueError
        return unquote(segment, errors="strict")
    except ValueError:
        raise RefusalError(400, f"Failed to decode param '{segment}'") from None


def _url(scope: Scope) -> str:
    query = scope["query_string"].decode("latin-1")
    path: str = scope["raw_path"].decode("latin-1")
    return f"{path}?{query}" if query else path


def _response(request: Request, status: int, content: object) -> Response:
    """JSON with a weak ETag, compressed from 1 KiB on where the caller takes that, as Express sends it."""
    raw = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")
    digest = b64encode(hashlib.sha1(raw, usedforsecurity=False).digest()).decode()[:27]
    headers = {"ETag": f'W/"{len(raw):x}-{digest}"', "Vary": "Origin, Accept-Encoding"}
    reads = request.method in {"GET", "HEAD"} and status == 200
    if reads and request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    if len(raw) >= 1024 and "gzip" in request.headers.get("accept-encoding", ""):
        raw = gzip.compress(raw, compresslevel=1)
        headers["Content-Encoding"] = "gzip"
    return Response(raw, status, headers, media_type="application/json; charset=utf-8")
