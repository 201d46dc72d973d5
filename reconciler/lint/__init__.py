"""Warnings: what the server takes but will not do. Desired in, warnings out; no server is asked."""

from reconciler.domain.versions import NEWEST, Version, version
from reconciler.lint.rules import RULES
from reconciler.lint.run import lint, unread

__all__ = ["NEWEST", "RULES", "Version", "lint", "unread", "version"]
