"""How an update of manifests ended: what says something else now, and what does not. As text and JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from reconciler.domain import safe
from reconciler.domain.reports import Note, UpdateReport
from reconciler.domain.text import count
from reconciler.saved.encode import printed

FORMAT, VERSION = "evolution-reconciler/import-update", 1


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


def json(report: UpdateReport) -> str:
    """All of it as one JSON document, ending with a newline."""
    return printed(
        {
            "format": FORMAT,
            "version": VERSION,
            "edited": [asdict(one) for one in report.edited],
            "files": [str(path) for path in report.files],
            "failed": [asdict(one) for one in report.failed],
            "notes": [asdict(one) for one in report.said],
        }
    )


def _listed(title: str, said: Iterable[Note]) -> str:
    lines = "".join(f"  {_line(one.instance, one.about, one.text)}\n" for one in said)
    return f"{title}\n{lines}" if lines else ""


def _line(instance: str, about: str, said: str) -> str:
    return safe.inert(safe.line(": ".join(filter(None, (instance, about, said)))))
