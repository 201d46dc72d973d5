"""An octoDNS provider that reads a zone by one request to the benchmark's server, over kept connections.

Runs in the environment of octoDNS. It is given what it is asked for: no pages, no list of zones, no retries.
"""

from __future__ import annotations

import http.client
import json
import logging
import threading
from typing import Any
from urllib.parse import urlsplit

from octodns.provider.base import BaseProvider
from octodns.record import Record


class ServerProvider(BaseProvider):  # type: ignore[misc]  # octoDNS is not installed where types are checked
    """The zones of the server."""

    SUPPORTS_GEO = False
    SUPPORTS = {"A"}  # noqa: RUF012 - as octoDNS has it

    def __init__(self, id: str, url: str) -> None:
        self.log = logging.getLogger(id)
        super().__init__(id)
        self._host = urlsplit(url).netloc
        self._of_thread = threading.local()

    def populate(self, zone: Any, target: bool = False, lenient: bool = False) -> bool:
        """Add the records that the server has."""
        connection = getattr(self._of_thread, "connection", None)
        if connection is None:
            connection = self._of_thread.connection = http.client.HTTPConnection(self._host)
        connection.request("GET", f"/zone/{zone.name}")
        for row in json.loads(connection.getresponse().read()):
            data = {"type": row["type"], "ttl": row["ttl"], "values": row["values"]}
            zone.add_record(
                Record.new(zone, row["name"], data, source=self, lenient=lenient), lenient=lenient
            )
        return True

    def _apply(self, plan: Any) -> None:
        raise NotImplementedError("nothing is to be written")
