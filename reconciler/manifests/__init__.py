"""The manifests below bots/ → Desired, with an error for each mistake and its place.

Everything below bots/ is data: it is never run, never followed out of the directory. Also what belongs to the
files: their schema, the commit they stand at, the secrets they point to. Asks no server.
"""

__all__ = ["changed", "confined", "git", "load", "model", "schema", "secrets", "variables"]
