"""`reconciler sandbox`: the embedded server, run until a signal."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from reconciler import pipeline
from reconciler.domain import signals
from reconciler.manifests.load import load
from reconciler.sandbox import Sandbox


def serve(port: int, db: str | None, bots: str | None, say: Callable[[str], None]) -> None:
    """Run the embedded server until a signal. say: prints its address and key, as lines for a shell."""
    pipeline.log_nothing()
    named = pipeline.seeds(load(Path(bots), origins=False)) if bots else {}
    ended = threading.Event()
    with Sandbox(Path(db) if db else ":memory:", port) as running:
        running.seed(named)
        with signals.handled(dict.fromkeys(signals.NAMES, lambda number, frame: ended.set())):
            say(f"export EVOLUTION_API_URL={running.url}")
            say(f"export EVOLUTION_API_KEY={running.api_key}")
            ended.wait()
