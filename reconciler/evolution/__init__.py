"""The Evolution API: Server and Desired in, Observed out; and the calls that apply makes.

The only package that imports httpx or aiohttp. Each answer is checked before it is believed, and keys are
masked in it. Knows no manifest and no plan's making.
"""

__all__ = [
    "address",
    "ahead",
    "answers",
    "belonging",
    "calls",
    "client",
    "concurrent",
    "confirming",
    "covering",
    "fetch",
    "log",
    "masking",
    "observing",
    "spawn",
]
