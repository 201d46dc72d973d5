"""Instances that share a credential whose key changes, and who watches them meanwhile.

`loja` declares the credential, its settings and three bots; `café/2` borrows it for two more. Others use it
too, where that is asked for: a bot that nobody declares, in `loja` or in `feira`, which no manifest names.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from reconciler.domain.desired import Desired
from reconciler.sandbox.app import Served
from tests.support import Json
from tests.worlds.generators import DEFAULTS
from tests.worlds.shop import CAFE, LOJA, row, wanted
from tests.worlds.stage import Stage

FEIRA = "feira"
OLD_KEY, NEW_KEY, CAFE_KEY = "sk-the-OLD-one", "sk-the-NEW-one", "sk-of-the-CAFE"
KEYS = (OLD_KEY, NEW_KEY, CAFE_KEY)
NAME, OLD = "loja-key", "creds-old"
SETTINGS: dict[str, Json] = {
    "expire": 60,
    "keywordFinish": "",
    "debounceTime": 7,
    "speechToText": True,
    "ignoreJids": {"merge": ["@g.us"]},
}
JIDS = ["5511999999999@s.whatsapp.net"]


@dataclass(frozen=True, slots=True)
class City:
    """What to begin with.

    rotates: the key is another than the server's. settles: the settings differ, and their fallback is a bot
    that is still to be made. strangers: bots that nobody declares use the credential, in these instances.
    """

    rotates: bool = True
    settles: bool = False
    unmanaged: tuple[str, ...] = ()

    def put(self, stage: Stage) -> Desired:
        """Makes the server this city's and no other, and writes and loads the manifests."""
        stage.sandbox.clear()
        stage.sandbox.options.latency = stage.sandbox.options.pause = 0.0
        keys = stage.directory / "keys"
        keys.mkdir(exist_ok=True)
        (keys / "loja").write_text(f"{NEW_KEY if self.rotates else OLD_KEY}\n")
        for instance in (LOJA, CAFE, FEIRA):
            stage.open(instance)
        stage.insert(LOJA, {"id": OLD, "name": NAME, "apiKey": OLD_KEY}, "creds")
        stage.insert(CAFE, {"id": "creds-cafe", "name": "cafe-key", "apiKey": CAFE_KEY}, "creds")
        for instance, bot in (
            (LOJA, row("ana", "a1", "equals:1")),
            (LOJA, row("bia", "a2", "equals:2")),
            (CAFE, row("edu", "a1", "equals:1")),
            (CAFE, row("fabio", "m/1", "all")),
            *((where, row(f"stranger-of-{where}", "m/9", "none", whose="")) for where in self.unmanaged),
        ):
            stage.insert(instance, {**bot, "openaiCredsId": OLD})
        stage.insert(
            LOJA, {**self._row(OLD), "id": "settings-loja", "openaiIdFallback": "bot-ana"}, "settings"
        )
        cafe = {
            **DEFAULTS,
            "id": "settings-cafe",
            "openaiCredsId": "creds-cafe",
            "openaiIdFallback": "bot-edu",
        }
        stage.insert(CAFE, cafe, "settings")
        return stage.declare({LOJA: self._loja(), CAFE: self._cafe()})

    def _row(self, creds: str) -> dict[str, Any]:
        settled = {**SETTINGS, "ignoreJids": [*JIDS, "@g.us"]}
        there = {"ignoreJids": JIDS} if self.settles else settled
        return {**DEFAULTS, **there, "openaiCredsId": creds}

    def _loja(self) -> Json:
        return {
            "instance": LOJA,
            "credentials": {NAME: {"apiKey": "!secret-file ../keys/loja"}},
            "settings": {**SETTINGS, "openaiCreds": NAME, "fallback": "caio" if self.settles else "ana"},
            "defaults": {"openaiCreds": NAME},
            "bots": {
                "ana": wanted("a1", "equals:1"),
                "bia": wanted("a2", "equals:2", expire=5),
                "caio": wanted("m/1", "contains:3"),
            },
        }

    def _cafe(self) -> Json:
        return {
            "instance": CAFE,
            "defaults": {"openaiCreds": {"instance": LOJA, "name": NAME}},
            "bots": {"edu": wanted("a1", "equals:1"), "fabio": wanted("m/1", "all", keywordFinish="sair")},
        }

    def settled(self, stage: Stage) -> None:
        """All is as the manifests say, and what nobody declares is as it was."""
        creds = {row["id"]: row for row in stage.rows("creds").values()}
        current = [id for id, row in creds.items() if row["apiKey"] == (NEW_KEY if self.rotates else OLD_KEY)]
        assert len(current) == 1
        bots = {row["id"]: row for row in stage.rows().values()}
        unmanaged = {f"bot-stranger-of-{where}" for where in self.unmanaged}
        for id, bot in bots.items():
            assert bot["openaiCredsId"] == (OLD if id in unmanaged else current[0]), id
        assert (OLD in creds) == (bool(unmanaged) or not self.rotates)
        assert len(creds) == 2 + (bool(unmanaged) and self.rotates)
        by_key = {(bot["instanceId"], bot["assistantId"], bot["maxTokens"]) for bot in bots.values()}
        assert len(by_key) == len(bots) == 5 + len(unmanaged)
        [bia] = [bot for bot in bots.values() if bot["assistantId"] == "a2"]
        [fabio] = [bot for bot in bots.values() if bot["triggerType"] == "all"]
        [caio] = [bot for bot in bots.values() if bot["triggerValue"] == "3"]
        assert (bia["expire"], fabio["keywordFinish"]) == (5, "sair")
        rows = stage.rows("settings")
        loja = rows["settings-loja"]
        expected = {**self._row(current[0]), **SETTINGS, "ignoreJids": [*JIDS, "@g.us"]}
        assert {name: loja[name] for name in expected} == expected
        assert loja["openaiIdFallback"] == (caio["id"] if self.settles else "bot-ana")
        assert rows["settings-cafe"]["openaiCredsId"] == "creds-cafe"
        assert rows["settings-cafe"]["openaiIdFallback"] == "bot-edu"


class Watch(list[Served]):
    """The sandbox's calls, and after every single one a look at the whole database.

    wrong: what was seen that must never be, with the call after which it was.
    """

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self._db = sqlite3.connect(stage.db, check_same_thread=False, isolation_level=None)
        self._bots = self._read("SELECT id, openaiCredsId FROM bots")
        self._rows = self._read("SELECT id, openaiCredsId FROM settings")
        self._fallbacks = self._read("SELECT id, openaiIdFallback FROM settings")
        self.wrong: list[str] = []
        self.looks = 0
        stage.sandbox.calls = self

    def append(self, call: Served) -> None:
        """The server answered one more call."""
        super().append(call)
        self.looks += 1
        self.wrong += [f"after {call}: {what}" for what in self._look()]

    def _read(self, query: str) -> dict[str, str]:
        return dict(self._db.execute(query).fetchall())

    def _look(self) -> list[str]:
        """Nothing is gone, and all have a credential that exists: the one they had, or the same renewed."""
        keys = self._read("SELECT id, apiKey FROM creds")
        wrong = [f"a key that nobody gave, of {id}" for id in keys if keys[id] not in KEYS]
        for what, before in (("bots", self._bots), ("settings", self._rows)):
            now = self._read(f"SELECT id, openaiCredsId FROM {what}")  # noqa: S608 - one of two words
            wrong += [f"{id} is gone" for id in before.keys() - now.keys()]
            for id, creds in now.items():
                family = (OLD_KEY, NEW_KEY) if before.get(id, OLD) == OLD else (CAFE_KEY,)
                if keys.get(creds) not in family:
                    wrong.append(f"{id} has the credential {creds}")
        bots = self._read("SELECT id, id FROM bots")
        for id, bot in self._read("SELECT id, openaiIdFallback FROM settings").items():
            if bot not in bots:
                wrong.append(f"{id} has no fallback, and had {self._fallbacks[id]}")
        return wrong

    def close(self) -> None:
        """Ends the watch."""
        self._db.close()
