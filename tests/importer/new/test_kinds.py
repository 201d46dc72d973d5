"""Import of bots of every kind: what is written, under which names, and no secret."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.domain.hidden import Hidden
from reconciler.domain.kinds import KINDS, Field, Kind
from reconciler.domain.plan import Plan, Verb
from reconciler.manifests.load import load
from reconciler.sandbox.store import bots_of
from tests.importer.new.conftest import Here, unexpected
from tests.importer.new.kinds import ALONE, HIDDEN, fill_kinds, put, row, secret, settle
from tests.importer.new.servers import CANARY
from tests.importer.new.test_import import MODELINE, bot, shop
from tests.support import World

DIFY, FLOWISE, N8N, TYPEBOT = (KINDS[path] for path in ("dify", "flowise", "n8n", "typebot"))


def test_a_shop_with_three_kinds(here: Here) -> None:
    loja = shop(here.server, "loja", bot(100, "1", enabled=False), bot(200, "2"), speechToText=True)
    key, url = secret(DIFY.fields["apiKey"]), secret(N8N.fields["webhookUrl"])
    agent = put(here.server, loja, DIFY, **row(DIFY, 300, apiKey=key, description="Vendas", expire=5))
    put(here.server, loja, DIFY, **row(DIFY, 400, apiKey=key, botType="agent", keepOpen=True))
    put(here.server, loja, N8N, **row(N8N, 500, webhookUrl=url, basicAuthUser="ana"))
    settle(here.server, loja, DIFY, agent, debounceTime=9, expire=7)
    settle(here.server, loja, N8N, keywordFinish="fim", unknownMessage="?")
    result = here.run("import")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        "bots/loja.yaml  5 bots, 1 credential, settings\n\n"
        "Wrote 1 manifest with 5 bots. Next:\n"
        "  export OPENAI_KEY_LOJA=...\n"
        "  export DIFY_KEY_LOJA=...\n"
        "  export N8N_WEBHOOK_URL_LOJA_MENU_500=...\n"
        "  reconciler plan    # shows only adoptions: bots that get our marker\n"
    )
    assert here.files() == {"loja.yaml": MODELINE + THREE_KINDS}
    assert not unexpected(here.plan())


THREE_KINDS = """\

credentials:
  loja-openai: {apiKey: !env OPENAI_KEY_LOJA}

settings:
  openaiCreds: loja-openai
  keywordFinish: sair
  delayMessage: 1500
  listeningFromMe: false
  debounceTime: 8
  ignoreJids: ["@g.us"]
  speechToText: true

defaults:
  enabled: true
  triggerType: keyword
  triggerOperator: equals

kinds:
  openai:
    defaults:
      openaiCreds: loja-openai
      botType: chatCompletion
      model: gpt-4o-mini
  dify:
    settings:
      debounceTime: 9
    defaults:
      apiKey: !env DIFY_KEY_LOJA
  n8n:
    settings:
      keywordFinish: fim

bots:
  menu-1:
    enabled: false
    triggerValue: 1
    maxTokens: 100

  menu-2:
    triggerValue: 2
    maxTokens: 200

  vendas:
    kind: dify
    description: Vendas
    botType: chatBot
    triggerValue: 300
    apiUrl: https://dify.example/300
    debounceTime: 1

  menu-400:
    kind: dify
    botType: agent
    triggerValue: 400
    apiUrl: https://dify.example/400
    debounceTime: 1

  menu-500:
    kind: n8n
    triggerValue: 500
    webhookUrl: !env N8N_WEBHOOK_URL_LOJA_MENU_500
    basicAuthUser: ana
    keywordFinish: bye
"""


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_a_plan_after_an_import_has_nothing_but_adoptions(
    here: Here, seed: int, full: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(here, seed, full, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 200))
def test_the_same_of_many_more(here: Here, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    check(here, seed, seed % 2 == 0, monkeypatch)


@pytest.mark.parametrize(
    "seed", [1, 2, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(100, 200))]
)
def test_servers_that_nobody_would_make(here: Here, seed: int) -> None:
    fill_kinds(here.server, seed, instances=4, bots=6, hostile=True)
    there = _everything(here)
    result = here.run("import", *(["--full"] if seed % 2 else []))
    assert result.exit_code == 0, result.stderr
    assert CANARY not in str(here.files())
    said = {ident for ident in there if f": bot {ident}" in result.stderr}
    plan = here.plan()
    assert not unexpected(plan)
    assert _seen(plan) >= len(there) - len(said), "each bot is in a manifest, or said"
    assert len(said) < len(there), "some are in a manifest"


def check(here: Here, seed: int, full: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Imports a random server, and plans without the secrets and with them."""
    fill_kinds(here.server, seed, instances=4, bots=6)
    there = _everything(here)
    result = here.run("import", *(["--full"] if full else []))
    assert result.exit_code == 0, result.stderr
    assert here.run("fmt", "--check").output == "", "what import writes is canonical"
    assert CANARY not in str(here.files())
    said = {ident for ident in there if f": bot {ident}" in result.stderr}
    plan = here.plan()
    assert not unexpected(plan)
    assert _seen(plan) == len(there) - len(said), "each bot is in a manifest, or said"
    assert len(said) * 3 < len(there), "most are in a manifest"
    for name, value in _secrets(here).items():
        monkeypatch.setenv(name, value)
    with_secrets = here.plan()
    assert not unexpected(with_secrets)
    assert _seen(with_secrets) == len(there) - len(said)
    here.adopt()
    assert not here.plan().writes


def _seen(plan: Plan) -> int:
    """How many bots are in manifests."""
    return plan.in_sync + sum(change.verb in (Verb.ADOPT, Verb.UPDATE) for change in plan.changes())


def _everything(here: Here) -> set[str]:
    """The ids of all bots of the server."""
    return {bot["id"] for _, bot in _rows(here)}


def _rows(here: Here) -> Iterator[tuple[str, dict[str, str]]]:
    """All bots of the server, with their instances."""
    with World(here.server.sandbox.url, here.server.sandbox.api_key) as world:
        for one in world.done("GET", "/instance/fetchInstances"):
            for path in KINDS:
                for found in world.done("GET", f"/{path}/find/{one['name']}"):
                    yield one["name"], found


def _secrets(here: Here) -> dict[str, str]:
    """The value of every variable that the manifests name, from the bots that the plan says they are."""
    ids = {(change.instance, change.bot): change.ids[0] for change in here.plan().changes() if change.ids}
    rows = {found["id"]: found for _, found in _rows(here)}
    found: dict[str, str] = {}
    for instance in load(Path("bots")).instances:
        for one in instance.bots:
            for name, value in one.fields.items():
                if isinstance(value, Hidden) and value.ref and (instance.name, one.name) in ids:
                    real = rows[ids[instance.name, one.name]][name]
                    assert found.setdefault(value.ref.name, real) == real, "equal values share a name"
    assert len(set(found.values())) == len(found), "and different ones do not"
    return found


@pytest.mark.parametrize(
    ("kind", "field"), HIDDEN, ids=[f"{kind.path}-{field.name}" for kind, field in HIDDEN]
)
def test_no_secret_is_shown(here: Here, kind: Kind, field: Field) -> None:
    loja = here.server.instance("loja")
    given = {kind.credential: here.server.credential(loja, "main")} if kind.credential else {}
    if field.bot_types:
        given |= {"botType": min(field.bot_types), "assistantId": "asst_1"}
    mine = row(kind, 1, **given, **{field.name: secret(field)}, description="Menu")
    said = f"Hoje {secret(field, 7)}" if field.hides == "whole" else "Hoje"
    odd = row(kind, 2, **given, **{field.name: secret(field, 7)}, description=said)
    ident = put(here.server, loja, kind, **mine)
    put(here.server, loja, kind, **(odd | ({"assistantId": "asst_2"} if field.bot_types else {})))
    for args in (
        ["import"],
        ["import", "--full", "--into", "all"],
        ["import", "--format", "json", "--into", "x"],
    ):
        assert here.run(*args).exit_code == 0
    for args in ([], ["--format", "json"]):
        got = here.run("get", f"id:{ident}@loja", *args)
        assert (got.exit_code, kind.path in got.stdout or kind.path == "openai") == (0, True)
    assert here.run("import", "--update").exit_code == 0
    written = [path.read_text() for path in Path().rglob("*") if path.is_file()]
    assert len(written) > 3
    assert CANARY not in "".join(written)
    assert f"{field.name}: !env " in here.files()["loja.yaml"]
    assert not unexpected(here.plan())


def test_a_secret_that_stands_in_another_bot_too(here: Here) -> None:
    key = secret(DIFY.fields["apiKey"])
    texts = {"systemMessages": [f"Use {key}."], "description": f"key {key}"}
    loja = shop(here.server, "loja", bot(100, "1", **texts), keywordFinish=key)
    put(here.server, loja, DIFY, **row(DIFY, 1, apiKey=key))
    assert here.run("import").exit_code == 0
    assert CANARY not in str(here.files())
    assert not unexpected(here.plan())


def test_equal_secrets_share_a_name(here: Here) -> None:
    field = FLOWISE.fields["apiKey"]
    for name in ("loja-1", "loja-2"):
        instance = here.server.instance(name)
        for number in (1, 2, 3):
            key = secret(field, 0 if number == 1 else 10 if number == 2 else hash(name) % 1000 + 20)
            put(here.server, instance, FLOWISE, **row(FLOWISE, number, apiKey=key))
    result = here.run("import")
    names = [line.removeprefix("  export ") for line in result.stdout.splitlines() if "export" in line]
    assert names == [
        "FLOWISE_KEY=...",
        "FLOWISE_KEY_2=...",
        "FLOWISE_KEY_LOJA_1_MENU_3=...",
        "FLOWISE_KEY_LOJA_2_MENU_3=...",
    ]
    assert not unexpected(here.plan())


def test_names_that_manifests_have_for_other_secrets(here: Here) -> None:
    Path("bots").mkdir()
    Path("bots/mine.yaml").write_text(
        "bots:\n  a: {kind: dify, botType: agent, triggerType: all, apiKey: !env DIFY_KEY_LOJA_MENU_1,\n"
        '      apiUrl: "https://x.example/${env:DIFY_URL_LOJA_MENU_1}"}\n'
    )
    loja = here.server.instance("loja")
    hidden = {name: secret(DIFY.fields[name]) for name in ("apiKey", "apiUrl")}
    put(here.server, loja, DIFY, **row(DIFY, 1, **hidden))
    said = here.run("import").stdout
    assert "export DIFY_KEY_LOJA_MENU_1_2=" in said
    assert "export DIFY_URL_LOJA_MENU_1_2=" in said


def test_a_marker_that_bots_of_two_kinds_have(here: Here) -> None:
    loja = here.server.instance("loja")
    for number, kind in enumerate((TYPEBOT, N8N), 1):
        put(
            here.server,
            loja,
            kind,
            **row(kind, number, description="Menu [gitops:menu]", id=f"twin-{number}"),
        )
        put(here.server, loja, kind, **row(kind, number + 2, description="Menu"))
    result = here.run("import")
    assert result.exit_code == 0
    for number in (1, 2):
        said = "(Menu [gitops:menu]): it carries the marker of menu, as another bot does"
        assert f"  loja: bot twin-{number} {said}" in result.stderr
    assert [bot.name for bot in load(Path("bots")).instances[0].bots] == ["menu-2", "menu-3"]
    assert not unexpected(here.plan())


@pytest.mark.parametrize("kind", ALONE, ids=lambda kind: kind.path)
def test_a_kind_alone(here: Here, kind: Kind) -> None:
    loja = here.server.instance("loja")
    made = [put(here.server, loja, kind, **row(kind, number, timePerChar=7)) for number in (1, 2, 3)]
    settle(here.server, loja, kind, made[1], splitMessages=True, delayMessage=5)
    assert here.run("import", "--full").exit_code == 0
    text = here.files()["loja.yaml"]
    [instance] = load(Path("bots")).instances
    assert [one.kind for one in instance.bots] == [kind] * 3
    settings = instance.settings[kind.path]
    assert settings.fallback == "menu-2"
    assert {*settings.fields} == {*kind.settings}
    assert text.count(f"    kind: {kind.path}\n") == 3
    assert "defaults:" in text
    assert not unexpected(here.plan())
    here.forget()
    assert here.run("import").exit_code == 0
    left = load(Path("bots")).instances[0]
    assert (left.settings[kind.path].fallback == "menu-2") == kind.uses_fallback, (
        "what nobody reads is left out"
    )
    assert not {*left.bots[0].fields} & kind.unused
    for one in left.bots:
        assert {name for name, field in kind.fields.items() if field.required} <= one.fields.keys()
    assert not unexpected(here.plan())


@pytest.mark.parametrize("off", [{"dify"}, {"openai"}, {"openai", "dify", "n8n", "typebot"}])
def test_kinds_that_are_switched_off(here: Here, off: set[str]) -> None:
    loja = shop(here.server, "loja", bot(100, "1"))
    for kind in ALONE:
        put(here.server, loja, kind, **row(kind, 1, description=kind.path))
    here.server.sandbox.options.disabled = frozenset(off)
    try:
        result = here.run("import")
        assert result.exit_code == 0
        for path in off:
            why = f"The {KINDS[path].label} integration of {here.server.sandbox.url} is disabled: "
            assert f"  {why}set {KINDS[path].switch}=true" in result.stderr
        assert result.stderr.startswith("Not read:\n")
        assert result.stderr.count("\n") == 1 + len(off)
        [instance] = load(Path("bots")).instances
        assert {one.kind.path for one in instance.bots} == KINDS.keys() - off
        here.forget()
        got = here.run("get", "nobody@loja")
        assert got.exit_code == 1
        assert all(KINDS[path].label in got.stderr.partition("Bots of ")[2] for path in off)
        told = json.loads(here.run("import", "--format", "json").stdout)["notRead"]
        assert len(told) == len(off)
    finally:
        here.server.sandbox.options.disabled = frozenset()


def test_bots_that_lack_what_their_kind_needs(here: Here) -> None:
    loja = here.server.instance("loja")
    put(here.server, loja, TYPEBOT, **row(TYPEBOT, 1, typebot="", id="odd"))
    put(here.server, loja, DIFY, **row(DIFY, 1, apiUrl=None, apiKey=None))
    result = here.run("import")
    assert "  loja: bot odd: it has no typebot\n" in result.stderr
    assert [one.kind for one in load(Path("bots")).instances[0].bots] == [DIFY]
    assert not unexpected(here.plan())


def test_secrets_that_no_variable_can_hold(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    loja = here.server.instance("loja")
    put(here.server, loja, FLOWISE, **row(FLOWISE, 1, apiKey="changeme"))
    put(here.server, loja, FLOWISE, **row(FLOWISE, 2, apiKey=f" {secret(FLOWISE.fields['apiKey'])}"))
    put(here.server, loja, N8N, **row(N8N, 3, basicAuthPass="a c4n4ry, with blanks", description="ok"))
    put(
        here.server,
        loja,
        N8N,
        **row(N8N, 4, webhookUrl=f"c4n4ry {secret(N8N.fields['webhookUrl'])}", id="odd"),
    )
    result = here.run("import")
    assert result.exit_code == 0
    assert "  loja: the apiKey of menu-1: no variable can hold it: it is a placeholder" in result.stderr
    assert "  loja: the apiKey of menu-2: no variable can hold it: it has blanks around it\n" in result.stderr
    assert "  loja: bot odd: no variable can hold its webhookUrl: " in result.stderr
    assert "export" in result.stdout
    monkeypatch.setenv("N8N_BASIC_AUTH_PASS_LOJA_OK", "a c4n4ry, with blanks")
    assert not unexpected(here.plan())


def test_a_bot_that_a_folder_has_of_another_kind(here: Here) -> None:
    Path("bots").mkdir()
    Path("bots/_defaults.yaml").write_text(
        "bots:\n  menu: {kind: typebot, url: 'https://t.example', typebot: x, triggerType: none}\n"
    )
    shop(here.server, "loja", bot(100, "1", description="Menu [gitops:menu]"))
    dify = here.server.instance("suporte")
    put(here.server, dify, DIFY, **row(DIFY, 1, description="Menu [gitops:menu]"))
    result = here.run("import")
    assert (result.exit_code, result.stderr) == (0, "")
    assert {one.name: one.bots[0].kind.path for one in load(Path("bots")).instances} == {
        "loja": "openai",
        "suporte": "dify",
    }
    assert not unexpected(here.plan())


def test_defaults_of_the_folder(here: Here) -> None:
    Path("bots").mkdir()
    Path("bots/_defaults.yaml").write_text(
        "defaults: {keywordFinish: tchau}\n"
        "kinds:\n"
        "  dify: {settings: {delayMessage: 7}, defaults: {botType: agent, apiKey: !env NOBODY}}\n"
        "bots:\n  promo: {kind: flowise, apiUrl: 'https://x.example', triggerType: none}\n"
    )
    loja = here.server.instance("loja")
    for number in (1, 2):
        put(here.server, loja, DIFY, **row(DIFY, number, apiKey=secret(DIFY.fields["apiKey"], number)))
    put(here.server, loja, FLOWISE, **row(FLOWISE, 1, description="Outro", keywordFinish="fim"))
    settle(here.server, loja, DIFY, delayMessage=1000)
    result = here.run("import")
    assert (result.exit_code, result.stderr) == (0, "")
    assert here.files()["loja.yaml"].endswith("\n\n  promo: false\n")
    assert not unexpected(here.plan())


def test_what_every_table_is_called() -> None:
    assert len({bots_of(kind) for kind in KINDS.values()}) == len(KINDS)
