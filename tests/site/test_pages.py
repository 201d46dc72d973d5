"""The pages lead somewhere, and those that are generated are as they would be generated now."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from urllib.parse import unquote

import pytest

from docs import versions
from tests.site.session import ROOT

_LINK = re.compile(r"(?<!\\)\]\(([^()\s]+)\)")
_TRACKED = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=False,
).stdout.splitlines()
_PAGES = {
    path: re.sub(r"(?ms)^ *```.*?^ *```", "", (ROOT / path).read_text(encoding="utf-8"))
    for path in sorted(_TRACKED or (str(each.relative_to(ROOT)) for each in ROOT.glob("docs/**/*.md")))
    if not path.startswith("reconciler/") and (ROOT / path).is_file()
}


def _headings(path: Path) -> set[str]:
    """The ends of links to its headings, as GitHub makes them."""
    text = re.sub(r"(?ms)^ *```.*?^ *```", "", path.read_text(encoding="utf-8"))
    heads = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    plain = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", head).lower() for head in heads]
    return {re.sub(r"[^\w\- ]", "", head).strip().replace(" ", "-") for head in plain}


@pytest.mark.parametrize("name", _PAGES)
def test_its_links_lead_somewhere(name: str) -> None:
    for link in _LINK.findall(_PAGES[name]):
        if re.match("[a-z]+:", link):
            continue
        path, _, heading = unquote(link).partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.exists(), link
        assert not heading or heading in _headings(target), link


def test_every_page_is_reached() -> None:
    reached, new = set[str](), {"docs/index.md"}
    while new:
        reached |= new
        new = {
            str(((ROOT / name).parent / link.partition("#")[0]).resolve().relative_to(ROOT))
            for name in new
            for link in _LINK.findall(_PAGES[name])
            if link.partition("#")[0].endswith(".md") and not re.match("[a-z]+:", link)
        } - reached
    assert {name for name in _PAGES if name.startswith("docs/")} <= reached


def test_the_page_of_the_server_versions_is_true() -> None:
    assert versions.PAGE.read_text(encoding="utf-8") == versions.page(), "run `python -m docs.versions`"
