"""Which transport the client should use: 1,000 requests of 20 ms, 32 at a time, over loopback.

    python -m benchmarks.transport

The floor is what the server's delay alone takes. Each transport runs in a process of its own; the best of
three runs counts. CPU is that of the client's process, imports aside.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager

from benchmarks.server import serving

REQUESTS = 1_000
AT_A_TIME = 32
MILLISECONDS = 20
FLOOR = REQUESTS / AT_A_TIME * MILLISECONDS / 1000

Get = Callable[[str], Awaitable[object]]


@asynccontextmanager
async def httpx_pool(url: str) -> AsyncIterator[Get]:
    """httpx as it is."""
    import httpx  # noqa: PLC0415 - each transport pays for its own imports

    limits = httpx.Limits(max_connections=AT_A_TIME, max_keepalive_connections=AT_A_TIME)
    async with httpx.AsyncClient(base_url=url, limits=limits, trust_env=False) as client:
        yield client.get


@asynccontextmanager
async def httpx_aiohttp(url: str) -> AsyncIterator[Get]:
    """httpx on the httpx-aiohttp package."""
    import httpx  # noqa: PLC0415
    from httpx_aiohttp import AiohttpTransport  # noqa: PLC0415

    transport = AiohttpTransport(limits=httpx.Limits(max_connections=AT_A_TIME))
    async with httpx.AsyncClient(base_url=url, transport=transport) as client:
        yield client.get


@asynccontextmanager
async def ours(url: str) -> AsyncIterator[Get]:
    """httpx on the transport of this project."""
    from reconciler.evolution.transport import Connections  # noqa: PLC0415

    async with aclosing(Connections(url, {}, timeout=30, concurrency=AT_A_TIME)) as connections:
        yield lambda path: connections.send("GET", path)


@asynccontextmanager
async def ahead(url: str) -> AsyncIterator[Get]:
    """What the process that reads ahead makes its requests with."""
    from reconciler.evolution.gets import Gets  # noqa: PLC0415

    yield Gets(url, {}, timeout=30).get


TRANSPORTS = {
    "httpx's pool": httpx_pool,
    "httpx-aiohttp": httpx_aiohttp,
    "reconciler": ours,
    "reading ahead": ahead,
}


async def measure(name: str, url: str) -> tuple[float, float]:
    """Seconds of wall clock and of CPU."""
    async with TRANSPORTS[name](url) as get:
        await get("/openai/find/warm-up")
        paths = iter([f"/openai/find/{number}" for number in range(REQUESTS)])

        async def work() -> None:
            for path in paths:
                await get(path)

        wall, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(work() for _ in range(AT_A_TIME)))
        return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    """Prints a line per transport."""
    print(f"{'transport':14}{'wall s':>8}{'x floor':>9}{'CPU ms per request':>20}")
    with serving(MILLISECONDS, bots=10) as url:
        for name in TRANSPORTS:
            command = [sys.executable, "-m", "benchmarks.transport", name, url]
            runs = [subprocess.check_output(command, text=True).split() for _ in range(3)]
            wall, cpu = min((float(wall), float(cpu)) for wall, cpu in runs)
            print(f"{name:14}{wall:8.2f}{wall / FLOOR:9.2f}{cpu / REQUESTS * 1000:20.2f}")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(*asyncio.run(measure(sys.argv[1], sys.argv[2])))
    else:
        main()
