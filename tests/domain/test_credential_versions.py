"""The versions of a credential: their names, and which of them is used."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.domain.credential_versions import (
    CredentialVersions,
    by_name,
    declared,
    named,
    need_rotation,
    outdated,
    split,
    undeclared,
)
from reconciler.domain.observed import RemoteCredential
from reconciler.domain.plan import NEW_CREDENTIAL


@pytest.mark.parametrize(
    ("full_name", "name", "number"),
    [
        ("main", "main", 1),
        ("main@2", "main", 2),
        ("main@10", "main", 10),
        ("a@b@3", "a@b", 3),
        ("main@1", "main@1", 1),
        ("main@0", "main@0", 1),
        ("main@02", "main@02", 1),
        ("main@²", "main@²", 1),
        ("@2", "@2", 1),
        ("main@2\n", "main@2\n", 1),
        ("chave\nnova@2", "chave\nnova", 2),
    ],
)
def test_names(full_name: str, name: str, number: int) -> None:
    assert split(full_name) == (name, number)
    assert named(name, number) == full_name


def there(text: str) -> dict[str, RemoteCredential]:
    """'main+ main@2- other?': names with whether the key is the declared one."""
    same = {"+": True, "-": False, "?": None}
    return {each[:-1]: RemoteCredential(f"id-{each[:-1]}", same[each[-1]]) for each in text.split()}


@pytest.mark.parametrize(
    ("on_server", "makes", "standing", "current", "old", "leaving"),
    [
        ("", True, "missing", "new credential main", "", False),
        ("other? main2?", True, "missing", "new credential main", "", False),
        ("main+", True, "present", "id-main", "", True),
        ("main@3+", True, "present", "id-main@3", "", True),
        ("main-", True, "different", "new credential main@2", "main", True),
        ("main@2- main-", True, "different", "new credential main@3", "main main@2", True),
        ("main@7-", True, "different", "new credential main@8", "main@7", True),
        ("main- main@2+", True, "present", "id-main@2", "main", True),
        ("main+ main@2-", True, "present", "id-main", "main@2", True),
        ("main- main@2+ main@3-", True, "present", "id-main@2", "main main@3", True),
        ("main?", True, "not compared", "id-main", "", False),
        ("main? main@2?", True, "not compared", "id-main@2", "main", False),
        ("main- main@2?", True, "not compared", "id-main@2", "main", False),
        ("main-", False, "different", "id-main", "", False),
        ("main- main@2-", False, "different", "id-main@2", "main", False),
        ("main+ main@2-", False, "present", "id-main", "main@2", True),
    ],
)
def test_declared(on_server: str, makes: bool, standing: str, current: str, old: str, leaving: bool) -> None:
    found = declared("main", by_name(there(on_server)), makes=makes)
    assert found is not None
    assert (found.standing, found.current, " ".join(found.old), found.leaving) == (
        standing,
        current,
        old,
        leaving,
    )
    assert found.new == (current.removeprefix(NEW_CREDENTIAL) if current.startswith(NEW_CREDENTIAL) else "")


def test_what_is_missing_and_not_made_is_nothing() -> None:
    assert declared("main", by_name(there("other?")), makes=False) is None


@pytest.mark.parametrize(
    ("on_server", "current"),
    [
        ("main? main@2?", "id-main"),
        ("main@2? main@10?", "id-main@10"),
        ("main@x?", None),
        ("", None),
    ],
)
def test_undeclared(on_server: str, current: str | None) -> None:
    found = undeclared("main", by_name(there(on_server)))
    assert (found and (found.current, found.old, found.standing)) == (current and (current, {}, None))


def test_what_a_bot_compares_as() -> None:
    moved = CredentialVersions("main", "new", old=there("main-"), leaving=True)
    kept = replace(moved, leaving=False)
    assert (moved.seen("id-main"), moved.wanted("id-main")) == ("new", "new")
    assert (kept.seen("id-main"), kept.wanted("id-main")) == ("id-main", "id-main")
    for versions in (moved, kept):
        assert (versions.seen("x"), versions.wanted("x"), versions.wanted("")) == ("x", "new", "new")


def test_turning() -> None:
    assert not need_rotation(["main"], there("main+ other@2-"))
    assert not need_rotation(["main"], {})
    assert need_rotation(["main"], there("main-"))
    assert need_rotation(["other", "main"], there("main- main@2+"))


@pytest.mark.parametrize(
    ("on_server", "old"),
    [
        ("main+ other@2-", []),
        ("main-", ["id-main"]),
        ("main- main@2+ main@3-", ["id-main", "id-main@3"]),
        ("main? main@2?", []),
        ("", []),
    ],
)
def test_outdated(on_server: str, old: list[str]) -> None:
    assert [credential.id for credential in outdated(["main"], there(on_server))] == old
