"""JSON, with comments and trailing commas → the same nodes as those of YAML.

libyaml takes most of JSON but not all of it (escaped surrogate pairs, keys on a line of their own, DEL), so
the json module checks the syntax, and the nodes are made of the tokens.
"""

from __future__ import annotations

import json
import re

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from reconciler.domain.records import dataclass
from reconciler.domain.safe import named
from reconciler.yaml.tree import MAX_DEPTH, UNTAGGED, MalformedError, malformed, too_deep

_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"|[][{}]|[^][{}\s,:"]++', re.DOTALL)
_COMMENT = re.compile(r'"(?:[^"\\\n]++|\\.)*+"?|(//[^\n]*+|/\*.*?(?:\*/|\Z))', re.DOTALL)
_LAST_COMMA = re.compile(r'"(?:[^"\\]++|\\.)*+"|(?<![\s,:[{])\s*+(,)(?=\s*+[]}])', re.DOTALL | re.ASCII)
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class _Mark:
    """A place in a JSON text, like libyaml's marks."""

    index: int


def uncommented(text: str) -> str:
    """A JSON text with blanks for its comments, `//` and `/* */`, so that all else keeps its place."""
    if "//" not in text and "/*" not in text:
        return text

    def blank(match: re.Match[str]) -> str:
        if not match[1]:
            return match[0]
        if match[1].startswith("/*") and (len(match[1]) < 4 or not match[1].endswith("*/")):
            raise MalformedError(
                "not valid JSON: a comment starts here and never ends: end it with `*/`", match.start()
            )
        return re.sub(r"[^\r\n]", " ", match[1])

    return _COMMENT.sub(blank, text)


def compose_json(text: str) -> Node:
    """The value in a JSON text, as nodes. Raises MalformedError."""
    text = uncommented(text)
    if not text.strip():
        raise MalformedError('the file is empty: start with {"bots": {}}, or remove the file', 0)
    tokens = list(_TOKEN.finditer(text))
    depth = 0
    for token in tokens:
        depth += (token[0] in "[{") - (token[0] in "]}")
        if depth > MAX_DEPTH:
            raise too_deep(ScalarNode(UNTAGGED, "", _Mark(token.start())))
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
    """The text with blanks for trailing commas."""

    def blank(match: re.Match[str]) -> str:
        return f"{match[0][:-1]} " if match[1] else match[0]

    return _LAST_COMMA.sub(blank, text)


_OTHER_WORD = re.compile(r"(?:True|False|None|undefined|nil|yes|no|on|off)\b")
_JSON_EXPLANATIONS = {
    "Expecting property name": "a key in double quotes, or the closing `}`, is missing: add it",
    "Expecting ',' delimiter": "a `,` or a closing bracket is missing before this: add it",
    "Expecting ':' delimiter": "a `:` is missing after the key: add it",
    "Expecting value": "a value is missing: add it",
    "Extra data": "there is something after the end of the JSON: remove it",
    "Unterminated string": "a quote is opened here and never closed: close it",
    "Invalid \\escape": "the backslash does not start an escape that JSON knows: write two of them",
    "Invalid \\uXXXX escape": "the escape needs four hexadecimal digits: write the character itself",
}


def _explained_json(error: json.JSONDecodeError, text: str) -> MalformedError:
    message = next(
        (message for part, message in _JSON_EXPLANATIONS.items() if error.msg.startswith(part)),
        f"{error.msg[0].lower()}{error.msg[1:]}: correct it",
    )
    sign = text[error.pos : error.pos + 1]
    word = _OTHER_WORD.match(text, error.pos)
    if sign == "#":
        message = "`#` does not start a comment here: write `//`"
    elif error.msg.startswith("Invalid control character"):
        message = f"{named(sign)} is not allowed in a text: write {json.dumps(sign)[1:-1]}"
    elif sign == "'":
        message = 'JSON has only double quotes: write "'
    elif word and error.msg == "Expecting value":
        message = f"`{word[0]}` is not a value: write true, false, a number, or a text in double quotes"
    elif sign and not sign.isascii():
        message = f"found {named(sign)}: {message}"
    return MalformedError(f"not valid JSON: {message}", error.pos)


def _from_tokens(tokens: list[re.Match[str]]) -> Node:
    """The nodes for the tokens of a valid JSON text."""
    top: list[Node] = []
    levels = [top]  # the items of every open list or object; an object's are keys and values in turn
    opened: list[Node] = []
    for token in tokens:
        sign, at, end = token[0], _Mark(token.start()), _Mark(token.end())
        if sign in ("[", "{"):
            node: Node = (SequenceNode if sign == "[" else MappingNode)(UNTAGGED, [], at)
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
            node = ScalarNode(UNTAGGED, value, at, end, style='"')
            if _SURROGATE.search(value):
                raise malformed(node, "half of a surrogate pair is not a character: write both halves")
            levels[-1].append(node)
        elif sign in ("NaN", "Infinity", "-Infinity"):  # json takes them, JSON does not
            raise MalformedError(f"not valid JSON: {sign} is not a value: write a number", token.start())
        else:
            levels[-1].append(ScalarNode(UNTAGGED, sign, at, end, style=""))
    return top[0]
