"""How an import ended: what was written, what it lacks, what comes next. As text and as JSON."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from reconciler.domain import safe
from reconciler.domain.reports import ImportReport, LeftOut, Written
from reconciler.domain.text import count
from reconciler.saved.encode import printed

FORMAT, VERSION = "evolution-reconciler/import", 1


def text(report: ImportReport) -> str:
    """What was written, and the next steps."""
    if not report.written:
        some = report.empty or report.skipped or report.left_out or report.failed
        return f"{'' if some else 'The server lists no instance for this key. '}Nothing was written.\n"
    width = max(len(str(one.path)) for one in report.written)
    lines = [f"{safe.line(str(one.path)):{width}}  {_contents(one)}" for one in report.written]
    bots = sum(one.bots for one in report.written)
    lines += ["", f"Wrote {count(len(report.written), 'manifest')} with {count(bots, 'bot')}. Next:"]
    names = dict.fromkeys(name for one in report.written for name in one.variables)
    lines += [f"  export {name}=..." for name in names]
    where = [] if report.directory == Path("bots") else ["--bots", safe.line(str(report.directory))]
    lines.append(
        f"  {shlex.join(['reconciler', 'plan', *where])}    # shows only adoptions: bots that get our marker"
    )
    return "\n".join(lines) + "\n"


def notes(report: ImportReport) -> str:
    """What was not written, and why; "" when all was."""
    lines = _listed("Skipped:", report.skipped) + _listed("Left out:", report.left_out)
    if report.off:
        lines += ["Not read:", *(safe.inert(safe.line(f"  {why}")) for why in report.off)]
    if report.empty:
        lines.append(f"{count(report.empty, 'instance')} without bots, credentials or settings.")
    return "".join(f"{line}\n" for line in lines)


def json(report: ImportReport) -> str:
    """All of it as one JSON document, ending with a newline."""
    return printed(
        {
            "format": FORMAT,
            "version": VERSION,
            "written": [{**asdict(one), "path": str(one.path)} for one in report.written],
            "skipped": [asdict(one) for one in report.skipped],
            "leftOut": [asdict(one) for one in report.left_out],
            "notRead": list(report.off),
            "empty": report.empty,
            "failed": report.failed,
        }
    )


def _contents(one: Written) -> str:
    parts = [count(one.bots, "bot")]
    parts += [count(one.credentials, "credential")] if one.credentials else []
    return ", ".join(parts + ["settings"] * one.settings)


def _listed(title: str, what: Iterable[LeftOut]) -> list[str]:
    said = (f"  {one.instance}: {f'{one.what}: ' if one.what else ''}{one.reason}" for one in what)
    lines = [safe.inert(safe.line(line)) for line in said]
    return [title, *lines] if lines else []
