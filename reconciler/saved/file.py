"""Plans and results as files: written for a review, read back to be shown or applied.

The form is the JSON that `--format json` prints (docs/plan.schema.json), with where it came from: the tool's
version, the time, and the commit of the manifests where there is one. It holds prompts, and no key.

Where a key is in the environment a file is signed with it, and one that is not is not read: so a job can
know that the plan which it applies is the one that another job made.
"""

from __future__ import annotations

import codecs
import hmac
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from reconciler import __version__
from reconciler.domain import files
from reconciler.domain.errors import ReconcilerError
from reconciler.domain.plan import Plan
from reconciler.domain.results import Results
from reconciler.saved import agreement, decode, encode

MAX_BYTES = 256 * 2**20
"""A file larger than this is no plan of ours."""

KEY = "EVOLUTION_RECONCILER_PLAN_KEY"
"""The variable of the environment with the key that files are signed with."""

_SHORTEST_KEY = 32
_ENCODINGS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


@dataclass(frozen=True, slots=True)
class Saved:
    """What a file held. results: how its plan ended, where that is what was saved.

    signed: whether it has a signature. It is the right one, if there is a key; else nobody looked.
    """

    plan: Plan
    results: Results | None = None
    tool: str = ""
    created: str = ""
    commit: str | None = None
    signed: bool = False


def key() -> bytes | None:
    """The key that files are signed with; None where there is none. Raises ReconcilerError for a weak one."""
    found = os.environ.get(KEY, "").strip().encode(errors="surrogateescape")
    if found and len(found) < _SHORTEST_KEY:
        raise ReconcilerError(
            f"{KEY} has {len(found)} characters, and a key that nobody guesses has {_SHORTEST_KEY} or more: "
            "make one with `openssl rand -hex 32`."
        )
    return found or None


def write(
    file: files.Replacement, plan: Plan, results: Results | None = None, *, commit: str | None = None
) -> None:
    """Save a plan, or how it ended. commit: of the manifests, noted in the file."""
    origin = {
        "tool": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit,
    }
    signed = key()
    text = (
        encode.plan(plan, origin, signed)
        if results is None
        else encode.results(plan, results, origin, signed)
    )
    file.write(text.encode("ascii"))


def read(path: Path) -> Saved:
    """Read a file that `write` wrote, or that the printed JSON was sent to. Raises ReconcilerError."""
    content = files.read(path, MAX_BYTES)
    try:
        document = decode.parse(_text(content))
        _check_signature(document)
        plan, results, origin = decode.read(document)
    except decode.NotAPlanError as error:
        raise ReconcilerError(f"{path} {error}.") from None
    except agreement.ContradictionError as error:
        raise ReconcilerError(f"{path} contradicts itself; nothing of it is applied. {error}.") from None
    tool, created, made_at = (origin.get(name) for name in ("tool", "created", "commit"))
    return Saved(plan, results, tool or "", created or "", made_at, "signature" in document)


def read_plan(path: Path) -> Plan:
    """Read a plan that is to be applied, or to say what may be. Raises ReconcilerError."""
    found = read(path)
    if found.results is not None:
        raise ReconcilerError(f"{path} is no plan: it says how one ended. `show` shows it.")
    return found.plan


def _text(content: bytes) -> str:
    """The text of a file. A shell of Windows may have written it anew, as UTF-16 or with a mark in front."""
    encoding = next((name for mark, name in _ENCODINGS.items() if content.startswith(mark)), "ascii")
    if encoding == "ascii" and b"\0" in content[:2]:
        encoding = "utf-16-le" if content[1:2] == b"\0" else "utf-16-be"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise decode.NotAPlanError("is no saved plan: it is not ASCII") from None


def _check_signature(document: decode.Document) -> None:
    """Raises NotAPlanError for a document that was not signed with the key, where there is one."""
    if (secret := key()) is None:
        return
    if "signature" not in document:
        raise decode.NotAPlanError(
            f"is not signed, and {KEY} is set: it was not made with that key, or not saved with --out"
        )
    signature, expected = str(document["signature"]), encode.signature(document, secret)
    if not hmac.compare_digest(signature.encode(errors="replace"), expected.encode()):
        raise decode.NotAPlanError(f"is not signed with the key in {KEY}: another one was used")
