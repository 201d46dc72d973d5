"""A secret shows itself nowhere by accident."""

from __future__ import annotations

import copy
import json
from dataclasses import asdict, dataclass

import pytest

from reconciler.domain.secret import SecretStr

KEY = "sk-0123456789abcdef"


@dataclass
class Holder:
    key: SecretStr


def test_it_is_in_no_text() -> None:
    secret = SecretStr(KEY)
    for shown in (
        f"{secret}",
        f"{secret!r}",
        repr([secret]),
        repr(Holder(secret)),
        str(asdict(Holder(secret))),
    ):
        assert KEY not in shown
        assert "**********" in shown
    with pytest.raises(TypeError):
        json.dumps(secret)
    assert not hasattr(secret, "__dict__")


def test_it_is_what_it_was_made_of() -> None:
    assert SecretStr(KEY).get_secret_value() == KEY
    assert SecretStr(KEY) == SecretStr(KEY) != SecretStr("another")
    assert SecretStr(KEY) != KEY
    assert len({SecretStr(KEY), SecretStr(KEY), SecretStr("another")}) == 2
    assert copy.deepcopy(SecretStr(KEY)) == SecretStr(KEY)


def test_none_is_false() -> None:
    assert SecretStr(KEY)
    assert not SecretStr("")
