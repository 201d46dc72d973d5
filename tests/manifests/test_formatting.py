"""New contents of manifests are taken only where they declare the same."""

from __future__ import annotations

from pathlib import Path

from reconciler.manifests.formatting import Formatted, declaring_the_same

_MANIFEST = b"""\
credentials: {main: {apiKey: !env KEY_main}}
settings: {expire:   5}
bots: {}
"""


def test_what_declares_something_else_is_left_out(tmp_path: Path) -> None:
    def made(name: str, after: bytes) -> Formatted:
        path = tmp_path / f"{name}.yaml"
        path.write_bytes(before := _MANIFEST.replace(b"main", name.encode()))
        return Formatted(path, path.resolve(), before, after.replace(b"main", name.encode()))

    same = made("a", _MANIFEST.replace(b"   5", b" 5"))
    other = made("b", _MANIFEST.replace(b"   5", b" 6"))
    wrong = made("c", _MANIFEST.replace(b"   5", b" x"))
    assert declaring_the_same(tmp_path, [same]) == [same]
    assert declaring_the_same(tmp_path, [same, other, wrong]) == [same]
    assert declaring_the_same(tmp_path, []) == []
