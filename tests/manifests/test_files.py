"""Files and directories: what is a manifest, what `!file` may read, and that every error is shown at once."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from reconciler.domain.errors import ManifestError, ReconcilerError
from reconciler.manifests.confined import MAX_INCLUDED, MAX_MANIFEST
from reconciler.manifests.load import load
from tests.manifests.writing import CHAT, HERE, bot, marked, problems, read, write

not_as_root = pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")

PROMPT = f"bots:\n  a:\n{CHAT}    systemMessages:\n      - ‸!file PATH\n"


def prompt(path: str) -> str:
    return PROMPT.replace("PATH", path).replace("‸", "")


# -- the directory ----------------------------------------------------------------------------


def test_no_directory(tmp_path: Path) -> None:
    with pytest.raises(ReconcilerError, match=r"nowhere does not exist: .*--bots"):
        load(tmp_path / "nowhere")


def test_not_a_directory(tmp_path: Path) -> None:
    (tmp_path / "bots").write_text("bots: {}")
    with pytest.raises(ReconcilerError, match="bots is not a directory"):
        load(tmp_path / "bots")
    with pytest.raises(ReconcilerError, match="cannot be read"):
        load(tmp_path / "bots" / "below")


@pytest.mark.parametrize("files", [{}, {"README.md": "x", ".a.yaml": "bots: {}", "_b/c.yaml": "bots: {}"}])
def test_a_directory_without_manifests_is_never_no_bots(tmp_path: Path, files: dict[str, str]) -> None:
    with pytest.raises(ReconcilerError, match="contains no manifest"):
        read(tmp_path, files)


def test_ignored_jids_of_settings_may_be_files_and_merged_ones_may_not(tmp_path: Path) -> None:
    files = {"a.yaml": 'bots: {}\nsettings:\n  openaiCreds: c\n  ignoreJids: [!file jid.txt, "@lid"]\n'}
    found = read(tmp_path, {**files, "jid.txt": "@g.us"}).instances[0]
    assert found.settings["openai"].fields["ignoreJids"] == ("@g.us", "@lid")
    merged = files["a.yaml"].replace("[", "{merge: [").replace("]", "]}")
    assert problems(tmp_path, {"a.yaml": merged}) == [
        "a.yaml:4:24: an item of merge cannot come from a file: write it here, without `!file`"
    ]


def test_names_as_the_person_gave_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"x/loja.YAML": "bots: 1"})
    monkeypatch.chdir(tmp_path)
    for given, shown in (("bots", "bots/x/loja.YAML"), ("./bots/", "bots/x/loja.YAML")):
        with pytest.raises(ManifestError) as raised:
            load(Path(given))
        assert [problem.at.file for problem in raised.value.problems] == [shown]
    monkeypatch.chdir("bots")
    with pytest.raises(ManifestError, match=r"^x/loja\.YAML:1:7: "):
        load(Path())


def test_a_file_name_cannot_forge_output(tmp_path: Path) -> None:
    found = problems(tmp_path, {"a\n\x1b[31m.yaml": "bots: 1"})
    assert found[0].startswith("a\\n\\x1b[31m.yaml:1:7: ")


def test_a_file_name_that_is_not_utf8(tmp_path: Path) -> None:
    found = problems(tmp_path, {os.fsdecode(b"a\xff.yaml"): "bots: {}"})
    assert found[0].startswith("a\\udcff.yaml:1:1: the file's name is not UTF-8")
    assert read(tmp_path, {os.fsdecode(b"a\xff.yaml"): "bots: {}\ninstance: a"}).instances[0].name == "a"


# -- many errors, many files ------------------------------------------------------------------


def test_every_error_of_every_file_at_once_and_in_order(tmp_path: Path) -> None:
    files = {
        "b.yaml": f"bots:\n  a:\n{CHAT}    expire: -1\n    nope: 1\n  b:\n    model: x\n",
        "a.yaml": "bots: [",
        "sub/c.json": '{"bots": {"a": {"enabled": null}}}',
    }
    found = problems(tmp_path, files)
    assert [line.split(" ")[0] for line in found] == [
        "a.yaml:1:8:",
        "b.yaml:10:13:",
        "b.yaml:11:5:",
        *["b.yaml:12:3:"] * 3,
        *["sub/c.json:1:11:"] * 3,
        "sub/c.json:1:28:",
    ]


def test_two_manifests_of_one_instance(tmp_path: Path) -> None:
    found = problems(tmp_path, {"loja.yaml": "bots: {}", "x/any.yml": "bots: {}\ninstance: loja"})
    assert len(found) == 1
    assert found[0].startswith("x/any.yml:2:11: instance 'loja' is already declared at ")
    assert "loja.yaml:1:1: keep" in found[0]


def test_what_is_wrong_in_an_anchor_is_said_once(tmp_path: Path) -> None:
    bots = "".join(
        f"  b{n}:\n    <<: *base\n    maxTokens: {n + 1}\n    triggerType: none\n" for n in range(9)
    )
    found = problems(tmp_path, {"a.yaml": f"x-base: &base\n{CHAT}    expire: -1\nbots:\n{bots}"})
    assert len(found) == 1
    assert found[0].startswith("a.yaml:9:13: ")


def test_a_file_full_of_errors_ends(tmp_path: Path) -> None:
    text = "bots:\n  a:\n" + "".join(f"    trigerValu{n}: 1\n" for n in range(20_000))
    found = problems(tmp_path, {"a.yaml": text})
    assert len(found) == 1001
    assert found[0].startswith("a.yaml:1:1: more than 1000 errors")


# -- contents ---------------------------------------------------------------------------------

CONFLICT = "bots: {}\n<<<<<<< HEAD\nx-a: 1\n=======\nx-a: 2\n>>>>>>> other\n"

BYTES = {
    "not UTF-8": (b"bots:\n  \xc3\xa9: \xff\xfe", "2:6: the manifest is not UTF-8", "0xff"),
    "Latin-1": ("bots: é".encode("latin-1"), "1:7: the manifest is not UTF-8", "0xe9"),
    "cut in a character": ("bots: é".encode()[:-1], "1:7: the manifest is not UTF-8", "save it as UTF-8"),
    "UTF-16": ("bots: {}".encode("utf-16"), "1:1: the manifest is UTF-16", "UTF-8"),
    "UTF-16 without a mark": ("bots: {}".encode("utf-16-le"), "1:1: the manifest is UTF-16", "UTF-8"),
    "UTF-16, the other way": ("bots: {}".encode("utf-16-be"), "1:1: the manifest is UTF-16", "UTF-8"),
    "UTF-32": ("bots: {}".encode("utf-32"), "1:1: the manifest is UTF-32", "UTF-8"),
    "UTF-32 without a mark": ("bots: {}".encode("utf-32-be"), "1:1: the manifest is UTF-32", "UTF-8"),
    "two marks": ("\ufeff\ufeffbots: {}".encode(), "1:1: the manifest starts with two byte order", "UTF-8"),
    "a merge conflict": (CONFLICT.encode(), "2:1: the manifest contains a merge conflict", "resolve it"),
    "a merge conflict, CRLF": (
        CONFLICT.replace("\n", "\r\n").encode(),
        "2:1: the manifest contains a",
        "merge",
    ),
    "too large": (b"#" * (MAX_MANIFEST + 1), "1:1: the manifest is larger than 5 MiB", "`!file PATH`"),
    "NULs": (b"a\0" + b"b" * 100, "1:2: ", "U+0000 NULL"),
}


@pytest.mark.parametrize(("data", "start", "word"), BYTES.values(), ids=BYTES)
def test_bytes_that_are_no_manifest(tmp_path: Path, data: bytes, start: str, word: str) -> None:
    found = problems(tmp_path, {"a.yaml": data})
    assert len(found) == 1
    assert found[0].startswith(f"a.yaml:{start}")
    assert word in found[0]


def test_100_megabytes_are_not_read(tmp_path: Path) -> None:
    root = write(tmp_path, {"a.yaml": ""})
    os.truncate(root / "a.yaml", 100 * 2**20)
    with pytest.raises(ManifestError, match="larger than 5 MiB"):
        load(root)


def test_a_byte_order_mark_is_no_character(tmp_path: Path) -> None:
    assert bot(tmp_path, "\ufeffinstance: b\nbots:\n  a:\n" + CHAT).at.line == 3
    found = problems(tmp_path, {"a.yaml": "\ufeffbots: 1", "loja.yaml": "bots: {}"})
    assert found[0].startswith("a.yaml:1:7: ")


def test_crlf(tmp_path: Path) -> None:
    text = f"bots:\n  a:\n{CHAT}    systemMessages: ['a\n\n      b']\n".replace("\n", "\r\n")
    assert bot(tmp_path, text).fields["systemMessages"] == ("a\nb",)


# -- unreadable -------------------------------------------------------------------------------


def test_not_a_regular_file(tmp_path: Path) -> None:
    root = write(tmp_path, {"loja.yaml": "bots: {}"})
    os.mkfifo(root / "pipe.yaml")
    assert [line[:60] for line in problems(tmp_path, {})] == [
        "pipe.yaml:1:1: the manifest is not a regular file: put a text file"[:60]
    ]


@not_as_root
def test_without_permission(tmp_path: Path) -> None:
    root = write(
        tmp_path, {"loja.yaml": "bots: {}", "x/y.yaml": "bots: {}", "z.yaml": prompt("p.md"), "p.md": ""}
    )
    (root / "loja.yaml").chmod(0)
    (root / "p.md").chmod(0)
    (root / "x").chmod(0)
    try:
        starts = [
            "loja.yaml:1:1: the manifest cannot be read",
            "x:1:1: the directory cannot be read",
            "z.yaml:11:9: ",
        ]
        found = problems(tmp_path, {})
        assert all(line.startswith(start) for line, start in zip(found, starts, strict=True))
    finally:
        (root / "x").chmod(0o700)


# -- links ------------------------------------------------------------------------------------


def test_links_within(tmp_path: Path) -> None:
    """As a mounted ConfigMap is laid out, and a second instance that shares its bots with the first."""
    root = write(tmp_path, {"..data/loja.yaml": prompt("p.md"), "..data/p.md": "Olá!\n"})
    (root / "loja.yaml").symlink_to("..data/loja.yaml")
    (root / "outra.yaml").symlink_to("loja.yaml")
    (root / "p.md").symlink_to("..data/p.md")
    (root / "sub").mkdir()
    (root / "sub" / "nova.yaml").write_text("bots: {}")
    (root / "again").symlink_to("sub")
    desired = load(root)
    assert [instance.name for instance in desired.instances] == ["loja", "nova", "outra"]
    assert desired.instances[2].bots[0].fields["systemMessages"] == ("Olá!",)


def test_the_directory_itself_may_be_a_link(tmp_path: Path) -> None:
    root = write(tmp_path, {"loja.yaml": prompt("p.md"), "p.md": "Olá!"})
    (tmp_path / "link").symlink_to(root)
    assert load(tmp_path / "link").instances[0].at.file == str(tmp_path / "link" / "loja.yaml")


def test_links_that_lead_astray(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "x.yaml").write_text("bots: {}")
    root = write(tmp_path, {"loja.yaml": "bots: {}"})
    (root / "dir").symlink_to(tmp_path / "outside")
    (root / "file.yaml").symlink_to(tmp_path / "outside" / "x.yaml")
    (root / "gone.yaml").symlink_to("nowhere.yaml")
    (root / "loop.yaml").symlink_to("loop.yaml")
    (root / "loop").symlink_to("loop")
    (root / "sub").mkdir()
    (root / "sub" / "up").symlink_to("..")
    (root / "unrelated").symlink_to(tmp_path / "nowhere")
    found = problems(tmp_path, {})
    expected = [
        ("dir:1:1: the directory leads out of", "by a link"),
        ("file.yaml:1:1: the manifest leads out of", "by a link"),
        ("gone.yaml:1:1: the manifest does not exist", ""),
        ("loop:1:1: the link leads to itself", ""),
        ("loop.yaml:1:1: the manifest ", "link"),
        ("sub/up:1:1: the directory is a link to a directory that contains it", ""),
    ]
    assert len(found) == len(expected), found
    for line, (start, word) in zip(found, expected, strict=True):
        assert line.startswith(start)
        assert word in line


# -- !file ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"Ol\xc3\xa1!", "Olá!"),
        (b"a\nb\n", "a\nb"),
        (b"a\n\n", "a\n"),
        (b"\xef\xbb\xbfa\r\nb\r\n", "a\nb"),
        (b"", ""),
        (b"\x1b \t: - #", "\x1b \t: - #"),
    ],
)
def test_the_text_of_a_file(tmp_path: Path, data: bytes, text: str) -> None:
    files: dict[str, str | bytes] = {"x/loja.yaml": prompt("../p/a b.md"), "p/a b.md": data}
    ((only,),) = [instance.bots for instance in read(tmp_path, files).instances]
    assert only.fields["systemMessages"] == (text,)


def test_a_file_for_any_text(tmp_path: Path) -> None:
    text = f"bots:\n  a:\n{CHAT.replace('oi', '!file v')}    description: !file 'v'\n"
    ((only,),) = [instance.bots for instance in read(tmp_path, {"a.yaml": text, "v": "x\n"}).instances]
    assert (only.fields["triggerValue"], only.fields["description"]) == ("x", "x")


INCLUDES = {
    "missing": ("nowhere.md", "does not exist"),
    "empty": ("''", "names no file"),
    "NUL": ('"a\\0b"', "names no file"),
    "absolute": ("/etc/hostname", "leads out of"),
    "up": ("../outside.md", "leads out of"),
    "up and back": ("../bots/p.md", "leads out of"),
    "far up": ("../../../../../../../../../../../etc/hostname", "leads out of"),
    "a link out": ("link.md", "by a link"),
    "through a link out": ("_dirlink/outside.md", "by a link"),
    "a loop": ("_dir/loop.md", ""),
    "a directory": (".", "not a regular file"),
    "a pipe": ("pipe", "not a regular file"),
    "too large": ("large.md", "larger than 1 MiB"),
    "not UTF-8": ("latin.md", "(line 2, column 3)"),
    "with NUL": ("nul.md", "NUL"),
    "too long a name": ("n" * 5000, "cannot be read"),
}


@pytest.mark.parametrize(("path", "words"), INCLUDES.values(), ids=INCLUDES)
def test_files_that_cannot_be_included(tmp_path: Path, path: str, words: str) -> None:
    (tmp_path / "outside.md").write_text("secret")
    files: dict[str, str | bytes] = {
        "p.md": "x",
        "large.md": b"a" * (MAX_INCLUDED + 1),
        "latin.md": b"a\nol\xe1",
        "nul.md": b"\0",
    }
    root = write(tmp_path, files)
    (root / "link.md").symlink_to(tmp_path / "outside.md")
    (root / "_dirlink").symlink_to(tmp_path)
    (root / "_dir").mkdir()
    (root / "_dir" / "loop.md").symlink_to("loop.md")
    os.mkfifo(root / "pipe")
    text, place = marked(PROMPT.replace("PATH", path))
    found = problems(tmp_path, {"loja.yaml": text})
    assert len(found) == 1
    assert found[0].startswith(f"loja.yaml:{place}: !file '")
    assert words in found[0]
    assert "secret" not in found[0]


def test_an_included_text_keeps_to_the_limits(tmp_path: Path) -> None:
    text, place = marked(f"bots:\n  a:\n{CHAT}    keywordFinish: ‸!file p.md\n")
    found = problems(tmp_path, {"loja.yaml": text, "p.md": "a" * 101 + "\n"})
    assert len(found) == 1
    assert found[0].startswith(f"loja.yaml:{place}: keywordFinish has 101 characters")


# -- names that only look like a file's -------------------------------------------------------

DECOMPOSED = "Prompts/ac\u0327ai\u0301.md"

MISSPELLED = {
    "backslash": ("'Prompts\\menu.md'", "but 'Prompts/menu.md' does"),
    "case": ("prompts/MENU.md", "but 'Prompts/menu.md' does"),
    "both": ("'prompts\\Menu.MD'", "but 'Prompts/menu.md' does"),
    "from here": ("./prompts/menu.md", "but './Prompts/menu.md' does"),
    "composed": ("Prompts/a\u00e7a\u00ed.md", "a file 'Prompts/ac\u0327ai\u0301.md' does", "accents"),
    "no such": ("Prompts/other.md", "does not exist: correct the path"),
    "a folder of another name": ("prompt/menu.md", "does not exist: correct the path"),
    "out": ("x/../../Prompts/menu.md", "leads out of"),
}


@pytest.mark.parametrize(("name", "words"), [pytest.param(r[0], r[1:], id=n) for n, r in MISSPELLED.items()])
def test_the_file_that_was_meant_is_named(tmp_path: Path, name: str, words: tuple[str, ...]) -> None:
    text = PROMPT.replace("PATH", name).replace(HERE, "")
    [found] = problems(tmp_path, {"loja.yaml": text, "Prompts/menu.md": "x", DECOMPOSED: "x"})
    for word in words:
        assert word in found


# -- a file that is taken in ------------------------------------------------------------------


@pytest.mark.parametrize("text", ["persona: Ana\n", "- um\n- dois\n", "tom: [", "Olá: {{nome}}\n", "x"])
@pytest.mark.parametrize("name", ["p.yaml", "prompts/p.yml", "p.json"])
def test_a_text_that_is_taken_in_is_no_manifest(tmp_path: Path, text: str, name: str) -> None:
    root = write(tmp_path, {"loja.yaml": prompt(name), "z.yaml": "bots: {}", name: text})
    loja, z = load(root).instances
    assert loja.bots[0].fields["systemMessages"] == (text.removesuffix("\n"),)
    assert z.name == "z"


def test_a_text_below_a_folder_s_file_is_no_manifest(tmp_path: Path) -> None:
    bot = "{openaiCreds: c, botType: assistant, assistantId: x, triggerType: none}"
    folder = f"settings: {{fallback: a}}\nbots:\n  a: {bot}\n"
    files = {"_defaults.yaml": folder, "loja.yaml": prompt("p.yaml"), "p.yaml": "persona: Ana"}
    assert [instance.name for instance in load(write(tmp_path, files)).instances] == ["loja"]


@pytest.mark.parametrize("text", ["bots: {}", "instance: p\nvars: {}\nbots: {}", "bots: 1", '{"bots": {}}'])
def test_a_manifest_that_is_taken_in_is_an_error(tmp_path: Path, text: str) -> None:
    found = problems(tmp_path, {"loja.yaml": prompt("p.yaml"), "p.yaml": text})
    assert len(found) == 1
    assert found[0].startswith("p.yaml:1:1: the file is a manifest, and a `!file` in ")
    assert "loja.yaml includes it" in found[0]


@pytest.mark.parametrize("place", ["loja.yaml", "loja/loja.yaml", "_defaults.yaml"])
def test_a_folder_s_file_that_is_taken_in_is_an_error(tmp_path: Path, place: str) -> None:
    name = "../" * place.count("/") + "a/_defaults.yaml"
    bot = "{openaiCreds: c, botType: assistant, assistantId: x, triggerType: none, userMessages: [NAME]}"
    files = {"a/_defaults.yaml": "vars: {persona: Ana}\n", "a/a.yaml": "bots: {}", "z.yaml": "bots: {}"}
    found = problems(tmp_path, {**files, place: f"bots: {{um: {bot.replace('NAME', f'!file {name}')}}}"})
    assert len(found) == 1
    assert found[0].startswith("a/_defaults.yaml:1:1: the file is a folder's file, and a `!file` in ")
    assert f"{place} includes it as a text: give the text a file of its own" in found[0]


# -- what is swapped while it is read ---------------------------------------------------------


@pytest.mark.parametrize("what", ["file", "folder", "pipe"])
def test_what_is_swapped_meanwhile_is_not_followed(tmp_path: Path, what: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "p.md").write_text("secret")
    root = write(tmp_path, {"loja.yaml": prompt("p/p.md"), "p/p.md": "inside"})
    place = root / "p" if what == "folder" else root / "p" / "p.md"
    spare, kept = tmp_path / "spare", tmp_path / "kept"
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            place.rename(kept)
            if what == "pipe":
                os.mkfifo(place)
            else:
                place.symlink_to(outside if what == "folder" else outside / "p.md")
            place.rename(spare)
            kept.rename(place)
            spare.unlink()

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        for _ in range(300):
            with suppress(ManifestError):
                [instance] = load(root).instances
                assert instance.bots[0].fields["systemMessages"] == ("inside",)
    finally:
        done.set()
        swapper.join()


def test_manifests_that_are_no_files(tmp_path: Path) -> None:
    root = write(tmp_path, {"loja.yaml": "bots: {}"})
    os.mkfifo(root / "pipe.yaml")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(root / "s.yaml"))
        found = problems(tmp_path, {})
    assert [line.split(": ", 1)[1] for line in found] == [
        "the manifest is not a regular file: put a text file in its place"
    ] * 2
