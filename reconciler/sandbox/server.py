"""Runs the sandbox, in a thread beside the caller. Loopback only, with a key of its own for each database."""

from __future__ import annotations

import asyncio
import errno
import secrets
import socket
import sqlite3
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvicorn

from reconciler.domain import files
from reconciler.domain.errors import ReconcilerError
from reconciler.sandbox.app import Options, Served, application
from reconciler.sandbox.instances import new_instance
from reconciler.sandbox.store import MEMORY, SEEDED_KEY, DatabaseError, Store

HOST = "127.0.0.1"
_REMEMBERED = 100_000

_ROOM = 24
"""Files that can be opened at the start: for two event loops, and some connections with both their ends."""


class Sandbox:
    """An Evolution API server on a port of its own, for as long as the `with` block lasts.

    The arguments are those of Options, which may be changed while it runs; port 0 is any that is free.
    Without an api_key it has a random one, kept in its database, which its owner alone may read.
    url, api_key: for its clients. calls: those that were answered, in order; the last 50,000 at least.
    Raises ReconcilerError when the port or the file cannot be used, or the server cannot start.
    """

    def __init__(
        self,
        db: Path | str = MEMORY,
        port: int = 0,
        api_key: str | None = None,
        version: str = "2.3.6",
        disabled: frozenset[str] = frozenset(),
        latency: float = 0.0,
        pause: float = 0.0,
    ) -> None:
        self.options = Options(api_key or "", version, disabled, latency, pause)
        self.calls: list[Served] = []
        self._db = db
        self._port = port

    @property
    def api_key(self) -> str:
        """The server's global key."""
        return self.options.api_key

    @property
    def writes(self) -> list[Served]:
        """The answered calls that may have changed something."""
        return [call for call in self.calls if call.writes]

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._store = stack.enter_context(closing(_open(self._db)))
            try:
                self.options.api_key = self.options.api_key or self._store.key()
                listening = stack.enter_context(_listen(self._port))
                self.url = _url(listening)
                _check_room(listening)
                self._loop = self._start(listening, stack)
            except (OSError, RuntimeError) as error:  # RuntimeError: no more threads
                why = error.strerror if isinstance(error, OSError) else error
                raise ReconcilerError(f"The sandbox cannot start: {why}.") from None
            except sqlite3.Error as error:
                raise _unusable(self._db, error) from None
            self._resources = stack.pop_all()
        return self

    def _start(self, listening: socket.socket, stack: ExitStack) -> asyncio.AbstractEventLoop:
        """Run the server in its thread, until the stack is left. Returns its loop, once it serves."""
        serving: Future[asyncio.AbstractEventLoop] = Future()

        def ready() -> None:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(_unless_out_of_files)
            serving.set_result(loop)

        server = _server(self.options, self._store, ready, self._served)

        def run() -> None:
            failure: BaseException = RuntimeError("it ended at once")
            try:
                server.run([listening])
            except BaseException as error:
                failure = error
            if not serving.done():
                serving.set_exception(failure)

        def stop() -> None:
            server.should_exit = True
            thread.join()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        stack.callback(stop)
        return serving.result()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._resources.close()

    def seed(self, instances: Mapping[str, Iterable[str]]) -> None:
        """Makes the instances that are missing, and in each the credentials of these names that are missing.

        Unlike on the real server, where a credential's name is unique among all instances, one name may be
        made in several: so that manifests which all say `main` can be tried as they are.
        Raises ReconcilerError for a name that no instance or credential can have.
        """
        self._run(lambda store: _seed(store, instances))

    def open_session(self, instance: str, bot: str, contact: str, status: str = "opened") -> None:
        """Makes a session of the bot with this id, as a message of a contact does on the real server.

        contact: its JID. Raises ReconcilerError if there is no such instance.
        """
        self._run(lambda store: _open_session(store, instance, bot, contact, status))

    def clear(self) -> None:
        """Empties the database and forgets the calls, as a new sandbox would be."""
        self._run(_clear)
        self.calls.clear()

    def _served(self, call: Served) -> None:
        self.calls.append(call)
        if len(self.calls) > _REMEMBERED:
            del self.calls[: _REMEMBERED // 2]

    def _run(self, work: Callable[[Store], Coroutine[None, None, None]]) -> None:
        """Does something in the server's thread, which has the database now."""
        try:
            asyncio.run_coroutine_threadsafe(work(self._store), self._loop).result()
        except sqlite3.Error as error:
            raise _unusable(self._db, error) from None


def _open(db: Path | str) -> Store:
    if str(db) == MEMORY:
        return Store(db)
    path = Path(db)
    beside = [path.with_name(path.name + suffix) for suffix in ("-wal", "-shm", "-journal")]
    files.restrict(*beside)
    files.ensure(path, b"", private=True)
    try:
        store = Store(db)
    except sqlite3.Error as error:
        raise _unusable(db, error) from None
    files.restrict(path, *beside)  # of an earlier version; a file that is no database stays as it is
    return store


def _unusable(db: Path | str, error: sqlite3.Error) -> ReconcilerError:
    return ReconcilerError(f"The sandbox cannot use {db} as its database: {error}.")


def _unless_out_of_files(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Report what goes wrong in the loop, but for a connection that waits until another one is closed."""
    error = context.get("exception")
    if not (isinstance(error, OSError) and error.errno in {errno.EMFILE, errno.ENFILE}):
        loop.default_exception_handler(context)


def _server(
    options: Options, store: Store, ready: Callable[[], None], served: Callable[[Served], None]
) -> uvicorn.Server:
    config = uvicorn.Config(
        application(options, store, ready, served),
        lifespan="on",
        loop="asyncio",
        ws="none",
        log_config=None,
        log_level="critical",
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    return _Server(config)


class _Server(uvicorn.Server):
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            await stop_accepting(server)
        await super().shutdown(sockets)


async def stop_accepting(server: asyncio.Server) -> None:
    """Accept no new connections and serve those that were accepted, as `server.close()` requires.

    For Python 3.11 leaks a connection that it accepted in the same turn of the loop that closes the server.
    """
    loop = asyncio.get_running_loop()
    for listening in server.sockets:
        loop.remove_reader(listening)
    for _ in range(3):  # its task begins, its protocol is told, and it reads
        await asyncio.sleep(0)


def _listen(port: int) -> socket.socket:
    # The protocol is named because asyncio switches Nagle's algorithm off only where it is: 40 ms a call.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except OSError as error:
        listening.close()
        raise ReconcilerError(f"The sandbox cannot listen on {HOST}:{port}: {error.strerror}.") from error
    listening.listen(2048)
    return listening


def _check_room(listening: socket.socket) -> None:
    """Raises OSError where so few files may be open that the server, or its caller, would soon stop."""
    with ExitStack() as room:
        for _ in range(_ROOM):
            room.enter_context(listening.dup())


def _url(listening: socket.socket) -> str:
    return f"http://{HOST}:{listening.getsockname()[1]}"


async def _seed(store: Store, instances: Mapping[str, Iterable[str]]) -> None:
    for name, creds in instances.items():
        try:
            await _seed_instance(store, name, creds)
        except DatabaseError as error:
            raise ReconcilerError(f"The sandbox cannot make the instance {name!r}: {error}.") from error


async def _seed_instance(store: Store, name: str, creds: Iterable[str]) -> None:
    instance = await store.first("instances", name=name)
    if instance is None:
        instance = await store.insert("instances", new_instance(name))
    for creds_name in creds:
        if not await store.first("creds", name=creds_name, instanceId=instance["id"]):
            key = SEEDED_KEY + secrets.token_hex(12)
            await store.insert("creds", {"name": creds_name, "apiKey": key, "instanceId": instance["id"]})


async def _open_session(store: Store, instance: str, bot: str, contact: str, status: str) -> None:
    row = await store.first("instances", name=instance)
    if row is None:
        raise ReconcilerError(f"The sandbox has no instance {instance!r}.")
    values = {
        "sessionId": contact,
        "remoteJid": contact,
        "status": status,
        "awaitUser": True,
        "type": "openai",
    }
    await store.insert("sessions", {**values, "botId": bot, "instanceId": row["id"]})


async def _clear(store: Store) -> None:
    store.clear()
