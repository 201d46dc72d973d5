"""Warnings: what the server accepts but will not do as written. Desired in, warnings out, offline.

`rules` and `run` are imported when a manifest is looked at that is not in the cache: they take a while.
"""

from reconciler.domain.versions import NEWEST, Version, version
from reconciler.lint.found import Policy, seen, warnings
from reconciler.lint.looking import look

__all__ = ["NEWEST", "Policy", "Version", "look", "rules", "run", "seen", "version", "warnings"]
