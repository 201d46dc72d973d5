"""What an import writes, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.manifests.schema import document
from tests.importer.new.conftest import Here, unexpected
from tests.importer.new.servers import Server, serving
from tests.support import Json, World

MODELINE = "# yaml-language-server: $schema=.manifest.schema.json\n"
LONG = "Você atende as Lojas Ipê.\n\n" + "- Seja cordial.\n" * 8
TIMING = {
    "expire": 60,
    "keywordFinish": "sair",
    "delayMessage": 1500,
    "unknownMessage": "",
    "listeningFromMe": False,
    "stopBotFromMe": True,
    "keepOpen": False,
    "debounceTime": 8,
    "ignoreJids": ["@g.us"],
    "splitMessages": False,
    "timePerChar": 50,
}


def bot(tokens: int, trigger: str, **fields: Json) -> dict[str, Json]:
    """A row of a chatCompletion that `equals` starts, as the database has it."""
    row = {
        **TIMING,
        "enabled": True,
        "botType": "chatCompletion",
        "model": "gpt-4o-mini",
        "maxTokens": tokens,
        "systemMessages": [],
        "assistantMessages": [],
        "userMessages": [],
        "triggerType": "keyword",
        "triggerOperator": "equals",
        "triggerValue": trigger,
        "createdAt": f"2026-01-01T00:00:00.{tokens:03}Z",
    }
    return row | fields


def shop(server: Server, name: str, *bots: Json, credential: str = "", **settings: Json) -> str:
    """An instance with one credential, which its bots use, and settings if any are given; returns its id."""
    instance = server.instance(name)
    own = server.credential(instance, credential or f"{name}-openai")
    of = {"instanceId": instance}
    for row in bots:
        server.insert("bots", **{"openaiCredsId": own, **row, **of})
    if settings:
        server.insert("settings", **{**TIMING, "openaiCredsId": own, **settings, **of})
    return instance


def test_a_shop(here: Here) -> None:
    shop(
        here.server,
        "loja-centro",
        bot(100, "1", description="Menu 1, pedidos", systemMessages=[LONG, "Anote o pedido.\nSeja breve.\n"]),
        bot(200, "0", enabled=False, keywordFinish="fim", model="gpt-4o"),
        bot(
            300, "oi", triggerType="all", assistantMessages=[LONG], description="Olá, boas-vindas: 9h às 18h"
        ),
        speechToText=True,
    )
    result = here.run("import")
    assert result.exit_code == 0
    assert result.stdout == (
        "bots/loja-centro.yaml  3 bots, 1 credential, settings\n\n"
        "Wrote 1 manifest with 3 bots. Next:\n"
        "  export OPENAI_KEY_LOJA_CENTRO=...\n"
        "  reconciler plan    # shows only adoptions: bots that get our marker\n"
    )
    assert result.stderr == ""
    assert here.files() == {
        "loja-centro.yaml": """\
# yaml-language-server: $schema=.manifest.schema.json

credentials:
  loja-centro-openai: {apiKey: !env OPENAI_KEY_LOJA_CENTRO}

settings:
  openaiCreds: loja-centro-openai
  keywordFinish: sair
  delayMessage: 1500
  listeningFromMe: false
  debounceTime: 8
  ignoreJids: ["@g.us"]
  speechToText: true

defaults:
  openaiCreds: loja-centro-openai
  enabled: true
  botType: chatCompletion
  model: gpt-4o-mini

bots:
  menu-1-pedidos:
    description: Menu 1, pedidos
    triggerType: keyword
    triggerOperator: equals
    triggerValue: 1
    maxTokens: 100
    systemMessages:
      - !file prompts/loja-centro/common-voce-atende-as-lojas-ipe.md
      - |
        Anote o pedido.
        Seja breve.

  menu-0:
    enabled: false
    triggerType: keyword
    triggerOperator: equals
    triggerValue: 0
    model: gpt-4o
    maxTokens: 200
    keywordFinish: fim

  ola-boas-vindas-9h-as-18h:
    description: "Olá, boas-vindas: 9h às 18h"
    triggerType: all
    maxTokens: 300
    assistantMessages:
      - !file prompts/loja-centro/common-voce-atende-as-lojas-ipe.md
""",
        "prompts/loja-centro/common-voce-atende-as-lojas-ipe.md": f"{LONG}\n",
    }
    assert not unexpected(here.plan())


def test_full_leaves_nothing_out(here: Here) -> None:
    shop(here.server, "loja", bot(100, "1"), expire=60)
    assert here.run("import", "--full").exit_code == 0
    text = here.files()["loja.yaml"]
    settings, _, bots = text.partition("\nbots:\n")
    for name in TIMING:
        assert f"\n  {name}: " in settings
        assert f"\n    {name}: " in bots
    assert 'fallback: ""' in settings
    assert not unexpected(here.plan())


def test_one_prompt_of_a_fleet_is_one_file(here: Here) -> None:
    for name in ("loja-1", "loja-2"):
        shop(
            here.server,
            name,
            bot(100, "1", description="Pedidos", systemMessages=[LONG, f"Você é a {name}."]),
        )
    assert here.run("import", "--flat").exit_code == 0
    assert [path for path in here.files() if path.endswith(".md")] == ["prompts/pedidos.md"]
    assert not unexpected(here.plan())


SHARED = [
    ("# Tom de voz\n\nSeja breve.", "prompts/common-tom-de-voz.md"),
    ("- Seja breve.\n- Não invente, nunca.\n- Pergunte.\n", "prompts/common-seja-breve.md"),
    ("Seja breve, " * 20, "prompts/common-seja-breve.md"),
    ("店" * 201, "prompts/common.md"),
    ("Seja breve.\nPergunte.\n", ""),
    ("Seja breve. " * 16, ""),
]


@pytest.mark.parametrize(("text", "path"), SHARED)
def test_a_text_that_is_used_twice_becomes_a_file_sooner(here: Here, text: str, path: str) -> None:
    shop(here.server, "loja", bot(100, "pedidos", systemMessages=["Anote.", text]))
    shop(here.server, "suporte", bot(100, "trocas", userMessages=[text]))
    assert here.run("import", "--flat").exit_code == 0
    assert [path for path in here.files() if path.endswith(".md")] == [path] * bool(path)
    assert not unexpected(here.plan())
    here.forget()
    assert here.run("import", "--instance", "loja").exit_code == 0
    assert list(here.files()) == ["loja.yaml"], "it is used once"


def test_a_text_that_one_bot_has_twice(here: Here) -> None:
    text = "# Tom de voz\n\nSeja breve."
    shop(here.server, "loja", bot(100, "1", systemMessages=[text, "Anote.", text]))
    assert here.run("import").exit_code == 0
    assert here.files()["loja.yaml"].count("- !file prompts/loja/menu-1.md\n") == 2
    assert not unexpected(here.plan())


def test_what_most_bots_share(here: Here) -> None:
    assistant: dict[str, Json] = {"botType": "assistant", "assistantId": "asst_1", "maxTokens": None}
    chats = [bot(number, str(number), enabled=number > 1) for number in range(1, 5)]
    for model in (None, "gpt-4o-mini"):
        here.server.clear()
        shop(here.server, "loja", *chats, bot(9, "9", **assistant, model=model))
        assert here.run("import").exit_code == 0
        defaults, _, bots = here.files()["loja.yaml"].partition("\nbots:\n")
        assert "\n  botType: chatCompletion\n" in defaults
        assert bots.count("botType: ") == 1
        assert bots.count("enabled: ") == 1
        lifted = model is not None  # what is left over is declared as it is; another would have to change
        assert ("\n  model: gpt-4o-mini\n" in defaults) == lifted
        assert bots.count("model: ") == (0 if lifted else 4)
        assert not unexpected(here.plan())
        here.forget()


def test_what_no_code_reads_is_left_out(here: Here) -> None:
    unread: dict[str, Json] = {"expire": 20, "unknownMessage": "Só texto, por favor."}
    bots = [bot(number, str(number), **unread, keywordFinish="fim") for number in (1, 2, 3)]
    shop(here.server, "loja", *bots, expire=30, unknownMessage="Não entendi.")
    result = here.run("import")
    assert (result.exit_code, result.stderr) == (0, "")
    text = here.files()["loja.yaml"]
    assert "keywordFinish" in text
    assert "expire" not in text
    assert "unknownMessage" not in text
    assert not unexpected(here.plan())
    assert here.run("validate").stderr == "", "nothing that was written is warned of"


def test_files_for_the_long_texts_of_a_bot(here: Here) -> None:
    texts = {f"{role}Messages": [LONG + role] for role in ("system", "assistant", "user")}
    shop(here.server, "loja", bot(100, "1", **texts), bot(200, "2", systemMessages=["x" * 601]))
    assert here.run("import").exit_code == 0
    assert [path for path in here.files() if path.endswith(".md")] == [
        "prompts/loja/menu-1-assistant.md",
        "prompts/loja/menu-1-system.md",
        "prompts/loja/menu-1-user.md",
        "prompts/loja/menu-2.md",
    ]


@pytest.mark.parametrize(
    "text", [LONG + "\r\n", "\ufeff" + LONG, LONG + "\n\n", "\n" + LONG, LONG + "\u2028\x85"]
)
def test_what_a_file_cannot_carry(here: Here, text: str) -> None:
    shop(here.server, "loja", bot(100, "1", systemMessages=[text]))
    assert here.run("import").exit_code == 0
    [adoption] = here.plan().changes()
    assert [field.name for field in adoption.fields] == ["description"]


def test_credentials_of_others_and_of_old_generations(here: Here) -> None:
    suporte = shop(here.server, "suporte", credential="main")
    loja = here.server.instance("loja")
    first, second = (here.server.credential(loja, name) for name in ("loja-key", "loja-key@2"))
    other = here.server.credential(suporte, "segunda")
    for tokens, creds in ((100, first), (200, second), (300, other)):
        row = bot(tokens, str(tokens), openaiCredsId=creds, instanceId=loja)
        here.server.insert("bots", **row)
    result = here.run("import")
    assert result.exit_code == 0
    text = here.files()["loja.yaml"]
    assert text.startswith(MODELINE + "\ncredentials:\n  loja-key: {apiKey: !env OPENAI_KEY_LOJA}\n\n")
    assert f"\n    openaiCredsId: {first}\n" in text
    assert "\n    openaiCreds: loja-key\n" in text
    assert "\n    openaiCreds: {instance: suporte, name: segunda}\n" in text
    assert not unexpected(here.plan())


def test_a_lender_that_is_not_imported_is_found(here: Here) -> None:
    suporte = here.server.instance("suporte")
    shared_creds = here.server.credential(suporte, "main")
    shop(here.server, "loja", bot(100, "1", openaiCredsId=shared_creds))
    assert here.run("import", "--instance", "loja").exit_code == 0
    assert "openaiCreds: {instance: suporte, name: main}" in here.files()["loja.yaml"]
    assert not unexpected(here.plan())


def test_bots_with_our_marker_keep_their_names(here: Here) -> None:
    shop(
        here.server,
        "loja",
        bot(100, "1", description="Menu 1 [gitops:pedidos]~01234567"),
        bot(200, "2", description="Pedidos"),
        bot(300, "3", description="[gitops:horarios]"),
    )
    assert here.run("import").exit_code == 0
    plan = here.plan()
    assert [(change.bot, str(change.verb)) for change in plan.changes()] == [("pedidos-2", "adopt")]
    assert plan.in_sync == 2


def test_a_name_in_anybodys_marker_is_taken(here: Here) -> None:
    odd = {"description": "[gitops:x] [gitops:pedidos]"}
    shop(here.server, "loja", bot(100, "1", **odd), bot(200, "2", description="Pedidos"))
    assert here.run("import").exit_code == 0
    assert [change.bot for change in here.plan().changes()] == ["pedidos-2", ""]


LEFT_OUT: list[tuple[list[Json], str]] = [
    ([{"description": "[other:x]~01234567"}], "it carries the marker of the owner other"),
    ([{"description": "[gitops:x] [gitops:y]"}], "it carries the markers of x and y"),
    ([{"description": "[gitops:x]"}] * 2, "it carries the marker of x, as another bot does"),
    ([{"triggerValue": ""}], "it has no triggerValue"),
    ([{"model": None}], "it has no model"),
    ([{"maxTokens": -5}], "maxTokens is -5"),
    ([{"triggerValue": "(?!)parked by gitops: x"}], "an interrupted apply left it parked"),
    ([{"description": "[gitops:" + "x" * 80 + "]"}], "the name 'xxx"),
    ([{"maxTokens": 700}, {"maxTokens": 700}], "have the same model and maxTokens"),
]


@pytest.mark.parametrize(("rows", "reason"), LEFT_OUT)
def test_bots_that_no_manifest_can_have_are_left_out_and_said(
    here: Here, rows: list[Json], reason: str
) -> None:
    odd = [bot(500 + number, f"x{number}", **row) for number, row in enumerate(rows)]
    shop(here.server, "loja", bot(100, "1"), *[{**row, "id": f"odd-{n}"} for n, row in enumerate(odd)])
    result = here.run("import")
    assert result.exit_code == 0
    for number in range(len(odd)):
        assert f"  loja: bot odd-{number}" in result.stderr
    assert reason in result.stderr
    text = here.files()["loja.yaml"]
    assert text.startswith(f"{MODELINE}# Left out by the import:\n# - bot odd-")
    assert "  menu-1:\n" in text
    assert not unexpected(here.plan())


def test_a_field_that_cannot_be_declared_is_the_servers(here: Here) -> None:
    odd = bot(100, "1", debounceTime=-1, id="odd")
    shop(here.server, "loja", odd, bot(200, "2"), bot(300, "3"), debounceTime=60)
    result = here.run("import")
    said = "  loja: debounceTime of bot odd: debounceTime is -1, and a manifest takes 0 and more\n"
    assert said in result.stderr
    assert not unexpected(here.plan())


def test_what_all_bots_share_and_cannot_declare(here: Here) -> None:
    bots = [bot(tokens, str(tokens), delayMessage=-1, id=f"odd-{tokens}") for tokens in (100, 200, 300)]
    shop(here.server, "loja", *bots, timePerChar=-9)
    result = here.run("import")
    assert "  loja: timePerChar of the settings: timePerChar is -9, and a manifest takes 0" in result.stderr
    assert result.stderr.count("delayMessage is -1, and a manifest takes 0 and more\n") == 3
    assert "bots: {}" not in here.files()["loja.yaml"]
    assert not unexpected(here.plan())


def test_a_credential_whose_name_no_manifest_can_declare(here: Here) -> None:
    shop(here.server, "loja", bot(100, "1"), bot(200, "2"), credential="main@05")
    result = here.run("import")
    assert "  loja: the credential main@05: " in result.stderr
    assert "\n  openaiCreds: main@05\n" in here.files()["loja.yaml"]
    assert not unexpected(here.plan())


def test_settings_with_a_credential_that_they_cannot_name(here: Here) -> None:
    other = here.server.credential(here.server.instance("suporte"), "main-3")
    old = here.server.credential(loja := here.server.instance("loja"), "main")
    here.server.credential(loja, "main@2")
    shop(here.server, "a", bot(100, "1"), openaiCredsId=other)
    with World(here.server.sandbox.url, here.server.sandbox.api_key) as world:
        listed = world.done("GET", "/instance/fetchInstances")
    [token] = [one["token"] for one in listed if one["name"] == "a"]
    said = here.run("import", key=token).stderr
    assert (
        f"  a: openaiCreds of the settings: their credential {other} belongs to no instance that was read\n"
        in said
    )
    here.forget()
    assert (
        "  a: openaiCreds of the settings: they use 'main-3' of"
        in here.run("import", "--instance", "a").stderr
    )
    here.forget()
    here.server.insert("settings", **TIMING, openaiCredsId=old, instanceId=loja)
    said = here.run("import").stderr.replace("openaiCreds of the settings: ", "")
    assert (
        "  a: they use 'main-3' of the instance 'suporte', and a manifest can name only their own\n" in said
    )
    assert "  loja: they use 'main', an older version: a manifest means the newest, 'main@2'\n" in said
    assert not unexpected(here.plan())


def test_a_fallback_that_is_not_in_the_manifest(here: Here) -> None:
    odd = bot(100, "1", id="odd", description="Menu 1 [other:menu-1]~01234567")
    shop(here.server, "a", odd, bot(200, "2"), openaiIdFallback="odd")
    assert (
        "  a: fallback of the settings: bot odd (Menu 1 [other:menu-1]~01234567) is left out\n"
        in here.run("import").stderr
    )


def test_a_server_without_instances(here: Here) -> None:
    result = here.run("import")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "The server lists no instance for this key. Nothing was written.\n"


def test_nothing_is_overwritten(here: Here) -> None:
    for name in ("a", "b", "c", "d"):
        shop(here.server, name, bot(100, "1", systemMessages=[LONG + name]))
    files = {
        "mine.yaml": "instance: a\nbots: {}\n",
        "b.yaml": "instance: z\nbots: {}\n",
        "prompts/c/menu-1.md": "mine",
    }
    for path, text in files.items():
        Path("bots", path).parent.mkdir(parents=True, exist_ok=True)
        Path("bots", path).write_text(text)
    result = here.run("import")
    assert result.exit_code == 0
    assert result.stderr.startswith(
        "Skipped:\n  a: bots/mine.yaml declares it\n  b: bots/b.yaml exists already\n"
    )
    assert here.files().keys() - files.keys() == {
        "c.yaml",
        "d.yaml",
        "prompts/c/menu-1-2.md",
        "prompts/d/menu-1.md",
    }
    assert {path: here.files()[path] for path in files} == files
    again = here.run("import")
    assert again.stdout == "Nothing was written.\n"
    assert again.stderr.count("declares it") == 3


@pytest.mark.parametrize("target", ["../elsewhere", "inside"])
def test_a_link_is_not_followed(here: Here, target: str) -> None:
    shop(here.server, "loja", bot(100, "1", systemMessages=[LONG]))
    Path("bots").mkdir()
    Path("elsewhere").mkdir()
    Path("bots/inside").mkdir()
    Path("bots/prompts").symlink_to(target)
    result = here.run("import")
    assert result.exit_code == 1
    assert "bots/prompts" in result.stderr
    assert not list(Path("elsewhere").iterdir())
    assert sorted(path.name for path in Path("bots").iterdir()) == ["inside", "prompts"]


def test_errors_of_manifests_that_are_there(here: Here) -> None:
    shop(here.server, "loja", bot(100, "1"))
    Path("bots").mkdir()
    Path("bots/broken.yaml").write_text("bots: 1\n")
    result = here.run("import")
    assert result.exit_code == 1
    assert "bots/broken.yaml:1:7: " in result.stderr
    assert here.files() == {"broken.yaml": "bots: 1\n"}


def test_defaults_of_the_folder(here: Here) -> None:
    Path("bots").mkdir()
    Path("bots/_defaults.yaml").write_text(
        "defaults: {keywordFinish: tchau, openaiCreds: nobody, onDrift: update}\n"
        "settings: {delayMessage: 7, speechToText: true}\n"
        "bots:\n  promo: {botType: chatCompletion, model: m, maxTokens: 9, triggerType: none}\n"
    )
    shop(here.server, "loja", bot(100, "1"), bot(200, "2"), keywordFinish="sair", delayMessage=1000)
    result = here.run("import")
    assert result.exit_code == 0, result.stderr
    assert here.files()["loja.yaml"].endswith("\n\n  promo: false\n")
    assert result.stderr == ""
    assert not unexpected(here.plan())


def test_bots_of_the_folder_that_lack_what_instances_give_them(here: Here) -> None:
    Path("bots").mkdir()
    Path("bots/_defaults.yaml").write_text(
        "bots:\n  menu: {botType: chatCompletion, triggerType: keyword}\n  promo: {}\n"
    )
    shop(here.server, "loja", bot(100, "1", description="Cardápio [gitops:menu]"), bot(200, "2"))
    shop(here.server, "suporte", bot(100, "1"))
    result = here.run("import")
    assert (result.exit_code, result.stderr) == (0, "")
    loja, suporte = here.files()["loja.yaml"], here.files()["suporte.yaml"]
    assert "\n  promo: false\n" in loja
    assert "\n  menu: false\n" not in loja
    assert suporte.endswith("\n\n  menu: false\n\n  promo: false\n")
    assert not unexpected(here.plan())


def test_what_looks_like_a_variable_below_vars(here: Here) -> None:
    Path("bots").mkdir()
    Path("bots/_defaults.yaml").write_text("vars: {loja: Centro}\n")
    texts: list[Json] = ["Você atende a ${loja}, $${x} e ${não}.", f"{LONG}${{loja}} $ {{x}} $$${{y}}"]
    odd = bot(100, "${x}", description="Menu ${loja}", systemMessages=texts, keywordFinish="${fim}")
    shop(here.server, "loja", odd, bot(200, "2"), credential="${chave}-openai")
    shop(here.server, "${k}")
    shared_creds = here.server.credential(here.server.instance("suporte"), "${k}")
    here.server.insert(
        "bots", **bot(3, "3", openaiCredsId=shared_creds), instanceId=here.server.instance("terceira")
    )
    result = here.run("import")
    assert (result.exit_code, result.stderr) == (0, "")
    files = here.files()
    assert '\n  "$${chave}-openai": {apiKey: ' in files["loja.yaml"]
    assert "\n    description: Menu $${loja}\n" in files["loja.yaml"]
    assert files["prompts/loja/menu-loja.md"] == f"{LONG}$${{loja}} $ {{x}} $$$${{y}}\n"
    assert 'openaiCreds: {instance: suporte, name: "$${k}"}' in files["terceira.yaml"]
    assert not unexpected(here.plan())


def test_an_api_key_that_stands_for_a_name(here: Here) -> None:
    pasted = "sk-proj-" + "Ab3" * 16
    shop(here.server, "loja", bot(100, "1"), bot(200, "2"), credential=pasted, keywordFinish="sair")
    result = here.run("import")
    assert result.exit_code == 0
    assert "looks like an API key" in result.stderr
    said = result.output + str(here.files()) + str(here.plan())
    assert pasted not in said
    assert "ab3ab3" not in said.lower()
    assert here.files()["loja.yaml"].count("openaiCredsId: ") == 2
    assert not unexpected(here.plan())


def test_what_bots_have_unlike_the_folder_is_said_once(here: Here) -> None:
    Path("bots").mkdir()
    Path("bots/_defaults.yaml").write_text(
        "defaults: {keywordFinish: tchau, expire: 5}\n"
        "settings: {delayMessage: 7}\n"
        "bots:\n  menu-1: {stopBotFromMe: false}\n"
    )
    shop(here.server, "loja", *[bot(number, str(number)) for number in (1, 2, 3)], keywordFinish="sair")
    assert here.run("import").exit_code == 0
    settings, _, rest = here.files()["loja.yaml"].partition("\ndefaults:\n")
    defaults, _, bots = rest.partition("\nbots:\n")
    assert settings.index("keywordFinish: ") < settings.index("delayMessage: ")
    for value in ("keywordFinish: sair", "expire: 60"):
        assert f"  {value}\n" in defaults
        assert value not in bots
    assert bots.count("stopBotFromMe: true") == 1
    assert not unexpected(here.plan())


@pytest.mark.parametrize(
    ("globs", "written"),
    [
        (["loja-*"], {"loja-1.yaml", "loja-2.yaml"}),
        (["suporte", "loja-1"], {"loja-1.yaml", "suporte.yaml"}),
        ([], {"loja-1.yaml", "loja-2.yaml", "suporte.yaml"}),
    ],
)
def test_which_instances(here: Here, globs: list[str], written: set[str]) -> None:
    for name in ("loja-1", "loja-2", "suporte"):
        shop(here.server, name, bot(100, "1"))
    here.server.instance("nothing")
    result = here.run("import", *[part for glob in globs for part in ("--instance", glob)])
    assert here.files().keys() == written
    assert ("1 instance without bots" in result.stderr) == (not globs)


def test_no_such_instance(here: Here) -> None:
    shop(here.server, "loja-1", bot(100, "1"))
    result = here.run("import", "--instance", "loja_1")
    assert result.exit_code == 1
    assert (
        "the server lists no instance for this key that matches 'loja_1' (did you mean 'loja-1'?)"
        in result.stderr
    )
    assert not Path("bots").exists()


def test_an_instances_own_key(here: Here) -> None:
    shop(here.server, "loja", bot(100, "1"))
    with World(here.server.sandbox.url, here.server.sandbox.api_key) as world:
        [token] = [one["token"] for one in world.done("GET", "/instance/fetchInstances")]
    shop(here.server, "suporte", bot(100, "1"))
    assert here.run("import", key=token).exit_code == 0
    assert here.files().keys() == {"loja.yaml"}


@pytest.mark.parametrize("named", [[], ["--instance", "loja"]])
def test_a_wrong_key(here: Here, named: list[str]) -> None:
    shop(here.server, "loja", bot(100, "1"))
    result = here.run("import", *named, key="wrong")
    assert result.exit_code == 1
    assert "key" in result.stderr
    assert not Path("bots").exists()


@pytest.mark.parametrize(
    ("args", "said"), [(["--owner", "a b"], "owner"), (["--update", "--full"], "--full")]
)
def test_options_that_cannot_be(here: Here, args: list[str], said: str) -> None:
    result = here.run("import", *args)
    assert result.exit_code == 1
    assert said in result.stderr


@pytest.mark.parametrize("there", ["", "{}"])
def test_editors_are_told_of_the_schema(here: Here, there: str) -> None:
    schema = Path("bots/.manifest.schema.json")
    if there:
        Path("bots").mkdir()
        schema.write_text(there)
    for name in ("loja-1", "loja-2"):
        shop(here.server, name, bot(100, "1"))
    assert here.run("import").exit_code == 0
    assert all(text.startswith(MODELINE) for text in here.files().values())
    assert schema.read_text() == (there or document())


def test_where_it_is_written(here: Here) -> None:
    shop(here.server, "Loja São João", bot(100, "1"))
    result = here.run("import", "--into", "deep/er")
    assert result.exit_code == 0
    assert "\n  reconciler plan --bots deep/er    # " in result.stdout
    text = Path("deep/er/loja-sao-joao.yaml").read_text()
    assert text.startswith(f"{MODELINE}instance: Loja São João\n\ncredentials:\n")
    Path("file").write_text("")
    result = here.run("import", "--into", "file")
    assert result.exit_code == 1
    assert "file is not a directory: name another with --into" in result.stderr


def test_an_old_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with serving(tmp_path, version="2.2.3") as server:
        here = Here(server, tmp_path)
        shop(server, "loja", bot(100, "1", debounceTime=3), bot(200, "2"), expire=60, debounceTime=3)
        server.instance("nothing")
        result = here.run("import")
        assert result.exit_code == 0
        assert (
            f"\n  The server at {server.sandbox.url} has no n8n bots: they came with version 2.3.0.\n"
            in result.stderr
        )
        text = here.files()["loja.yaml"]
        assert "\n    debounceTime: 3\n" in text
        assert "\n  expire: 60\n" in text, "2.2 reads it"
        assert not unexpected(here.plan())
