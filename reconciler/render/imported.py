"""How an import ended: what was written, what it lacks, what comes next. As text and as JSON."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from reconciler.domain import safe
from reconciler.domain.groups import ranges
from reconciler.domain.reports import Candidate, GroupReport, ImportReport, LeftOut, Saving, Written
from reconciler.domain.text import count, listed
from reconciler.saved.encode import printed

FORMAT, VERSION = "evolution-reconciler/import", 1

_SHOWN = 5
"""The most differences of a group, and groups that might be declared."""

_VARIABLES = 10
"""The most variables to set that are named one by one."""


def text(report: ImportReport) -> str:
    """What was written, and the next steps."""
    if not report.written:
        some = report.empty or report.skipped or report.left_out or report.failed
        return f"{'' if some else 'The server lists no instance for this key. '}Nothing was written.\n"
    lines = [*_files(report)]
    bots = sum(one.bots for one in report.written)
    lines += ["", f"Wrote {count(len(report.written), 'manifest')} with {count(bots, 'bot')}. Next:"]
    names = [*dict.fromkeys(name for one in report.written for name in one.variables)]
    shown = names if len(names) <= _VARIABLES + 1 else names[:_VARIABLES]
    lines += [f"  export {name}=..." for name in shown]
    if more := len(names) - len(shown):
        lines.append(f"  ... and {more} more: each `!env NAME` in the manifests reads one")
    where = [] if report.directory == Path("bots") else ["--bots", safe.line(str(report.directory))]
    lines.append(
        f"  {shlex.join(['reconciler', 'plan', *where])}    # shows only adoptions: bots that get our marker"
    )
    return "\n".join(lines) + "\n"


def _files(report: ImportReport) -> Iterator[str]:
    """The manifests, those of a group below its folder, and what groups saved."""
    alike: dict[tuple[str, str], list[str]] = {}
    for one in report.written:
        if not one.group:
            path = safe.line(str(one.path))
            stem = path.removesuffix(one.path.suffix)
            alike.setdefault((_contents(one), path[len(stem) :]), []).append(stem)
    found = [(f"{path}{end}", what) for (what, end), paths in alike.items() for path, _ in ranges(paths)]
    width = max((len(path) for path, _ in found), default=0)
    for path, what in sorted(found):
        yield f"{path:{width}}  {what}"
    for group in report.groups:
        its = [one for one in report.written if one.group == group.folder]
        if its:
            yield from _group(report.directory / group.folder, group, its)
    if report.saving is not None:
        yield ""
        yield _saved(report.saving)


def _group(folder: Path, group: GroupReport, its: Iterable[Written]) -> Iterator[str]:
    """What the instances of a group share, and what they do not."""
    bots = sum(one.bots for one in its)
    yield f"{safe.line(str(folder))}/  {count(group.instances, 'manifest')}, {count(bots, 'bot')}"
    if group.note:
        yield f"  Nothing is shared: {group.note}."
        return
    shared = [f"the bots {listed(group.bots)}"] if group.bots else ["settings or defaults"]
    if group.variables:
        shared.append(f"the variables {listed(group.variables)}")
    yield f"  _defaults.yaml says once: {', with '.join(shared)}."
    said: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for one in group.apart:
        said.setdefault((one.bot, one.keys), []).append(one.instance)
    for (bot, keys), instances in [*said.items()][:_SHOWN]:
        where = listed(map(safe.line, _few(instances)))
        what = f"{bot} has its own {listed(keys)}" if keys else f"no {bot}"
        yield f"  Apart: {what} on {where}."
    if len(said) > _SHOWN:
        yield f"  Apart: {len(said) - _SHOWN} more, which the manifests show below bots."


def _few(instances: list[str]) -> list[str]:
    return (
        instances
        if len(instances) <= _SHOWN
        else [*instances[: _SHOWN - 1], f"{len(instances) - _SHOWN + 1} more"]
    )


def _saved(saving: Saving) -> str:
    before = f"{count(saving.manifests, 'file')}, {saving.lines_before:,} lines"
    after = f"{saving.shared} + {count(saving.manifests, 'file')}, {saving.lines_after:,} lines"
    return f"Of the groups, with their prompts: {before} → {after}."


# -- what is not in the manifests ---------------------------------------------------------------


def notes(report: ImportReport) -> str:
    """What was not written, and why, and what to do about it; "" when all was."""
    lines = [*_replaced(report), *_skipped(report), *_left_out(report)]
    if report.off:
        lines += ["Not read:", *(safe.inert(safe.line(f"  {why}")) for why in report.off)]
    if report.empty:
        lines.append(f"{count(report.empty, 'instance')} without bots, credentials or settings.")
    if report.candidates:
        lines += [*_candidates(report.candidates)]
    return "".join(f"{line}\n" for line in lines)


def _replaced(report: ImportReport) -> Iterator[str]:
    if report.replaced:
        names = listed(safe.line(str(path)) for path in report.replaced)
        yield f"Replaced the sample of `reconciler init`, which nobody had edited: removed {names}."


def _skipped(report: ImportReport) -> Iterator[str]:
    declared = [one for one in report.skipped if one.reason.endswith("declares it")]
    more = declared[_SHOWN:]
    yield from _listed("Skipped:", [one for one in report.skipped if one not in more])
    if more:
        yield f"  and {len(more)} more, which manifests declare"
    if declared:
        yield "  What is declared was left alone: `import --update` writes what differs on the server."
    if any(one.reason.endswith("exists already") for one in report.skipped):
        yield "  A file that is in the way was not overwritten: rename it, and import again."


def _left_out(report: ImportReport) -> Iterator[str]:
    if not report.left_out:
        return
    yield "Left out, as the top of each manifest says too:"
    by_step: dict[str, list[LeftOut]] = {}
    for one in report.left_out:
        by_step.setdefault(one.step, []).append(one)
    for step, those in by_step.items():
        yield from _listed("", those)[1:]
        if step:
            yield f"    {step}"


def _candidates(found: Iterable[Candidate]) -> Iterator[str]:
    yield "No group was declared, so nothing is shared between instances. These have bots in common:"
    shown = [*found]
    for one in shown[:_SHOWN]:
        option = shlex.join(["--group", safe.line(one.glob)])
        yield f"  {option}  {count(one.instances, 'instance')}, {one.alike} of {count(one.bots, 'bot')} alike"
    if len(shown) > _SHOWN:
        yield f"  and {len(shown) - _SHOWN} more"
    yield "To say it once, remove what was written and import again with --group for each group of one client"
    yield "or kind of client; --group NAME=GLOB names the group's folder."


def _listed(title: str, what: Iterable[LeftOut]) -> list[str]:
    alike: dict[str, list[str]] = {}
    for one in what:
        alike.setdefault(f"{f'{one.what}: ' if one.what else ''}{one.reason}", []).append(one.instance)
    said = (f"  {listed(_few([name for name, _ in ranges(names)]))}: {why}" for why, names in alike.items())
    lines = [safe.inert(safe.line(line)) for line in said]
    return [title, *lines] if lines else []


def _contents(one: Written) -> str:
    parts = [count(one.bots, "bot")]
    parts += [count(one.credentials, "credential")] if one.credentials else []
    return ", ".join(parts + ["settings"] * one.settings)


# -- as JSON ----------------------------------------------------------------------------------


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
            "groups": [asdict(one) for one in report.groups],
            "saving": _saving(report.saving),
            "candidates": [asdict(one) for one in report.candidates],
            "replaced": [str(path) for path in report.replaced],
        }
    )


def _saving(saving: Saving | None) -> Mapping[str, int] | None:
    if saving is None:
        return None
    return {
        "manifests": saving.manifests,
        "linesBefore": saving.lines_before,
        "shared": saving.shared,
        "linesAfter": saving.lines_after,
    }
