"""Markdown as GitHub renders it, and what is on the page then."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

import cmarkgfm  # type: ignore[import-untyped]  # it has no types

ELEMENTS = frozenset(
    "b blockquote br code details li ol p pre strong summary table td th tr".split()  # noqa: SIM905  reads better
)
"""What a page of ours is made of."""

_ATTRIBUTES = {("lang", "diff"), ("open", None)}
_VOID = frozenset({"br"})
_HARD_BREAKS = 4  # a comment keeps a paragraph's newlines; a job's summary does not
_UNSAFE = 1 << 17  # raw HTML is let through, as on GitHub, whose sanitizer comes later


def html(markdown: str, *, comment: bool = True) -> str:
    """By GitHub's own fork of cmark with its table, autolink, tagfilter and other extensions."""
    options = _UNSAFE | (_HARD_BREAKS if comment else 0)
    return str(cmarkgfm.github_flavored_markdown_to_html(markdown, options))


@dataclass
class Text:
    """A piece of text and the elements that it is in, outermost first."""

    text: str
    within: tuple[str, ...]

    @property
    def is_code(self) -> bool:
        """Whether GitHub looks for no mention, issue number or link in it."""
        return "code" in self.within or "pre" in self.within


@dataclass
class Page(HTMLParser):
    """A rendered page, read. Any element, attribute or nesting that is not ours is an error at once."""

    markdown: str
    elements: list[str] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    _open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(html(self.markdown))
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ELEMENTS, tag
        assert all(pair in {("lang", "diff"), ("open", None)} or pair[0] == "colspan" for pair in attrs), (
            attrs
        )
        self.elements.append(tag)
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        within = tuple(self._open)
        if self.texts and self.texts[-1].within == within and within[-1:] in {("code",), ("pre",)}:
            self.texts[-1].text += data
        else:
            self.texts.append(Text(data, within))

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(f"a declaration: {decl}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"a processing instruction: {data}")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a declaration: {data}")
