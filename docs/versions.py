"""Writes docs/reference/server-versions.md: what differs between versions of the server, from our own tables.

`python -m docs.versions` writes it, and the tests check that it is still true. The tool uses nothing here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from reconciler.domain.kinds import KINDS
from reconciler.domain.known_issues import UNKEPT
from reconciler.domain.text import listed
from reconciler.domain.versions import NEWEST, Version
from reconciler.lint.rules import RULES

PAGE = Path(__file__).parent / "reference" / "server-versions.md"

_HEAD = """\
# Server versions

The tool is made for Evolution API 2.3.x and also supports 2.2.x. A server of 2.4.0 without a licence does not
answer, and the error says so. `reconciler doctor` shows the version of your server. Where it is not known,
{newest} is assumed. This page is made from the tables that the tool itself reads.
"""


def page() -> str:
    """The page."""
    return _HEAD.format(newest=_text(NEWEST)) + "".join([*_kinds(), *_fields(), *_rules(), *_issues()])


def _kinds() -> Iterator[str]:
    yield "\n## Kinds of bots\n\n| kind | since | the server's switch |\n|---|---|---|\n"
    for kind in KINDS.values():
        switch = f"`{kind.switch}=true`" if kind.switch else "always on"
        heading = kind.label.lower().replace(" ", "-")
        yield f"| [{kind.label}](kinds.md#{heading}) | {_text(kind.since)} | {switch} |\n"


def _fields() -> Iterator[str]:
    yield "\n## Fields that came later\n\n| kind | since | fields |\n|---|---|---|\n"
    for kind in KINDS.values():
        for since in sorted(set(kind.fields_since.values())):
            names = [f"`{name}`" for name in kind.fields if kind.fields_since.get(name) == since]
            yield f"| {kind.label} | {_text(since)} | {listed(names)} |\n"


def _rules() -> Iterator[str]:
    yield "\n## Behaviour that `validate` warns of\n\n| since | until | |\n|---|---|---|\n"
    for rule in RULES:
        if rule.since or rule.until:
            title = rule.title.replace("|", "\\|")
            held = f"{_text(rule.since)} | {_text(rule.until)}"
            yield f"| {held} | {title} ([{rule.id}](lint.md#{rule.id})) |\n"
    yield "\nAll other [rules](lint.md) hold for every version. For yours: `validate --server-version`.\n"


def _issues() -> Iterator[str]:
    yield "\n## Fields that a server may not keep\n\n| field | since | before | reported as |\n"
    yield "|---|---|---|---|\n"
    for name, issue in UNKEPT.items():
        yield f"| `{name}` | {_text(issue.since)} | {_text(issue.until)} | {issue.where} |\n"
    yield "\nA plan names the version and the issue where the server did not keep what was written.\n"


def _text(version: Version | None) -> str:
    return ".".join(map(str, version)).replace(".999", ".x") if version else ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
