"""Desired and Observed in, a Plan out. Pure: no file, no call, no clock.

planner     the plan of all instances
instance    the draft of one, from its inputs
matching    which bot on the server is which declared one
targets     what each declared bot is to become, and what cannot be planned
differ      what differs, field by field
order       writes in an order that the server accepts; by a simulation, with cycles, claims and parking
changes     what the plan says, and steps: what it calls
removal     what nothing declares any more, and moves: what appears on another instance
settled     instances in sync, each planned as soon as it was read
effect      what a pull request changes, apart from what is to be done without it
crossing    what the plan of a shard knows of what depends on other shards; joining: the plans of all shards
applying    a plan in parts that are applied apart
notes       what is said of many instances at once
settings, credentials, rotations, limits: their part of a plan
targeted    what is left of a plan of chosen bots
switch      the plan of `disable` and `enable`, which know no manifest
routes      who answers after it, compared with who answers now
located     where the differences are declared
listing     which bots there are, and what each is to the manifests
"""

__all__ = [
    "applying",
    "credentials",
    "crossing",
    "differ",
    "effect",
    "joining",
    "limits",
    "listing",
    "matching",
    "options",
    "parking",
    "planner",
    "removal",
    "renewed",
    "routes",
    "settings",
    "settled",
    "switch",
    "targeted",
]
