"""The cache of what manifests declare. writing.py compares it with the files for all manifests of tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.domain.kinds import KINDS
from reconciler.manifests.cache import Cache, Memory
from reconciler.manifests.load import read_all
from tests.manifests.writing import CHAT, cached, everything_of, whole, write


def with_url(url: str) -> str:
    """A manifest with a bot that has this URL."""
    return f"bots:\n  {whole(KINDS['n8n'], webhookUrl=repr(url))}\n"


FILES = {
    "_defaults.yaml": "vars: {shop: Centro}\ndefaults:\n  unknownMessage: !file texts/unknown.md\n",
    "texts/unknown.md": "Só texto.\n",
    "texts/prompt.md": "Você atende a ${shop}.\n",
    "one.yaml": "credentials: {one: {apiKey: !env ONE}}\nsettings: {openaiCreds: one, expire: 3}\n"
    f"tests:\n- {{message: oi, bot: a}}\nbots:\n  a:\n{CHAT.replace('main', 'one')}"
    "    systemMessages: [!file texts/prompt.md, x]\n",
    "below/two.json": '{"bots": {}}',
    "below/three.yaml": with_url("https://x.example/${env:PART}/1"),
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory for caches."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def kept(home: Path) -> list[Path]:
    return [path for path in home.rglob("*") if path.is_file()]


def test_nothing_is_parsed_again(tmp_path: Path, home: Path) -> None:
    root = write(tmp_path, FILES)
    code = (
        "import sys; from pathlib import Path; from reconciler.manifests.load import read_all;"
        f"found = read_all(Path({str(root)!r}), origins=False, cached=True);"
        "print(len(found.instances), 'ruamel.yaml' in sys.modules, 'pydantic_core' in sys.modules)"
    )
    said = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert said == ["3 True True\n", "3 False False\n"]


def moved_out(folder: Path) -> None:
    """Put a link in the place of a folder, which leads out of the directory."""
    folder.symlink_to(folder.rename(folder.parents[1] / "moved"))


def written(name: str, text: str) -> Callable[[Path], object]:
    return lambda root: (root / name).write_text(text)


def renamed(name: str, other: str) -> Callable[[Path], object]:
    return lambda root: (root / name).rename(root / other)


def removed(name: str) -> Callable[[Path], object]:
    return lambda root: (root / name).unlink()


CHANGES: dict[str, Callable[[Path], object]] = {
    "a manifest": written("one.yaml", "bots: {}"),
    "a manifest with an error": written("one.yaml", "bots: {a: {}}"),
    "no YAML": written("one.yaml", "bots: ["),
    "no manifest": removed("one.yaml"),
    "the manifest's name": renamed("one.yaml", "four.yaml"),
    "the manifest's folder": renamed("one.yaml", "below/one.yaml"),
    "a second one": written("more.yaml", "instance: one\nbots: {}"),
    "an included text": written("texts/prompt.md", "Outro."),
    "an included text's variable": written("texts/prompt.md", "${gone}"),
    "no included text": removed("texts/prompt.md"),
    "the spelling of an included text": renamed("texts/prompt.md", "texts/Prompt.md"),
    "an included text that leads out": lambda root: moved_out(root / "texts"),
    "a folder's included text": written("texts/unknown.md", "Outro."),
    "a folder's included text that is too long": written("texts/unknown.md", "x" * 101),
    "a folder's file": written("_defaults.yaml", "vars: {shop: Norte}"),
    "a folder's file with an error": written("_defaults.yaml", "defaults: {expire: x}"),
    "no folder's file": removed("_defaults.yaml"),
    "a folder's file that is new": written("below/_defaults.yaml", "defaults: {expire: 5}"),
    "two folder's files": written("_defaults.yml", "bots: {}"),
    "a manifest that is included": written(
        "five.yaml", f"bots:\n  a:\n{CHAT}    systemMessages: [!file below/two.json]\n"
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_is_read_anew(tmp_path: Path, change: str) -> None:
    root = write(tmp_path, FILES)
    before = cached(root)
    CHANGES[change](root)
    after = cached(root)
    everything = [everything_of(one) for one in after.instances]
    assert after.problems or everything != [everything_of(one) for one in before.instances]


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_is_read_anew_from_memory(tmp_path: Path, home: Path, change: str) -> None:
    root, memory = write(tmp_path, FILES), Memory()
    read_all(root, origins=False, cached=memory)
    CHANGES[change](root)
    found, plain = (read_all(root, origins=False, cached=each) for each in (memory, False))
    assert found.every_problem == plain.every_problem
    assert [*map(everything_of, found.instances)] == [*map(everything_of, plain.instances)]
    assert not kept(home)


def test_another_path_of_the_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write(tmp_path, FILES)
    absolute = cached(root)
    monkeypatch.chdir(tmp_path)
    relative = cached(Path("bots"))
    assert [one.at.file for one in absolute.instances] == [
        f"{tmp_path}/{one.at.file}" for one in relative.instances
    ]


def test_no_secret_is_kept(tmp_path: Path, home: Path) -> None:
    secret = "9f86d081884c7d659a2feaa0c55ad015"
    files = {
        "url.yaml": with_url(f"https://n8n.example/webhook/{secret}"),
        "template.yaml": with_url(f"https://n8n.example/${{env:A}}/{secret}"),
        "plain.yaml": "bots: {}",
    }
    assert len(cached(write(tmp_path, files)).instances) == 3
    [file] = kept(home)
    assert secret.encode() not in file.read_bytes()
    assert b"plain.yaml" in file.read_bytes()


def test_what_a_commit_brings_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    root = write(tmp_path, FILES)
    for place in (tmp_path / "cache", root / "cache", tmp_path):
        monkeypatch.setenv("XDG_CACHE_HOME", str(place))
        read_all(root, origins=False, cached=True)
        assert not (place / "evolution-reconciler").exists()


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="there are no modes on Windows")
def test_what_others_can_write_is_not_read(tmp_path: Path, home: Path) -> None:
    root = write(tmp_path, {"one.yaml": "bots: {}"})
    read_all(root, origins=False, cached=True)
    [file] = kept(home)
    assert file.parent.stat().st_mode & 0o777 == 0o700
    file.write_bytes(file.read_bytes().replace(b'"one"', b'"two"'))
    assert [one.name for one in read_all(root, origins=False, cached=True).instances] == ["two"], "it is read"
    file.parent.chmod(0o777)
    assert [one.name for one in read_all(root, origins=False, cached=True).instances] == ["one"]


@pytest.mark.parametrize("place", [None, "relative", "/dev/null"])
def test_no_place_for_a_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str | None) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/dev/null")
    if place:
        monkeypatch.setenv("XDG_CACHE_HOME", place)
    monkeypatch.chdir(tmp_path)
    cached(write(tmp_path, FILES))
    assert not Path("relative").exists()


def test_a_damaged_file(tmp_path: Path, home: Path) -> None:
    root = write(tmp_path, FILES)
    cached(root)
    [file] = kept(home)
    whole = file.read_bytes()
    for at in range(0, len(whole), 97):
        for damaged in (whole[:at], whole[at:], whole[:at] + b"\0{}[1]" + whole[at + 6 :]):
            file.write_bytes(damaged)
            cached(root)
    for index in (b"", b"null", b"[]", b"{}", b'{"stamp": 1}'):
        file.write_bytes(index + b"0".rjust(20))
        cached(root)


def test_entries_of_another_version(home: Path) -> None:
    path = home / "evolution-reconciler" / "entries"
    with Cache(path, "1") as cache:
        cache.keep("a", [1])
        cache.keep("b", [2])
        cache.save()
    with Cache(path, "1") as cache:
        assert (cache.find("a"), cache.find("c")) == ([1], None)
        cache.keep("c", [3])
        cache.save()
    with Cache(path, "2") as cache:
        assert cache.find("a") is None
    with Cache(path, "1") as cache:
        assert [cache.find(key) for key in "abc"] == [[1], None, [3]], "what nobody asked for is gone"
