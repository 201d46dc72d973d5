"""Saved plans: a plan or its results as a JSON file, written, signed, read back strictly and checked.

file: writes, signs and reads the files. encode: to JSON. decode: from JSON, strictly. packed: each
text once. shards: of which shard a document is. consistency: whether a plan's calls are those of its changes.
binding: whether a plan is for this server and owner. unshown: what calls send that changes do not show. Knows
no renderer and no server.
"""

from reconciler.saved.consistency.contradiction import ContradictionError
from reconciler.saved.file import KEY, Saved, check, key, read, read_plan, write
from reconciler.saved.shards import Shard

__all__ = [
    "KEY",
    "ContradictionError",
    "Saved",
    "Shard",
    "binding",
    "check",
    "encode",
    "key",
    "read",
    "read_plan",
    "unshown",
    "write",
]
