"""Writes docs/reference/kinds.md: the kinds of bots and their fields, from reconciler/domain/kinds.

`python -m docs.kinds` writes it, and the tests check that it is still true. Nothing here is used by the tool.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from reconciler.domain.kinds import DEFAULT, KINDS, Field, Kind
from reconciler.domain.text import listed

PAGE = Path(__file__).parent / "reference" / "kinds.md"

_HEAD = """\
# Kinds of bots

Evolution API has seven kinds of chatbot. A bot says which one it is with `kind`; without it, it is an
OpenAI bot. [manifest.md](manifest.md#kinds) describes how `kind`, `defaults`, `kinds` and `settings` go
together. This page lists the fields, and is made from the tables that the tool itself reads.

Each kind answers on its own: a message to a number goes to all of its kinds, and may start a bot of each.
Triggers and keys are compared within one kind only.

**What is from a recording.** Types, lengths, required fields, keys and what is refused were recorded:
OpenAI's from servers of 2.2.3 and 2.3.6, the other kinds' from 2.3.6. That 2.3.6 never uses the fallback of
n8n was recorded too; that of Dify was read in the server's public source. So was everything about the first
version that has a kind, its switch, fields that are stored and never read, and the keys that the server
sends along. Where neither says anything of a kind, it is taken to be as OpenAI's.
"""

_COMMON = """
## Fields of every kind

| field | type | | settings |
|---|---|---|---|
"""

_WRITES = {"update": "on updates only"}


def page() -> str:
    """The page."""
    shared = [name for name in DEFAULT.fields if all(name in kind.fields for kind in KINDS.values())]
    common = [name for name in shared if len({_row(kind.fields[name]) for kind in KINDS.values()}) == 1]
    rows = [
        f"{_row(DEFAULT.fields[name])} {'yes' if DEFAULT.fields[name].from_settings else ''} |"
        for name in common
    ]
    parts = [_HEAD, _COMMON, *(f"{row}\n" for row in rows)]
    return "".join([*parts, *(part for kind in KINDS.values() for part in _section(kind, common))])


def _section(kind: Kind, common: Iterable[str]) -> Iterator[str]:
    yield f"\n## {kind.label}\n\n`kind: {kind.path}`" + (", which is the default" if kind is DEFAULT else "")
    yield f". Servers have it since {_version(kind.since)}"
    yield f", with `{kind.switch}=true`.\n" if kind.switch else "; it is always switched on.\n"
    yield "\n| field | type | |\n|---|---|---|\n"
    for name, field in kind.fields.items():
        if name not in common:
            yield f"{_row(field)}\n"
    own = [name for name in kind.settings if not kind.settings[name].from_settings]
    if own:
        yield f"\nIts settings also have {_code(own)}.\n"
    if kind.credential:
        yield (
            f"\nA bot needs a credential: `openaiCreds` with its name, or `{kind.credential}`. Settings may "
            "have `openaiCreds`.\n"
        )
    yield f"\n- No two bots of an instance may have the same {_keys(kind)}.\n"
    yield from (f"- {line}\n" for line in _remarks(kind))


def _keys(kind: Kind) -> str:
    if "botType" in kind.fields and len(set(kind.keys.values())) > 1:
        return " or, for ".join(
            f"{_code(names)} (`{bot_type}`)" if not number else f"`{bot_type}`, the same {_code(names)}"
            for number, (bot_type, names) in enumerate(kind.keys.items())
        )
    checked = listed(sorted(kind.keys_checked), "or")
    only = "" if len(kind.keys_checked) > 1 else f"; the server checks it {_WRITES[checked]}"
    return _code(kind.key({"botType": next(iter(kind.keys))})) + only


def _remarks(kind: Kind) -> Iterator[str]:
    if not kind.uses_fallback:
        yield "The fallback in its settings is stored, and 2.3.6 never uses it."
    if kind.silent_types:
        types = _code(sorted(kind.silent_types))
        yield f"Since 2.3.0 a bot of botType {types} is started, and never answers."
    if kind.passes_key == "global":
        yield "The server sends its *global* api key along: whoever reads what is sent there has the key."
    elif kind.passes_key:
        yield "The server sends the instance's own api key along."
    if kind.unused:
        unused = _code(name for name in kind.fields if name in kind.unused)
        yield f"2.3.6 stores {unused} and never reads them."
    for since in sorted(set(kind.fields_since.values())):
        names = _code(name for name in kind.fields if kind.fields_since.get(name) == since)
        yield f"It has {names} since {_version(since)}."
    for wrong, right in kind.schema.misnamed.items():
        yield f"The server accepts `{wrong}` and ignores it: the field is `{right}`."


def _row(field: Field) -> str:
    about = field.about.replace("|", "\\|")
    return f"| `{field.name}` | {_type(field)} | {about}{_more(field)} |"


def _type(field: Field) -> str:
    if field.choices:
        return ", ".join(f"`{choice}`" for choice in field.choices)
    what = {"bool": "true or false", "int": "whole number", "text": "text", "texts": "list of texts"}[
        field.type
    ]
    return f"{what}, at most {field.limit} characters" if field.limit else what


def _more(field: Field) -> str:
    parts = [" Required."] if field.required else []
    parts += [f" In {field.unit}."] if field.unit not in {None, "tokens"} else []
    for what, which in (("botType", field.bot_types), ("triggerType", field.trigger_types)):
        parts += [f" For {what} {listed(sorted(which))}."] if which else []
    parts += {"whole": [" By `!env` or `!secret-file` only."], "url": [" May have `${env:NAME}` in it."]}.get(
        field.hides, []
    )
    return "".join(parts)


def _code(names: Iterable[str]) -> str:
    return listed(f"`{name}`" for name in names)


def _version(version: Iterable[int]) -> str:
    return ".".join(map(str, version))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
