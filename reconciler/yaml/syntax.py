"""Errors of libyaml → sentences for a person: what is wrong, and what to write."""

from __future__ import annotations

from ruamel.yaml.error import MarkedYAMLError

from reconciler.yaml import hints
from reconciler.yaml.tree import MalformedError

_EXPLANATIONS = {
    "mapping values are not allowed": (
        "a `:` is where no key can be: put a text that holds `: ` in quotes, or correct the indentation"
    ),
    "could not find expected ':'": "a key has no `:` after it: add it, or indent the lines of a long text",
    "did not find expected key": (
        "the line does not fit the lines above: correct its indentation, or double the quote inside a "
        "quoted text"
    ),
    "did not find expected '-' indicator": (
        "the line is not an item of the list above: start it with `- `, or correct its indentation"
    ),
    "did not find expected ',' or ']'": "a `,` or the closing `]` of a list is missing: add it",
    "did not find expected ',' or '}'": "a `,` or the closing `}` of a mapping is missing: add it",
    "did not find expected node content": "a value or a closing bracket is missing: add it",
    "found unexpected end of stream": "a quote is opened here and never closed: close it",
    "found unexpected document indicator": (
        "a quoted text contains a line of `---` or `...`: indent that line"
    ),
    "found unknown escape character": (
        "the backslash does not start an escape that YAML knows: write two of them, or use single quotes"
    ),
    "found invalid Unicode character escape code": (
        "the escape is not a character, nor is one half of a surrogate pair: write the character itself"
    ),
    "did not find expected hexdecimal number": (
        "the escape needs hexadecimal digits: write the character itself"
    ),
    "found unexpected ':'": "a text inside braces or brackets contains a `:`: put it in quotes",
    "did not find expected alphabetic or numeric character": "`*` and `&` need a name after them",
    "did not find expected comment or line break": (
        "nothing can follow `|` or `>` on its line: start the text on the next line"
    ),
    "indentation indicator equal to 0": (
        "nothing can follow `|` or `>` on its line: start the text on the next line"
    ),
    "mapping keys are not allowed": "a `?` starts a key, and no key can be here",
    "block sequence entries are not allowed": "a `-` starts an item of a list, and no item can be here",
    "found undefined alias": (
        "no anchor of that name is defined above: define it with `&name`, or put a text that starts with "
        "`*` in quotes"
    ),
    "found duplicate anchor": "an anchor of that name is already defined above: give this one another name",
    "found undefined tag handle": (
        "the tag is not known: leave it out; only `!file PATH` is, and in credentials `!env NAME` and "
        "`!secret-file PATH`"
    ),
    "but found another document": "a second document starts here: give every instance a file of its own",
    "incompatible YAML document": "the YAML version is not supported: remove the line with %YAML",
    "did not find expected <document start>": (
        "the line does not belong to the lines above: correct its indentation"
    ),
}
"""Sentences by a part of what libyaml says."""


_BEGINNING = ("end of stream", "could not find expected ':'")
"""Problems that libyaml finds late: they are shown where what is wrong begins."""


def explained(error: MarkedYAMLError, text: str) -> MalformedError:
    """The error for what libyaml refuses in a text."""
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
        message = f"a text cannot start with {'a backtick' if sign == '`' else f'`{sign}`'}: put it in quotes"
        return MalformedError(f"not valid YAML: {message}{hints.write(text, at)}", at)
    whole = f"{error.context} {problem}"
    known = (message for part, message in _EXPLANATIONS.items() if part in whole)
    message = next(known, f"{problem} ({error.context}): correct it" if error.context else problem)
    if "quote is opened here" not in message and (line := hints.quoted(text, at)):
        message = f"{message}; if it is all a text, put it in quotes: write {line}"
    return MalformedError(f"not valid YAML: {message}", at)
