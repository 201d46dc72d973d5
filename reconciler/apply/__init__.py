"""Run a plan: Plan in, Results out, one step (a writing call) after another.

Reads back what it wrote before it reports it as applied. Decides nothing that the plan does not say; prints
nothing. Other packages use `applier`, with `journal` for what survives a killed run, and `switch` for
`disable` and `enable`.

applier runs all instances and outcomes collects how their changes end, over the state of each. bot_steps,
bot_create, credentials, settings and fallback make the steps. bot_writes makes a call and holds what it did
against the next read, which verify compares with what was written. applier says which promise needs which
read.
"""

__all__ = ["applier", "journal", "switch"]
