"""Names of variables of the environment, as `!env` and `${env:NAME}` take them."""

from __future__ import annotations

import re

from reconciler.domain.text import looks_like_key
from reconciler.manifests.tables import IDENTIFIER

_ENVIRONMENT = re.compile(IDENTIFIER, re.ASCII)
_BARE_KEY = re.compile(r"(?=[A-Za-z]*[0-9])[A-Za-z0-9]{32,}", re.ASCII)
"""A key that could also be the name of a variable; such names have a _."""

_OWN_KEY = "EVOLUTION_API_KEY"

_NEVER = (
    *("EVOLUTION_API_", "EVOLUTION_RECONCILER_", "RECONCILER_SECRETS"),
    *("GITHUB_", "ACTIONS_", "RUNNER_", "CI_", "GITLAB_"),
)
"""How variables of this tool and of the runners begin: a manifest could send them anywhere."""


def not_a_variable(name: str) -> str:
    """Why a name is not one of a variable that a secret may be in; "" where it is."""
    if name.upper() == _OWN_KEY:
        return (
            f"{_OWN_KEY} is the key of the server itself, which every user of the server could then read: "
            "use another variable"
        )
    if name.upper().startswith(_NEVER):
        return (
            f"{name} is a variable of this tool or of the runner of GitHub or GitLab, which a bot must not "
            "get: use another variable"
        )
    if looks_like_key(name) or _BARE_KEY.fullmatch(name):
        return (
            "!env takes the name of an environment variable, not the key: put the key into a variable, "
            "write the variable's name, and revoke the key if it is real"
        )
    if not _ENVIRONMENT.fullmatch(name):
        return (
            "!env takes the name of an environment variable: use letters, digits and _, with no digit first"
        )
    return ""
