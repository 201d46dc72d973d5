"""The authorities whose certificates are trusted: certifi's, or those that the environment names.

The TLS library reads files that environment variables name. For one that it cannot use, the error says which
variable and which file.
"""

from __future__ import annotations

import os
import re
import ssl
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import certifi

from reconciler.domain.errors import ReconcilerError

FILE, DIRECTORY, LOG = "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"

_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0)
"""Does not wait for a reader where it is a pipe, as OpenSSL would."""

_OF_LIBRARY = ("OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES")

_HASHED = re.compile(r"[0-9a-f]{8}\.\d+")
"""What OpenSSL calls a certificate in a directory."""


def check(environ: Mapping[str, str]) -> None:
    """Raises ReconcilerError if no TLS connection at all can be made."""
    log = environ.get(LOG)
    if log:
        try:
            os.close(os.open(log, _APPEND, 0o600))
        except (OSError, ValueError) as error:
            raise _unusable(LOG, log, f"cannot be written: {_reason(error)}") from None
    with suppress(ssl.SSLError):
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return
    named = [f"{name} ({environ[name]})" for name in _OF_LIBRARY if environ.get(name)]
    cause = f"Check what {' and '.join(named)} names." if named else "Reinstall Python or OpenSSL."
    raise ReconcilerError(f"The TLS library cannot be used. {cause}")


def context(environ: Mapping[str, str]) -> ssl.SSLContext:
    """What a TLS connection is made with. Raises ReconcilerError for a variable that cannot be used."""
    file, directory = environ.get(FILE), environ.get(DIRECTORY)
    if directory and not any(map(_is_hashed, directory.split(os.pathsep))):
        raise _unusable(DIRECTORY, directory, "has no certificates with names from `openssl rehash`")
    try:
        if file and not stat.S_ISREG(Path(file).stat().st_mode):
            raise _unusable(FILE, file, "is not a regular file")  # reading a pipe could wait for ever
        return ssl.create_default_context(
            cafile=file or (None if directory else certifi.where()), capath=directory or None
        )
    except ssl.SSLError:
        what = "contains no certificate in PEM format"
    except (OSError, ValueError) as error:
        what = f"cannot be read: {_reason(error)}"
    raise _unusable(FILE, file or certifi.where(), what)


def untrusted(environ: Mapping[str, str]) -> str:
    """What to do about a certificate that is not trusted."""
    named = [name for name in (FILE, DIRECTORY) if environ.get(name)]
    if named:
        return f"Only the authorities of {' and '.join(named)} are trusted: add the one that signed it."
    return f"If your own authority signed it, set {FILE} to its certificate, a PEM file."


def _is_hashed(directory: str) -> bool:
    with suppress(OSError, ValueError):
        return any(_HASHED.fullmatch(entry.name) for entry in Path(directory).iterdir())
    return False


def _unusable(variable: str, path: str, what: str) -> ReconcilerError:
    return ReconcilerError(f"{variable} names {path}, which {what}.")


def _reason(error: OSError | ValueError) -> str:
    return (getattr(error, "strerror", None) or "it is not a path").lower()
