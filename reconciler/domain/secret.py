"""A text that shows itself nowhere by accident.

pydantic has the same, and takes longer to import than all else that a plan of one instance does with keys.
"""

from __future__ import annotations


class SecretStr:
    """A secret: its value is given to whoever asks for it by name, and is in no repr, log or traceback."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def get_secret_value(self) -> str:
        """The secret itself."""
        return self._value

    def __bool__(self) -> bool:
        """Whether there is any text."""
        return bool(self._value)

    def __repr__(self) -> str:
        return "SecretStr('**********')"

    def __str__(self) -> str:
        return "**********"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretStr) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)
