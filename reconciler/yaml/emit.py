"""Values → the text of a manifest, as a person would write it.

compose reads back exactly what was written, whatever characters it has, and other readers of YAML read a text
as a text. Chooses the most readable style that allows that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from ruamel.yaml.resolver import implicit_resolvers

from reconciler.domain import safe
from reconciler.domain.records import dataclass

WIDTH = 100
"""Columns that a line should not exceed."""

STEP = 2
"""Columns that a value is indented from its key or dash, where a file has no step of its own."""

_PLAIN = re.compile(r"(?:[^\s\-?:,\[\]{}#&*!|>'\"%@`]|[-?:](?=[^\s,\[\]{}]))(?:.*\S)?")
_NOT_PLAIN = re.compile(r":(?=\s|$)|\s#|^(?:---|\.\.\.)|\t|[^\S ]")
_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}", re.ASCII)
_NULLS = frozenset({"null", "Null", "NULL", "~"})
_TYPED = {
    sign: [pattern for _, _, pattern, signs in implicit_resolvers if sign in signs]
    for _, _, _, signs in implicit_resolvers
    for sign in signs
}
"""What is no text, by the character that it begins with."""

_SHORT_TEXT = 40
"""Characters that a text has less of if it is on one line in any place: keys, and what many bots say."""

_SHORT = {"\t": r"\t", "\n": r"\n", "\r": r"\r", "\x1b": r"\e", "\x85": r"\N"}


def scalar(
    text: str,
    *,
    indent: int,
    style: str | None = None,
    width: int = WIDTH,
    flow: bool = False,
    step: int = STEP,
) -> str:
    """The YAML source of a text, of one or more lines, without a line break at the end.

    indent: the column of the key or the dash that the text belongs to; further lines are indented by a step.
    style: as in ruamel.yaml's nodes, kept where the text allows it: "" plain, ' and " quoted, | literal,
    > folded; None for the most readable. flow: inside brackets or braces, or as a key.
    """
    if style is None and len(text) < _SHORT_TEXT and "\n" not in text:
        return _short(text, flow)
    return _styled(text, indent, style, width, flow, step)


@lru_cache(4096)
def _short(text: str, flow: bool) -> str:
    """The source of a short text in its most readable style, which is the same wherever it stands."""
    return _styled(text, 0, None, WIDTH, flow, STEP)


def _styled(text: str, indent: int, style: str | None, width: int, flow: bool, step: int) -> str:
    """The source of a text in a style, or in the most readable one where it has none or does not allow it."""
    if style is None:
        style = _chosen(text, indent, width, flow)
    match style:
        case "" if _fits_plain(text, flow):
            return text
        case "'" if _on_a_line(text):
            return "'" + text.replace("'", "''") + "'"
        case "|" if not flow and _fits_block(text):
            return _block("|", text, text.split("\n"), indent, step)
        case ">" if not flow and _fits_folded(text):
            paragraphs = re.sub("\n+", lambda run: "\n" + run[0], text.rstrip("\n")).split("\n")
            lines = [line for part in paragraphs for line in _wrapped(part, max(width - indent - step, 40))]
            return _block(">", text, lines, indent, step)
        case '"':
            return _quoted(text, indent, width, flow, step)
    return _styled(text, indent, None, width, flow, step)


def _chosen(text: str, indent: int, width: int, flow: bool) -> str:
    """The most readable style in which the text can be written."""
    if "\n" in text:
        return "|" if not flow and _fits_block(text) else '"'
    if not flow and len(text) > max(width - indent, 40) and " " in text and _fits_folded(text):
        return ">"
    if _fits_plain(text, flow) and not _means_more(text):
        return ""
    return "'" if _on_a_line(text) and ("\\" in text or '"' in text) else '"'


# -- which style can carry a text -------------------------------------------------------------


def _fits_plain(text: str, flow: bool) -> bool:
    return (
        _on_a_line(text)
        and _PLAIN.fullmatch(text) is not None
        and not _NOT_PLAIN.search(text)
        and text not in _NULLS
        and not (flow and re.search(r"[,\[\]{}?:]", text))
    )


def _means_more(text: str) -> bool:
    """Whether other readers would not read a text; whole numbers stay plain all the same."""
    return not _WHOLE.fullmatch(text) and typed(text)


def typed(text: str) -> bool:
    """Whether readers of YAML read something other than a text where it is plain: a number, `no`, nothing."""
    return text in ("", "y", "Y", "n", "N", *_NULLS) or any(
        pattern.match(text) for pattern in _TYPED.get(text[0], ())
    )


def visible(text: str) -> bool:
    """Whether every character of a line but its tabs is visible, so that it needs no escape."""
    return safe.line(text.replace("\t", " ")) == text.replace("\t", " ")


def _on_a_line(text: str) -> bool:
    """Whether every character of the text is visible and fits on one line."""
    return "\t" not in text and visible(text)


def _fits_block(text: str) -> bool:
    """False where several line breaks end the text: blank lines that follow would become part of it."""
    return bool(text.strip()) and not text.endswith("\n\n") and all(map(visible, text.split("\n")))


def _fits_folded(text: str) -> bool:
    return _fits_block(text) and text[0] != "\n" and not re.search(r"(?m)^[ \t]|[ \t]$", text)


# -- the styles -------------------------------------------------------------------------------


def _block(sign: str, text: str, lines: Sequence[str], indent: int, step: int) -> str:
    lines = lines[:-1] if sign == "|" and text.endswith("\n") else lines
    given = str(step) if text.lstrip("\n")[0] in " \t" else ""
    chomp = "" if text.endswith("\n") else "-"
    pad = " " * (indent + step)
    return "\n".join([f"{sign}{given}{chomp}", *(pad + line if line else "" for line in lines)])


def _wrapped(line: str, width: int) -> Iterator[str]:
    """The line broken at single spaces, which folding puts back."""
    current = ""
    for word in re.split(r"(?<=[^ \t]) (?=[^ \t])", line):
        if current and len(current) + 1 + len(word) > width:
            yield current
            current = word
        else:
            current = f"{current} {word}" if current else word
    yield current


def _quoted(text: str, indent: int, width: int, flow: bool, step: int) -> str:
    whole = _escaped(text)
    if flow or "\n" not in text.rstrip("\n") or len(whole) <= width - indent:
        return f'"{whole}"'
    pad = " " * (indent + step)
    body = text.rstrip("\n")
    first, *rest = [_escaped(line) for line in body.split("\n")]
    lines = [first, *(f"\\{line}" if line.startswith(" ") else line for line in rest)]
    return '"' + f"\\n\\\n{pad}".join(lines) + _escaped(text[len(body) :]) + '"'


def _escaped(text: str) -> str:
    """The text for double quotes, with escapes for characters that are not visible."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return safe.replaced(quoted, _escape)


def _escape(char: str) -> str:
    code = ord(char)
    long = f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    return _SHORT.get(char, long)


def json_text(text: str) -> str:
    """The JSON source of a text, with escapes for characters that are not visible."""
    return safe.replaced(json.dumps(text, ensure_ascii=False), lambda char: json.dumps(char)[1:-1])


# -- whole trees ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tagged:
    """A scalar with a tag, such as `!file prompts/loja.md`."""

    tag: str
    text: str


@dataclass(frozen=True, slots=True)
class Flow:
    """A list or mapping to write in brackets or braces, where it fits on a line."""

    of: Sequence[Tree] | Mapping[str, Tree]


Tree = bool | int | str | Tagged | Flow | Sequence["Tree"] | Mapping[str, "Tree"]


def mapping(entries: Mapping[str, Tree], indent: int = 0, *, apart: bool = False, step: int = STEP) -> str:
    """The lines of a mapping, each with a line break. apart: with a blank line between the entries."""
    between = "\n" if apart else ""
    return between.join(
        f"{' ' * indent}{key(name)}:{_value(tree, indent, step)}\n" for name, tree in entries.items()
    )


def key(name: str, *, as_json: bool = False) -> str:
    """The source of a mapping's key."""
    return json_text(name) if as_json else scalar(name, indent=0, flow=True)


def comment(text: str, *, hang: int = 0) -> str:
    """The text as lines of a comment, whatever characters it has. hang: the indentation of further lines."""
    first, *rest = _wrapped(safe.line(text).strip(), WIDTH - 2 - hang)
    return "".join([f"# {first}\n", *(f"# {' ' * hang}{line}\n" for line in rest)])


def _value(tree: Tree, indent: int, step: int) -> str:
    """The source after the colon of a key at this column."""
    if isinstance(tree, Flow):
        line = inline(tree)
        if indent + len(line) < WIDTH - 20 or not tree.of:
            return f" {line}"
        tree = tree.of
    if isinstance(tree, Mapping):
        return "\n" + mapping(tree, indent + step, step=step).removesuffix("\n") if tree else " {}"
    if isinstance(tree, Sequence) and not isinstance(tree, str):
        pad = " " * (indent + step)
        return "".join(f"\n{pad}-{_value(item, indent + step, step)}" for item in tree) if tree else " []"
    return " " + (scalar(tree, indent=indent, step=step) if isinstance(tree, str) else inline(tree))


def inline(tree: Tree, style: str | None = None, *, as_json: bool = False) -> str:
    """The source of a value in brackets or braces. style: of a text, as for scalar."""
    match tree:
        case Flow(of):
            return inline(of, as_json=as_json)
        case Mapping():
            items = (
                f"{key(name, as_json=as_json)}: {inline(each, as_json=as_json)}"
                for name, each in tree.items()
            )
            return f"{{{', '.join(items)}}}"
        case bool() | int():
            return str(tree).lower()
        case str():
            return json_text(tree) if as_json else scalar(tree, indent=0, style=style, flow=True)
        case Tagged(tag, text):
            return f"!{tag} {scalar(text, indent=0, flow=True)}"
    return f"[{', '.join(inline(item, as_json=as_json) for item in tree)}]"
