"""Folders' files: what the manifests below them have in common, and the variables in their texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.domain.desired import DesiredBot, DesiredInstance
from reconciler.domain.errors import ReconcilerError
from tests.manifests.writing import CHAT, HERE, marked, problems, read

D = "_defaults.yaml"
BARE = "botType: assistant, assistantId: x, triggerType: none"
OTHER = "botType: assistant, openaiCreds: c, triggerType: none"
BOT = "botType: assistant, assistantId: x, openaiCreds: c, triggerType: none"


def one(directory: Path, files: dict[str, str], name: str = "loja") -> DesiredInstance:
    """The instance of that name."""
    [found] = [instance for instance in read(directory, files).instances if instance.name == name]
    return found


def only(directory: Path, files: dict[str, str]) -> DesiredBot:
    """The one bot of the instance `loja`."""
    (bot,) = one(directory, files).bots
    return bot


# -- whose word it is -------------------------------------------------------------------------


LAYERS = [
    ("x/y/loja.yaml", "bots: {a: {keywordFinish: manifest bot}}"),
    (f"x/y/{D}", "bots: {a: {keywordFinish: near bot}}"),
    (f"x/{D}", "bots: {a: {keywordFinish: middle bot}}"),
    (D, f"bots: {{a: {{{BOT}, keywordFinish: far bot}}}}"),
    ("x/y/loja.yaml", "defaults: {keywordFinish: manifest defaults}"),
    (f"x/y/{D}", "defaults: {keywordFinish: near defaults}"),
    (f"x/{D}", "defaults: {keywordFinish: middle defaults}"),
    (D, "defaults: {keywordFinish: far defaults}"),
]


@pytest.mark.parametrize("first", range(len(LAYERS)))
def test_the_nearest_wins(tmp_path: Path, first: int) -> None:
    """All layers from one on; the bot itself is made by the last of the bots."""
    files = {D: "", f"x/{D}": "", f"x/y/{D}": "", "x/y/loja.yaml": ""}
    for number, (file, text) in enumerate(LAYERS):
        without = f"bots: {{a: {{{BOT}}}}}" if number == 3 else f"x-{number}: 1"
        files[file] += (text if number >= first else without) + "\n"
    assert only(tmp_path, files).fields["keywordFinish"] == LAYERS[first][1].split("keywordFinish: ")[
        1
    ].rstrip("}")


def test_layers_and_places(tmp_path: Path) -> None:
    files = {
        D: "defaults:\n  expire: 1\n",
        f"x/{D}": f"defaults: {{openaiCreds: c}}\nbots:\n  a:\n    {{{BARE}}}\n",
        "x/loja.yaml": "defaults:\n  debounceTime: 2\nbots:\n  a:\n    keepOpen: true\n",
    }
    bot = only(tmp_path, files)
    root = tmp_path / "bots"
    assert {name: (origin.layer, str(origin.at)) for name, origin in bot.origins.items()} == {
        "expire": ("folder defaults", f"{root}/{D}:2:11"),
        "openaiCreds": ("folder defaults", f"{root}/x/{D}:1:25"),
        "botType": ("folder bot", f"{root}/x/{D}:4:15"),
        "assistantId": ("folder bot", f"{root}/x/{D}:4:39"),
        "triggerType": ("folder bot", f"{root}/x/{D}:4:55"),
        "debounceTime": ("defaults", f"{root}/x/loja.yaml:2:17"),
        "keepOpen": ("bot", f"{root}/x/loja.yaml:5:15"),
    }
    assert str(bot.at) == f"{root}/x/loja.yaml:4:3"


def test_only_those_below(tmp_path: Path) -> None:
    files = {
        f"x/{D}": f"bots: {{a: {{{BOT}}}}}",
        "x/one.yaml": "x-: 1",
        "x/y/two.yml": "instance: zwei",
        "x/y/three.json": '{"bots": {}}',
        "z/four.yaml": "bots: {}",
        "five.yaml": "bots: {}",
    }
    found = {
        instance.name: [bot.name for bot in instance.bots] for instance in read(tmp_path, files).instances
    }
    assert found == {"one": ["a"], "zwei": ["a"], "three": ["a"], "four": [], "five": []}


@pytest.mark.parametrize("name", ["_defaults.yaml", "_defaults.yml", "_defaults.json", "_defaults.YAML"])
def test_the_names_of_a_folders_file(tmp_path: Path, name: str) -> None:
    files = {
        name: '{"defaults": {"openaiCreds": "far"}}',
        "loja.yaml": f"bots: {{a: {{{BARE}}}}}",
    }
    assert only(tmp_path, files).creds == "far"


def test_a_folders_file_is_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(ReconcilerError, match="contains no manifest"):
        read(tmp_path, {D: "bots: {}"})


@pytest.mark.parametrize(
    ("files", "names"),
    [
        ({D: f"bots: {{a: {{{BOT}}}}}", "x/loja.yaml": "bots: {a: false}"}, []),
        ({D: f"bots: {{a: {{{BOT}}}}}", f"x/{D}": "bots: {a: false}", "x/loja.yaml": "bots: {}"}, []),
        (
            {
                D: f"bots: {{a: {{{BOT}}}}}",
                f"x/{D}": "bots: {a: false}",
                "x/loja.yaml": f"bots: {{a: {{{BOT}}}}}",
            },
            ["a"],
        ),
        (
            {
                D: f"bots: {{b: {{{BOT}}}, c: {{{BOT.replace('x', 'y', 1)}}}}}",
                f"x/{D}": f"bots: {{a: {{{BOT.replace('x', 'z', 1)}}}}}",
                "x/loja.yaml": "bots: {c: {}}",
            },
            ["c", "a", "b"],
        ),
    ],
)
def test_which_bots_there_are(tmp_path: Path, files: dict[str, str], names: list[str]) -> None:
    assert [bot.name for bot in one(tmp_path, files).bots] == names


def test_what_is_opted_out_of_hides_what_is_behind_it(tmp_path: Path) -> None:
    files = {
        D: f"bots: {{a: {{{BOT}, expire: 7}}}}",
        f"x/{D}": "bots: {a: false}",
        "x/loja.yaml": f"bots: {{a: {{{BOT}}}}}",
    }
    assert "expire" not in only(tmp_path, files).fields


def test_settings_and_silence(tmp_path: Path) -> None:
    files = {
        D: "settings: {expire: 1, ignoreJids: {merge: [x]}, openaiCreds: far}\n"
        "silence: [one]\ndefaults: {silence: [two]}",
        f"x/{D}": "settings: {expire: 2, keepOpen: true}\nsilence: [three]",
        "x/loja.yaml": f"settings: {{keepOpen: false, fallback: a}}\nbots: {{a: {{{BOT}, silence: [four]}}}}",
    }
    found = one(tmp_path, files)
    settings = found.settings["openai"]
    assert settings.fields == {"expire": 2, "ignoreJids": ("x",), "keepOpen": False}
    assert (settings.creds, settings.fallback, settings.merge_jids) == ("far", "a", True)
    assert settings.at.file.endswith("x/loja.yaml")
    assert {name: origin.layer for name, origin in settings.origins.items()} == {
        "expire": "folder settings",
        "ignoreJids": "folder settings",
        "openaiCreds": "folder settings",
        "keepOpen": "settings",
        "fallback": "settings",
    }
    assert found.ignored == {"one", "three"}
    assert found.bots[0].ignored == {"one", "two", "three", "four"}


def test_a_plain_list_of_jids_replaces_a_folders_merge(tmp_path: Path) -> None:
    files = {
        D: "settings: {ignoreJids: {merge: [x]}}",
        "loja.yaml": "settings: {ignoreJids: [y]}\nbots: {}",
    }
    settings = one(tmp_path, files).settings["openai"]
    assert (settings.fields["ignoreJids"], settings.merge_jids) == (("y",), False)


def test_files(tmp_path: Path) -> None:
    """A folder's `!file` is relative to it, and the instance is made of its files too."""
    files = {
        D: f"bots: {{a: {{{BOT}, functionUrl: !file p/url.txt}}}}",
        "p/url.txt": "https://example.com\n",
        "x/p/url.txt": "wrong",
        f"x/{D}": "x-: 1",
        "x/loja.yaml": "bots: {a: {description: !file d.txt}}",
        "x/d.txt": "Olá",
        "other.yaml": "bots: {a: false}",
    }
    found = one(tmp_path, files)
    assert found.bots[0].fields["functionUrl"] == "https://example.com"
    names = [str(Path(file).relative_to(tmp_path / "bots")) for file in found.files]
    assert names == ["x/loja.yaml", "x/d.txt", f"x/{D}", D, "p/url.txt"]


# -- variables --------------------------------------------------------------------------------


def test_variables(tmp_path: Path) -> None:
    files = {
        D: "vars: {loja: Rede, cidade: Recife, n: 007}\n"
        "defaults: {openaiCreds: '${instance}-openai', botType: chatCompletion, model: m}\n"
        "settings: {unknownMessage: 'Aqui é ${loja}', openaiCreds: '${instance}-openai'}\n"
        "bots:\n  a:\n    maxTokens: 1\n    triggerType: keyword\n    triggerOperator: equals\n"
        "    triggerValue: ${n}\n    systemMessages: [!file p.md, 'plain']\n"
        "  b:\n    {maxTokens: 2, triggerType: none, "
        "openaiCreds: {instance: '${cidade}', name: '${loja}-x'}}\n",
        "p.md": "Loja ${loja}, ${cidade}. $${loja} ${ loja } ${a-b} $loja ${",
        "x/loja.yaml": "vars: {loja: Centro}\ncredentials:\n  ${instance}-openai: {apiKey: !env A}",
    }
    found = one(tmp_path, files)
    a, b = found.bots
    assert a.creds == "loja-openai"
    assert a.fields["triggerValue"] == "007"
    assert a.fields["systemMessages"] == ("Loja Centro, Recife. ${loja} ${ loja } ${a-b} $loja ${", "plain")
    assert (b.creds_owner, b.creds) == ("Recife", "Centro-x")
    settings = found.settings["openai"]
    assert (settings.fields["unknownMessage"], settings.creds) == ("Aqui é Centro", "loja-openai")
    assert [creds.name for creds in found.credentials] == ["loja-openai"]
    assert found.vars == {"instance": "loja", "loja": "Centro", "cidade": "Recife", "n": "007"}
    root = tmp_path / "bots"
    said = {name: str(at) for name, at in a.origins["systemMessages"].variables.items()}
    assert said == {"loja": f"{root}/x/loja.yaml:1:14", "cidade": f"{root}/{D}:1:28"}
    assert a.origins["openaiCreds"].variables == {"instance": None}
    assert str(a.origins["openaiCreds"].at) == f"{root}/{D}:2:25"


@pytest.mark.parametrize(
    ("vars_", "text", "meant"),
    [
        ("", "${instance} $${", "${instance} $${"),
        ("vars: {}", "${instance} $${", "loja ${"),
        ("vars: {a: '${b}', b: x}", "${a}${b}", "${b}x"),
        ("vars: {a: x}", "$$${a}", "$${a}"),
        ("vars: {a: x}", "${a", "${a"),
        ("vars: {é: x}", "", None),
    ],
)
def test_what_a_variable_is(tmp_path: Path, vars_: str, text: str, meant: str | None) -> None:
    files = {"loja.yaml": f"{vars_}\nbots: {{a: {{{BOT}, description: '{text}'}}}}"}
    if meant is None:
        assert "cannot be a variable's name" in problems(tmp_path, files)[0]
    else:
        assert only(tmp_path, files).fields["description"] == meant


def test_only_texts_are_filled_in(tmp_path: Path) -> None:
    bot = BOT.replace("none", "'${t}'")
    text = f"vars: {{t: none}}\nbots: {{a: {{{bot}}}}}"
    (found,) = problems(tmp_path, {"loja.yaml": text})
    assert "triggerType cannot be '${t}'" in found


def test_the_limits_are_those_of_the_whole_text(tmp_path: Path) -> None:
    long = {
        D: f"vars: {{a: {'x' * 100}}}\ndefaults: {{keywordFinish: '${{a}}'}}",
        "loja.yaml": f"bots: {{a: {{{BOT}}}}}",
    }
    assert len(str(only(tmp_path, long).fields["keywordFinish"])) == 100
    name = "n" * 120
    short = {
        D: f"vars: {{{name}: x}}\ndefaults: {{keywordFinish: '${{{name}}}'}}",
        "loja.yaml": f"bots: {{a: {{{BOT}}}}}",
    }
    assert only(tmp_path, short).fields["keywordFinish"] == "x"


# -- what is wrong ----------------------------------------------------------------------------

LOJA = f"bots: {{a: {{{BOT}}}}}"
BROKEN: dict[str, tuple[dict[str, str], list[str]]] = {
    "syntax": ({D: "defaults: {‸"}, ["closing bracket is missing"]),
    "a list": ({D: "‸[]"}, ["a folder's file must be a mapping"]),
    "nothing": ({D: "‸"}, ["is empty"]),
    "instance": ({D: "‸instance: x"}, ["applies to many instances"]),
    "credentials": ({D: "‸credentials: {main: {apiKey: sk-canary}}"}, ["move them to its manifest"]),
    "unknown key": ({D: "‸defautls: {}"}, ["did you mean 'defaults'?"]),
    "unknown field": ({D: "defaults: {‸modle: x}"}, ["did you mean 'model'?"]),
    "a bot's name": ({D: f"bots:\n  ‸A: {{{BOT.replace('x', 'y')}}}"}, ["'A' cannot be a bot's name"]),
    "a wrong value": ({D: f"bots: {{a: {{{BOT}, expire: ‸soon}}}}"}, ["whole number"]),
    "too long": ({D: f"defaults: {{keywordFinish: ‸{'x' * 101}}}"}, ["101 characters"]),
    "a missing file": ({D: "defaults: {description: ‸!file nowhere}"}, ["does not exist"]),
    "a file outside": ({f"x/{D}": "defaults: {description: ‸!file ../../x}"}, ["leads out of"]),
    "incomplete at the folder": (
        {D: "bots:\n  ‸b: {openaiCreds: c, botType: assistant, triggerType: all}"},
        ["'b' has no assistantId", "instance 'a'"],
    ),
    "incomplete at the manifest": (
        {
            D: "bots: {b: {openaiCreds: c, botType: assistant}}",
            "loja.yaml": "bots:\n  ‸b: {assistantId: y}",
            "a.yaml": "bots: {b: false}",
            "b.yaml": "bots: {b: false}",
        },
        ["'b' has no triggerType, which a bot needs: add it"],
    ),
    "two credentials in one layer": (
        {D: "defaults: {openaiCreds: a, ‸openaiCredsId: b}", "loja.yaml": f"bots: {{a: {{{BARE}}}}}"},
        ["keep one"],
    ),
    "a marker": ({D: "defaults: {description: ‸'[gitops:a]'}"}, ["looks like an ownership marker"]),
    "no such variable": (
        {D: "vars: {loja: x}\ndefaults: {description: ‸'${loka}'}"},
        ["${loka} is not a declared variable (did you mean 'loja'?)", "$${", "in instance 'a'"],
    ),
    "no such variable in a file": (
        {D: "vars: {}\ndefaults: {description: ‸!file p.md}", "p.md": "${x}"},
        ["${x} is not a declared variable:"],
    ),
    "no such variable in a list": (
        {D: "vars: {}\ndefaults: {userMessages: [a, ‸'${x}']}"},
        ["${x} is not a declared variable"],
    ),
    "no such variable in a name": (
        {
            D: "vars: {}\ndefaults: {openaiCreds: ‸'${x}'}\nsettings: {}",
            "loja.yaml": "bots: {a: {botType: assistant, assistantId: x, triggerType: none}}",
            "a.yaml": "bots: {}",
            "b.yaml": "bots: {}",
        },
        ["${x}"],
    ),
    "no such variable in settings": ({D: "vars: {}\nsettings: {unknownMessage: ‸'${x}'}"}, ["${x}"]),
    "too long when filled": (
        {D: f"vars: {{v: {'x' * 101}}}\ndefaults: {{keywordFinish: ‸'${{v}}'}}"},
        ["keywordFinish has 101 characters"],
    ),
    "too long as it stands": (
        {D: f"defaults: {{keywordFinish: ‸'${{{'x' * 101}'}}"},
        ["103 characters", "100"],
    ),
    "a credential that is too long when filled": (
        {"loja.yaml": f"vars: {{n: x}}\nbots: {{a: {{{BARE}, openaiCreds: ‸'${{n}}{'x' * 260}'}}}}"},
        ["openaiCreds has 261 characters"],
    ),
    "a credential's name when filled": (
        {"loja.yaml": "vars: {n: 2}\ncredentials:\n  ‸main@${n}: {apiKey: !env A}\nbots: {}"},
        ["@ and digits"],
    ),
    "a credential's name twice when filled": (
        {
            "loja.yaml": "vars: {n: x}\nbots: {}\n"
            "credentials:\n  x: {apiKey: !env A}\n  ‸${n}: {apiKey: !env B}"
        },
        ["'x' is already declared at"],
    ),
    "a fallback that one instance lacks": (
        {D: "settings: {fallback: ‸a}", "b.yaml": "bots: {}"},
        ["no bot 'a' to fall back to", "instance 'b'"],
    ),
    "a fallback that is opted out of": (
        {
            D: f"bots: {{p: {{{BOT.replace('x', 'p')}}}}}",
            "loja.yaml": "settings: {fallback: ‸p}\nbots: {p: false}",
        },
        ["no bot 'p' to fall back to"],
    ),
    "opted out of nothing, after another bot": (
        {"loja.yaml": f"bots: {{a: {{{BOT}}}, ‸b: false}}"},
        ["no folder's file above has a bot 'b'"],
    ),
    "opted out of nothing": (
        {D: f"bots: {{promo: {{{BOT.replace('x', 'p')}}}}}", "loja.yaml": "bots: {‸prmo: false}"},
        ["no folder's file above has a bot 'prmo'", "did you mean 'promo'?", "remove this line"],
    ),
    "opted out of nothing, in a folder and below it": (
        {D: "bots: {‸b: false}", "loja.yaml": "bots: {b: false}"},
        ["no folder's file above has a bot 'b'"],
    ),
    "opted out of its own": ({"loja.yaml": "bots: {‸a: false}"}, ["no folder's file above"]),
    "opted out of nothing in a folder": ({D: "bots: {‸b: false}"}, ["no folder's file above has a bot 'b'"]),
    "opted out quoted": ({"loja.yaml": "bots: {a: ‸'false'}"}, ["bot 'a' must be a mapping"]),
    "a clash within the folder": (
        {D: f"defaults: {{assistantId: y}}\nbots:\n  one: {{{OTHER}}}\n  ‸two: {{{OTHER}}}"},
        ["'two' and 'one'", "same assistantId"],
    ),
    "a clash with the folder": (
        {
            D: f"bots:\n  two: {{{BOT}}}",
            "loja.yaml": f"bots: {{b: {{{OTHER}, ‸assistantId: x}}}}",
            "a.yaml": "bots: {}",
            "b.yaml": "bots: {}",
        },
        ["'b' and 'two' (", "_defaults.yaml:2:3) have the same assistantId"],
    ),
    "previously": (
        {D: f"bots: {{two: {{{BOT.replace('x', 'y')}, previously: [‸a]}}}}"},
        ["another bot of this manifest"],
    ),
}


@pytest.mark.parametrize(("files", "words"), BROKEN.values(), ids=BROKEN)
def test_place_and_words(tmp_path: Path, files: dict[str, str], words: list[str]) -> None:
    """Each is said once, though three instances share the folder."""
    [(file, text)] = [(file, text) for file, text in files.items() if HERE in text]
    plain, place = marked(text)
    rest = {f"{name}.yaml": LOJA for name in ("a", "b", "loja")} if D in files else {"loja.yaml": LOJA}
    found = problems(tmp_path, rest | files | {file: plain})
    assert len(found) == 1, found
    assert found[0].startswith(f"{file}:{place}: ")
    assert "canary" not in found[0]
    for word in words:
        assert word in found[0]


@pytest.mark.parametrize("name", ["_default.yaml", "_Defaults.yml"])
def test_a_name_that_is_nearly_right(tmp_path: Path, name: str) -> None:
    (found,) = problems(tmp_path, {name: "defaults: {}", "loja.yaml": LOJA})
    assert found.startswith(f"{name}:1:1: ")
    assert "are read from _defaults.y" in found


def test_two_files_of_one_folder(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, {D: "x-: 1", "_defaults.json": "{}", "loja.yaml": LOJA})
    assert found.startswith("_defaults.yaml:1:1: the folder also has ")


def test_a_broken_folder_hides_no_other_error(tmp_path: Path) -> None:
    files = {
        D: "bots: [",
        "loja.yaml": "bots: {a: {expire: x, triggerType: all}}",
        "z.yaml": "bots: {b: false}",
    }
    found = [line.partition(": ")[0] for line in problems(tmp_path, files)]
    assert found == ["_defaults.yaml:1:8", "loja.yaml:1:20"]


def test_a_folder_full_of_errors_ends(tmp_path: Path) -> None:
    bots = "".join(f"  b{n}: {{}}\n" for n in range(2000))
    found = problems(tmp_path, {D: f"bots:\n{bots}", "loja.yaml": "bots: {}", "z.yaml": "bots: {}"})
    assert len(found) == 1001
    assert found[0].startswith("_defaults.yaml:1:1: more than 1000 errors")


def test_links_to_a_folders_file(tmp_path: Path) -> None:
    root = tmp_path / "bots"
    root.mkdir()
    (tmp_path / "outside.yaml").write_text("defaults: {expire: 1}")
    (root / D).symlink_to("../outside.yaml")
    (found,) = problems(tmp_path, {"loja.yaml": LOJA})
    assert found.startswith(f"{D}:1:1: the folder's file leads out of ")
    (root / D).unlink()
    (root / D).symlink_to("shared.txt")
    (root / "shared.txt").write_text("defaults: {expire: 1}")
    assert only(tmp_path, {}).fields["expire"] == 1


def test_forty_instances_of_one_folder(tmp_path: Path) -> None:
    files = {D: f"vars: {{}}\ndefaults: {{description: 'Loja ${{instance}}'}}\nbots:\n  a:\n{CHAT}"}
    files |= {f"{n}/loja-{n}.yaml": f"vars: {{n: {n}}}" for n in range(40)}
    found = read(tmp_path, files).instances
    assert {bot.fields["description"] for instance in found for bot in instance.bots} == {
        f"Loja loja-{n}" for n in range(40)
    }
