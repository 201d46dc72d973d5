"""The stages one after another, for a Request of the command line: load, fetch, plan, apply.

With --sandbox the embedded server runs around them. Prints nothing and decides nothing about bots.

request     the options of a command as one value
selecting   the manifests that a request is about
planning    fetch and plan
making      both, and the plan remembered, for `plan`
ahead       the servers, read by another process (process, reader) while the manifests are loaded
reader      that process
fleet       the servers of a request, side by side
unchanged   a plan that found nothing to do, for as long as nothing changes
sharding    how a shard is planned
shards      the plan of a shard, and one plan or result of those of all shards
stages      apply, and what comes before it
outfile     the file of --out
routing     an instance whose messages are routed, for `route`
listing     the bots of the manifests and of the server, for `list`
embedded    the server of --sandbox
"""

__all__ = [
    "ahead",
    "embedded",
    "fleet",
    "listing",
    "making",
    "outfile",
    "process",
    "request",
    "routing",
    "selecting",
    "shards",
    "stages",
    "unchanged",
]
