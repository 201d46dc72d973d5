"""Reading only what tells all of a few instances: the others are not parsed, and none is overlooked."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.domain.servers import Servers
from reconciler.manifests import asked
from reconciler.manifests.load import read_all
from reconciler.manifests.loaded import Loaded
from tests.manifests.writing import CHAT, write

MALFORMED = "bots: {"
BOT = f"bots:\n  a:\n{CHAT}"


def read(directory: Path, files: dict[str, str], *names: str, servers: Servers | None = None) -> Loaded:
    """What is read of manifests for these instances."""
    return read_all(write(directory, files), origins=False, servers=servers, asked=names)


def names(loaded: Loaded) -> list[str]:
    return sorted(one.name for one in loaded.instances)


# -- what a text shows -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "text", "name"),
    [
        ("loja.yaml", "bots: {}\n", "loja"),
        ("loja.yaml", "", "loja"),
        ("loja.yaml", "instance: centro\nbots: {}\n", "centro"),
        ("loja.yaml", "# a head\n\n---\n# more\ninstance: centro  # why\n\nbots: {}\n", "centro"),
        ("loja.yaml", 'instance: "10"\r\nbots: {}\r\n', "10"),
        ("loja.yaml", "instance: 'x.y'\n", "x.y"),
        ("loja.yaml", "defaults:\n  openaiCreds: {instance: matriz, name: main}\n", "loja"),
        ("loja.yaml", "bots:\n  a:\n    x: |\n      instance: b\n", "loja"),
        ("loja.json", '{"instance": "centro", "bots": {}}', "centro"),
        ("loja.json", '{"bots": {}}', "loja"),
        # whatever may mean something else
        ("loja.yaml", "bots: {}\ninstance: centro\n", None),
        ("loja.yaml", "instance: centro\n  norte\nbots: {}\n", None),
        ("loja.yaml", "instance: centro\n\n  norte\nbots: {}\n", None),
        ("loja.yaml", "instance: &a centro\n", None),
        ("loja.yaml", "instance:\n  centro\n", None),
        ("loja.yaml", "instance: centro norte\n", None),
        ("loja.yaml", '"instance": centro\n', None),
        ("loja.yaml", '"\\x69nstance": centro\n', None),
        ("loja.yaml", '? "inst\\\n  ance"\n: centro\n', None),
        ("loja.yaml", "? instance\n: centro\n", None),
        ("loja.yaml", "x-a: &a {instance: centro}\n<<: *a\n", None),
        ("loja.yaml", "{instance: centro}", None),
        ("loja.yaml", "  instance: centro\n  bots: {}\n", None),
        ("loja.yaml", "bots: {}\n!!str instance: centro\n", None),
        ("loja.yaml", "# \u2028instance: centro\n", None),
        ("loja.yaml", "# \rinstance: centro\n", None),
        ("loja.yaml", "i\0n\0s\0t\0a\0n\0c\0e\0:\0 \0c\0", None),
        ("loja.yaml", "\ufeffinstance: centro\n", None),
        ("loja.json", '{"bots": {}, "instance": "centro"}', None),
        ("loja.json", '{"\\u0069nstance": "centro"}', None),
    ],
)
def test_the_name_that_a_text_shows(file: str, text: str, name: str | None) -> None:
    assert asked.shown(Path(file), text.encode()).name == name


LINES = st.sampled_from(
    [
        *("instance: a", "instance: b", '"instance": b', "'instance': b", "? instance", ": b", "instance:"),
        *("  instance: b", "<<: *x", "x-y: &x", "x-y: &x {instance: b}", "  b", "bots: {}", "---", "...", ""),
        *(
            "# a",
            "bots: {}",
            "bots: {}",
            "x-z: |",
            "x-z: '",
            'x-z: "',
            "'",
            '"',
            "credentials: {b: {apiKey: !env B}}",
            "{",
            "}",
        ),
        *("x-z: >-", "- a", "[", "]", "!!str instance: b", "&a instance: b", '"\\x69nstance": b', "x-z: \\"),
        *('"credential\\x73": {b: {apiKey: !env B}}', "x-z: {instance: b}", "%YAML 1.1", "\tinstance: b"),
    ]
)


@given(st.lists(LINES, max_size=6), st.sampled_from(["\n", "\r\n", "\r", "\u2028", "\x85"]))
def test_a_text_shows_nothing_that_is_not_so(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], ends: str
) -> None:
    """Of whatever is valid."""
    lines = [*lines[:2], "bots: {}", *lines[2:]]
    text = "".join(f"{line}\n" for line in lines[:4]) + "".join(f"{line}{ends}" for line in lines[4:])
    loaded = read(tmp_path_factory.mktemp("any"), {"loja.yaml": text})
    if loaded.problems:
        return
    [one] = loaded.instances
    shown = asked.shown(Path("loja.yaml"), text.encode())
    assert shown.name in {None, one.name}
    assert shown.credentials or not one.credentials


# -- what is read ------------------------------------------------------------------------------


def test_the_others_are_not_parsed(tmp_path: Path) -> None:
    files = {"loja.yaml": BOT, "norte.yaml": MALFORMED, "any.yaml": f"instance: sul\n{MALFORMED}"}
    loaded = read(tmp_path, files, "loja")
    assert (names(loaded), loaded.problems, loaded.whole) == (["loja"], frozenset(), False)
    for wanted in ("norte", "sul", "nobody"):
        assert len(read(tmp_path, files, "loja", wanted).problems) == 2


def test_what_it_inherits_is_read_and_no_other_folder(tmp_path: Path) -> None:
    files = {
        "_defaults.yaml": "defaults: {expire: 3}",
        "sul/loja.yaml": BOT,
        "sul/_defaults.yaml": "defaults: {keepOpen: true}",
        "norte/_defaults.yaml": MALFORMED,
        "norte/outra.yaml": BOT,
    }
    loaded = read(tmp_path, files, "loja")
    [bot] = loaded.instances[0].bots
    assert (bot.fields["expire"], bot.fields["keepOpen"], loaded.whole) == (3, True, False)
    assert read(tmp_path, files | {"sul/_defaults.yaml": MALFORMED}, "loja").problems


@pytest.mark.parametrize(
    "other",
    [
        f"instance: loja\n{BOT}",
        f"{BOT}instance: loja\n",
        f'"\\x69nstance": loja\n{BOT}',
        f"x-a: &a {{instance: loja}}\n<<: *a\n{BOT}",
    ],
)
def test_a_second_manifest_of_the_instance_is_not_overlooked(tmp_path: Path, other: str) -> None:
    [problem] = read(tmp_path, {"loja.yaml": BOT, "other.yaml": other}, "loja").every_problem
    assert "is already declared at" in problem.message


OWN = "credentials: {main: {apiKey: !env KEY}}\n" + BOT


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ("credentials: {main: {apiKey: !env OTHER}}\nbots: {}\n", "a server has each name once"),
        ("credentials: {other: {apiKey: !env KEY}}\nbots: {}\n", "a server has each key once"),
        ('"credential\\x73": {main: {apiKey: !env OTHER}}\nbots: {}\n', "a server has each name once"),
        ('credentials: {"\\x6dain": {apiKey: !env OTHER}}\nbots: {}\n', "a server has each name once"),
        (
            'vars: {a: ai}\ncredentials: {"m${a}n": {apiKey: !env X}}\nbots: {}\n',
            "a server has each name once",
        ),
        ("bots: {}\n", ""),
        ("credentials: {other: {apiKey: !env OTHER}}\nbots: {}\n", ""),
    ],
)
def test_a_credential_that_two_declare_is_not_overlooked(tmp_path: Path, other: str, said: str) -> None:
    loaded = read(tmp_path, {"loja.yaml": OWN, "other.yaml": other}, "loja")
    messages = [problem.message for problem in loaded.every_problem]
    assert [said in message for message in messages] == [True] * bool(said)


def test_nor_one_that_belongs_to_another_instance(tmp_path: Path) -> None:
    [problem] = read(tmp_path, {"loja.yaml": BOT, "other.yaml": OWN}, "loja").every_problem
    assert "belongs to instance 'other'" in problem.message


def test_the_owner_of_a_shared_credential_is_read(tmp_path: Path) -> None:
    shared = BOT.replace("main", "{instance: other, name: main}")
    files = {"loja.yaml": shared, "other.yaml": OWN, "third.yaml": BOT.replace("main", "x")}
    loaded = read(tmp_path, files, "loja")
    assert (names(loaded), loaded.whole) == (["loja", "other"], False)
    assert read(tmp_path, {**files, "other.yaml": MALFORMED}, "loja").problems
    assert read(tmp_path, {"loja.yaml": shared, "third.yaml": MALFORMED}, "loja").problems


def test_a_manifest_that_is_included_as_a_text_is_told(tmp_path: Path) -> None:
    bot = BOT + "    systemMessages: [!file other.yaml]\n"
    [problem] = read(tmp_path, {"loja.yaml": bot, "other.yaml": BOT}, "loja").every_problem
    assert "includes it as a text" in problem.message


def test_of_several_servers_the_one_that_is_named(tmp_path: Path) -> None:
    files = {
        "a/loja.yaml": f"server: eu\n{BOT}",
        "b/loja.yaml": f"server: us\n{BOT}",
        "norte.yaml": MALFORMED,
    }
    servers = Servers(("eu", "us"))
    loaded = read(tmp_path, files, "eu/loja", servers=servers)
    assert (names(loaded), loaded.whole) == (["eu/loja", "us/loja"], False)
    assert read(tmp_path, files, "eu/norte", servers=servers).problems


def test_the_cache_keeps_what_was_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = write(tmp_path, {"loja.yaml": BOT, "norte.yaml": BOT})
    read_all(root, origins=False, cached=True)
    [kept] = (tmp_path / "cache").rglob("manifests-*")
    before = kept.stat().st_size
    (root / "loja.yaml").write_text(BOT + "    expire: 4\n", encoding="utf-8")
    read_all(root, origins=False, cached=True, asked=("loja",))
    assert kept.stat().st_size > 1.3 * before
    (root / "norte.yaml").write_text(BOT + "    expire: 5\n", encoding="utf-8")
    read_all(root, origins=False, cached=True)
    assert kept.stat().st_size < 1.2 * before
