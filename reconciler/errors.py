"""The errors of this project: for the person, and never with a secret in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class ReconcilerError(Exception):
    """A sentence for the person: what is wrong, where, what to do. Ends a command with exit code 1."""


class ServerError(ReconcilerError):
    """The server could not be reached or spoken with, whatever the instance: nothing can go on."""


class InstanceError(ReconcilerError):
    """One instance cannot be read or written; the others can."""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Where something stands: a file as the person named it, a line and a column, both from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One error of a manifest. message is a sentence that ends with what to do."""

    at: Position
    message: str

    def __str__(self) -> str:
        return f"{self.at}: {self.message}"


class ManifestError(ReconcilerError):
    """The manifests have errors; all of them are here, in the order of files and lines."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))
