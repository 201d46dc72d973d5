"""What tests share: a world of instances, credentials and bots, set up and read over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
import pytest
from hypothesis import settings

from reconciler.domain.kinds import OPENAI, Kind
from reconciler.saved import encode, packed

WHOLE = 100
"""max_examples of the profile `night`, and of a property that does not name its own number."""

Json = Any
"""What a body of JSON decodes to."""


def segment(name: str) -> str:
    """A name as one segment of a path, whatever stands in it."""
    return quote(name, safe="").replace(".", "%2E") if name in {".", ".."} else quote(name, safe="")


def at_night(case: Any, *rest: Any, everyday: bool = False) -> Any:
    """A case for `parametrize` that only `-m slow` runs, unless it is an everyday one too."""
    return pytest.param(case, *rest, marks=[] if everyday else [pytest.mark.slow])


def often(whole: int) -> int:
    """How many examples hypothesis tries: so many in the profile `night`, a share of them every day."""
    return max(10, whole * settings().max_examples // WHOLE)


class World:
    """A server as a person sees it who sets it up by hand. Only `call` may fail."""

    def __init__(self, url: str, api_key: str) -> None:
        # Certificates take longer to load than most tests take.
        secure = url.startswith("https:")
        headers = {"apikey": api_key}
        self.http = httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False, verify=secure)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()

    def call(self, method: str, path: str, body: Json = None, **headers: str) -> tuple[int, Json]:
        """One call: its status and what its body says. A body of None is none."""
        response = (
            self.http.request(method, path, json=body, headers=headers)
            if body is not None
            else (self.http.request(method, path, headers=headers))
        )
        return response.status_code, response.json()

    def done(self, method: str, path: str, body: Json = None) -> Json:
        """What a call says that has to succeed."""
        status, answer = self.call(method, path, body)
        assert status in {200, 201}, (method, path, status, answer)
        return answer

    def instance(self, name: str, *creds: str) -> dict[str, str]:
        """Makes an instance with credentials of these names; returns their ids by name."""
        self.done("POST", "/instance/create", {"instanceName": name, "integration": "EVOLUTION"})
        return {creds_name: self.creds(name, creds_name) for creds_name in creds}

    def creds(self, instance: str, name: str, api_key: str | None = None) -> str:
        """Makes a credential; returns its id."""
        body = {"name": name, "apiKey": api_key or f"sk-{instance}-{name}"}
        return str(self.done("POST", f"/openai/creds/{segment(instance)}", body)["id"])

    def bot(self, instance: str, creds: str, **fields: Json) -> Json:
        """Makes a bot with the credential of this id; returns it as stored.

        Without a botType it is a chatCompletion of gpt-4o with 100 tokens, without a triggerType one of none.
        """
        body: dict[str, Json] = {
            "enabled": True,
            "openaiCredsId": creds,
            "botType": "chatCompletion",
            "triggerType": "none",
            **fields,
        }
        if body["botType"] == "chatCompletion":
            body = {"model": "gpt-4o", "maxTokens": 100, **body}
        return self.done("POST", f"/openai/create/{segment(instance)}", body)

    def bots(self, instance: str, kind: Kind = OPENAI) -> list[Json]:
        """The bots of an instance as stored, by their ids' order."""
        found: list[Json] = self.done("GET", f"/{kind.path}/find/{segment(instance)}") or []
        return sorted(found, key=lambda bot: str(bot["id"]))

    def change(self, instance: str, bot: Json, kind: Kind = OPENAI, **fields: Json) -> Json:
        """Changes fields of a bot by hand; returns it as stored."""
        body = {name: value for name, value in {**bot, **fields}.items() if value is not None}
        return self.done("PUT", f"/{kind.path}/update/{bot['id']}/{segment(instance)}", body)

    def remove(self, instance: str, bot: Json) -> None:
        """Deletes a bot by hand."""
        self.done("DELETE", f"/openai/delete/{bot['id']}/{segment(instance)}")

    def settings(self, instance: str, kind: Kind = OPENAI) -> Json:
        """The settings of an instance for a kind, as the server shows them."""
        return self.done("GET", f"/{kind.path}/fetchSettings/{segment(instance)}")


T = TypeVar("T")


def of_openai(settings: T | None) -> dict[str, T]:
    """Settings by kind, of OpenAI's bots alone."""
    return {} if settings is None else {OPENAI.path: settings}


def unpacked(document: Mapping[str, Any]) -> dict[str, Any]:
    """A saved plan, or its results, as `show --format json` prints it."""
    whole = {**packed.unpack(document), "version": encode.VERSION}
    return {**whole, "sha256": encode.sha256(whole)}
