"""Saved plans: a plan or its results as a JSON file, written, signed, read back strictly and checked.

json: the form that is written. agreement: whether the steps of a plan are those of its changes. binding:
whether a plan is for this server and this owner.
Knows no renderer and no server.
"""

from reconciler.saved.file import KEY, Saved, key, read, read_plan, write

__all__ = ["KEY", "Saved", "agreement", "binding", "json", "key", "read", "read_plan", "write"]
