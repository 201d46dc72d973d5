"""Plans and results as files: written for a review, read back to be shown or applied.

A file holds the JSON that `--format json` prints (docs/plan.schema.json), each text once, and its origin: the
tool's version, the time, and the commit of the manifests if there is one. It contains prompts, and no key.
What `--format json` printed is read too.

If the environment has a signing key, files are signed with it, and unsigned files are refused. So a job knows
that the plan that it applies is the one that another job made.

Every plan asks for the key, so what writes and reads is imported when a file is written or read.
"""

from __future__ import annotations

import codecs
import hmac
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler import __version__
from reconciler.domain import files
from reconciler.domain.errors import ReconcilerError
from reconciler.domain.plan import Plan
from reconciler.domain.records import dataclass
from reconciler.domain.results import Results

if TYPE_CHECKING:
    from reconciler.saved.decode import Document
    from reconciler.saved.shards import Shard

MAX_BYTES = 256 * 2**20
"""A larger file is neither written nor read."""

KEY = "EVOLUTION_RECONCILER_PLAN_KEY"
"""The environment variable with the signing key."""

_SHORTEST_KEY = 32
_ENCODINGS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


@dataclass(frozen=True, slots=True)
class Saved:
    """The content of a file. results: how its plan ended, if that was saved.

    signed: whether it has a signature. It was verified if there is a signing key. shard: which it is of, None
    for a whole plan and its results.
    """

    plan: Plan
    results: Results | None = None
    tool: str = ""
    created: str = ""
    commit: str | None = None
    signed: bool = False
    shard: Shard | None = None


def key() -> bytes | None:
    """The signing key, None if there is none. Raises ReconcilerError for a weak one."""
    found = os.environ.get(KEY, "").strip().encode(errors="surrogateescape")
    if found and len(found) < _SHORTEST_KEY:
        raise ReconcilerError(
            f"{KEY} has {len(found)} characters, and needs at least {_SHORTEST_KEY}: "
            "generate a key with `openssl rand -hex 32`."
        )
    return found or None


def write(
    file: files.Replacement,
    plan: Plan,
    results: Results | None = None,
    *,
    commit: str | None = None,
    shard: Shard | None = None,
) -> None:
    """Save a plan, or its results. commit: of the manifests. Raises ReconcilerError for one too large."""
    from reconciler.saved import encode  # noqa: PLC0415  slow to import
    from reconciler.saved.packed import PackedError  # noqa: PLC0415  slow to import

    origin = {
        "tool": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit,
    }
    try:
        content = encode.saved(plan, results, origin, key(), shard=shard).encode("ascii")
    except PackedError:
        raise _too_large(file.path, "more text or values than a saved plan may have") from None
    if len(content) > MAX_BYTES:
        raise _too_large(file.path, f"{len(content):,} bytes, and a saved plan has at most {MAX_BYTES:,}")
    file.write(content)


def _too_large(path: Path, has: str) -> ReconcilerError:
    return ReconcilerError(
        f"{path} is not written, as it could not be read again: it would have {has}. Save a plan for each "
        "part of the instances, with --instance."
    )


def read(path: Path) -> Saved:
    """Read a file that `write` wrote, or the output of `--format json`. Raises ReconcilerError."""
    from reconciler.saved import decode  # noqa: PLC0415  slow to import
    from reconciler.saved.consistency.contradiction import ContradictionError  # noqa: PLC0415  slow to import

    content = files.read(path, MAX_BYTES)
    try:
        document = decode.parse(_text(content))
        _check_signature(document)
        plan, results, origin, shard = decode.read(document)
    except decode.NotAPlanError as error:
        raise ReconcilerError(f"{path} {error}.") from None
    except ContradictionError as error:
        raise ReconcilerError(f"{path} contradicts itself, so nothing of it is applied. {error}.") from None
    tool, created, made_at = (origin.get(name) for name in ("tool", "created", "commit"))
    return Saved(plan, results, tool or "", created or "", made_at, "signature" in document, shard)


def read_plan(path: Path) -> Plan:
    """Read a plan, and refuse results. Raises ReconcilerError."""
    found = read(path)
    if found.results is not None:
        raise ReconcilerError(f"{path} is not a plan but the results of one: use `reconciler show`.")
    if found.shard is not None:
        raise ReconcilerError(
            f"{path} is the plan of the shard {found.shard.shard} alone, which is not applied, as limits and "
            "moves are those of all shards: put them together with `reconciler merge`, and apply that."
        )
    return found.plan


def check(plan: Plan) -> None:
    """Raises ContradictionError for a plan that would be refused when it is read."""
    from reconciler.saved.consistency import check  # noqa: PLC0415  slow to import

    check.check(plan)


def _text(content: bytes) -> str:
    """The text of a file. A Windows shell may have written it as UTF-16, or with a byte order mark."""
    from reconciler.saved.decode import NotAPlanError  # noqa: PLC0415  slow to import

    encoding = next((name for mark, name in _ENCODINGS.items() if content.startswith(mark)), "ascii")
    if encoding == "ascii" and b"\0" in content[:2]:
        encoding = "utf-16-le" if content[1:2] == b"\0" else "utf-16-be"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise NotAPlanError("is not a saved plan: it is not ASCII") from None


def _check_signature(document: Document) -> None:
    """Raises NotAPlanError for a document that is not signed with the signing key, if there is one."""
    from reconciler.saved import encode  # noqa: PLC0415  slow to import
    from reconciler.saved.decode import NotAPlanError  # noqa: PLC0415  slow to import

    if (secret := key()) is None:
        return
    if "signature" not in document:
        raise NotAPlanError(
            f"is not signed, and {KEY} is set: save the plan with `--out` where that key is set"
        )
    signature, expected = str(document["signature"]), encode.signature(document, secret)
    if not hmac.compare_digest(signature.encode(errors="replace"), expected.encode()):
        raise NotAPlanError(
            f"is not signed with the key in {KEY}: it was altered, or signed with another key"
        )
