"""A unified diff of a file, as git shows it. Every line goes through `safe`, and keys are masked."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.domain import safe
from reconciler.domain.sequences import Matcher
from reconciler.domain.text import without_keys


def diff(name: str, before: str, after: str) -> Iterator[str]:
    """The lines of the diff. name: of the file."""
    matcher = Matcher(_lines(before), _lines(after))
    return (safe.lines(without_keys(line)) for line in _unified(name, matcher))


def _unified(name: str, matcher: Matcher) -> Iterator[str]:
    """The lines of a unified diff, as git shows it."""
    yield from (f"--- {name}", f"+++ {name}")
    for group in matcher.get_grouped_opcodes():
        (_, i1, _, j1, _), (_, _, i2, _, j2) = group[0], group[-1]
        yield f"@@ -{_part(i1, i2)} +{_part(j1, j2)} @@"
        for tag, a1, a2, b1, b2 in group:
            if tag == "equal":
                yield from (f" {line}" for line in matcher.a[a1:a2])
                continue
            yield from (f"-{line}" for line in matcher.a[a1:a2])
            yield from (f"+{line}" for line in matcher.b[b1:b2])


def _part(start: int, stop: int) -> str:
    """The lines of a hunk: the first, and how many unless it is one; of none the one before."""
    if stop - start == 1:
        return str(start + 1)
    return f"{start + (stop > start)},{stop - start}"


def _lines(text: str) -> list[str]:
    """The lines of a text for a diff, as git shows them."""
    lines = text.removesuffix("\n").split("\n")
    return lines if text.endswith("\n") else [*lines[:-1], f"{lines[-1]}\n\\ No newline at end of file"]
