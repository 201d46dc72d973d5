"""The fetch stage: what is read, how much of it, and what is said of instances that cannot be read."""

from __future__ import annotations

import asyncio
import time

import pytest

from reconciler.domain.desired import Desired, DesiredBot, DesiredInstance
from reconciler.domain.errors import Position, ServerError
from reconciler.domain.kinds import KINDS, Kind
from reconciler.domain.observed import Observed, RemoteBot, RemoteCredential
from reconciler.evolution.client import Client, Server
from reconciler.evolution.fetch import fetch
from reconciler.sandbox import Sandbox
from tests.evolution.scripted import KEY, Act, Request, Spy, page, refusal, reply, serving, stall
from tests.support import World

AT = Position("bots/x.yaml", 1, 1)
SETTINGS = {"expire": 300, "keywordFinish": "bye", "fallbackId": None}


def instance(name: str, *creds: str | None) -> DesiredInstance:
    """An instance with a bot for each credential's name."""
    bots = [DesiredBot(f"bot-{i}", {}, one, AT) for i, one in enumerate(creds or (None,))]
    return DesiredInstance(name, tuple(bots), AT)


def fetched(
    server: Server, *instances: DesiredInstance, settings_of: frozenset[str] = frozenset()
) -> Observed:
    def needs_settings(one: DesiredInstance, bots: tuple[RemoteBot, ...], kind: Kind) -> bool:
        return one.name in settings_of

    async def run() -> Observed:
        async with Client(server) as client:
            return await fetch(client, Desired(instances), needs_settings)

    return asyncio.run(run())


def at(sandbox: Sandbox, *, key: str | None = None) -> Server:
    return Server(sandbox.url, key or sandbox.api_key, retry_delay=0.001)


def paths(sandbox: Sandbox) -> list[str]:
    return sorted(call.path for call in sandbox.calls)


def test_reads_what_the_plan_looks_at_and_no_more(sandbox: Sandbox, world: World) -> None:
    ids = world.instance("by-name", "main", "spare")
    world.instance("by-id")
    world.instance("not-declared")
    bot = world.bot("by-name", ids["main"], description="Front desk [gitops:desk]", ignoreJids=["@g.us"])
    sandbox.calls.clear()

    observed = fetched(
        at(sandbox), instance("by-name", None, "main"), instance("by-id"), settings_of=frozenset({"by-name"})
    )

    assert paths(sandbox) == sorted(
        [
            "/openai/creds/by-name",
            "/openai/fetchSettings/by-name",
            *(f"/{kind}/find/{name}" for kind in KINDS for name in ("by-id", "by-name")),
        ]
    )
    assert sandbox.writes == []
    assert observed.server == sandbox.url
    assert list(observed.instances) == ["by-name", "by-id"]
    one, other = observed.instances.values()
    assert [found.id for found in one.bots] == [bot["id"]]
    assert one.bots[0].fields["description"] == "Front desk [gitops:desk]"
    assert one.bots[0].fields["ignoreJids"] == ("@g.us",)
    assert one.credentials == {
        "main": RemoteCredential(ids["main"], users=frozenset({bot["id"]})),
        "spare": RemoteCredential(ids["spare"], users=frozenset()),
    }
    assert one.settings["openai"].exists
    assert (other.bots, other.credentials, other.settings, other.problem) == ((), None, {}, None)


def test_nothing_desired_is_nothing_read(sandbox: Sandbox) -> None:
    assert fetched(at(sandbox)).instances == {}
    assert sandbox.calls == []


@pytest.mark.parametrize("name", ["..", "a/b c?d#e", "100%", "🤖", " lead", "cafe\u0301"])
def test_names_of_any_kind_are_found(sandbox: Sandbox, world: World, name: str) -> None:
    ids = world.instance(name, "main")
    bot = world.bot(name, ids["main"])
    observed = fetched(at(sandbox), instance(name, "main")).instances[name]
    assert [found.id for found in observed.bots] == [bot["id"]]
    assert {name: one.id for name, one in (observed.credentials or {}).items()} == ids


@pytest.mark.parametrize(
    ("existing", "wanted", "words"),
    [
        (["loja-centro", "padaria"], "loja-centre", 'The nearest names that exist: "loja-centro".'),
        (["loja-1", "loja-2", "loja-3", "loja-4"], "loja", '"loja-'),
        (["LOJA"], "loja", 'differs only in case, blanks at its ends or Unicode form: "LOJA".'),
        (["caf\u00e9"], "cafe\u0301", r"""Unicode form: "café" ('caf\xe9')."""),
        ([" loja"], "loja", "blanks"),
        (
            ["padaria", "farmacia"],
            "x",
            "None of the server's 2 instances has a similar name: create it, or remove its manifest.",
        ),
        ([], "loja", "The server has no instances at all: create it, or remove its manifest."),
    ],
)
def test_missing_instance_names_what_exists(
    sandbox: Sandbox, world: World, existing: list[str], wanted: str, words: str
) -> None:
    for name in existing:
        world.instance(name)
    sandbox.calls.clear()
    observed = fetched(at(sandbox), instance(wanted), instance("another-one"))
    problem = observed.instances[wanted].problem
    assert problem is not None
    assert "does not exist" in problem
    assert words in problem
    assert paths(sandbox).count("/instance/fetchInstances") == 1, "once for the whole run"


def test_missing_instance_leaves_the_others_alone(sandbox: Sandbox, world: World) -> None:
    world.instance("loja")
    observed = fetched(at(sandbox), instance("gone"), instance("loja"))
    assert observed.instances["gone"].problem is not None
    assert observed.instances["loja"].problem is None


def test_instance_token_opens_its_own_instance_only(sandbox: Sandbox, world: World) -> None:
    for name in ("mine", "other"):
        world.done(
            "POST",
            "/instance/create",
            {"instanceName": name, "integration": "EVOLUTION", "token": f"{name}-token"},
        )
    observed = fetched(at(sandbox, key="mine-token"), instance("mine"), instance("other"), instance("gone"))
    assert observed.instances["mine"].problem is None
    assert "the key is refused" in (observed.instances["other"].problem or "")
    assert "does not exist" in (observed.instances["gone"].problem or "")


def test_key_that_opens_nothing_is_one_error(sandbox: Sandbox, world: World) -> None:
    world.instance("loja")
    with pytest.raises(ServerError, match="refuses the key") as caught:
        fetched(at(sandbox, key="wrong-key"), instance("loja"), instance("gone"))
    assert "wrong-key" not in str(caught.value)


def test_disabled_integration_is_one_error(sandbox: Sandbox, world: World) -> None:
    world.instance("loja")
    sandbox.options.disabled = frozenset({"openai"})
    with pytest.raises(ServerError, match="OPENAI_ENABLED=true"):
        fetched(at(sandbox), instance("loja"), instance("gone"))


# -- servers that misbehave -------------------------------------------------------------------


def fetched_from(act: Act, *instances: DesiredInstance, **options: float) -> tuple[object, Spy]:
    """What comes of a fetch from a server that does this, and what it saw."""

    async def run() -> tuple[object, Spy]:
        async with serving(act) as spy:
            server = Server(
                spy.url, KEY, retry_delay=0.001, timeout=options.get("timeout", 1.0), concurrency=3
            )
            async with Client(server) as client:
                try:
                    return await fetch(client, Desired(instances), lambda one, bots, kind: True), spy
                except ServerError as error:
                    return error, spy

    return asyncio.run(run())


def test_what_is_wrong_with_the_server_ends_the_fetch_at_once() -> None:
    async def act(request: Request, writer: asyncio.StreamWriter) -> None:
        # One instance meets a redirect; all others would wait for a minute.
        away = reply(308, {}, "Location: /elsewhere\r\n")
        await (away if request.target.endswith("/i2") else stall)(request, writer)

    start = time.monotonic()
    outcome, spy = fetched_from(act, *(instance(f"i{n}") for n in range(50)), timeout=50)
    assert isinstance(outcome, ServerError)
    assert "redirects to /elsewhere" in str(outcome)
    assert time.monotonic() - start < 25  # and not as long as the others wait
    assert len(spy.requests) == 3, "nothing is begun after it"


def test_what_is_wrong_with_one_instance_stays_there() -> None:
    odd = reply(200, {"bots": []})
    broken = refusal(500, "Error fetching Openai")

    async def act(request: Request, writer: asyncio.StreamWriter) -> None:
        kind = {"/odd": odd, "/bad": broken}.get(
            request.target[-4:], reply(200, SETTINGS if "Settings" in request.target else [])
        )
        await kind(request, writer)

    outcome, _ = fetched_from(act, instance("odd"), instance("bad"), instance("good"))
    assert isinstance(outcome, Observed)
    assert "the list of bots is not a list" in (outcome.instances["odd"].problem or "")
    assert "Error fetching Openai" in (outcome.instances["bad"].problem or "")
    assert outcome.instances["good"].problem is None


PAGE = page(200, "<title>Sign in</title>")
FORBIDDEN = page(403, "<title>Forbidden</title>")


@pytest.mark.parametrize("foreign", [PAGE, FORBIDDEN], ids=["200", "403"])
def test_a_page_for_one_instance_stays_there(foreign: Act) -> None:
    async def act(request: Request, writer: asyncio.StreamWriter) -> None:
        good = reply(200, SETTINGS if "Settings" in request.target else [])
        await (foreign if request.target.endswith("/odd") else good)(request, writer)

    outcome, _ = fetched_from(act, instance("odd"), instance("good"))
    assert isinstance(outcome, Observed)
    assert outcome.instances["good"].problem is None
    problem = outcome.instances["odd"].problem or ""
    assert problem.startswith('Cannot read the bots of the instance "odd": http://127.0.0.1:')
    assert "does not answer with the API's JSON (status " in problem


@pytest.mark.parametrize("names", [["a"], ["a", "b", "c"]], ids=len)
def test_a_page_for_every_instance_is_one_error_about_the_url(names: list[str]) -> None:
    outcome, spy = fetched_from(PAGE, *map(instance, names))
    assert isinstance(outcome, ServerError)
    assert str(outcome) == (
        f"{spy.url} does not answer with the API's JSON (status 200, 'Sign in'). "
        "Check the URL, and what is in front of the server, such as a proxy."
    )
    assert len(spy.requests) == len(names)


def test_a_page_beside_a_missing_instance_is_each_one_s_problem() -> None:
    async def act(request: Request, writer: asyncio.StreamWriter) -> None:
        await (PAGE if request.target.endswith("/odd") else refusal(404, ["no such instance"]))(
            request, writer
        )

    outcome, _ = fetched_from(act, instance("odd"), instance("gone"))
    assert isinstance(outcome, Observed)
    assert "Sign in" in (outcome.instances["odd"].problem or "")
    assert "does not exist" in (outcome.instances["gone"].problem or "")


def test_instances_that_may_not_be_listed_are_missing_all_the_same() -> None:
    async def act(request: Request, writer: asyncio.StreamWriter) -> None:
        listing = request.target == "/instance/fetchInstances"
        await (refusal(401, "Unauthorized") if listing else refusal(404, ["no such instance"]))(
            request, writer
        )

    outcome, spy = fetched_from(act, instance("gone"), instance("away"))
    assert isinstance(outcome, Observed)
    assert outcome.instances["gone"].problem == f'The instance "gone" does not exist on {spy.url}.'
    assert len(spy.requests) == 3


def test_concurrency_holds_over_all_instances() -> None:
    async def act(request: Request, writer: asyncio.StreamWriter) -> None:
        await reply(200, SETTINGS if "Settings" in request.target else [], slow=0.01)(request, writer)

    outcome, spy = fetched_from(act, *(instance(f"i{n}", "main") for n in range(20)))
    assert isinstance(outcome, Observed)
    assert len(spy.requests) == 20 * (len(KINDS) + 2)
    assert spy.most == 3


# -- instances that no manifest declares ------------------------------------------------------


@pytest.mark.parametrize(
    ("listing", "read", "unlisted"),
    [
        (reply(200, [{"name": "loja", "id": "1"}, {"name": "other", "id": "2"}]), ["loja", "other"], False),
        (refusal(401, "Unauthorized"), ["loja"], True),
        (refusal(403, "Forbidden"), ["loja"], True),
        (reply(200, {"not": "a list"}), ["loja"], True),
    ],
)
def test_others_are_read_where_they_can_be_listed(listing: Act, read: list[str], unlisted: bool) -> None:
    async def act(request: Request, writer: asyncio.StreamWriter) -> None:
        await (listing if "fetchInstances" in request.target else reply(200, []))(request, writer)

    async def run() -> Observed:
        async with serving(act) as spy, Client(Server(spy.url, KEY, retry_delay=0.001)) as client:
            wanted = Desired((instance("loja"),))
            return await fetch(client, wanted, lambda *_: False, others=lambda name: True)

    observed = asyncio.run(run())
    assert sorted(observed.instances) == read
    said = "only instances that manifests declare were read: "
    assert observed.unlisted.startswith(said) if unlisted else observed.unlisted == ""
