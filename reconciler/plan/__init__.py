"""Desired and Observed in, a Plan out. Pure: no file, no call, no clock.

matching: which bot on the server is which manifest's. differ: what differs. order: calls in an order that the
server accepts. credentials, settings, limits: their part of it. planner puts them together.
"""

__all__ = ["credentials", "differ", "limits", "matching", "options", "parking", "planner", "settings"]
