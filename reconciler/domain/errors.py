"""The errors of this project: for the person, and never with a secret in them."""

# ruff: noqa: N818 - the names say what happened: Missing, Refused, Unclear
from __future__ import annotations

from collections.abc import Sequence

from reconciler.domain.records import dataclass


class ReconcilerError(Exception):
    """A sentence for the person: what is wrong, where, what to do. Ends a command with exit code 1."""


class ServerError(ReconcilerError):
    """The server could not be reached or understood, for any instance: the command cannot go on."""


class OutputError(ReconcilerError):
    """Standard output cannot be written: it is closed or full."""


class InstanceError(ReconcilerError):
    """One instance cannot be read or written; the others can."""


class Missing(InstanceError):
    """The instance does not exist on the server."""


class Unauthorized(InstanceError):
    """The key does not open this instance. A key that opens none is a ServerError."""


class Disabled(InstanceError):
    """The server has this kind of bot switched off."""


class Absent(InstanceError):
    """The server's version does not have this kind of bot yet."""


class Foreign(InstanceError):
    """Something other than the server answered a read of this instance.

    everywhere: the sentence of the ServerError for when every instance is answered so.
    """

    def __init__(self, sentence: str, everywhere: str) -> None:
        super().__init__(sentence)
        self.everywhere = everywhere


class Refused(InstanceError):
    """The server refused the call; nothing was written.

    status: of the answer. words: the server's own, one line, without secrets, 300 characters at most.
    """

    def __init__(self, sentence: str, status: int, words: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.words = words


class Unclear(InstanceError):
    """The outcome of a writing call is unknown: the instance has to be read again.

    sent: whether the server may have seen the request at all. retry_after: seconds that it asks to wait.
    """

    def __init__(self, sentence: str, *, sent: bool = True, retry_after: float | None = None) -> None:
        super().__init__(sentence)
        self.sent = sent
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a file: its path as the person wrote it, the line and the column, both from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One error in a file. message is a sentence that ends with what to do."""

    at: Position
    message: str

    def __str__(self) -> str:
        return f"{self.at}: {self.message}"


class FileError(ReconcilerError):
    """Files have errors; all of them are here, in the order of files and lines.

    about: "the manifests". every: the sentence that says where each place is shown, "" for nowhere.
    """

    about: str
    every = ""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class ManifestError(FileError):
    """The manifests have errors."""

    about = "the manifests"
    every = "`reconciler validate --format json` shows every place."


class ConfigError(FileError):
    """The configuration has errors: reconciler.toml, or a file of environment variables."""

    about = "the configuration"
