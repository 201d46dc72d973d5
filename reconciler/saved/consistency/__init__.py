"""Whether the calls of a plan are exactly those of its changes, so that a plan does what it shows. Pure.

A saved plan may come from anywhere, and a person reviews its changes, not its calls. So each change is
compared with what its calls come to: the bot as the plan saw it, with each call's body applied in turn, must
end as the change says. No other call is allowed:

    change                       its calls, in this order
    ──────────────────────────   ───────────────────────────────────────────────────────────────
    a bot: create                create
           update, adopt         update; or park, update, where no field needs to differ
           replace               delete, create, and a fallback that pointed to the old bot
           delete                delete
    a credential: create         new credential
                  rotate         new credential, settings, moves, old credentials: those that it needs
    the settings                 settings for its fields, a fallback for fallbackId

What a call sends beyond that is shown beside the change (unshown.py). The stamp after a marker is the only
thing that is not shown.
"""
