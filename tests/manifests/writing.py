"""Manifests for the tests: written below a directory, with the place of an error marked by ‸."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.domain.desired import Desired, DesiredBot, DesiredInstance, DesiredSettings
from reconciler.domain.errors import ManifestError
from reconciler.domain.kinds import Field, Kind, Type
from reconciler.manifests.load import load, read_all
from reconciler.manifests.loaded import Loaded

HERE = "‸"

CHAT = """\
    openaiCreds: main
    botType: chatCompletion
    model: gpt-4o
    maxTokens: 300
    triggerType: keyword
    triggerOperator: equals
    triggerValue: oi
"""
"""What makes a bot whole; to be put under its name."""


def whole(kind: Kind, name: str = "a", **other: str) -> str:
    """A bot of a kind with what the kind needs, as a line of YAML. other: fields as they are written."""
    fields = {field.name: written(field) for field in kind.fields.values() if field.required or field.hides}
    fields = {name: text for name, text in fields.items() if kind.fields[name].bot_types is None}
    fields |= {"triggerType": "none"}
    if kind.credential:
        fields |= {"openaiCreds": "main", "botType": "assistant", "assistantId": "asst_1"}
    fields |= other
    return f"{name}: {{kind: {kind.path}, {', '.join(f'{key}: {text}' for key, text in fields.items())}}}"


def written(field: Field) -> str:
    """A value that a field takes, as YAML."""
    if field.hides:
        return {"whole": "!env A_SECRET", "url": '"https://bots.example.com/v1"'}[field.hides]
    match field.type:
        case Type.BOOL:
            return "true"
        case Type.INT:
            return str(field.minimum + 5)
        case Type.TEXTS:
            return "[x]"
        case Type.ENUM:
            return field.choices[0]
        case Type.TEXT:
            return "some-text"


def write(directory: Path, files: Mapping[str, str | bytes]) -> Path:
    """The files below directory/bots, which is returned."""
    root = directory / "bots"
    root.mkdir(exist_ok=True)
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def read(directory: Path, files: Mapping[str, str | bytes]) -> Desired:
    """What the files declare."""
    root = write(directory, files)
    cached(root)
    return load(root)


def cached(root: Path) -> Loaded:
    """What the cache says of a directory, which is what the files say: when it is written, and then."""
    parsed, written, found = (read_all(root, origins=False, cached=cached) for cached in (False, True, True))
    assert written.problems == found.problems == parsed.problems
    everything = [everything_of(one) for one in parsed.instances]
    assert [everything_of(one) for one in written.instances] == everything
    assert [everything_of(one) for one in found.instances] == everything
    return found


def everything_of(instance: DesiredInstance) -> object:
    """All that an instance has, also what is not compared: places, types, the order of fields."""
    ignored = [
        sorted(instance.ignored),
        *(sorted(one.ignored) for one in instance.bots),
    ]  # sets have no order
    bare = [replace(one, ignored=frozenset()) for one in instance.bots]
    shown = repr(replace(instance, bots=tuple(bare), ignored=frozenset()))
    parts: list[DesiredBot | DesiredSettings] = [*instance.bots, *instance.settings.values()]
    values = [(*pair, type(pair[1])) for one in parts for pair in one.fields.items()]
    return (
        *(shown, ignored, instance.files, instance.vars, [one.at for one in instance.tests], values),
        [(one.creds_at, one.traces, one.origins) for one in parts],
    )


def bot(directory: Path, text: str, file: str = "loja.yaml") -> DesiredBot:
    """The only bot of a manifest."""
    (instance,) = read(directory, {file: text}).instances
    (only,) = instance.bots
    return only


def problems(directory: Path, files: Mapping[str, str | bytes]) -> list[str]:
    """The errors of the files, as lines that begin with the file's path below bots."""
    root = write(directory, files)
    with pytest.raises(ManifestError) as raised:
        load(root)
    cached(root)
    lines = str(raised.value).split("\n")
    assert lines == [str(problem) for problem in raised.value.problems], "a problem is one line"
    assert all(line.startswith(f"{root}/") for line in lines)
    assert all(line.isprintable() for line in lines)
    return [line.replace(f"{root}/", "") for line in lines]


def marked(text: str) -> tuple[str, str]:
    """The text without its mark, and the mark's place as line:column."""
    before, mark, after = text.partition(HERE)
    assert mark, "no place is marked"
    assert HERE not in after, "two places are marked"
    return before + after, f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"
