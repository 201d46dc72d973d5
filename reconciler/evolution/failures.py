"""What an answer says when a call failed: the server's words, the gist of a page, how long to wait.

Pure functions. The texts come from outside: whoever puts them into a sentence cleans them first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime

from reconciler.evolution.masking import Secrets, unreadable

LONGEST_WAIT = 30.0
"""The most seconds to wait, whatever Retry-After says."""

_TITLE = re.compile(r"<title[^<>]*>([^<]*)</title>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_PAGE = 64 * 1024
"""Bytes of a page that are looked at."""


def refusal(data: object) -> str | None:
    """The server's own words in an error; None when the error is not in the server's own form.

    message is a text, a list, or a list of lists.
    """
    match data:
        case {"status": int(), "response": {"message": message}}:
            with suppress(RecursionError):
                return "; ".join(_flat(message))
    return None


def is_licence(data: object) -> bool:
    """Whether it is the answer that a 2.4.0 without a licence gives to everything."""
    return isinstance(data, dict) and data.get("code") == "LICENSE_REQUIRED"


def gist(body: bytes, secrets: Secrets) -> str:
    """What a page that is not the API's is about: its title, else all its words; "" for one that is not text.

    Masked before anything is cut, but not yet cleaned.
    """
    page = body[:_PAGE].decode(errors="replace")
    if title := _TITLE.search(page):
        return secrets.mask(title[1]).strip()
    return "" if unreadable(page) else _TAG.sub(" ", secrets.mask(page)).strip()


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds to wait, at most LONGEST_WAIT. None without a Retry-After, which is in seconds or a date."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), LONGEST_WAIT)
    if not value:
        return None
    from email.utils import parsedate_to_datetime  # noqa: PLC0415  slow to import

    try:
        moment = parsedate_to_datetime(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = (moment - (now or datetime.now(UTC))).total_seconds()
    except (ValueError, OverflowError):  # a year, a day or an offset that no date has
        return None
    return min(max(0.0, seconds), LONGEST_WAIT)


def _flat(message: object) -> list[str]:
    if isinstance(message, list):
        return [text for part in message for text in _flat(part)]
    return [message if isinstance(message, str) else json.dumps(message)]


def error(data: object) -> str | None:
    """What an answer with a status of success says of its failure; None for one that did not fail."""
    if not isinstance(data, dict) or isinstance(data.get("id"), str):
        return None
    status, stated = data.get("status"), data.get("error")
    failed = isinstance(status, int) and not isinstance(status, bool) and status >= 400
    if not (failed or stated or is_licence(data)):
        return None
    words = refusal(data) or next((one for one in (data.get("message"), stated) if isinstance(one, str)), "")
    return f"it says that it failed{': ' if words else ''}{words}"
