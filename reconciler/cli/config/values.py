"""Whether a value of the file fits its option, and what the option gets."""

from __future__ import annotations

import math
import re
from pathlib import Path

import click

from reconciler.domain.errors import ReconcilerError
from reconciler.domain.text import looks_like_key

SECRET = re.compile(r"key|token|secret|passw|credential|auth", re.IGNORECASE)
"""What names of secrets contain."""

_LOGIN = re.compile(r"://[^/?#]*@")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_NO_SECRETS = "no secret may stand in this file"


class Unfit(Exception):  # noqa: N818  it says what the value is
    """Why a value does not fit. index: of the item of an array that is meant. Never has a secret in it."""

    def __init__(self, message: str, index: int | None = None) -> None:
        super().__init__(message)
        self.index = index


def fit(option: click.Option, value: object, directory: Path) -> object:
    """The value for the option; a relative path is taken from the directory. Raises Unfit."""
    if not option.multiple:
        return _single(option, value, directory)
    if not isinstance(value, list):
        raise Unfit(f"must be an array, as the option may be repeated: [{_example(option)}]")
    fitting = []
    for index, each in enumerate(value):
        try:
            fitting.append(_single(option, each, directory))
        except Unfit as error:
            raise Unfit(str(error), index) from None
    return tuple(fitting)


def is_bool(option: click.Option) -> bool:
    """Whether it is on or off."""
    return option.is_flag and isinstance(option.type, click.types.BoolParamType)


def kind(option: click.Option) -> str:
    """What a value has to be: "a string"."""
    if is_bool(option):
        return "true or false"
    if isinstance(option.type, click.types.IntParamType):
        return "a whole number"
    if isinstance(option.type, click.types.FloatParamType):
        return "a number"
    return "a string"


def _single(option: click.Option, value: object, directory: Path) -> object:
    wanted = kind(option)
    types: dict[str, tuple[type, ...]] = {
        "true or false": (bool,),
        "a whole number": (int,),
        "a number": (int, float),
        "a string": (str,),
    }
    if not isinstance(value, types[wanted]) or (isinstance(value, bool) and wanted != "true or false"):
        raise Unfit(f"must be {wanted}, not {_named(value)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise Unfit("must be a finite number")
    if isinstance(value, str):
        _check_text(option, value)
        if isinstance(option.type, click.Path):
            return value if directory == Path() else str(directory / value)
    try:
        return option.type.convert(value, option, None)
    except click.BadParameter as error:
        raise Unfit(f"is not valid: {error.message.rstrip('.')}") from None


def _check_text(option: click.Option, text: str) -> None:
    if looks_like_key(text):
        raise Unfit(f"contains what looks like a key: {_NO_SECRETS}")
    if _LOGIN.search(text):
        raise Unfit(f"contains a name or a password before an @: {_NO_SECRETS}")
    if _CONTROL.search(text):
        raise Unfit("contains a control character: remove it")
    if isinstance(option.type, click.Path) and not text:
        raise Unfit("is empty: name a path")
    if option.name == "url":
        from reconciler.evolution import address

        try:
            address.server(text, "", allow_http=True)
        except ReconcilerError as error:
            raise Unfit(f"is not valid: {error}".rstrip(".")) from None


def _example(option: click.Option) -> str:
    return {"a string": '"…"', "true or false": "true"}.get(kind(option), "1")


def _named(value: object) -> str:
    """What TOML calls the type of a value."""
    names = {bool: "a boolean", int: "a whole number", float: "a number", str: "a string", list: "an array"}
    return names.get(type(value), "a table" if isinstance(value, dict) else "a date or a time")
