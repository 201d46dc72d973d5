"""`reconciler sandbox`: the embedded server, run until a signal."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from reconciler.domain import signals
from reconciler.domain.desired import Desired
from reconciler.domain.servers import Servers, ServerSettings, of_server
from reconciler.manifests.load import load
from reconciler.pipeline import embedded, stages
from reconciler.sandbox import Sandbox


def serve(port: int, db: str | None, bots: str | None, servers: Servers, say: Callable[[str], None]) -> None:
    """Run the embedded server until a signal; one for each of several servers, from the port on.

    say: prints addresses and keys, as lines for a shell.
    """
    stages.log_nothing()
    desired = load(Path(bots), origins=False, cached=True, servers=servers) if bots else Desired(())
    names = servers.names or ("",)
    ended = threading.Event()
    with ExitStack() as stack:
        lines = []
        for number, name in enumerate(names):
            running = stack.enter_context(Sandbox(_database(db, name, names), port and port + number))
            running.seed(embedded.seeds(of_server(desired, name if servers.several else "")))
            url, key = "EVOLUTION_API_URL", "EVOLUTION_API_KEY"
            if name:
                url, key = ServerSettings(name).url_variable, ServerSettings(name).key_variable
            lines += [f"export {url}={running.url}", f"export {key}={running.api_key}"]
        with signals.handled(dict.fromkeys(signals.NAMES, lambda number, frame: ended.set())):
            for line in lines:
                say(line)
            ended.wait()


def _database(db: str | None, name: str, names: Sequence[str]) -> Path | str:
    """Where a server keeps its state: each of several in a file of its own."""
    if not db:
        return ":memory:"
    file = Path(db)
    return file if len(names) == 1 else file.with_stem(f"{file.stem}-{name}")
