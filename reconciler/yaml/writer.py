"""Values → source in the style of a text: its indentation, its line breaks, YAML or JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from functools import cached_property

from ruamel.yaml.nodes import MappingNode, Node

from reconciler.domain.kinds import Value
from reconciler.domain.records import dataclass, field
from reconciler.yaml import emit
from reconciler.yaml.spans import Spans, is_block

_SHORT = 40
"""The longest text that is written in a list in brackets, in characters."""


@dataclass(frozen=True, slots=True)
class Put:
    """A value to write over another one, or to add.

    before: the current value, its files read. after: the new value; a mapping is written in braces.
    files: for texts that a file holds, its path from the manifest; such a text is written as `!file`.
    """

    before: object
    after: Value | Mapping[str, str]
    files: Mapping[str, str] = field(default_factory=dict)


Edits = Mapping[str, "Put | Edits"]
"""What to put under each key of a mapping; keys that are not its own are added to it."""


class Writer:
    """Writes source for one text.

    literal: escapes a text so that it is read back unchanged. newline: the text's line break.
    """

    def __init__(self, spans: Spans, root: Node, literal: Callable[[str], str], newline: str) -> None:
        self._spans, self._root = spans, root
        self.literal, self.newline = literal, newline

    @cached_property
    def step(self) -> int:
        """How many columns a mapping is indented from its key, most often; mappings in braces don't count."""
        found: Counter[int] = Counter()
        spans = self._spans

        def look(node: Node) -> None:
            for entry in spans.parts(node):
                if is_block(entry):
                    if isinstance(entry.node, MappingNode):
                        found[spans.column(spans.content(entry)) - spans.column(entry.start)] += 1
                    look(entry.node)

        look(self._root)
        steps = [step for step, _ in found.most_common() if step in range(1, 9)]
        return steps[0] if steps else emit.STEP

    def tree(self, wanted: Put | Edits) -> emit.Tree:
        """What to write for a value, or for a new mapping of values."""
        if not isinstance(wanted, Put):
            return {name: self.tree(each) for name, each in wanted.items()}
        match wanted.after:
            case str(text):
                return self.text(text, wanted.files)
            case tuple(texts):
                items = [self.text(text, wanted.files) for text in texts]
                short = all(isinstance(i, str) and "\n" not in i and len(i) <= _SHORT for i in items)
                return emit.Flow(items) if short else items
            case Mapping() as names:
                return emit.Flow({name: self.literal(text) for name, text in names.items()})
            case value:
                return value

    def text(self, text: str, files: Mapping[str, str]) -> str | emit.Tagged:
        """A text, or `!file` and the path of the file that holds it."""
        path = files.get(text)
        return self.literal(text) if path is None else emit.Tagged("file", path)

    def lines(
        self, tree: emit.Tree, column: int, style: str | None = None, before: str = ""
    ) -> tuple[str, str]:
        """The source after a colon or dash in this column: the rest of its line, and whole lines below.

        before: the comment that follows on the same line; a quoted text then stays on that line.
        """
        if isinstance(tree, str):
            width = emit.WIDTH if style is None or style in "|>" else 10**6
            source = " " + emit.scalar(tree, indent=column, style=style, width=width, step=self.step)
        else:
            source = emit.mapping({"k": tree}, max(column, 0), step=self.step)
            source = source.lstrip(" ")[2:].removesuffix("\n")
        if before and isinstance(tree, str) and source.startswith(' "'):
            source = " " + emit.scalar(tree, indent=column, style='"', flow=True)
        first, _, rest = source.partition("\n")
        return first, "".join(f"{line}{self.newline}" for line in rest.split("\n")) if rest else ""

    def keys(self, tree: Mapping[str, emit.Tree], column: int) -> str:
        """The keys of a mapping as whole lines."""
        return emit.mapping(tree, column, step=self.step).replace("\n", self.newline)

    def inline(self, tree: emit.Tree, style: str | None = None) -> str:
        """A value in brackets or braces."""
        return emit.inline(tree, style, as_json=self._spans.json)

    def key(self, name: str) -> str:
        """A key in braces."""
        return emit.key(name, as_json=self._spans.json)
