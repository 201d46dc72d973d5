"""A server as an agency has it: shops in groups, whose bots differ by a name, an address, hours, a phone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.domain.kinds import KINDS
from reconciler.importer import naming
from tests.importer.new.kinds import row
from tests.importer.new.servers import Server
from tests.support import Json

GROUPS = {
    "padaria": "Padaria",
    "clinica": "Clínica",
    "moda": "Boutique",
    "pet": "Pet Shop",
}
"""The first word of the instances' names, and of what the shops are called."""

_NAMES = [
    "Aurora Bela Vista",
    "Cajueiro",
    "Dois Irmãos",
    "Esperança",
    "Figueira",
    "Girassol",
    "Horizonte",
    "Ipê Amarelo",
    "Jatobá",
    "Kairós",
    "Lírio",
    "Mandacaru",
    "Nascente",
    "Oliveira",
    "Primavera",
    "Quintal",
    "Recanto",
    "Serrana",
    "Tamoio",
    "Umbuzeiro",
    "Videira",
    "Xingu",
    "Ypiranga",
    "Zênite",
]
_STREETS = (
    "Rua das Acácias",
    "Av. Brasil",
    "Praça da Matriz",
    "Rua Sete de Setembro",
    "Alameda Santos",
    "Rua Goiás",
)

TONE = (
    "# Tom de voz\n\nSeja breve e cordial.\nNunca invente preços.\nResponda em português.\n"
    + "- Não use gírias.\n" * 3
)
"""A prompt that all groups have, word for word."""

RULES = "\n".join(
    f"{number}. Regra {number} do atendimento: pergunte antes de supor." for number in range(1, 21)
)
PROMOTIONS = "Fale das promoções.\n" + "".join(
    f"- A oferta número {day} vale só no dia.\n" for day in range(9)
)


@dataclass(frozen=True, slots=True)
class Shop:
    """A client. words: what only it may say."""

    instance: str
    group: str
    name: str
    address: str
    hours: str
    phone: str

    @property
    def words(self) -> tuple[str, ...]:
        """What stands in no other client's files."""
        return (self.name.removeprefix(f"{GROUPS.get(self.group, 'Loja')} "), self.address, self.phone)


def shops(number: int, *, alone: int = 0, groups: Sequence[str] = tuple(GROUPS)) -> list[Shop]:
    """So many shops in groups of about the same size, and so many that are in none."""
    found = []
    for at in range(number + alone):
        group = groups[at % len(groups)] if at < number else ""
        word = _NAMES[at % len(_NAMES)] + (f" {at // len(_NAMES) + 1}" if at >= len(_NAMES) else "")
        slug = naming.slug(f"{group or 'avulsa'} {word}")
        kind = GROUPS.get(group, "Loja")
        found.append(
            Shop(
                slug,
                group,
                f"{kind} {word}",
                f"{_STREETS[at % len(_STREETS)]}, {100 + at}",
                "9h às 18h" if at % 3 else f"{7 + at % 4}h às {19 + at % 3}h",
                f"(11) 9{8000 + at}-{1000 + 7 * at}",
            )
        )
    return found


def front(shop: Shop) -> str:
    """The prompt of the front desk."""
    return (
        f"Você atende a {shop.name}, na {shop.address}.\n\n"
        f"Telefone: {shop.phone}\nHorário: {shop.hours}\n\n{RULES}\n\n"
        f"Despeça-se em nome da {shop.name}.\n"
    )


def bots(shop: Shop, at: int) -> list[dict[str, Json]]:
    """The bots of a shop. at: its number; some have bots that others do not, one has a prompt of its own."""
    common: dict[str, Json] = {"ignoreJids": ["@g.us"], "delayMessage": 1500, "model": "gpt-4o-mini"}
    found = [
        _chat(
            100, description=f"Recepção da {shop.name}", triggerType="all", systemMessages=[front(shop), TONE]
        ),
        _chat(200, "1", description="Pedidos", systemMessages=[f"Anote o pedido da {shop.name}.", TONE]),
        _chat(
            300,
            "2",
            description="Horários",
            systemMessages=[f"A {shop.name} abre das {shop.hours}. Dúvidas: {shop.phone}."],
        ),
    ]
    if at % 10 == 3:
        found.append(_chat(400, "3", description="Promoções", systemMessages=[PROMOTIONS]))
    if at % 20 == 7:
        own = "".join(f"{line}. Só na {shop.name} se diz isto assim.\n" for line in range(12))
        found[0]["systemMessages"] = [own, TONE]
    if at % 20 == 9:
        del found[2]
    return [{**one, **common} for one in found]


def _chat(tokens: int, trigger: str = "", **fields: Json) -> dict[str, Json]:
    made = row(KINDS["openai"], tokens)
    made |= {"botType": "chatCompletion", "maxTokens": tokens, "assistantId": None, "functionUrl": None}
    made |= {"assistantMessages": [], "userMessages": [], "triggerValue": trigger}
    return made | fields


def open_shops(server: Server, those: Sequence[Shop]) -> None:
    """Makes the instances and their bots."""
    for at, shop in enumerate(those):
        instance = server.instance(shop.instance)
        credential = server.credential(instance, f"{shop.instance}-openai")
        for one in bots(shop, at):
            server.insert("bots", **one, openaiCredsId=credential, instanceId=instance)
