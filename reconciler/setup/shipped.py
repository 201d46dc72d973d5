"""The files of this project that `init` copies: samples, and the workflows with their action."""

from __future__ import annotations

from pathlib import Path

TEMPLATES = Path(__file__).parent / "templates"
"""The samples."""

PACKAGE = TEMPLATES.parent.parent
"""The code that runs here."""

ACTION = ".github/actions/reconciler"
GITLAB = ".gitlab/reconciler"
"""Where GitLab's pipeline finds the same."""

SHIPPED = (
    *(f".github/workflows/{name}.yml" for name in ("plan", "apply", "drift")),
    *(f"{ACTION}/{name}" for name in ("action.yml", "github.py", "requirements.txt")),
)
"""Files that are copied as they are. In the wheel they are below templates/."""


def shipped(name: str) -> bytes:
    """One of SHIPPED: from the wheel, or from the checkout that this runs in."""
    packed = TEMPLATES / name
    return (packed if packed.is_file() else PACKAGE.parent / name).read_bytes()
