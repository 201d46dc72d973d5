"""Checks of where the server sends its own keys: the hosts of bots' URLs.

The server hands each bot a key of its own, so that what answers can call the server back. The URL is read as
it may be shown; one that is found elsewhere, or is wholly masked, is not checked.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

from reconciler.domain.desired import DesiredBot
from reconciler.domain.kinds import KINDS
from reconciler.domain.text import quoted
from reconciler.lint.context import Context, Remark

URLS = tuple(
    {
        name: None
        for kind in KINDS.values()
        if kind.passes_key
        for name, field in kind.fields.items()
        if field.hides == "url"
    }
)
"""The fields that say where a key goes."""

_OWN = ("local", "internal", "lan", "localhost", "home.arpa", "svc")
"""Ends of names that no public host has."""

_KEYS = {
    "instance": "the instance's token",
    "global": "its global api key, which opens every instance",
}


def key_over_http(context: Context) -> Iterator[Remark]:
    """A URL over which a key goes unencrypted, unless to the same machine or one beside it."""
    if not context.passed_key:
        return
    for bot, name, url, host in _urls(context):
        if url.scheme == "http" and not _is_beside(host):
            yield Remark(
                bot,
                name,
                f"the server sends {_KEYS[context.passed_key]}, to {quoted(host)} over plain http, where "
                "everybody on the way can read it: use https",
            )


def global_key_shared(context: Context) -> Iterator[Remark]:
    """A URL to which the global key goes, and that others may run."""
    if context.passed_key != "global":
        return
    for bot, name, _, host in _urls(context):
        if not _is_own(host):
            yield Remark(
                bot,
                name,
                f"the server sends {_KEYS['global']}, to {quoted(host)}: run {context.kind.label} on a "
                "host of your own; if this one is, write `silence: [global-key-shared]`",
            )


def _urls(context: Context) -> Iterator[tuple[DesiredBot, str, SplitResult, str]]:
    """The URLs of bots: bot, field, URL and host."""
    for bot in context.bots:
        for name in URLS:
            try:
                url = urlsplit(str(bot.fields.get(name, "")))
                host = url.hostname
            except ValueError:
                continue
            if host:
                yield bot, name, url, host


def _is_beside(host: str) -> bool:
    """Whether it is the same machine, or a name without a dot, such as a container's."""
    address = _address(host)
    return "." not in host if address is None else address.is_loopback


def _is_own(host: str) -> bool:
    """Whether it is no host of the internet: a private address, or a name that only one's network knows."""
    if (address := _address(host)) is not None:
        return address.is_private
    return "." not in host or host.endswith(tuple(f".{end}" for end in _OWN))


@lru_cache(maxsize=4096)
def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
