"""The scope of one instance: its layers, and the variables that its values are filled in with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from reconciler.domain.kinds import Field
from reconciler.domain.records import dataclass
from reconciler.manifests.layer import Layer, Part
from reconciler.manifests.messages import misnamed, too_long
from reconciler.manifests.source import Source
from reconciler.manifests.variables import ENV, VARIABLE, Filler, Variables, holds
from reconciler.yaml import Node

_PLAIN = {bool, int}
"""What has no text."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One instance: its name, its layers from the nearest on, the manifest first, and its variables."""

    instance: str
    layers: Sequence[Layer]
    variables: Variables | None

    @classmethod
    def of(cls, instance: str, layers: Sequence[Layer]) -> Scope:
        """With the variables of all layers, where any declares some: the nearest one wins."""
        declared = [layer.vars for layer in reversed(layers) if layer.vars is not None]
        if not declared:
            return cls(instance, layers, None)
        variables: Variables = {"instance": (instance, None)}
        for each in declared:
            variables = {**variables, **each}
        return cls(instance, layers, variables)

    def report(self, source: Source, node: Node, message: str) -> None:
        """Report an error; in a folder's file, which many instances share, with the instance's name."""
        if source is self.layers[0].source:
            source.report(node, message)
        else:
            source.report_of(self.instance, node, message)

    def filler(self, source: Source, wrong: Callable[[str, str], str | None], *, url: bool = False) -> Filler:
        """Fills in the variables of one value. wrong: what is wrong with a text, by its name in errors."""
        return Filler(self.variables, wrong, partial(self.report, source), url)

    def filled(self, part: Part, table: Mapping[str, Field]) -> Part:
        """The part with its variables filled in, and the lengths of those texts checked."""
        sign = ENV if len(self.layers) == 1 and self.variables is None else VARIABLE
        found = {
            name: value
            for name, value in part.values.items()
            if (sign in value if type(value) is str else type(value) not in _PLAIN and holds(value, sign))
            and (name in table or name == "openaiCreds")
        }
        if not found:
            return part
        origins, values = dict(part.origins), dict(part.values)
        for name, value in found.items():
            field = table.get(name)
            wrong = _within(field.limit) if field else misnamed
            filler = self.filler(origins[name].source, wrong, url=field is not None and field.hides == "url")
            filled = filler.fill(name, value, origins[name].value)
            if filled is None:
                del values[name]
            else:
                values[name] = filled
            if filler.used:
                origins[name] = origins[name]._replace(variables=filler.used)
        return Part(origins, values, part.whole, part.kind)


def _within(limit: int | None) -> Callable[[str, str], str | None]:
    return lambda text, name: too_long(name, text, limit) if limit is not None and len(text) > limit else None
