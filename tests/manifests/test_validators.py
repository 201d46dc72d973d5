"""What validates manifests finds what the models find, from which the JSON Schema is made."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from pydantic_core import SchemaValidator

from reconciler.domain.kinds import DEFAULT, INT32_MAX, KINDS, Kind
from reconciler.manifests import model, validators
from reconciler.manifests.tables import fields, keys

SECTIONS: list[tuple[str, Kind | None]] = [
    (section, kind)
    for section in ("bot", "defaults", "settings")
    for kind in (*KINDS.values(), *([None] if section != "settings" else [DEFAULT]))
]
EDGES = [0, 1, 63, 64, 65, 254, 255, 256, 1023, 1024]

texts = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["", "a", "menu", "menu-2", "-menu", "Menu", "a\n", "\udcff", "openai", "update", "${x}"]
    ),
    st.sampled_from(EDGES).map("a".__mul__),
)
numbers = st.one_of(
    st.integers(-2, 2), st.sampled_from([INT32_MAX, INT32_MAX + 1, -INT32_MAX, 10**12]), st.booleans()
)
values = st.one_of(
    texts,
    numbers,
    st.none(),
    st.floats(allow_nan=False),
    st.lists(texts, max_size=3).map(tuple),
    st.lists(texts, max_size=2),
    st.dictionaries(st.sampled_from(["instance", "name", "merge", "x"]), texts, max_size=3),
    st.fixed_dictionaries({"merge": st.lists(texts, max_size=3).map(tuple)}),
    st.fixed_dictionaries({"instance": texts, "name": texts}),
)


def _errors_of_model(model: type[BaseModel], found: dict[str, Any]) -> list[Any]:
    try:
        model.model_validate(found)
    except ValidationError as error:
        return list(error.errors(include_url=False))
    return []


def _errors(validator: SchemaValidator, found: dict[str, Any]) -> list[Any]:
    try:
        validator.validate_python(found)
    except ValidationError as error:
        return list(error.errors(include_url=False))
    return []


def _by_place(errors: list[Any]) -> list[Any]:
    return sorted(errors, key=lambda each: (str(each["loc"]), each["type"]))


@given(st.data())
def test_a_section_has_the_errors_that_its_model_finds(data: st.DataObject) -> None:
    name, kind = data.draw(st.sampled_from(SECTIONS))
    known = keys(name, kind)
    choices = [choice for each in fields(name, kind).values() for choice in each.choices]
    found = data.draw(
        st.dictionaries(
            st.sampled_from([*known, "other"]),
            st.one_of(values, st.sampled_from(choices)) if choices else values,
            max_size=6,
        )
    )

    theirs = _errors_of_model(model.section(name, kind), found)

    assert _by_place(_errors(validators.section(name, kind), found)) == _by_place(theirs)


@given(st.data())
def test_the_top_has_the_errors_that_its_model_finds(data: st.DataObject) -> None:
    folder = data.draw(st.booleans())
    found = data.draw(
        st.fixed_dictionaries(
            {},
            optional={
                "instance": st.one_of(values, st.sampled_from(EDGES).map("a".__mul__)),
                "server": values,
                "vars": st.one_of(values, st.dictionaries(texts, values, max_size=3)),
                "silence": values,
                "bots": st.one_of(values, st.dictionaries(texts, st.none(), max_size=3)),
                "other": values,
            },
        )
    )

    theirs = _errors_of_model(model.model(folder=folder), found)

    assert _by_place(_errors(validators.top(folder=folder), found)) == _by_place(theirs)


@pytest.mark.parametrize(("name", "kind"), SECTIONS, ids=lambda one: getattr(one, "path", str(one)))
def test_every_field_of_a_section_is_tried(name: str, kind: Kind | None) -> None:
    """Each key with a value of each type, and of each length and size about its limits."""
    validator, models = validators.section(name, kind), model.section(name, kind)
    limits = {each.limit for each in fields(name, kind).values() if each.limit is not None}
    tried: list[Any] = [
        "",
        0,
        -1,
        1,
        True,
        None,
        (),
        ("a", 1),
        ["a"],
        {"merge": ("a",)},
        INT32_MAX + 1,
        "x\0",
    ]
    tried += [
        each for limit in limits for text in ("a" * limit, "a" * (limit + 1)) for each in (text, (text,))
    ]
    tried += [field.minimum + by for field in fields(name, kind).values() for by in (-1, 0) if field.minimum]
    tried += [choice for field in fields(name, kind).values() for choice in field.choices]

    for key in (*keys(name, kind), "other"):
        for value in tried:
            assert _errors(validator, {key: value}) == _errors_of_model(models, {key: value}), (key, value)


def test_a_manifest_is_parsed_without_pydantic() -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom reconciler.manifests.load import load\n"
        "load(Path('bots'))\nprint('pydantic' in sys.modules, 'pydantic_core' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout == "False True\n"
