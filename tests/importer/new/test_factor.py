"""What an agency gets: groups said once, and no word of one client in the files of another."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import pytest

from reconciler.domain.plan import Verb
from tests.importer.new.agency import GROUPS, RULES, TONE, open_shops, shops
from tests.importer.new.conftest import Here, unexpected
from tests.importer.new.kinds import ALONE, put, row, settle
from tests.importer.new.test_import import TIMING, bot, shop

OPTIONS = [part for group in GROUPS for part in ("--group", f"{group}-*")]


def test_an_agency_with_forty_instances_in_four_groups(here: Here) -> None:
    clients = shops(36, alone=4)
    open_shops(here.server, clients)
    result = here.run("import", *OPTIONS)
    assert result.exit_code == 0
    files = here.files()

    for client in clients:
        home = f"{client.group}/" if client.group else ""
        for path, text in files.items():
            mine = path == f"{home}{client.instance}.yaml" or f"prompts/{client.instance}/" in path
            assert mine or not any(_word(word, text) for word in client.words), (client, path)

    assert {path for path in files if path.startswith("padaria/prompts/")} == {
        "padaria/prompts/common-tom-de-voz.md",
        "padaria/prompts/recepcao-da-padaria.md",
    }
    assert files["padaria/prompts/recepcao-da-padaria.md"] == (
        "Você atende a Padaria ${nome}, na ${endereco}.\n\n"
        "Telefone: ${telefone}\nHorário: ${horario}\n\n"
        f"{RULES}\n\nDespeça-se em nome da Padaria ${{nome}}.\n\n"
    )
    assert (
        files["padaria/padaria-figueira.yaml"]
        == """\
# yaml-language-server: $schema=../.manifest.schema.json

vars:
  nome: Figueira
  endereco: Alameda Santos, 104
  telefone: (11) 98004-1028

credentials:
  padaria-figueira-openai: {apiKey: !env OPENAI_KEY_PADARIA_FIGUEIRA}
"""
    )
    for group in GROUPS:
        its = {path: text for path, text in files.items() if path.startswith(f"{group}/")}
        twice = [line for line, number in _repeated(its, least=30).items() if number > 1]
        assert not twice, "a long line stands once in a group"
        assert its[f"{group}/prompts/common-tom-de-voz.md"] == f"{TONE}\n", "each group has its own"

    plan = here.plan()
    assert not unexpected(plan)
    assert {change.verb for change in plan.changes()} == {Verb.ADOPT}
    assert here.run("fmt", "--check").output == ""
    again = here.run("import", *OPTIONS)
    assert (again.exit_code, again.stdout) == (0, "Nothing was written.\n")
    assert here.files() == files


def _word(word: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?![\w ]*\w)", text) is not None


def _repeated(files: dict[str, str], least: int) -> Counter[str]:
    """How often each line of so many characters stands in the files, but for the names of files."""
    lines = (line.strip() for text in files.values() for line in text.splitlines())
    long = (line for line in lines if len(line) >= least)
    return Counter(line for line in long if not line.startswith(("# yaml", "- !file")))


def test_what_is_said_of_it(here: Here) -> None:
    open_shops(here.server, shops(36, alone=4))
    said = here.run("import", *OPTIONS).stdout
    lines = said.splitlines()
    [saved] = [line for line in lines if "→" in line]
    sizes = r"36 files, ([\d,]+) lines → 4 \+ 36 files, ([\d,]+) lines"
    found = re.fullmatch(f"Of the groups, with their prompts: {sizes}\\.", saved)
    assert found
    before, after = (int(number.replace(",", "")) for number in found.groups())
    assert after == sum(
        text.count("\n") for path, text in here.files().items() if path.partition("/")[0] in GROUPS
    )
    assert after * 3 < before
    assert "bots/padaria/  9 manifests, 27 bots" in lines
    assert (
        "  _defaults.yaml says once: the bots recepcao-da-padaria, pedidos and horarios, with the variables "
        "nome, endereco, telefone and horario."
    ) in lines
    assert "  Apart: no horarios on clinica-girassol-2 and clinica-kairos." in lines
    assert (
        "  Apart: recepcao-da-pet-shop has its own systemMessages on pet-esperanca-2 and pet-ipe-amarelo."
        in lines
    )


def test_explain_shows_where_values_are_from(here: Here) -> None:
    open_shops(here.server, shops(12))
    here.run("import", *OPTIONS)
    said = here.run("explain", "recepcao-da-padaria@padaria-figueira").stdout
    assert "bots/padaria/_defaults.yaml:" in said
    assert "bots/padaria/padaria-figueira.yaml:" in said
    assert "bots/padaria/prompts/recepcao-da-padaria.md" in said


def test_without_a_group_nothing_is_shared(here: Here) -> None:
    clients = shops(8)
    open_shops(here.server, clients)
    result = here.run("import")
    files = here.files()
    assert not [path for path in files if path.endswith("_defaults.yaml")]
    for client in clients:
        parts = {path: PurePosixPath(path.removesuffix(".yaml")).parts for path in files}
        mine = {path for path in files if client.instance in parts[path]}
        assert f"prompts/{client.instance}/common-tom-de-voz.md" in mine
        others = "".join(text for path, text in files.items() if path not in mine)
        assert not any(_word(word, others) for word in client.words)
    assert not unexpected(here.plan())
    assert "No group was declared, so nothing is shared between instances." in result.stderr
    assert "  --group 'padaria-*'  2 instances, " in result.stderr


def test_flat_is_as_before(here: Here) -> None:
    open_shops(here.server, shops(8))
    result = here.run("import", "--flat")
    assert "prompts/common-tom-de-voz.md" in here.files()
    assert "No group" not in result.stderr


def test_groups_by_name_and_by_glob(here: Here) -> None:
    for name in ("loja-1", "loja-2", "shop-1", "outra"):
        shop(here.server, name, bot(100, "1", description="Menu"), bot(200, "2", description="Pedidos"))
    result = here.run("import", "--group", "moda=loja-*", "--group", "moda=shop-*", "--group", "so=outra")
    assert result.exit_code == 0, result.stderr
    assert set(here.files()) == {
        "moda/_defaults.yaml",
        "moda/loja-1.yaml",
        "moda/loja-2.yaml",
        "moda/shop-1.yaml",
        "so/outra.yaml",
    }
    assert "  Nothing is shared: it has one new instance, so there is nothing to share." in result.stdout
    assert not unexpected(here.plan())


def test_a_folder_declares_a_group(here: Here) -> None:
    for name in ("loja-1", "loja_2", "loja", "lojas-3", "loja-sul-1", "outra"):
        shop(here.server, name, bot(100, "1", description="Menu"), bot(200, "2", description="Pedidos"))
    for folder in ("loja", "loja-sul", "vazia"):
        Path("bots", folder).mkdir(parents=True)
    result = here.run("import", "--group", "resto=outra")
    assert result.exit_code == 0, result.stderr
    assert set(here.files()) == {
        "loja/_defaults.yaml",
        "loja/loja-1.yaml",
        "loja/loja_2.yaml",
        "loja/loja.yaml",
        "loja-sul/loja-sul-1.yaml",
        "lojas-3.yaml",
        "resto/outra.yaml",
    }
    assert not unexpected(here.plan())


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--group", "x-*"], "no instance matches --group 'x-*'"),
        (["--group", "a=loja-*", "--group", "b=*-1"], "'loja-1' is in two groups, a and b"),
        (["--group", "*"], "write --group FOLDER=*."),
        (["--group", "prompts=*"], "write --group FOLDER=*."),
        (["--flat", "--group", "loja-*"], "--flat and --group cannot be combined"),
        (["--for-all"], "--for-all needs --update"),
    ],
)
def test_groups_that_cannot_be(here: Here, args: Sequence[str], said: str) -> None:
    for name in ("loja-1", "loja-2"):
        shop(here.server, name, bot(100, "1"))
    result = here.run("import", *args)
    assert result.exit_code == 1
    assert said in result.stderr
    assert not Path("bots").exists()


def test_a_group_that_is_there_gets_another_instance(here: Here) -> None:
    clients = shops(8, groups=("padaria",))
    open_shops(here.server, clients[:6])
    here.run("import", "--group", "padaria-*")
    before = here.files()
    open_shops(here.server, clients[6:])
    result = here.run("import", "--group", "padaria-*")
    assert result.exit_code == 0, result.stderr
    after = here.files()
    assert {path: after[path] for path in before} == before, "what is there stays"
    assert f"padaria/{clients[6].instance}.yaml" in after
    assert "its _defaults file was there before and was not changed" in result.stdout
    assert not unexpected(here.plan())


def test_bots_of_every_kind_and_their_settings_are_shared(here: Here) -> None:
    for number in range(3):
        instance = here.server.instance(f"loja-{number}")
        for place, kind in enumerate(ALONE):
            rows = [row(kind, 10 * place + each, description=f"Menu {each}") for each in (1, 2)]
            made = [put(here.server, instance, kind, **one) for one in rows]
            settle(here.server, instance, kind, made[0], **TIMING)
    result = here.run("import", "--group", "loja-*")
    assert (result.exit_code, result.stderr) == (0, "")
    files = here.files()
    shared = files["loja/_defaults.yaml"]
    for kind in ALONE:
        assert f"\n  {kind.path}:\n    settings:\n" in shared
        assert f"\n    kind: {kind.path}\n" in shared
    assert files["loja/loja-1.yaml"].endswith("json\n\nbots: {}\n"), "a manifest says something"
    assert not unexpected(here.plan())


def test_what_the_group_does_not_share(here: Here) -> None:
    for number in range(4):
        fields = {"keywordFinish": "fim", "model": "gpt-4o"} if number == 3 else {"keywordFinish": "sair"}
        bots = [bot(100 + at, str(at), description=f"Menu {at}", **fields) for at in (1, 2, 3)]
        shop(here.server, f"loja-{number}", *bots, speechToText=number > 0)
    assert here.run("import", "--group", "loja-*").exit_code == 0
    files = here.files()
    assert "\n\nsettings:\n  speechToText: false\n" in files["loja/loja-0.yaml"]
    assert "\n\ndefaults:\n  model: gpt-4o\n" in files["loja/loja-3.yaml"]
    assert not unexpected(here.plan())


def test_json_says_it_too(here: Here) -> None:
    open_shops(here.server, shops(8, groups=("padaria", "pet")))
    said = json.loads(here.run("import", "--format", "json", "--group", "padaria-*").stdout)
    [group] = said["groups"]
    assert (group["folder"], group["instances"]) == ("padaria", 4)
    assert group["variables"] == ["nome", "endereco", "telefone", "horario"]
    assert said["saving"]["manifests"] == 4
    assert {one["group"] for one in said["written"]} == {"padaria", ""}
