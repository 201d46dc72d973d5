"""What every package may import: the stages' values, the server's rules, errors, text.

desired, observed, plan, results: the values of each stage, frozen. kinds: the fields of a bot, each described
once. uniqueness, credential_versions, markers: rules that several stages share. Imports no other package.
"""

__all__ = [
    "caches",
    "credential_versions",
    "desired",
    "errors",
    "files",
    "findings",
    "groups",
    "hidden",
    "joined",
    "key_format",
    "keys",
    "kinds",
    "known_issues",
    "links",
    "listing",
    "markers",
    "observed",
    "origins",
    "plan",
    "records",
    "reports",
    "rerouted",
    "results",
    "safe",
    "secret",
    "sequences",
    "servers",
    "shards",
    "shared_credentials",
    "signals",
    "text",
    "uniqueness",
    "versions",
]
