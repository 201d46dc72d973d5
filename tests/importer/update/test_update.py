"""Stories: what is brought back from where, what stays as it is, and what is said."""

from __future__ import annotations

import json
import os
import resource
import stat
from pathlib import Path

import pytest

from reconciler.domain.errors import ReconcilerError
from reconciler.importer.drift import Drift, Drifts
from reconciler.importer.rewriting import Manifests
from reconciler.importer.updater import brought
from tests.importer.update.bench import Bench
from tests.support import Json

ONE = {"loja": ("main", "second")}

BOT = (
    "openaiCreds: main, botType: chatCompletion, model: gpt-4o, triggerType: keyword, triggerOperator: equals"
)

NEXT = "\n  "
BREAK = "\n    "

TWO = f"""\
bots:
  a: {{{BOT}, maxTokens: 1, triggerValue: um}}
  b: {{{BOT}, maxTokens: 2, triggerValue: dois}}
"""


def ids(bench: Bench, instance: str = "loja") -> dict[str, str]:
    """The ids of an instance's credentials, by name."""
    return {one["name"]: one["id"] for one in bench.world.done("GET", f"/openai/creds/{instance}")}


def said(bench: Bench, *globs: str) -> str:
    """What an update that changes nothing has to say."""
    report = bench.update(*globs)
    assert bench.contents() == bench.before
    assert not report.edited
    return "\n".join(f"{one.about}: {one.text}" for one in (*report.failed, *report.said))


# -- where a value comes from -----------------------------------------------------------------


def test_a_default_stays_and_the_bot_gets_a_key_of_its_own(bench: Bench) -> None:
    bench.put(
        {"loja.yaml": f"defaults: {{{BOT}}}\nbots:\n  a:\n    triggerValue: x # why\n    maxTokens: 1\n"}, ONE
    )
    bench.drift("loja", "a", model="gpt-5")
    report = bench.update()
    assert bench.diff() == ["+    model: gpt-5\n"]
    assert "model came from defaults" in report.said[0].text
    assert not bench.plan().writes


def test_a_default_that_drifted_for_all_is_edited_once(bench: Bench) -> None:
    bots = "".join(
        f"  b{number}: {{maxTokens: {number}, triggerValue: x{number}}}\n" for number in range(1, 4)
    )
    bench.put({"loja.yaml": f"defaults:\n  {BOT.replace(', ', NEXT)}\n  expire: 5\nbots:\n{bots}"}, ONE)
    for number in range(1, 4):
        second = ids(bench)["second"]
        bench.drift("loja", f"b{number}", model="gpt-5", openaiCredsId=second, expire=number + 4)
    report = bench.update()
    assert bench.diff() == [
        "-  openaiCreds: main\n",
        "+  openaiCreds: second\n",
        "-  model: gpt-4o\n",
        "+  model: gpt-5\n",
        "-  b2: {maxTokens: 2, triggerValue: x2}\n",
        "-  b3: {maxTokens: 3, triggerValue: x3}\n",
        "+  b2: {maxTokens: 2, triggerValue: x2, expire: 6}\n",
        "+  b3: {maxTokens: 3, triggerValue: x3, expire: 7}\n",
    ]
    assert "as all bots that inherit it drifted alike" in report.said[0].text
    assert not bench.plan().writes


def test_a_folder_s_bot_is_overridden_where_it_drifted(bench: Bench) -> None:
    bot = BOT.replace("main", '"c-${instance}"')
    fleet = f"vars: {{x: y}}\nbots:\n  a: {{{bot}, maxTokens: 1, triggerValue: x}}\n"
    bench.put(
        {
            "lojas/_defaults.yaml": fleet,
            "lojas/l1.yaml": "instance: l1",
            "lojas/l2.yaml": "bots: {} # none of its own\n",
            "lojas/l3.json": '{\n  "instance": "l3"\n}\n',
            "lojas/l4.yaml": "bots:\n  a: {expire: 5}\n",
            "lojas/l5.yaml": "x-a: &a {expire: 5}\nbots:\n  a: *a # shared\n",
        },
        {f"l{number}": (f"c-l{number}",) for number in range(1, 6)},
    )
    for number in range(1, 6):
        bench.drift(f"l{number}", "a", maxTokens=10 + number)
    bench.update()
    assert bench.diff() == [
        "-instance: l1",
        "+instance: l1\n",
        "+bots:\n",
        "+  a:\n",
        "+    maxTokens: 11",
        "-bots: {} # none of its own\n",
        "+bots: # none of its own\n",
        "+  a:\n",
        "+    maxTokens: 12\n",
        '-  "instance": "l3"\n',
        '+  "instance": "l3",\n',
        '+  "bots": {"a": {"maxTokens": 13}}\n',
        "-  a: {expire: 5}\n",
        "+  a: {expire: 5, maxTokens: 14}\n",
        "-  a: *a # shared\n",
        "+  a: # shared\n",
        "+    <<: *a\n",
        "+    maxTokens: 15\n",
    ]
    assert not bench.plan().writes


def test_of_an_anchor_the_others_keep_their_value(bench: Bench) -> None:
    bots = "".join(
        f"  {name}: {{{BOT}, maxTokens: {number}, triggerValue: {number}, unknownMessage: {value}}} # .\n"
        for number, (name, value) in enumerate([("a", "&m Oi"), ("b", "*m"), ("c", "*m"), ("d", "*m")], 1)
    )
    bench.put({"loja.yaml": f"bots:\n{bots}"}, ONE)
    bench.drift("loja", "a", unknownMessage="Olá")
    bench.drift("loja", "b", unknownMessage="Hm")
    bench.update()
    assert [line.rpartition("Message: ")[2] for line in bench.diff()] == [
        "&m Oi} # .\n", "*m} # .\n", "*m} # .\n", "Olá} # .\n", "Hm} # .\n", "&m Oi} # .\n",
    ]  # fmt: skip
    assert not bench.plan().writes


def test_an_anchor_that_drifted_for_all_is_edited_once(bench: Bench) -> None:
    bots = "".join(
        f"  {name}:\n    <<: *base\n    maxTokens: {number}\n    triggerValue: x{name}\n    expire: {value}\n"
        for number, (name, value) in enumerate([("a", "&e 5"), ("b", "*e")], 1)
    )
    bench.put({"loja.yaml": f"x-base: &base {{{BOT}}}\nbots:\n{bots}"}, ONE)
    bench.drift("loja", "a", expire=6)
    bench.drift("loja", "b", expire=6)
    bench.update()
    assert bench.diff() == ["-    expire: &e 5\n", "+    expire: &e 6\n"]


def test_what_merges_a_bot_that_drifted_keeps_its_value(bench: Bench) -> None:
    first = f"  a: &a\n    {BOT.replace(', ', BREAK)}\n    maxTokens: 1\n    triggerValue: 1\n    expire: 5\n"
    second = "  b:\n    <<: *a\n    maxTokens: 2\n    triggerValue: 2 # two\n"
    bench.put({"loja.yaml": f"bots:\n{first}{second}"}, ONE)
    bench.drift("loja", "a", expire=6)
    bench.update()
    assert bench.diff() == ["-    expire: 5\n", "+    expire: 6\n", "+    expire: 5\n"]
    assert not bench.plan().writes


# -- files ------------------------------------------------------------------------------------


def test_a_file_of_one_text_is_rewritten_line_by_line(bench: Bench) -> None:
    fields = "maxTokens: 1, triggerValue: x, systemMessages: [!file p/a.md]"
    prompt = b"\xef\xbb\xbfum\r\ndois  \r\n\r\nfim\r\n"
    bench.put({"loja.yaml": f"bots:\n  a: {{{BOT}, {fields}}}\n", "p/a.md": prompt}, ONE)
    bench.drift("loja", "a", systemMessages=["um\nDOIS\n\nfim\nmais"])
    bench.update()
    assert bench.contents()["p/a.md"] == b"\xef\xbb\xbfum\r\nDOIS\r\n\r\nfim\r\nmais\r\n"
    assert bench.contents()["loja.yaml"] == bench.before["loja.yaml"]
    assert not bench.plan().writes


@pytest.mark.parametrize("text", ["a\r\nb", "fim\r", "x\n", "", "\ufeffx"])
def test_what_a_file_may_not_carry_is_right_all_the_same(bench: Bench, text: str) -> None:
    fields = "maxTokens: 1, triggerValue: x, systemMessages: [!file a.md, b]"
    bench.put({"loja.yaml": f"bots:\n  a: {{{BOT}, {fields}}}\n", "a.md": "um"}, ONE)
    bench.drift("loja", "a", systemMessages=[text, "b"])
    assert not bench.update().failed
    assert not bench.plan().writes


FILES = f"""\
bots:
  a: {{{BOT}, maxTokens: 1, triggerValue: um, systemMessages: [!file p.md]}}
  b:
    {BOT.replace(", ", chr(10) + "    ")}
    maxTokens: 2
    triggerValue: dois
    systemMessages:
      - !file p.md # the same
"""


def test_a_file_of_several_stays_while_one_drifts(bench: Bench) -> None:
    bench.put({"loja.yaml": FILES, "p.md": "um\n"}, ONE)
    bench.drift("loja", "b", systemMessages=["dois\ntrês"])
    report = bench.update()
    assert bench.diff() == [
        "-      - !file p.md # the same\n",
        "+      - !file p-b.md # the same\n",
        "+dois\n",
        "+três\n",
    ]
    [note] = report.said
    assert "p.md, which a@loja uses too: it is in " in note.text
    assert not bench.plan().writes


FLEET = f"""\
vars: {{cor: azul}}
bots:
  a:
    {BOT.replace("main", '"c-${instance}"').replace(", ", BREAK)}
    maxTokens: 1
    triggerValue: x
    systemMessages:
      - !file prompts/a.md
      - !file prompts/tom.md
"""
PROMPT = "Loja ${instance}, ${nome}.\n" + "- Seja breve.\n" * 9


@pytest.fixture
def fleet(bench: Bench) -> Bench:
    """Five instances of a folder with one prompt, into which each fills its own name."""
    files = {"f/_defaults.yaml": FLEET, "f/prompts/a.md": PROMPT, "f/prompts/tom.md": "Oi.\n"}
    names = [f"l{number}" for number in range(5)]
    files |= {f"f/{name}.yaml": f"vars: {{nome: Casa {name}}}\n" for name in names}
    bench.put(files, {name: (f"c-{name}",) for name in names})
    return bench


def drifted(bench: Bench, instance: str, line: str) -> None:
    """Replaces the first line of the prompt on the server by hand, and the second."""
    bench.drift(instance, "a", systemMessages=[f"{line}\n- Novo.\n" + "- Seja breve.\n" * 8, "Oi."])


def test_a_prompt_of_a_folder_becomes_a_file_for_the_instance_that_drifted(fleet: Bench) -> None:
    drifted(fleet, "l3", "Loja l3, Casa l3.")
    report = fleet.update()
    after = fleet.contents()
    assert {path for path in after if after[path] != fleet.before.get(path)} == {
        "f/l3.yaml",
        "f/prompts/a-l3.md",
    }
    assert after["f/prompts/a-l3.md"].decode().startswith("Loja ${instance}, ${nome}.\n- Novo.\n- Seja")
    assert after["f/l3.yaml"].decode() == (
        "vars: {nome: Casa l3}\nbots:\n  a:\n    systemMessages:\n"
        "      - !file prompts/a-l3.md\n      - !file prompts/tom.md\n"
    )
    assert not fleet.plan().writes
    own = next(note.text for note in report.said if "prompts/a.md" in note.text)
    assert "a@l0, a@l1, a@l2 and 1 more use too: it is in " in own
    assert own.endswith("to take it for all of them, undo this and run import --update --for-all")


def test_for_all_changes_the_file_and_gives_nobody_the_words_of_another(fleet: Bench) -> None:
    drifted(fleet, "l3", "Aqui é a Casa l3, loja l3.")
    report = fleet.update(for_all=True)
    after = fleet.contents()
    assert {path for path in after if after[path] != fleet.before[path]} == {"f/prompts/a.md"}
    assert after["f/prompts/a.md"].decode().startswith("Aqui é a ${nome}, loja ${instance}.\n- Novo.\n- Seja")
    [note] = report.said
    assert note.text.endswith("prompts/a.md for all that use it, also a@l0, a@l1, a@l2 and 1 more")
    changes = {change.instance for change in fleet.plan().changes() if change.verb.writes}
    assert changes == {"l0", "l1", "l2", "l4"}, "those that had not drifted"


def test_for_all_cannot_take_two_texts(fleet: Bench) -> None:
    drifted(fleet, "l1", "Um.")
    drifted(fleet, "l3", "Dois.")
    report = fleet.update(for_all=True)
    assert {path for path in fleet.contents() if "prompts/a-" in path} == {
        "f/prompts/a-l1.md",
        "f/prompts/a-l3.md",
    }
    assert sum("they drifted in different ways" in note.text for note in report.said) == 2
    assert not fleet.plan().writes


def test_those_that_drifted_alike_have_one_new_file(fleet: Bench) -> None:
    (fleet.bots / "f/prompts/a-2.md").write_text("somebody's\n")
    drifted(fleet, "l1", "Um.")
    drifted(fleet, "l3", "Um.")
    fleet.update()
    assert {path for path in fleet.contents() if "prompts/a-" in path} == {
        "f/prompts/a-2.md",
        "f/prompts/a-3.md",
    }
    assert not fleet.plan().writes


def test_a_manifest_in_json_has_the_text(fleet: Bench) -> None:
    (fleet.bots / "f/l3.yaml").unlink()
    (fleet.bots / "f/l3.json").write_text('{"vars": {"nome": "Casa l3"}}\n')
    drifted(fleet, "l3", "Um.")
    report = fleet.update()
    assert not [path for path in fleet.contents() if "prompts/a-" in path]
    said = [note.text for note in report.said]
    assert any("in the manifest now, as JSON has no !file" in text for text in said), said
    assert not fleet.plan().writes


def test_a_file_of_several_is_rewritten_when_all_say_the_same(bench: Bench) -> None:
    bench.put({"loja.yaml": FILES, "p.md": "um\n"}, ONE)
    for name in ("a", "b"):
        bench.drift("loja", name, systemMessages=["dois"])
    assert not bench.update().said
    assert bench.diff() == ["-um\n", "+dois\n"]
    assert not bench.plan().writes


def test_a_text_with_variables_keeps_the_lines_that_have_them(bench: Bench) -> None:
    bot = BOT.replace("main", '"c-${instance}"')
    fleet = f"defaults: {{{bot}}}\nbots:\n  a:\n    maxTokens: 1\n"
    fleet += "    triggerValue: x\n    systemMessages: [!file ../p.md]\nvars: {cor: azul}\n"
    bench.put(
        {"f/_defaults.yaml": fleet, "p.md": "Loja ${instance}\nfim\n", "f/l1.yaml": "{}", "f/l2.yaml": "{}"},
        {"l1": ("c-l1",), "l2": ("c-l2",)},
    )
    bench.drift("l1", "a", systemMessages=["Loja l1\nFIM ${cor} $5"])
    bench.drift("l2", "a", systemMessages=["Loja l2\nFIM ${cor} $5"])
    bench.update()
    assert bench.diff() == ["-fim\n", "+FIM $${cor} $5\n"]
    assert not bench.plan().writes


NOTES = f"""\
vars: {{loja: Centro}}
bots:
  a:
    {BOT.replace(", ", BREAK)}
    maxTokens: 1
    triggerValue: &v um
    systemMessages:
      - &loja Loja ${{loja}}
      - !file shared.md
      - &nobody fim
    unknownMessage: *v
  b: {{{BOT}, maxTokens: 2, triggerValue: dois, systemMessages: [!file shared.md, *loja], unknownMessage: Oi}}
  c: {{{BOT}, maxTokens: 3, triggerValue: 3, systemMessages: [!file own.md]}}
"""


@pytest.mark.parametrize(
    ("bot", "fields", "notes"),
    [
        (
            "a",
            {"systemMessages": ["Loja Centro", "s", "FIM"]},
            ["shared-a.md now; to take it for all of them"],
        ),
        ("a", {"systemMessages": ["Loja Centro", "shared", "x"]}, []),
        ("a", {"systemMessages": ["Loja Centro", "shared"]}, []),
        (
            "a",
            {"systemMessages": ["shared", "fim"]},
            ["used ${loja}: ", "the anchor &loja: the first alias"],
        ),
        ("a", {"triggerValue": "x"}, ["triggerValue had the anchor &v: the first alias"]),
        ("a", {"unknownMessage": "x"}, []),
        ("b", {"systemMessages": ["shared", "Centro"]}, ["used ${loja}: "]),
        ("c", {"systemMessages": ["a\r\nb"]}, ["was in a file, which cannot hold the new value"]),
        ("c", {"systemMessages": ["a"]}, []),
    ],
)
def test_what_a_person_should_know(bench: Bench, bot: str, fields: dict[str, Json], notes: list[str]) -> None:
    bench.put({"loja.yaml": NOTES, "shared.md": "shared\n", "own.md": "own\n"}, ONE)
    bench.drift("loja", bot, **fields)
    report = bench.update()
    said = [one.text for one in report.said]
    assert not report.failed
    assert len(said) == len(notes), said
    assert all(note in text for note, text in zip(notes, said, strict=True)), said
    assert not bench.plan().writes


# -- names for ids ----------------------------------------------------------------------------


def test_credentials_come_back_by_name(bench: Bench) -> None:
    bench.put(
        {
            "loja.yaml": TWO + f"  c: {{{BOT}, maxTokens: 3, triggerValue: 3}}\n",
            "dono.yaml": "bots: {}\n",
        },
        {"loja": ("main", "second"), "dono": ("lent",), "alheio": ("theirs",)},
    )
    bench.drift("loja", "a", openaiCredsId=ids(bench)["second"])
    bench.drift("loja", "b", openaiCredsId=ids(bench, "dono")["lent"])
    bench.drift("loja", "c", openaiCredsId=ids(bench, "alheio")["theirs"])
    report = bench.update()
    lines = [line.partition(", ")[0] for line in bench.diff() if line[0] == "+"]
    assert lines == ["+  a: {openaiCreds: second", "+  b: {openaiCreds: {instance: dono"]
    assert [one.about for one in report.said] == ["c"]
    assert [change.bot for change in bench.plan().changes()] == ["c"]


def test_settings_with_names(bench: Bench) -> None:
    settings = """\
settings:
  openaiCreds: main   # which
  fallback: a
  expire: 60
  ignoreJids: {merge: ["x@g.us", "y@g.us"]}  # more may be there
"""
    bench.put({"loja.yaml": settings + TWO}, ONE)
    [b] = [bot for bot in bench.world.bots("loja") if bot["maxTokens"] == 2]
    creds = ids(bench)
    bench.drift_settings("loja", openaiCredsId=creds["second"], expire=61, ignoreJids=["z@g.us", "y@g.us"])
    bench.drift_settings("loja", openaiCredsId="", fallbackId=b["id"])
    report = bench.update()
    assert bench.diff() == [
        "-  openaiCreds: main   # which\n",
        "-  fallback: a\n",
        "-  expire: 60\n",
        '-  ignoreJids: {merge: ["x@g.us", "y@g.us"]}  # more may be there\n',
        "+  openaiCreds: second   # which\n",
        "+  fallback: b\n",
        "+  expire: 61\n",
        '+  ignoreJids: {merge: ["y@g.us"]}  # more may be there\n',
    ]
    assert report.edited[0].keys == ("openaiCreds", "expire", "ignoreJids", "fallback")
    assert not bench.plan().writes


def test_a_description_comes_back_without_our_marker(bench: Bench) -> None:
    bench.put({"loja.yaml": TWO.replace("um}", "um, description: 'Velho'}")}, ONE)
    bench.drift("loja", "a", description="Novo: 'x'")
    bench.update()
    assert "description: 'Novo: ''x'''}" in bench.diff()[1]
    assert not bench.plan().writes


# -- what belongs together --------------------------------------------------------------------


def test_two_bots_that_swapped_their_triggers_beside_one_that_cannot_be_said(bench: Bench) -> None:
    bench.put({"loja.yaml": TWO + f"  c: {{{BOT}, maxTokens: 3, triggerValue: 3, expire: 5}}\n"}, ONE)
    bench.drift("loja", "a", triggerValue="away")
    bench.drift("loja", "b", triggerValue="um")
    bench.drift("loja", "a", triggerValue="dois")
    bench.drift("loja", "c", expire=-5, model="gpt-5")
    report = bench.update()
    [failed] = report.failed
    assert (failed.about, failed.text.partition(":")[0]) == ("c", "expire cannot be written")
    assert {(one.about, one.keys) for one in report.edited} == {
        ("a", ("triggerValue",)),
        ("b", ("triggerValue",)),
        ("c", ("model",)),
    }
    [left] = bench.plan().changes()
    assert [change.name for change in left.fields] == ["expire"]


def test_another_type_brings_the_fields_that_it_needs(bench: Bench) -> None:
    bench.put({"loja.yaml": TWO.replace("a:", "'a':")}, ONE)
    bench.drift(
        "loja",
        "a",
        botType="assistant",
        assistantId="asst_1",
        triggerType="advanced",
        triggerValue="contains:x",
    )
    report = bench.update()
    assert "assistantId: asst_1" in bench.diff()[1]
    assert "assistantId is declared now" in report.said[0].text
    assert not bench.plan().writes


# -- what is not done -------------------------------------------------------------------------


def test_what_is_not_declared_or_not_there_is_said(bench: Bench) -> None:
    bench.put({"loja.yaml": TWO}, ONE)
    bench.world.remove("loja", bench.bot("loja", "a"))
    bench.world.bot("loja", ids(bench)["main"], maxTokens=77)
    bench.drift("loja", "b", expire=99)  # not declared
    text = said(bench)
    assert "a: it is missing on the server" in text
    assert ": no manifest declares 1 of its bots on the server" in text


def test_what_no_manifest_can_say_is_said(bench: Bench) -> None:
    settings = "settings: {fallback: a, expire: 60}\ndefaults: {splitMessages: true}\n"
    bench.put({"loja.yaml": settings + TWO}, ONE)
    stranger = bench.world.bot("loja", ids(bench)["main"], maxTokens=77)
    duplicate = bench.bot("loja", "b")
    bench.drift_settings("loja", openaiCredsId="", fallbackId=stranger["id"])
    bench.world.change("loja", stranger, description=duplicate["description"])
    bench.world.done("PUT", f"/openai/update/{bench.bot('loja', 'a')['id']}/loja", _without_split(bench))
    text = said(bench)
    assert f"the settings: the fallback on the server is the bot {stranger['id']}" in text
    assert "b: bots " in text
    assert "carry its marker" in text
    assert "a: splitMessages is not set on the server, and stays in its manifest" in text


def _without_split(bench: Bench) -> dict[str, object]:
    kept = {name: value for name, value in bench.bot("loja", "a").items() if value is not None}
    return {**kept, "splitMessages": None}


def test_settings_that_are_not_there(bench: Bench) -> None:
    bench.put({"loja.yaml": "bots: {}\n"}, ONE)
    (bench.bots / "loja.yaml").write_text("settings: {expire: 60}\nbots: {}\n")
    bench.before = bench.contents()
    assert "the settings: they are not on the server yet" in said(bench)


def test_an_edit_of_the_manifest_that_was_not_applied_is_said(bench: Bench) -> None:
    bench.put({"loja.yaml": TWO}, ONE)
    (bench.bots / "loja.yaml").write_text(TWO.replace("gpt-4o", "gpt-5"))
    report = bench.update()
    assert bench.contents() == bench.before
    assert {one.text.partition(";")[0] for one in report.said} == {
        "its manifest was edited since the last apply"
    }


def test_an_instance_that_is_gone_is_no_success(bench: Bench) -> None:
    bench.put({"loja.yaml": TWO, "praça.yaml": "bots: {}\n"}, {"loja": ("main",), "praça": ()})
    bench.world.done("DELETE", "/instance/delete/loja")
    report = bench.update()
    assert [one.instance for one in report.failed] == ["loja"]


def test_only_what_is_asked_for(bench: Bench) -> None:
    bench.put({"l1.yaml": TWO, "l2.yaml": TWO.replace("main", "other")}, {"l1": ("main",), "l2": ("other",)})
    for name in ("l1", "l2"):
        bench.drift(name, "a", model="gpt-5")
    report = bench.update("*2")
    assert {path.name for path in report.files} == {"l2.yaml"}
    assert [change.instance for change in bench.plan().changes()] == ["l1"]


# -- files on the disk ------------------------------------------------------------------------


def test_modes_and_links_stay(bench: Bench) -> None:
    (bench.bots / "store").mkdir()
    (bench.bots / "store" / "loja.txt").write_text(TWO)
    (bench.bots / "loja.yaml").symlink_to("store/loja.txt")
    bench.put({}, ONE)
    real = bench.bots / "store" / "loja.txt"
    real.chmod(0o640)
    bench.drift("loja", "a", model="gpt-5")
    bench.update()
    assert (bench.bots / "loja.yaml").is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert "gpt-5" in real.read_text()
    assert [path.name for path in real.parent.iterdir()] == ["loja.txt"]
    assert not bench.plan().writes


def test_a_directory_that_may_not_be_written(bench: Bench) -> None:
    bench.put({"loja.yaml": TWO}, ONE)
    bench.drift("loja", "a", model="gpt-5")
    bench.bots.chmod(0o500)
    if os.access(bench.bots, os.W_OK):
        pytest.skip("this user may write anywhere")
    try:
        with pytest.raises(ReconcilerError, match=r"loja\.yaml cannot be written: Permission denied"):
            bench.update()
    finally:
        bench.bots.chmod(0o700)
    assert bench.contents() == bench.before


def test_a_disk_that_is_full(bench: Bench) -> None:
    bench.put({"loja.yaml": TWO}, ONE)
    bench.drift("loja", "a", model="gpt-5")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(TWO) // 2, hard))
    try:
        with pytest.raises(ReconcilerError, match=r"loja\.yaml cannot be written: File too large"):
            bench.update()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert bench.contents() == bench.before, "no file is left beside it, either"


def test_a_file_with_the_longest_name(bench: Bench) -> None:
    file = "l" * 250 + ".yaml"
    bench.put({file: f"instance: loja\n{TWO}"}, ONE)
    bench.drift("loja", "a", model="gpt-5")
    bench.update()
    assert list(bench.contents()) == [file]
    assert not bench.plan().writes


def test_a_file_that_changes_meanwhile_stays_and_so_do_the_others(tmp_path: Path) -> None:
    for name in ("l1", "l2"):
        (tmp_path / f"{name}.yaml").write_text(TWO)
    manifests = Manifests(tmp_path, {"l1", "l2"})
    found = Drifts([Drift(name, "a", {"model": "gpt-5"}) for name in ("l1", "l2")])
    manifests.original(tmp_path.resolve() / "l2.yaml")
    (tmp_path / "l2.yaml").write_text(TWO + "# mine\n")
    with pytest.raises(
        ReconcilerError, match=r"l2\.yaml was changed meanwhile and was not overwritten: run this again"
    ):
        brought(manifests, found, tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "l1.yaml": TWO,
        "l2.yaml": TWO + "# mine\n",
    }


def test_json_keeps_its_layout(bench: Bench) -> None:
    fields = dict(part.split(": ") for part in BOT.split(", "))
    bots = {"a": {**fields, "maxTokens": 1, "triggerValue": "é", "ignoreJids": ["x@g.us", "y@g.us"]}}
    manifest = json.dumps({"defaults": {"expire": 5}, "bots": bots}, indent="\t")
    bench.put({"loja.json": manifest}, ONE)
    bench.drift("loja", "a", triggerValue='"né"\n', ignoreJids=["x@g.us", "z@g.us", "w@g.us"], expire=6)
    bench.update()
    assert bench.diff() == [
        '-\t\t\t"triggerValue": "\\u00e9",\n',
        '+\t\t\t"triggerValue": "\\"né\\"\\n",\n',
        '-\t\t\t\t"y@g.us"\n',
        "-\t\t\t]\n",
        '+\t\t\t\t"z@g.us",\n',
        '+\t\t\t\t"w@g.us"\n',
        "+\t\t\t],\n",
        '+\t\t\t"expire": 6\n',
    ]
    assert not bench.plan().writes
