"""The paths of the server's routes. Pure, and imports little."""

from __future__ import annotations

from urllib.parse import quote

from reconciler.domain.kinds import DEFAULT, Kind

LIST = "/instance/fetchInstances"


def of(action: str, *names: str, kind: Kind = DEFAULT) -> str:
    """The path of a route of a kind's bots: /KIND/ACTION/NAME…"""
    return "/" + "/".join([kind.path, action, *map(segment, names)])


def segment(name: str) -> str:
    """A name as one segment of a path, every character but letters, digits, `-`, `_` and `~` encoded.

    Dots too when the name is nothing else: `.` and `..` would be taken as steps in the path.
    """
    encoded = quote(name, safe="")
    return encoded.replace(".", "%2E") if set(name) <= {"."} else encoded
