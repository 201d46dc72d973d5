"""Draws docs/fleet.svg: time and memory by the size of the fleet, of us, of the floor and of the peers.

    python -m benchmarks.picture

Of each subject and size the newest figure of history.jsonl counts, of the machine and the Python of the last
line. Both axes are logarithmic. The tests check that the picture is that of the history.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import ceil, floor, log10
from pathlib import Path

from benchmarks.measured import Figure, history

PICTURE = Path(__file__).parent.parent / "docs" / "fleet.svg"
WIDTH, HEIGHT = 860, 440
TOP, SIDE, LEFTS = 96, 300, (70, 500)  # of the two panels

SUBJECTS: Mapping[str, tuple[str, str, str]] = {
    "plan": ("reconciler plan, the first", "#0969da", ""),
    "plan, changed": ("after one manifest changed", "#0969da", "12 4"),
    "plan, same": ("after nothing changed", "#0969da", "6 4"),
    "curl": ("curl, the same reads alone", "#1f2328", "2 3"),
    "octoDNS": ("octoDNS, 10 records a zone", "#bc4c00", ""),
    "curl and jq": ("a shell loop with curl and jq", "#1a7f37", ""),
    "Ansible": ("Ansible's uri module", "#8250df", ""),
}
"""What each is called, its colour, and its dashes."""

STYLE = 'font-family="-apple-system, Segoe UI, Noto Sans, Helvetica, Arial, sans-serif" font-size="13"'


def newest(figures: Sequence[Figure]) -> Mapping[str, Mapping[int, Figure]]:
    """The figures to draw, by subject and size, the smallest size first."""
    last = figures[-1]
    found: dict[str, dict[int, Figure]] = {subject: {} for subject in SUBJECTS}
    for figure in sorted(figures, key=lambda each: each.instances):
        if (figure.machine, figure.python) == (last.machine, last.python):
            found[figure.subject][figure.instances] = figure
    return found


def draw(figures: Sequence[Figure]) -> str:
    """The whole picture."""
    shown = newest(figures)
    last = figures[-1]
    about = f"{last.machine}, Python {last.python}, {last.date}"
    panels = [
        *_panel(LEFTS[0], "seconds, log-log", shown, lambda figure: figure.seconds),
        *_panel(LEFTS[1], "MiB of memory, log-log", shown, lambda figure: figure.mib),
    ]
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" {STYLE} fill="#1f2328">',
        "<title>Time and memory by the number of instances</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        *_legend([subject for subject, by_size in shown.items() if by_size]),
        *panels,
        f'<text x="{LEFTS[0]}" y="{HEIGHT - 8}" font-size="11" fill="#59636e">{html.escape(about)}</text>',
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _legend(subjects: Sequence[str]) -> Iterator[str]:
    for number, subject in enumerate(subjects):
        name, colour, dashes = SUBJECTS[subject]
        x, y = LEFTS[0] + number % 3 * 250, 24 + number // 3 * 22
        yield _line([(x, y - 4), (x + 28, y - 4)], colour, dashes)
        yield f'<text x="{x + 36}" y="{y}">{name}</text>'


def _panel(
    left: int, title: str, shown: Mapping[str, Mapping[int, Figure]], value: Callable[[Figure], float]
) -> Iterator[str]:
    """The axes and a line for each subject."""
    every = [figure for by_size in shown.values() for figure in by_size.values()]
    across = _decades([figure.instances for figure in every])
    up = _decades([value(figure) for figure in every])

    def x(size: float) -> float:
        return left + SIDE * (log10(size) - across[0]) / (across[-1] - across[0])

    def y(amount: float) -> float:
        return TOP + SIDE - SIDE * (log10(amount) - up[0]) / (up[-1] - up[0])

    yield f'<text x="{left}" y="{TOP - 12}" font-weight="600">{title}</text>'
    for power in across:
        at = x(10**power)
        yield _line([(at, TOP), (at, TOP + SIDE)], "#d1d9e0", width=1)
        yield f'<text x="{at:.1f}" y="{TOP + SIDE + 18}" text-anchor="middle">{_number(power)}</text>'
    for power in up:
        at = y(10**power)
        yield _line([(left, at), (left + SIDE, at)], "#d1d9e0", width=1)
        yield f'<text x="{left - 8}" y="{at + 4:.1f}" text-anchor="end">{_number(power)}</text>'
    yield f'<text x="{left + SIDE}" y="{TOP - 12}" text-anchor="end">by instances</text>'
    for subject, by_size in shown.items():
        _, colour, dashes = SUBJECTS[subject]
        points = [(x(size), y(value(figure))) for size, figure in by_size.items()]
        if points:
            yield _line(points, colour, dashes)
        for across_at, up_at in points:
            yield f'<circle cx="{across_at:.1f}" cy="{up_at:.1f}" r="3" fill="{colour}"/>'


def _decades(values: Sequence[float]) -> range:
    """The powers of ten from one not above the least value to one not below the greatest."""
    least, most = floor(log10(min(values))), ceil(log10(max(values)))
    return range(least, max(most, least + 1) + 1)


def _number(power: int) -> str:
    return f"{10**power:,}" if power >= 0 else f"{10.0**power:g}"


def _line(points: Sequence[tuple[float, float]], colour: str, dashes: str = "", width: int = 2) -> str:
    way = " ".join(f"{across:.1f},{up:.1f}" for across, up in points)
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="{width}"{dashed}/>'


if __name__ == "__main__":
    PICTURE.write_text(draw(history()), encoding="utf-8")
