"""Runs a plan: Plan in, Results out, one step (a writing call) after another.

Reads back what it wrote before it says that it is applied. Decides nothing that the plan does not say; shows
nothing. Other packages use `applier`.
"""

__all__ = ["applier"]
