"""Names for the variables of a group: after what they are, where that is clear. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from reconciler.importer import naming
from reconciler.importer.wording import STREET

PLAIN = "texto"
"""What a variable is called where nothing says what it is."""

_LABEL = re.compile(r"([^\W\d_][^\n:.,;!?|•]{1,30}?)\s*:[\s*_]*$")
_BEFORE = re.compile(r"([^\W\d_]+)\s+[^\s]{0,3}\s*$")
_PHONE = re.compile(r"\+?[\d\s().-]{8,}")
_TIME = re.compile(r"\d{1,2}(?:h|:\d{2})")
_DAYS = r"(?:segunda|terça|quarta|quinta|sexta|sábado|domingo|seg|ter|qua|qui|sex|sáb|dom)\b"
_SHAPES: Sequence[tuple[str, re.Pattern[str]]] = (
    ("email", re.compile(r"\S+@\S+\.\S+")),
    (
        "site",
        re.compile(r"https?://\S+|(?:www\.)?[\w-]+(?:\.[\w-]+)*\.(?:com|net|org|br|app|shop)(?:[./]\S*)?"),
    ),
    ("perfil", re.compile(r"@\S+")),
    ("cep", re.compile(r"\d{5}-\d{3}")),
    ("telefone", _PHONE),
    ("preco", re.compile(r"R\$.*|\d+,\d\d")),
    ("horario", re.compile(rf".*{_TIME.pattern}.*|{_DAYS}.*", re.IGNORECASE)),
    ("numero", re.compile(r"\d+(?:[.,]\d+)*")),
    (
        "endereco",
        re.compile(rf"(?:n[ao]\s+)?{STREET.pattern}.*|.*\w.*,\s*(?:n[º°.]?\s*)?\d+\b.*", re.IGNORECASE),
    ),
)
_THINGS = frozenset(
    {"bairro", "cidade", "estado", "gerente", "dono", "dona", "atendente", "responsavel", "taxa", "prazo"}
    | {"pix", "produto", "servico", "medico", "medica", "doutor", "doutora"}
)
"""Words that say what comes after them."""


def names(variables: Iterable[tuple[Mapping[str, str], Sequence[str]]], taken: Collection[str]) -> list[str]:
    """A name for each variable. Of each: its value by instance, and what stands before it in the texts."""
    used = {*taken}
    found = []
    for values, before in variables:
        name = _name(values, before, used)
        name = naming.unique(name.replace("_", "-"), {one.replace("_", "-") for one in used}).replace(
            "-", "_"
        )
        used.add(name)
        found.append(name)
    return found


def _name(values: Mapping[str, str], before: Sequence[str], used: Collection[str]) -> str:
    for text in before:
        if (found := _LABEL.search(text)) and (label := _identifier(found[1])):
            return label
    shapes = [name for name, shape in _SHAPES if all(map(shape.fullmatch, values.values()))]
    if shapes:
        return shapes[0]
    if _related(values):
        return "nome"
    for text in before:
        if (found := _BEFORE.search(text)) and (word := naming.slug(found[1])) in _THINGS:
            return word
    proper = sum(any(word[:1].isupper() for word in value.split()) for value in values.values())
    return "nome" if proper * 2 > len(values) and "nome" not in used else PLAIN


def _identifier(label: str) -> str:
    """A label as a name of at most two words; "" where it is none."""
    words = naming.slug(label).split("-")[-2:]
    words = [word for word in words if word not in ("de", "da", "do", "a", "o", "e", "nosso", "nossa", "seu")]
    return "_".join(words) if words and not words[0][:1].isdigit() else ""


def _related(values: Mapping[str, str]) -> bool:
    """Whether most values have a word of the name of their instance."""
    alike = 0
    for instance, value in values.items():
        whole = naming.slug(instance).split("-")
        alike += any(len(word) > 2 and word in whole for word in naming.slug(value).split("-"))
    return alike * 2 > len(values)
