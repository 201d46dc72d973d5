"""The text of a manifest → a tree of nodes, each of which knows its place.

It reads with the C composer and leaves every scalar the text that it is: what `1`, `no` or `0010` means is
decided by the field it is given to, in nodes.py. A text that cannot be read ends in MalformedError; depth,
aliases and cycles are limited here, so that whoever walks the tree may do so without a thought.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from dataclasses import dataclass

from ruamel.yaml.cyaml import CParser  # type: ignore[attr-defined]  # it is there, but not exported
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.tag import Tag

from reconciler.domain.safe import named
from reconciler.yaml import hints

MAX_DEPTH = 50
MAX_EXPANDED = 20_000_000
"""How large aliases may make a manifest: characters of its scalars, with 20 more for every node."""

_UNTAGGED = Tag(suffix="")


class MalformedError(Exception):
    """The text is no manifest: a sentence, and the index of the character where that shows."""

    def __init__(self, message: str, index: int) -> None:
        super().__init__(message)
        self.index = index


class Places:
    """Lines and columns of a text, from 1, as an editor counts them: only LF (and CRLF) ends a line.

    libyaml's own marks count Unicode's other line breaks too, so only its indexes are used.
    """

    def __init__(self, text: str) -> None:
        self._end = len(text)
        self._last = len(text.rstrip(" \t\r\n"))  # what is missing at the end is missing behind the last word
        self._breaks = [match.start() for match in re.finditer("\n", text)]

    def __call__(self, index: int) -> tuple[int, int]:
        index = index if index < self._end else self._last
        line = bisect_left(self._breaks, index)
        return line + 1, index - (self._breaks[line - 1] if line else -1)


def index(node: Node) -> int:
    """The index of the character where the node begins."""
    return int(node.start_mark.index)


def end(node: Node) -> int:
    """The index behind the node's last character; of block styles it may be behind the line break."""
    return int(node.end_mark.index)


def tag(node: Node) -> str | None:
    """The tag that the manifest gives to the node, None when it gives none."""
    return None if node.ctag is _UNTAGGED else str(node.ctag).replace("tag:yaml.org,2002:", "!!")


def compose(text: str) -> Node:
    """The one document in a YAML text."""
    parsed, back = _without_breaks(text)
    try:
        root: Node | None = _Composer(parsed).get_single_node()
    except MarkedYAMLError as error:
        raise _explained(error, text) from None
    except YAMLError as error:  # the reader's, which has an offset in bytes instead of a mark
        before = parsed.encode()[: getattr(error, "position", 0)].decode(errors="ignore")
        raise _forbidden(text, len(before)) from None
    if back and root is not None:
        _translate(root, back)
    if not text.isascii() and root is not None and _ODD_BLANK.search(text):
        _check_blanks(root)
    if root is None or (isinstance(root, ScalarNode) and not root.value and not root.style):
        raise MalformedError("the file says nothing: begin with `bots:`, or remove the file", 0)
    if "*" in text:
        _measure(root)
    return root


# -- line breaks of YAML 1.1 ------------------------------------------------------------------

_BREAKS = ("\x85", "\u2028", "\u2029")
_PRIVATE = (*range(0xE000, 0xF900), *range(0xF0000, 0xFFFFE))


def _without_breaks(text: str) -> tuple[str, dict[int, str]]:
    """The text with other characters for those that only YAML 1.1 takes for line breaks, and the way back.

    libyaml reads YAML 1.1. In YAML 1.2 they are characters like others, and so are those of private use that
    stand in for them: ones that the text does not hold, not even as an escape.
    """
    there = [each for each in _BREAKS if each in text]
    if not there:
        return text, {}
    taken, escapes = set(text), text.lower()
    free = (code for code in _PRIVATE if chr(code) not in taken and f"{code:04x}" not in escapes)
    placeholders = dict(zip(free, there, strict=False))
    if len(placeholders) < len(there):
        raise _forbidden(text, text.index(there[-1]))
    return text.translate({ord(each): code for code, each in placeholders.items()}), placeholders


def _translate(root: Node, table: dict[int, str]) -> None:
    """Put other characters into the scalars, wherever they stand."""
    seen: set[int] = set()
    stack = [root]
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, ScalarNode):
            node.value = node.value.translate(table)
        stack += _children(node)


def _forbidden(text: str, at: int) -> MalformedError:
    """The error for a character that YAML does not take as it is."""
    sign = text[at : at + 1] or "\0"
    said = f"not valid YAML: {named(sign)} cannot stand here"
    if ord(sign) > 0xFF or sign == "\0":
        return MalformedError(f"{said}: remove it", at)
    return MalformedError(f'{said}: remove it, or write it as "\\x{ord(sign):02x}" in double quotes', at)


_ODD_BLANK = re.compile(rf"(?m)^[ \t]*[{hints.BLANKS}]")


def _check_blanks(root: Node) -> None:
    """Refuse a key with a blank in front that is no space: it looks indented, and is not."""
    seen: set[int] = set()
    stack = [root]
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        stack += _children(node)
        for key, _ in node.value if isinstance(node, MappingNode) else ():
            if isinstance(key, ScalarNode) and not key.style and _ODD_BLANK.match(key.value):
                raise _malformed(key, f"not valid YAML: {hints.blank(key.value[0])}")


# -- the composer -----------------------------------------------------------------------------


class _Composer(CParser):  # type: ignore[misc]  # the C extension has no types
    """The C composer with a resolver that leaves scalars alone, and that counts the depth instead."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0

    def descend_resolver(self, parent: Node | None, index: object) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH and parent is not None:
            raise _too_deep(parent)

    def ascend_resolver(self) -> None:
        self.depth -= 1

    def resolve(self, kind: object, value: object, implicit: object) -> Tag:
        return _UNTAGGED


def _measure(root: Node) -> None:
    """Refuse what aliases can do: a cycle, a nesting too deep, a bomb. Each node is visited once."""
    opened: set[int] = set()
    sizes: dict[int, tuple[int, int]] = {}  # characters and depth of what a node expands to
    stack = [root]
    while stack:
        node = stack[-1]
        children = _children(node)
        if id(node) not in opened:
            opened.add(id(node))
            for child in children:
                if id(child) not in opened:
                    stack.append(child)
                elif id(child) not in sizes:
                    raise _malformed(child, "an alias in here leads back to the whole: write it out")
            continue
        stack.pop()
        if id(node) in sizes:
            continue
        own = len(node.value) if isinstance(node, ScalarNode) else 0
        size = 20 + own + sum(sizes[id(child)][0] for child in children)
        depth = 1 + max((sizes[id(child)][1] for child in children), default=0)
        if size > MAX_EXPANDED:
            raise _malformed(node, "aliases make this too large: write it with fewer of them")
        if depth > MAX_DEPTH:
            raise _too_deep(node)
        sizes[id(node)] = (size, depth)


def _children(node: Node) -> list[Node]:
    if isinstance(node, MappingNode):
        return [child for pair in node.value for child in pair]
    return node.value if isinstance(node, SequenceNode) else []


def _malformed(node: Node, message: str) -> MalformedError:
    return MalformedError(message, index(node))


def _too_deep(node: Node) -> MalformedError:
    return _malformed(node, f"the nesting is deeper than {MAX_DEPTH} levels: a manifest needs five at most")


# -- errors of libyaml, for a person ----------------------------------------------------------

_EXPLANATIONS = {
    "mapping values are not allowed": "a `:` stands where no key can be: put a text that holds `: ` in "
    "quotes, or correct the indentation",
    "could not find expected ':'": "a key has no `:` after it: add it, or indent the lines of a long text",
    "did not find expected key": "the line does not fit what stands above: correct its indentation, or "
    "double the quote inside a quoted text",
    "did not find expected '-' indicator": "the line is no item of the list above: begin it with `- `, or "
    "correct its indentation",
    "did not find expected ',' or ']'": "a `,` or the closing `]` of a list is missing: add it",
    "did not find expected ',' or '}'": "a `,` or the closing `}` of a mapping is missing: add it",
    "did not find expected node content": "a value or a closing bracket is missing: add it",
    "found unexpected end of stream": "a quote is opened here and never closed: close it",
    "found unexpected document indicator": "a quoted text holds a line of `---` or `...`: indent that line",
    "found unknown escape character": "the backslash begins no escape that YAML knows: write two of them, "
    "or use single quotes",
    "found invalid Unicode character escape code": "the escape is no character (one half of a surrogate "
    "pair is none): write the character itself",
    "did not find expected hexdecimal number": "the escape needs hexadecimal digits: write the character "
    "itself",
    "found unexpected ':'": "a text with a `:` in it stands inside of braces or brackets: put it in quotes",
    "did not find expected alphabetic or numeric character": "a name belongs behind `*` and `&`",
    "did not find expected comment or line break": "behind `|` or `>` the line ends: begin the text below",
    "indentation indicator equal to 0": "behind `|` or `>` the line ends: begin the text below",
    "mapping keys are not allowed": "a `?` begins a key, and none can stand here",
    "block sequence entries are not allowed": "a `-` begins an item of a list, and none can stand here",
    "found undefined alias": "no anchor of that name stands above: define it with `&name`, or put a text "
    "that begins with `*` in quotes",
    "found duplicate anchor": "an anchor of that name stands above: give this one another name",
    "found undefined tag handle": "the tag is not known: leave it out; only `!file PATH` is, and in "
    "credentials `!env NAME` and `!secret-file PATH`",
    "but found another document": "a second document begins here: give every instance a file of its own",
    "incompatible YAML document": "the version is not known: remove the line with %YAML",
    "did not find expected <document start>": "the line does not belong to what stands above: correct its "
    "indentation",
}


_BEGINNING = ("end of stream", "could not find expected ':'")
"""Problems that are seen late: the place is where what is wrong begins."""


def _explained(error: MarkedYAMLError, text: str) -> MalformedError:
    mark = error.problem_mark or error.context_mark
    problem = str(error.problem)
    if any(part in problem for part in _BEGINNING) and error.context_mark is not None:
        mark = error.context_mark
    at = int(mark.index)
    colon = "expected ':'" in problem or "mapping values are not allowed" in problem
    if found := hints.misplaced(text, at) or (hints.separated(text, at) if colon else None):
        return MalformedError(f"not valid YAML: {found[0]}", found[1])
    if problem == "found character that cannot start any token":
        sign = text[at : at + 1]
        said = f"a text cannot begin with {'a backtick' if sign == '`' else f'`{sign}`'}: put it in quotes"
        return MalformedError(f"not valid YAML: {said}{hints.write(text, at)}", at)
    whole = f"{error.context} {problem}"
    known = (said for part, said in _EXPLANATIONS.items() if part in whole)
    said = next(known, f"{problem} ({error.context}): correct it" if error.context else problem)
    if "quote is opened here" not in said and (line := hints.quoted(text, at)):
        said = f"{said}; if it is all a text, put it in quotes: write {line}"
    return MalformedError(f"not valid YAML: {said}", at)


# -- JSON -------------------------------------------------------------------------------------

_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"|[][{}]|[^][{}\s,:"]++', re.DOTALL)
_COMMENT = re.compile(r'"(?:[^"\\\n]++|\\.)*+"?|(//[^\n]*+|/\*.*?(?:\*/|\Z))', re.DOTALL)
_LAST_COMMA = re.compile(r'"(?:[^"\\]++|\\.)*+"|(?<![\s,:[{])\s*+(,)(?=\s*+[]}])', re.DOTALL | re.ASCII)
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class _Mark:
    """Where a node of a JSON text begins or ends, in the form of libyaml's marks."""

    index: int


def uncommented(text: str) -> str:
    """A JSON text with blanks for its comments, `//` and `/* */`, so that everything else keeps its place."""
    if "//" not in text and "/*" not in text:
        return text

    def blank(match: re.Match[str]) -> str:
        if not match[1]:
            return match[0]
        if match[1].startswith("/*") and (len(match[1]) < 4 or not match[1].endswith("*/")):
            raise MalformedError(
                "not valid JSON: a comment begins here and never ends: end it with `*/`", match.start()
            )
        return re.sub(r"[^\r\n]", " ", match[1])

    return _COMMENT.sub(blank, text)


def compose_json(text: str) -> Node:
    """The value in a JSON text, as the same nodes. It may have comments, and commas behind the last items.

    libyaml takes most of JSON but not all of it (escaped surrogate pairs, keys on a line of their own,
    DEL), so the syntax is json's to judge, and the nodes are made of the tokens.
    """
    text = uncommented(text)
    if not text.strip():
        raise MalformedError('the file says nothing: begin with {"bots": {}}, or remove the file', 0)
    tokens = list(_TOKEN.finditer(text))
    depth = 0
    for token in tokens:
        depth += (token[0] in "[{") - (token[0] in "]}")
        if depth > MAX_DEPTH:
            raise _too_deep(ScalarNode(_UNTAGGED, "", _Mark(token.start())))
    if _wrong_json(text) and (error := _wrong_json(_without_last_commas(text))):
        raise _explained_json(error, text)
    return _from_tokens(tokens)


def _wrong_json(text: str) -> json.JSONDecodeError | None:
    try:
        json.loads(text, parse_int=str, parse_float=str)
    except json.JSONDecodeError as error:
        return error
    return None


def _without_last_commas(text: str) -> str:
    """The text with blanks for the commas behind last items."""

    def blank(match: re.Match[str]) -> str:
        return f"{match[0][:-1]} " if match[1] else match[0]

    return _LAST_COMMA.sub(blank, text)


_OTHER_WORD = re.compile(r"(?:True|False|None|undefined|nil|yes|no|on|off)\b")
_JSON_EXPLANATIONS = {
    "Expecting property name": "a key in double quotes, or the closing `}`, is missing: add it",
    "Expecting ',' delimiter": "a `,` or a closing bracket is missing before this: add it",
    "Expecting ':' delimiter": "a `:` is missing behind the key: add it",
    "Expecting value": "a value is missing: add it",
    "Extra data": "something stands behind the end of the JSON: remove it",
    "Unterminated string": "a quote is opened here and never closed: close it",
    "Invalid \\escape": "the backslash begins no escape that JSON knows: write two of them",
    "Invalid \\uXXXX escape": "the escape needs four hexadecimal digits: write the character itself",
}


def _explained_json(error: json.JSONDecodeError, text: str) -> MalformedError:
    said = next(
        (said for part, said in _JSON_EXPLANATIONS.items() if error.msg.startswith(part)),
        f"{error.msg[0].lower()}{error.msg[1:]}: correct it",
    )
    sign = text[error.pos : error.pos + 1]
    word = _OTHER_WORD.match(text, error.pos)
    if sign == "#":
        said = "`#` begins no comment here: write `//`"
    elif error.msg.startswith("Invalid control character"):
        said = f"{named(sign)} cannot stand in a text: write {json.dumps(sign)[1:-1]}"
    elif sign == "'":
        said = 'JSON has double quotes alone: write "'
    elif word and error.msg == "Expecting value":
        said = f"`{word[0]}` is no value: write true, false, a number, or a text in double quotes"
    elif sign and not sign.isascii():
        said = f"{named(sign)} stands here, and {said}"
    return MalformedError(f"not valid JSON: {said}", error.pos)


def _from_tokens(tokens: list[re.Match[str]]) -> Node:
    """The tree that the tokens of a valid JSON text make."""
    top: list[Node] = []
    levels = [top]  # the items of every open list or object; an object's are keys and values in turn
    opened: list[Node] = []
    for token in tokens:
        sign, at, end = token[0], _Mark(token.start()), _Mark(token.end())
        if sign in ("[", "{"):
            node: Node = (SequenceNode if sign == "[" else MappingNode)(_UNTAGGED, [], at)
            levels[-1].append(node)
            opened.append(node)
            levels.append([])
        elif sign in ("]", "}"):
            items = levels.pop()
            node = opened.pop()
            node.value = items if sign == "]" else list(zip(items[::2], items[1::2], strict=True))
            node.end_mark = end
        elif sign[0] == '"':
            value = json.loads(sign)
            node = ScalarNode(_UNTAGGED, value, at, end, style='"')
            if _SURROGATE.search(value):
                raise _malformed(node, "half of a surrogate pair is no character: write both halves")
            levels[-1].append(node)
        elif sign in ("NaN", "Infinity", "-Infinity"):  # json takes them, JSON does not
            raise MalformedError(f"not valid JSON: {sign} is no value: write a number", token.start())
        else:
            levels[-1].append(ScalarNode(_UNTAGGED, sign, at, end, style=""))
    return top[0]
