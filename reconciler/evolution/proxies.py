"""The proxy that the environment sets for a server: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY.

A proxy's address often contains its password, so messages show only the name of its variable.
"""

from __future__ import annotations

import base64
import ipaddress
import re
import sys
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from reconciler.domain.errors import ReconcilerError
from reconciler.domain.records import dataclass, field
from reconciler.evolution import address

_PORTS = {"http": 80, "https": 443}
_HAS_SETTINGS = sys.platform in {"darwin", "win32"}
"""Whether the system has settings of its own."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy. variable: the one that sets it. login: its Proxy-Authorization, if it needs one."""

    variable: str
    url: str = field(repr=False)
    login: str | None = field(default=None, repr=False)


def of(url: str, environ: Mapping[str, str]) -> Proxy | None:
    """The proxy for a server. url: from `address.server`. Raises ReconcilerError for an unusable proxy."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    variable, value = _named(parts.scheme, environ)
    if not value or address.is_loopback(host) or _is_exempt(host, port, environ):
        return None
    return _read(variable, value)


def _named(scheme: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """The variable that sets a proxy, and its value. An empty one in lower case means no proxy."""
    for name in (f"{scheme}_proxy", "all_proxy"):
        for variable in (name, name.upper()):
            if variable in environ:
                value = environ[variable].strip()
                if value or variable == name:
                    return variable, value
    if not _HAS_SETTINGS:
        return "", ""
    from urllib.request import getproxies  # noqa: PLC0415  slow to import

    return "the system's settings", getproxies().get(scheme, "")


def _read(variable: str, value: str) -> Proxy:
    whole = value if "://" in value else f"http://{value}"
    login, _, rest = whole.partition("://")[2].rpartition("@")
    scheme = whole.partition("://")[0].lower()
    if scheme.startswith("socks"):
        raise ReconcilerError(
            f"{variable} names a proxy that is not an HTTP proxy: set an HTTP proxy, or set NO_PROXY."
        )
    bare = f"{scheme}://{rest.removesuffix('/')}"
    if scheme not in _PORTS or address.shown(bare) != bare or urlsplit(bare).path:
        raise ReconcilerError(
            f"{variable} cannot be used: write a proxy that looks like http://proxy.example.com:3128. Before "
            "the host it may have name:password@, with special characters percent-encoded."
        )
    name, _, password = login.partition(":")
    plain = f"{unquote(name)}:{unquote(password)}".encode()
    return Proxy(variable, bare, f"Basic {base64.b64encode(plain).decode()}" if login else None)


def _is_exempt(host: str, port: int, environ: Mapping[str, str]) -> bool:
    """Whether NO_PROXY lists the host: its name, a domain above it, its address, a network, or *."""
    listed = environ.get("no_proxy", environ.get("NO_PROXY", ""))
    return any(_covers(entry, host, port) for entry in re.split(r"[\s,]+", listed.lower()) if entry)


def _covers(entry: str, host: str, port: int) -> bool:
    name, given = _split(entry)
    if given and given != str(port):
        return False
    if name == "*":
        return True
    ip = _ip(host)
    if ip is not None:
        try:
            return ip in ipaddress.ip_network(name, strict=False)
        except ValueError:
            return False
    domain = _ascii(name.removeprefix("*").strip("."))
    own = _ascii(host.rstrip("."))
    return own == domain or own.endswith(f".{domain}")


def _split(entry: str) -> tuple[str, str]:
    """The name, address or network of an entry, and its port, if it has one."""
    match = re.fullmatch(r"\[(.*)\](/\d+)?(?::(\d+))?", entry)
    if match:
        return match[1] + (match[2] or ""), match[3] or ""
    name, colon, port = entry.rpartition(":")
    return (name, port) if colon and ":" not in name and port.isdecimal() else (entry, "")


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def _ascii(name: str) -> str:
    """The name of a host in its ASCII form, as DNS has it."""
    try:
        return name if name.isascii() else name.encode("idna").decode()
    except UnicodeError:
        return name
