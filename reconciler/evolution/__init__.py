"""The Evolution API: Server and Desired in, Observed out; and the calls that apply makes.

The only package that imports httpx, aiohttp or httptools. Each answer is checked before it is believed, and
keys are masked in it. Knows no manifest and no plan's making.
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
    "exchange",
    "fetch",
    "frames",
    "gets",
    "masking",
    "observing",
    "paths",
    "reader",
]
