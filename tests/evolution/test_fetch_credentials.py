"""The fetch stage where credentials and settings are declared: what is read, compared, and never kept."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Mapping, Sequence

import pytest

from reconciler.domain.desired import (
    Desired,
    DesiredBot,
    DesiredCredential,
    DesiredInstance,
    DesiredSettings,
    SecretRef,
)
from reconciler.domain.errors import Position
from reconciler.domain.keys import Keys
from reconciler.domain.kinds import KINDS
from reconciler.domain.observed import Observed
from reconciler.domain.secret import SecretStr
from reconciler.evolution.client import Client, Server
from reconciler.evolution.fetch import fetch
from reconciler.sandbox import Sandbox
from tests.support import World, of_openai

AT = Position("bots/x.yaml", 1, 1)


def instance(
    name: str,
    *declared: str,
    bots: Sequence[tuple[str, str | None]] = (),
    settings: DesiredSettings | None = None,
) -> DesiredInstance:
    """An instance with these credentials, and bots that name one, of an owning instance or their own."""
    made = [
        DesiredBot(f"bot-{n}", {}, creds, AT, creds_owner=creds_owner)
        for n, (creds, creds_owner) in enumerate(bots)
    ]
    credentials = tuple(DesiredCredential(each, SecretRef("env", each.upper()), AT) for each in declared)
    return DesiredInstance(name, tuple(made), AT, credentials, of_openai(settings))


def fetched(
    sandbox: Sandbox,
    *instances: DesiredInstance,
    keys: Mapping[tuple[str, str], str] | None = None,
    creds_owners: Sequence[DesiredInstance] = (),
    api_key: str | None = None,
) -> Observed:
    available = Keys({place: SecretStr(key) for place, key in (keys or {}).items()})

    async def run() -> Observed:
        server = Server(sandbox.url, api_key or sandbox.api_key, retry_delay=0.001)
        async with Client(server) as client:
            return await fetch(
                client, Desired(instances, tuple(creds_owners)), lambda one, bots, kind: False, available
            )

    sandbox.calls.clear()
    observed = asyncio.run(run())
    assert sandbox.writes == []
    return observed


def reads(sandbox: Sandbox) -> list[str]:
    """What was read, but for the bots of other kinds."""
    others = tuple(f"/{path}/" for path in KINDS if path != "openai")
    paths = (call.path for call in sandbox.calls if not call.path.startswith(others))
    return sorted(path.removeprefix("/openai/") for path in paths)


def same(observed: Observed, name: str) -> dict[str, bool | None]:
    return {each: one.same for each, one in (observed.instances[name].credentials or {}).items()}


def test_keys_are_compared_with_the_versions_of_what_is_declared(sandbox: Sandbox, world: World) -> None:
    world.instance("loja")
    for name, key in (("main", "sk-old"), ("main@2", "sk-new"), ("main@x", "sk-1"), ("other", "sk-2")):
        world.creds("loja", name, key)
    known = fetched(sandbox, instance("loja", "main"), keys={("loja", "main"): "sk-new"})
    assert same(known, "loja") == {"main": False, "main@2": True, "main@x": None, "other": None}
    unknown = fetched(sandbox, instance("loja", "main"))
    assert set(same(unknown, "loja").values()) == {None}


def test_settings_are_read_where_a_rotation_is_due_or_unfinished(sandbox: Sandbox, world: World) -> None:
    world.instance("loja")
    world.creds("loja", "main", "sk-old")
    declared = instance("loja", "main")
    fetched(sandbox, declared, keys={("loja", "main"): "sk-old"})
    assert reads(sandbox) == ["creds/loja", "find/loja"]
    turned = fetched(sandbox, declared, keys={("loja", "main"): "sk-new"})
    assert "fetchSettings/loja" in reads(sandbox)
    assert turned.instances["loja"].settings is not None
    world.creds("loja", "main@2", "sk-new")
    fetched(sandbox, declared, keys={("loja", "main"): "sk-new"})
    assert "fetchSettings/loja" in reads(sandbox)


def test_declared_settings_are_read_and_what_they_need(sandbox: Sandbox, world: World) -> None:
    ids = world.instance("loja", "main")
    wants = instance("loja", settings=DesiredSettings({"expire": 1}, AT))
    without = fetched(sandbox, wants)
    assert reads(sandbox) == ["creds/loja", "fetchSettings/loja", "find/loja"], "a row has yet to be made"
    assert not without.instances["loja"].settings["openai"].exists
    bot = world.bot("loja", ids["main"])
    row = fetched(sandbox, wants).instances["loja"].settings["openai"]
    assert reads(sandbox) == ["fetchSettings/loja", "find/loja"]
    assert (row.exists, row.fields["openaiCredsId"], row.fields["speechToText"], row.unseen) == (
        True,
        ids["main"],
        False,
        frozenset(),
    )
    named = instance("loja", settings=DesiredSettings({}, AT, creds="main"))
    users = (fetched(sandbox, named).instances["loja"].credentials or {})["main"].users
    assert users == frozenset({bot["id"]})


def test_an_owning_instance_is_read_once_for_all(sandbox: Sandbox, world: World) -> None:
    for name in ("matriz", "away", "loja-1", "loja-2"):
        world.instance(name)
    world.creds("matriz", "main", "sk-m")
    world.creds("away", "far", "sk-a")
    others = [instance(f"loja-{n}", bots=[("main", "matriz"), ("far", "away")]) for n in (1, 2)]
    observed = fetched(
        sandbox,
        *others,
        instance("matriz", "main"),
        creds_owners=[instance("away", "far")],
        keys={("matriz", "main"): "sk-m"},
    )
    assert reads(sandbox).count("creds/matriz") == reads(sandbox).count("creds/away") == 1
    assert "creds/loja-1" not in reads(sandbox)
    assert "find/away" not in reads(sandbox)
    assert set(observed.instances) == {"loja-1", "loja-2", "matriz"}
    for one in ("loja-1", "loja-2"):
        shared_creds = observed.instances[one].shared_creds
        assert {name: there[next(iter(there))].same for name, there in shared_creds.items()} == {
            "matriz": True,
            "away": None,
        }


def test_an_owning_instance_that_cannot_be_read_is_no_problem_of_the_whole(
    sandbox: Sandbox, world: World
) -> None:
    world.instance("loja", "own")
    observed = fetched(sandbox, instance("loja", bots=[("main", "gone"), ("own", None)]))
    loja = observed.instances["loja"]
    assert (loja.problem, loja.shared_creds, list(loja.credentials or {})) == (None, {}, ["own"])
    assert loja.unreadable_creds == {
        "gone": f'The instance "gone" does not exist on {sandbox.url}. '
        "None of the server's 1 instances has a similar name: create it, or remove its manifest."
    }
    near = fetched(sandbox, instance("loja", bots=[("own", "loja-2")]))
    assert near.instances["loja"].unreadable_creds["loja-2"].endswith('The nearest names that exist: "loja".')


def test_keys_that_are_not_available_are_noted(sandbox: Sandbox, world: World) -> None:
    world.instance("loja", "main")
    declared, keys = instance("loja", "main", "spare"), {("loja", "main"): "sk-1", ("x", "main"): "sk-2"}
    found: dict[tuple[str, str], SecretStr | str] = {at: SecretStr(key) for at, key in keys.items()}
    found |= {("loja", "spare"): "SPARE is not set", ("x", "spare"): "X is not set"}

    async def run() -> Observed:
        async with Client(Server(sandbox.url, sandbox.api_key)) as client:
            return await fetch(client, Desired((declared,)), lambda one, bots, kind: False, Keys(found))

    assert asyncio.run(run()).instances["loja"].unverified == {"spare": "SPARE is not set"}


# -- what the server would refuse -------------------------------------------------------------

ONCE = "a key can be stored only once in the server's whole database"
NAME_ONCE = "a name can be used only once in the server's whole database: give this one another name"


def clashing(world: World) -> None:
    for name in ("loja", "suporte", "far"):
        world.instance(name)
    world.creds("loja", "old-name", "sk-loja")
    world.creds("suporte", "sup@2", "sk-suporte")
    world.creds("far", "main", "sk-far")


@pytest.mark.parametrize(
    ("key", "name", "words"),
    [
        ("sk-new", "fresh", None),
        (None, "fresh", None),
        ("sk-loja", "fresh", f'its key is that of the credential "old-name" of this instance, and {ONCE}'),
        (
            "sk-suporte",
            "fresh",
            f'its key is that of the credential "sup@2" of the instance "suporte", and {ONCE}: '
            "use that credential, `openaiCreds: {instance: suporte, name: sup}` (",
        ),
        ("sk-far", "fresh", 'the credential "main" of the instance "far"'),
        ("sk-new", "main", f'the instance "far" already has a credential "main", and {NAME_ONCE}'),
        (None, "main", f'the instance "far" already has a credential "main", and {NAME_ONCE}'),
        ("sk-new", "x" * 256, "the server stores 255 characters of a name"),
    ],
)
def test_what_is_taken_is_found_wherever_it_is(
    sandbox: Sandbox, world: World, key: str | None, name: str, words: str | None
) -> None:
    clashing(world)
    keys = {} if key is None else {("loja", name): key}
    observed = fetched(sandbox, instance("loja", name), instance("suporte"), keys=keys)
    clashes = observed.instances["loja"].clashes
    if words is None:
        assert clashes == {}
        assert reads(sandbox).count("/instance/fetchInstances") == 1
    else:
        assert words in clashes[name]
    assert "sk-" not in repr(observed)


def test_a_rotation_meets_clashes_too(sandbox: Sandbox, world: World) -> None:
    clashing(world)
    world.creds("far", "old-name@2", "sk-9")
    observed = fetched(sandbox, instance("loja", "old-name"), keys={("loja", "old-name"): "sk-new"})
    assert 'already has a credential "old-name@2"' in observed.instances["loja"].clashes["old-name"]


def test_the_whole_server_is_read_only_where_it_must_be(sandbox: Sandbox, world: World) -> None:
    clashing(world)
    world.instance("unread")
    fetched(sandbox, instance("loja", "old-name"), keys={("loja", "old-name"): "sk-loja"})
    assert reads(sandbox) == ["creds/loja", "find/loja"], "nothing is to be made"
    near = instance("suporte", bots=[("sup", None)])
    fetched(sandbox, instance("loja", "fresh"), near, keys={("loja", "fresh"): "sk-suporte"})
    assert "/instance/fetchInstances" not in reads(sandbox), "it was read anyhow"
    fetched(sandbox, instance("loja", "fresh"), keys={("loja", "fresh"): "sk-far"})
    assert reads(sandbox).count("creds/unread") == 1


def test_who_may_not_list_the_instances_goes_on_without(sandbox: Sandbox, world: World) -> None:
    body = {"instanceName": "mine", "integration": "EVOLUTION", "token": "mine-token"}
    world.done("POST", "/instance/create", body)
    clashing(world)
    keys = {("mine", "fresh"): "sk-far"}
    observed = fetched(sandbox, instance("mine", "fresh"), keys=keys, api_key="mine-token")
    assert observed.instances["mine"].problem is None
    assert observed.instances["mine"].clashes == {}


# -- keys -------------------------------------------------------------------------------------


def test_no_key_is_left_when_a_fetch_is_done(sandbox: Sandbox, world: World) -> None:
    clashing(world)
    observed = fetched(sandbox, instance("loja", "fresh"), keys={("loja", "fresh"): "sk-declared"})
    assert observed.instances["loja"].credentials is not None
    gc.collect()
    left = [one.get_secret_value() for one in gc.get_objects() if type(one) is SecretStr]
    assert not {"sk-loja", "sk-suporte", "sk-far", "sk-declared"} & set(left)


@pytest.mark.parametrize("name", ["main", 'quo"te\\', "café ☕", "x" * 255])
def test_credentials_are_made_and_deleted(sandbox: Sandbox, world: World, name: str) -> None:
    world.instance("loja")

    async def run() -> tuple[str, object, object]:
        async with Client(Server(sandbox.url, sandbox.api_key)) as client:
            made = await client.create_credential("loja", name, SecretStr("sk-1"))
            there = await client.credentials("loja")
            await client.delete_credential("loja", made)
            return made, there[name].id, await client.credentials("loja")

    made, found, after = asyncio.run(run())
    assert (made, after) == (found, {})
