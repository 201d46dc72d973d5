"""The stages one after another, for a Request of the command line: load, fetch, plan, apply.

With --sandbox the embedded server runs around them. Prints nothing and decides nothing about bots.

request     the options of a command as one value
planning    load, fetch and plan
ahead       a process that reads the server while the manifests are loaded
fleet       the servers of a request, side by side
stages      apply, and the file of --out
routing     an instance whose messages are routed, for `route`
listing     the bots of the manifests and of the server, for `list`
embedded    the server of --sandbox
"""

from reconciler.pipeline import fleet
from reconciler.pipeline.ahead import reading as reading_ahead
from reconciler.pipeline.embedded import SANDBOX_FILE, seeds
from reconciler.pipeline.listing import listed
from reconciler.pipeline.planning import desired, plan, wanted
from reconciler.pipeline.request import Request, check_owner
from reconciler.pipeline.stages import (
    Save,
    apply,
    log_nothing,
    out,
    planned,
    restored,
    server_of,
    servers,
)

__all__ = [
    "SANDBOX_FILE",
    "Request",
    "Save",
    "apply",
    "check_owner",
    "desired",
    "fleet",
    "listed",
    "log_nothing",
    "out",
    "plan",
    "planned",
    "reading_ahead",
    "restored",
    "routing",
    "seeds",
    "server_of",
    "servers",
    "wanted",
]
