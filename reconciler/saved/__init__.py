"""Saved plans: a plan or its results as a JSON file, written, signed, read back strictly and checked.

encode: to JSON. decode: from JSON, strictly. agreement: whether the steps of a plan are those of its changes.
Knows no renderer and no server.
"""

from reconciler.saved.file import KEY, Saved, key, read, read_plan, write

__all__ = ["KEY", "Saved", "agreement", "encode", "key", "read", "read_plan", "write"]
