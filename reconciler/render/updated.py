"""How an update of manifests ended, for people: what says something else now, and what does not."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.domain import safe
from reconciler.domain.reports import Note, UpdateReport
from reconciler.render.values import count


def text(report: UpdateReport) -> str:
    """What was changed, and the next step."""
    if not report.edited:
        return "No manifest was changed.\n"
    lines = [_line(one.instance, one.about, ", ".join(one.keys)) for one in report.edited]
    lines += ["", f"Changed {count(len(report.files), 'file')}:"]
    lines += [safe.inert(safe.line(f"  {path}")) for path in report.files]
    lines += ["See the changes with git diff, and what is left with reconciler plan."]
    return "\n".join(lines) + "\n"


def notes(report: UpdateReport) -> str:
    """What could not be brought back, and what a person should know of the rest; "" for nothing."""
    return _listed("Not written:", report.failed) + _listed("Notes:", report.said)


def _listed(title: str, said: Iterable[Note]) -> str:
    lines = "".join(f"  {_line(one.instance, one.about, one.text)}\n" for one in said)
    return f"{title}\n{lines}" if lines else ""


def _line(instance: str, about: str, said: str) -> str:
    return safe.inert(safe.line(": ".join(filter(None, (instance, about, said)))))
