"""Manifests as nobody should write them, and drifts: both random, each decided by one seed.

Every line knows which fields it speaks of, so that a test can say which lines may change.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reconciler.yaml.emit import scalar

Owners = frozenset[tuple[str, str]]
"""The fields that a line speaks of: (bot, field), or (bot, "") of a line that speaks of all."""

COMMON = {"openaiCreds": "main", "botType": "chatCompletion"}
"""What all bots merge."""

SETTINGS = "the settings"
DEFAULTS = "the defaults"

NOBODY: Owners = frozenset()

_WORDS = (
    "oi olá 你好 🛒 preço: # nota 'aspas' \"duas\" {chave} [lista] a,b % @x &y *z !t | > - ? \\ ~ null true "
    "1.0 0x1F 2020-01-01 $5 loja. pedido ${loja} $${x} ${?} é ção — “x” ... --- <<"
)
WORDS = _WORDS.split(" ")


@dataclass
class File:
    """A manifest's lines with their owners, and what its bots say."""

    lines: list[tuple[str, Owners]] = field(default_factory=list)
    newline: str = "\n"
    mark: bytes = b""
    ends: bool = True

    def add(self, text: str, owners: Owners = NOBODY) -> None:
        """One or several lines of one owner."""
        self.lines += [(line, owners) for line in text.split("\n")]

    @property
    def content(self) -> bytes:
        """The bytes of the file."""
        text = self.newline.join(line for line, _ in self.lines) + (self.newline if self.ends else "")
        return self.mark + text.encode()


def text(pick: random.Random, most: int = 12) -> str:
    """A text of words, marks, and blanks in bad places."""
    if pick.random() < 0.04:
        return ""
    said = " ".join(pick.choices(WORDS, k=pick.randint(1, most)))
    match pick.randrange(12):
        case 0:
            said = f" {said}"
        case 1:
            said = f"{said} "
        case 2:
            said = said.replace(" ", "  ", 1)
        case 3:
            said = said.replace(" ", "\t", 1)
    return said


def prompt(pick: random.Random) -> str:
    """A text of many lines, sometimes with all that makes blocks difficult."""
    lines = [text(pick, 25) for _ in range(pick.randint(1, 6))]
    for _ in range(pick.randrange(3)):
        lines.insert(
            pick.randint(0, len(lines)), pick.choice(["", "  indented", "\ttab", "x\u2028y", "a\rb"])
        )
    return "\n".join(lines) + "\n" * pick.choice([0, 0, 1, 1, 2])


def bot_fields(pick: random.Random, number: int) -> dict[str, Any]:
    """What a bot declares; key and trigger are its own."""
    fields: dict[str, Any] = {
        "botType": "chatCompletion",
        "model": pick.choice(["gpt-4o", "gpt-4.1"]),
        "maxTokens": 100 + number,
        "triggerType": "keyword",
        "triggerOperator": pick.choice(["equals", "contains"]),
        "triggerValue": f"{number}" if pick.random() < 0.5 else f"menu {number}: {pick.choice(WORDS)}",
    }
    more: dict[str, Any] = {
        "enabled": pick.random() < 0.5,
        "description": re.sub(r"[\[\]]", "", text(pick, 4)).strip(),
        "systemMessages": [prompt(pick) for _ in range(pick.randrange(4))],
        "userMessages": [text(pick) for _ in range(pick.randrange(3))],
        "expire": pick.randrange(500),
        "unknownMessage": text(pick, 5),
        "keywordFinish": pick.choice(["sair", "#fim", "0", "no"]),
        "ignoreJids": pick.sample(["@g.us", "@s.whatsapp.net", "5511@s.whatsapp.net"], pick.randrange(4)),
        "splitMessages": pick.random() < 0.5,
        "listeningFromMe": pick.random() < 0.5,
    }
    fields |= {name: value for name, value in more.items() if pick.random() < 0.6}
    return fields


def drifted(pick: random.Random, fields: Mapping[str, Any], number: int) -> dict[str, Any]:
    """New values for some of the fields."""
    names = [name for name in fields if name not in ("botType", "triggerType")]
    chosen = pick.sample(names, pick.randint(1, min(4, len(names))))
    found = {name: _other(pick, name, fields[name], number) for name in chosen}
    return {name: value for name, value in found.items() if value != fields[name]}


def _other(pick: random.Random, name: str, value: Any, number: int) -> Any:
    by_name = {
        "triggerOperator": pick.choice(["startsWith", "endsWith"]),
        "triggerValue": f"{pick.choice(WORDS)} novo {number}",
        "maxTokens": 1000 + number,
        "description": re.sub(r"[\[\]]", "", text(pick, 4)).strip(),
    }
    match value:
        case _ if name in by_name:
            return by_name[name]
        case bool():
            return not value
        case int():
            return pick.randrange(1000, 2000)
        case str():
            return text(pick, 5).strip() or "x"
    return _other_list(pick, value)


def _other_list(pick: random.Random, value: Sequence[str]) -> list[str]:
    items = list(value)
    for _ in range(pick.randint(1, 2)):
        match pick.randrange(4):
            case 0 if items:
                del items[pick.randrange(len(items))]
            case 1 if items:
                at = pick.randrange(len(items))
                items[at] = items[at] + "\n" + text(pick) if pick.random() < 0.5 else prompt(pick)
            case 2 if len(items) > 1:
                pick.shuffle(items)
            case _:
                items.insert(pick.randint(0, len(items)), text(pick) or "y")
    return items


class Messy:
    """One instance's manifest, and the files that it names.

    files: the texts that it includes, by path. folder: what the folder's file says, nothing for none.
    """

    def __init__(self, seed: int) -> None:
        self.pick = random.Random(seed)  # noqa: S311 - it guards nothing
        self.files: dict[str, str] = {}
        self.file = File()
        self.folder: dict[str, Any] = {}
        self.anchors: list[tuple[str, str, Any]] = []

    def drifts(self, declared: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        """New values for some of the bots, and of SETTINGS. declared: what they say."""
        found = {
            name: drifted(self.pick, fields, number)
            for number, (name, fields) in enumerate(sorted(declared.items()))
            if self.pick.random() < 0.6
        }
        return {name: fields for name, fields in found.items() if fields}

    # -- the whole ----------------------------------------------------------------------------

    def write(self) -> None:
        """A manifest of several bots in YAML."""
        pick, file = self.pick, self.file
        file.newline, file.ends = pick.choice(["\n", "\n", "\r\n"]), pick.random() < 0.8
        file.mark = b"\xef\xbb\xbf" if pick.random() < 0.2 else b""
        shared, defaults = self.head()
        step = pick.choice([2, 2, 4])
        file.add(pick.choice(["bots:", '"bots":', "bots:   # all of them"]))
        if pick.random() < 0.3:
            self.folder = {"defaults": {"userMessages": ["do dia"]}, "bots": {}}
        for number in range(pick.randint(1, 5)):
            own = {key: value for key, value in bot_fields(pick, number).items() if key not in COMMON}
            merges, inherited = "*common", dict[str, Any]()
            if shared and pick.random() < 0.6:
                merges, inherited = "[*common, *shared]", shared
            for key in sorted((inherited.keys() | defaults.keys()) & own.keys()):
                if pick.random() < 0.7:
                    del own[key]
            self.bot(f"bot-{number}", own, merges, step)
            self.noise(pick.choice([0, step]))

    def head(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What stands above the bots: what they may merge, and their defaults."""
        pick, file = self.pick, self.file
        shared: dict[str, Any] = {}
        if pick.random() < 0.6:
            shared = {"enabled": True, "unknownMessage": text(pick, 5).strip() or "?", "expire": 7}
        defaults = {"ignoreJids": ["@g.us", "x@g.us"], "keywordFinish": "sair"} if pick.random() < 0.6 else {}
        if pick.random() < 0.3:
            file.add("---")
        self.noise()
        file.add(f"x-common: &common   # {pick.choice(WORDS)}")
        for name, value in COMMON.items():
            file.add(f"  {name}: {value}")
            self.noise(2)
        if shared:
            file.add("x-shared: &shared")
            self.pairs("", shared, 4)
        if pick.random() < 0.3:
            file.add("vars: {loja: Centro, x: 'é'}  # ${loja}")
        if pick.random() < 0.4:
            jids = ["a@g.us", "@g.us"]
            said = text(pick, 5).strip() or "!"
            settings = {"expire": 9, "unknownMessage": said, "ignoreJids": jids, "speechToText": True}
            file.add("settings:")
            self.pairs(SETTINGS, settings, 3)
        if defaults:
            file.add("defaults:")
            self.pairs(DEFAULTS, defaults, 2)
            self.noise()
        return shared, defaults

    def bot(self, name: str, own: dict[str, Any], merges: str, step: int) -> None:
        """A bot, parts of which may be the folder's; the first is all the manifest's."""
        pick = self.pick
        if self.folder and name != "bot-0" and pick.random() < 0.5:
            if pick.random() < 0.5:
                self.folder["bots"][name] = {**own, **COMMON}
                return
            moved = {key: value for key, value in own.items() if pick.random() < 0.5}
            self.folder["bots"][name] = moved
            own = {key: value for key, value in own.items() if key not in moved}
        if pick.random() < 0.2:
            self.flow_bot(name, own, merges, step)
            return
        self.file.add(f"{' ' * step}{pick.choice([name, repr(name)])}:")
        self.noise(step)
        self.block_bot(name, own, merges, 2 * step)

    def block_bot(self, name: str, own: Mapping[str, Any], merges: str, column: int) -> None:
        """A bot with a line for each of its keys."""
        order = list(own)
        self.pick.shuffle(order)
        at = self.pick.randint(0, len(order))
        self.pairs(name, {key: own[key] for key in order[:at]}, column)
        self.file.add(f"{' ' * column}<<: {merges}")
        self.pairs(name, {key: own[key] for key in order[at:]}, column)

    def flow_bot(self, name: str, own: Mapping[str, Any], merges: str, column: int) -> None:
        """A bot in braces, on one line or on many."""
        parts = [f"<<: {merges}", *(f"{key}: {self.inline(value)}" for key, value in own.items())]
        owners = frozenset({(name, "")})
        if self.pick.random() < 0.5:
            self.file.add(f"{' ' * column}{name}: {{{', '.join(parts)}}}", owners)
            return
        self.file.add(f"{' ' * column}{name}: {{  # open", owners)
        pad = self.pick.choice(["\t", " " * (column + 2)]) if column else "  "
        pad = " " * (column + 1) + pad
        for part in parts:
            last = part is parts[-1] and self.pick.random() < 0.5
            self.file.add(f"{pad}{part}{'' if last else ','}{self.pick.choice(['', '  # c', ' '])}", owners)
        self.file.add(f"{' ' * column} }}", owners)

    def pairs(self, bot: str, fields: Mapping[str, Any], column: int) -> None:
        """Keys and values, a line or more for each."""
        for key, value in fields.items():
            self.noise(column)
            self.pair(bot, key, value, column)

    def pair(self, bot: str, key: str, value: Any, column: int) -> None:
        """One key with its value."""
        pick = self.pick
        owners = frozenset({(bot, key)} if bot else ())
        pad = " " * column
        shown = pick.choice([key, key, f'"{key}"', f"'{key}'"])
        colon = pick.choice([": ", ":  ", ": "])
        anchors = bool(bot) and bot != DEFAULTS
        if anchors:
            for number, (whose, name, said) in enumerate(self.anchors):
                if name == key and said == value and pick.random() < 0.7:
                    self.file.add(f"{pad}{shown}{colon}*a{number}", owners | {(whose, name)})
                    return
        anchor = ""
        if anchors and pick.random() < 0.2:
            anchor = f"&a{len(self.anchors)} "
            self.anchors.append((bot, key, value))
        if isinstance(value, list):
            self.list(f"{pad}{shown}", anchor, value, column, owners)
            return
        first, rest = self.source(value, column)
        comment = pick.choice(["", "", "   # why", " #"]) if not rest or first[0] in "|>" else ""
        self.file.add(f"{pad}{shown}{colon}{anchor}{first}{comment}", owners)
        if rest:
            self.file.add(rest, owners)

    def list(self, key: str, anchor: str, items: Sequence[str], column: int, owners: Owners) -> None:
        """A list of texts, in brackets or not."""
        pick = self.pick
        if not items or (pick.random() < 0.4 and all("\n" not in item for item in items)):
            inside = [scalar(item, indent=0, flow=True) for item in items]
            if pick.random() < 0.5 or not items:
                self.file.add(f"{key}: {anchor}[{', '.join(inside)}]{pick.choice(['', '  # ]'])}", owners)
                return
            self.file.add(f"{key}: {anchor}[", owners)
            for number, item in enumerate(inside):
                comma = "," if number < len(inside) - 1 or pick.random() < 0.5 else ""
                self.file.add(f"{' ' * column}   {item}{comma}{pick.choice(['', '  # x'])}", owners)
            self.file.add(f"{' ' * column} ]", owners)
            return
        self.file.add(f"{key}: {anchor}".rstrip() + pick.choice(["", "  # list"]), owners)
        column += pick.choice([0, 2])
        for item in items:
            self.noise(column)
            if "\r" not in item and pick.random() < 0.3:
                path = f"prompts/{len(self.files)}.md"
                again = [name for name, said in self.files.items() if said == item]
                if again:
                    path = again[0]
                self.files[path] = item
                self.file.add(f"{' ' * column}- !file {path}", owners)
                continue
            first, rest = self.source(item, column)
            comment = pick.choice(["", "  # i"]) if not rest or first[0] in "|>" else ""
            self.file.add(f"{' ' * column}-{pick.choice([' ', '   '])}{first}{comment}", owners)
            if rest:
                self.file.add(rest, owners)

    def inline(self, value: Any) -> str:
        """A value in braces."""
        if isinstance(value, list):
            return "[" + ", ".join(self.inline(item) for item in value) + "]"
        if isinstance(value, str):
            style = self.pick.choice(["", "'", '"'])
            return scalar(value, indent=0, style=style, flow=True)
        return json.dumps(value)

    def source(self, value: Any, column: int) -> tuple[str, str]:
        """What stands behind the colon, and the lines below."""
        if not isinstance(value, str):
            return json.dumps(value), ""
        style = self.pick.choice(["", "'", '"', "|", "|", ">"])
        first, _, rest = scalar(value, indent=column, style=style, width=60).partition("\n")
        if first[:1] in ("|", ">") and rest:
            more = self.pick.choice([0, 0, 1, 3])
            rest = "\n".join(" " * more + line if line else line for line in rest.split("\n"))
            if len(first) > 1 and first[1].isdigit():
                first = f"{first[0]}{2 + more}{first[2:]}"
        return first, rest

    def noise(self, column: int = 0) -> None:
        """Comments and blank lines, sometimes."""
        match self.pick.randrange(8):
            case 0:
                self.file.add("")
            case 1:
                self.file.add(f"{' ' * column}# {self.pick.choice(WORDS)}: {self.pick.choice(WORDS)}")
            case 2:
                self.file.add(f"\n{' ' * column}#- x: |")


def untouched(file: File, drifts: Mapping[str, Iterable[str]]) -> list[str]:
    """The lines that speak of nothing that drifted."""
    changed = {(bot, name) for bot, names in drifts.items() for name in (*names, "")}
    often = Counter(name for names in drifts.values() for name in names)
    changed |= {(DEFAULTS, name) for name, number in often.items() if number > 1}
    return [line for line, owners in file.lines if not owners & changed]
