"""The manifests in a directory (bots/) → Desired, or every error in them with its place.

Also their canonical style and their schema, the git commit that they are at, and the secrets that they
refer to. The manifests are data: nothing in them is run, and no path or link in them is followed out of the
directory. Asks no server.
"""

__all__ = [
    "cache",
    "confined",
    "discovery",
    "formatting",
    "git",
    "guess",
    "known",
    "load",
    "loaded",
    "schema",
    "secrets",
    "selection",
    "tables",
    "tree",
    "variables",
    "wanted",
]
