"""Servers as they are found: shops that somebody set up by hand, and what else can be in a database.

Rows go straight into the sandbox's database, since many a state needs a race, an old version or a manager
that checks less than the API.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from random import Random

from reconciler.domain.kinds import OPENAI
from reconciler.sandbox import Sandbox
from reconciler.sandbox.instances import new_instance
from reconciler.sandbox.store import Store
from tests.support import Json

OPENAI_KEY = "sk-canary"
"""What every OpenAI key of these servers begins with."""

CANARY = "c4n4ry"
"""What every other secret of these servers begins with."""

TOKEN = "b7Xq9mZ2rT5wK8vN1pL4"
"""What makes a text look like a token."""

NAMES = (
    *(
        "loja-centro",
        "loja-shopping",
        "suporte",
        "Matriz",
        "matriz",
        "Filial São João",
        "vendas_01",
        "5511987650001",
    ),
    *("../x", "..", "a/b", "CON", "_teste", ".oculta", "Ação & Cia", "店", "x.yaml", "100%", "no", "  ", "é"),
    *(
        "clínica",
        "clinica",
        "bar do zé",
        "PIZZARIA",
        "pet-shop",
        "auto#1",
        "escola?",
        "hotel\tsol",
        "e" * 200,
    ),
)
DESCRIPTIONS = (
    *(
        "Menu 1, orders",
        "Horários e endereço",
        "Pedidos",
        "Atendimento",
        "Suporte pós-venda",
        "Pizzaria: delivery",
    ),
    *(
        "",
        "",
        "",
        "  padded  ",
        "Front desk [seg a sex]",
        "Финансы",
        "24",
        "two  blanks",
        "linha\nduas",
        "x" * 255,
    ),
    *("a [b: c] d", "sales #2", "# not a comment", "no", "Trocas & devoluções", "👩‍⚕️ triagem", "\u202eevil"),
)
_VALUES = (
    *(
        "1",
        "2",
        "0",
        "0010",
        "pedidos",
        "oi",
        "Olá",
        "no",
        "null",
        "2026-01-31",
        " x ",
        "#promo",
        "a: b",
        "1.5",
    ),
    *(
        "^(oi|olá)\\b",
        "[1-9]\\d*",
        "trocar",
        "'",
        '"',
        "- item",
        "a\nb",
        "~",
        "!",
        "menu",
        "\u200b",
        "cancelar pedido",
    ),
)
_TALK = (
    "você atende a loja com simpatia responda em português nunca invente preço estoque prazo "
    "ou promoção peça o nome e o pedido: se não souber diga que vai confirmar # com a equipe 'aspas' "
    '"duplas" é ção 1. - *'
)
_WORDS = _TALK.split()
TIMING = {
    "expire": (0, 60, 300),
    "keywordFinish": ("", "sair", "bye", " fim "),
    "delayMessage": (0, 1000, 1500),
    "unknownMessage": ("", "Só texto, por favor.", "Sorry, I dont understand"),
    "listeningFromMe": (True, False),
    "stopBotFromMe": (True, False),
    "keepOpen": (True, False),
    "debounceTime": (0, 1, 8),
    "ignoreJids": ([], ["@g.us"], ["@g.us", "5511999999999@s.whatsapp.net"]),
    "splitMessages": (True, False),
    "timePerChar": (0, 50),
}


class Server:
    """A sandbox whose database is filled from outside."""

    def __init__(self, sandbox: Sandbox, store: Store) -> None:
        self.sandbox, self.store = sandbox, store

    def insert(self, table: str, **values: Json) -> Json:
        """Makes a row, whatever it says; returns it."""
        return asyncio.run(self.store.insert(table, values))

    def instance(self, name: str) -> str:
        """Makes an instance; returns its id."""
        return str(self.insert("instances", **new_instance(name))["id"])

    def credential(self, instance_id: str, name: str) -> str:
        """Makes a credential; returns its id."""
        number = len(asyncio.run(self.store.all("creds")))
        row = {"name": name, "apiKey": f"{OPENAI_KEY}-{number}", "instanceId": instance_id}
        return str(self.insert("creds", **row)["id"])

    def clear(self) -> None:
        """Empties the database."""
        self.sandbox.clear()


@contextmanager
def serving(directory: Path, version: str = "2.3.6") -> Iterator[Server]:
    """A sandbox with its state below the directory."""
    db = directory / "sandbox.db"
    with Sandbox(db, version=version) as sandbox:
        store = Store(db)
        try:
            yield Server(sandbox, store)
        finally:
            store.close()


def fill(server: Server, seed: int, instances: int, bots: int, *, hostile: bool = True) -> None:
    """Makes a random server of so many instances and, in all, about so many bots."""
    random = Random(seed)  # noqa: S311  it guards nothing
    names = list(NAMES) + [f"loja-{number}" for number in range(100)]
    if not hostile:
        names = names[:8] + names[len(NAMES) :]
    shared_creds: list[str] = []
    for number, name in enumerate(names[:instances]):
        ident = server.instance(name)
        _fill(server, random, (name, ident), shared_creds, bots // instances, number, hostile=hostile)


def _fill(
    server: Server,
    random: Random,
    of: tuple[str, str],
    shared_creds: list[str],
    bots: int,
    number: int,
    *,
    hostile: bool,
) -> None:
    name, ident = of
    families = [f"{name[:40].strip() or number}-openai", f"extra {number}", "main"][
        : random.choice((1, 1, 1, 2))
    ]
    if random.random() < 0.1:
        families.append(f"odd\n{number}" if hostile else f"odd-{number}")
    own = [server.credential(ident, family) for family in families]
    if random.random() < 0.3:
        own.append(server.credential(ident, f"{families[0]}@2"))
        own = own[-1:] if random.random() < 0.5 else own
    credentials = own + (random.sample(shared_creds, 1) if shared_creds and random.random() < 0.2 else [])
    shared_creds.append(own[0])
    base = {name: random.choice(values) for name, values in TIMING.items()}
    rows = [
        _bot(random, base, credentials, place, hostile=hostile)
        for place in range(random.randint(0, 2 * bots))
    ]
    rows = rows if hostile and random.random() < 0.2 else _possible(rows)
    made = [server.insert("bots", **row, instanceId=ident) for row in rows]
    if random.random() < 0.7:
        fallback = random.choice(made)["id"] if made and random.random() < 0.4 else None
        row: dict[str, Json] = {
            **base,
            "speechToText": random.random() < 0.3,
            "openaiCredsId": random.choice(own),
        }
        if random.random() < 0.2:
            row |= dict.fromkeys(random.sample(["debounceTime", "ignoreJids", "timePerChar"], 2))
        server.insert("settings", **row, openaiIdFallback=fallback, instanceId=ident)


def _bot(
    random: Random, base: Mapping[str, Json], credentials: list[str], place: int, *, hostile: bool
) -> dict[str, Json]:
    row: dict[str, Json] = {
        **base,
        "openaiCredsId": random.choice([credentials[0], random.choice(credentials)]),
    }
    for name in random.sample(list(TIMING), random.choice((0, 0, 1, 3))):
        row[name] = random.choice(TIMING[name])
    if random.random() < 0.1:
        row |= dict.fromkeys(random.sample(list(TIMING), 3))
    row["enabled"] = random.random() < 0.9
    row["description"] = _description(random, hostile=hostile)
    row["createdAt"] = f"2026-01-{1 + place % 28:02}T00:00:{place % 60:02}.000Z"
    texts = {field: _texts(random) for field in ("systemMessages", "assistantMessages", "userMessages")}
    assistant: dict[str, Json] = {
        "assistantId": f"asst_{random.randrange(10**6)}",
        "functionUrl": "https://loja.example/f",
    }
    chat = {
        "model": random.choice(("gpt-4o", "gpt-4o-mini")),
        "maxTokens": random.randrange(100, 999),
        **texts,
    }
    row["botType"] = random.choice(("chatCompletion",) * 5 + ("assistant",))
    row |= assistant if row["botType"] == "assistant" else chat
    if random.random() < 0.1:  # left over from another type
        row |= assistant | chat
    row["triggerType"] = random.choice(("keyword",) * 5 + ("advanced", "all", "none"))
    if row["triggerType"] in ("keyword", "advanced") or random.random() < 0.1:
        row["triggerOperator"] = random.choice(OPENAI.fields["triggerOperator"].choices)
        row["triggerValue"] = random.choice(_VALUES) if hostile else f"{random.choice(_VALUES[:7])}{place}"
    if row["triggerType"] == "advanced" and random.random() < 0.7:
        row["triggerValue"] = f"contains:troca,trocar{place} notcontains:x"
    if hostile and random.random() < 0.05:
        row[random.choice(("expire", "delayMessage", "debounceTime", "maxTokens"))] = -random.randrange(9)
    if hostile and random.random() < 0.05:
        row[random.choice(("model", "assistantId", "triggerValue", "maxTokens"))] = None
    return row


def _description(random: Random, *, hostile: bool) -> str | None:
    text = random.choice(DESCRIPTIONS)
    name = f"bot-{random.randrange(40)}"
    markers: tuple[str, ...] = (
        *("",) * 9,
        f"[gitops:{name}]",
        f"[gitops:{name}]",
        f"[gitops:{name}]~0123abcd",
    )
    if hostile:
        markers += (
            f"[other:{name}]~01234567",
            f"[GitOps: {name} ]",
            f"[gitops:{name}] [gitops:x]",
            f"[gitops:{'y' * 80}]",
        )
    marker = random.choice(markers)
    return f"{text[: 254 - len(marker)]} {marker}".strip(" ") if marker else random.choice((text, text, None))


def _texts(random: Random) -> list[str]:
    return [_text(random) for _ in range(random.choice((0, 0, 1, 1, 2)))]


def _text(random: Random) -> str:
    lines = [
        " ".join(random.choice(_WORDS) for _ in range(random.randint(0, 18)))
        for _ in range(random.choice((1, 1, 2, 4, 12, 30)))
    ]
    if random.random() < 0.2:
        return "Você atende as Lojas Ipê.\n\n" + "- Seja cordial e direto.\n" * 10
    breaks = random.choice(("\n",) * 8 + ("\r\n", "\r", "\n  ", " \n", "\u2028"))
    return breaks.join(lines) + random.choice(("", "", "", "\n", "\n\n", " ", "\t"))


def _possible(rows: list[dict[str, Json]]) -> list[dict[str, Json]]:
    """Those that a server would have let in one after the other."""
    found: list[dict[str, Json]] = []
    for row in rows:
        keys = {_key(row), _trigger(row)}
        if not any(keys & {_key(one), _trigger(one)} - {None} for one in found):
            found.append(row)
    return found


def _key(row: Mapping[str, Json]) -> Json:
    names = ("assistantId",) if row["botType"] == "assistant" else ("model", "maxTokens")
    return (row["botType"], *(row.get(name) for name in names))


def _trigger(row: Mapping[str, Json]) -> Json:
    if row["triggerType"] == "all" and row["enabled"]:
        return "all"
    return (row["triggerValue"],) if row.get("triggerValue") else None
