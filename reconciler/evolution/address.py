"""Addresses of the server and of proxies: checked before use, and made safe to show.

An address may contain a secret anywhere: before an @, in the query, in the path. So it is parsed, and what is
not known to be harmless is not shown.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import unicodedata
from urllib.parse import SplitResult, unquote, urlsplit

from reconciler.domain.errors import ReconcilerError

_PLAIN = re.compile(r"[A-Za-z_-]{0,20}|v\d{1,3}(\.\d{1,3})*")
"""A segment of a path that is a word or a version, and not a token."""

_NETLOC = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\[\]:]+)(:\d*)?")
_LABEL = re.compile(r"[\w-]{1,63}")
_LONGEST = 2000
_SHORTEST_KEY = 8
"""The fewest characters of a key that is searched in an address; a shorter one may be a word in it."""


def shown(url: str) -> str | None:
    """A URL or a path for display; None for one that contains an @ or is invalid.

    Scheme, host, port and path, without what may be a token in the path.
    """
    parts = _parsed(url)
    if parts is None or parts.scheme not in ("", "http", "https"):
        return None
    path = "/".join(part if _PLAIN.fullmatch(part) else "…" for part in parts.path.split("/"))
    if parts.netloc:
        return f"{parts.scheme}://{parts.netloc}{path}" if parts.scheme else f"//{parts.netloc}{path}"
    return path if path.startswith("/") and not parts.scheme else None


def bound(url: str) -> str:
    """A server's URL for a plan, which is valid for that URL only: as shown, but still unique.

    Where a part is left out, eight hex digits of a hash of the whole URL follow. The hash is slow, so that
    nobody finds the part by trying.
    """
    visible = shown(url) or ""
    if visible == url:
        return visible
    digest = hashlib.scrypt(url.encode(), salt=b"evolution-reconciler", n=2**14, r=8, p=1, dklen=4)
    return f"{visible} ({digest.hex()})"


def server(url: str, key: str, *, allow_http: bool = False) -> str:
    """The server's URL without a slash at its end. Raises ReconcilerError for one that cannot be used.

    key: the server's, which the URL must not contain.
    """
    text = url.strip()
    named = "The server's URL (EVOLUTION_API_URL or --url)"
    if _holds_login(text[:_LONGEST]):
        raise ReconcilerError(
            f"{named} must not carry a name or a password. The key belongs in EVOLUTION_API_KEY."
        )
    if len(key) >= _SHORTEST_KEY and key in unquote(text):
        raise ReconcilerError(f"{named} must not carry the key: remove it, and set it in EVOLUTION_API_KEY.")
    parts = _parsed(text)
    usable = parts is not None and parts.netloc and "?" not in text and "#" not in text
    if parts is None or not usable or parts.scheme not in ("http", "https"):
        raise ReconcilerError(
            f"{named} cannot be used: use one that looks like https://evolution.example.com, without query, "
            "fragment or spaces."
        )
    if parts.scheme == "http" and not allow_http and not is_loopback(parts.hostname or ""):
        raise ReconcilerError(
            f'{named} is plain http, "{shown(text)}": the key and all prompts would cross the network '
            "unencrypted. Use https, or allow it with --allow-http."
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def is_loopback(host: str) -> bool:
    """Whether the host is this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _parsed(text: str) -> SplitResult | None:
    """The parts of a URL without a login; None where programs could disagree about what they are."""
    # urlsplit drops tabs and line breaks; some take \ for /.
    if len(text) > _LONGEST or _holds_login(text) or not text.isprintable() or " " in text or "\\" in text:
        return None
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    if port == 0 or (parts.netloc and not _is_netloc(parts)):
        return None
    return parts


def _holds_login(text: str) -> bool:
    """Whether it contains an @ in any form: a name or a password may be before it."""
    seen = ""
    while seen != text:
        seen, text = text, unicodedata.normalize("NFKC", unquote(text))
    return "@" in text


def _is_netloc(parts: SplitResult) -> bool:
    """Whether it is a host, with or without a port, and nothing else."""
    host = parts.hostname or ""
    if not _NETLOC.fullmatch(parts.netloc):
        return False
    if ":" in host:
        return _is_ip(host)
    return all(_LABEL.fullmatch(label) for label in host.removesuffix(".").split("."))


def _is_ip(host: str) -> bool:
    try:
        return not getattr(ipaddress.ip_address(host), "scope_id", None)
    except ValueError:
        return False
