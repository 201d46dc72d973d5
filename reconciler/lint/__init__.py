"""Warnings: what the server accepts but will not do as written. Desired in, warnings out, offline."""

from reconciler.domain.versions import NEWEST, Version, version
from reconciler.lint.rules import RULES
from reconciler.lint.run import Policy, lint, look, seen, unread, warnings

__all__ = ["NEWEST", "RULES", "Policy", "Version", "lint", "look", "seen", "unread", "version", "warnings"]
