"""The stages one after another, for a Request of the command line: load, fetch, plan, apply.

The embedded server, where it is asked for, runs around them. Nothing is printed here, and what a stage
decides is its own.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from reconciler import saved
from reconciler.apply import applier
from reconciler.domain import files, markers, signals
from reconciler.domain.desired import Desired, DesiredInstance
from reconciler.domain.errors import ReconcilerError
from reconciler.domain.observed import Observed, RemoteBot
from reconciler.domain.plan import Plan
from reconciler.domain.results import Result, Results
from reconciler.evolution.client import Client, Server
from reconciler.evolution.confirming import misplaced
from reconciler.evolution.fetch import fetch
from reconciler.manifests import changed, git, secrets
from reconciler.manifests.load import load, select
from reconciler.plan import matching
from reconciler.plan.limits import check_deletes
from reconciler.plan.options import Options
from reconciler.plan.planner import make

SANDBOX_FILE = Path(".reconciler/sandbox.db")
"""Where `--sandbox` keeps its state, from the current directory."""

SANDBOX = "sandbox"
"""What the embedded server is called where others have an address."""

SALT_FILE = SANDBOX_FILE.with_suffix(".salt")
"""What makes the stand-ins that are kept there for real keys those of this machine alone."""

_SALT_BYTES = 32

_SERVER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Request:
    """What plan and apply are asked for: the options that they share, by their names.

    What speaks with the server and does not plan has the options without a default here.
    """

    bots: str
    instance: tuple[str, ...]
    url: str | None
    api_key: str | None = field(repr=False)
    sandbox: bool
    allow_http: bool
    owner: str
    concurrency: int
    timeout: float
    server_name: str = ""
    replace: bool = False
    prune: bool = False
    max_deletes: int = 0
    max_delete_share: int = 0
    format: str = "text"
    out: str | None = None


def desired(request: Request, changed_since: str | None = None) -> Desired:
    """What the selected manifests declare. Raises ReconcilerError."""
    check_owner(request)
    saved.key()  # it is needed at the end, and then it is too late to say what is wrong with it
    every = load(Path(request.bots), origins=False)
    selected = select(every, request.instance)
    if changed_since is not None:
        selected = changed.since(changed_since, Path(request.bots), selected)
    return _with_creds_owners(selected, every)


def check_owner(request: Request) -> None:
    """Raises ReconcilerError for an owner that no marker can have."""
    if not markers.OWNER.fullmatch(request.owner):
        raise ReconcilerError(
            "the owner can't be used: it has 1 to 32 letters, digits, dots, dashes and underscores, "
            "begins with a letter or digit, and has a letter."
        )


def _with_creds_owners(selected: Desired, every: Desired) -> Desired:
    """The selected instances, and those that lend to them, for what is declared of a credential."""
    names = {instance.name for instance in selected.instances}
    lend = {bot.creds_owner for instance in selected.instances for bot in instance.bots} - names
    return replace(selected, creds_owners=tuple(one for one in every.instances if one.name in lend))


@contextmanager
def server(request: Request, desired: Desired) -> Iterator[Server]:
    """The server that is asked for; the embedded one runs as long as the block."""
    log_nothing()
    if request.sandbox:
        from reconciler.sandbox import Sandbox  # noqa: PLC0415  only who asks for it pays for it

        _make_home()
        with Sandbox(SANDBOX_FILE) as embedded:
            embedded.seed(seeds(desired))
            yield Server(embedded.url, embedded.api_key, request.timeout, request.concurrency)
        return
    if not request.url:
        raise ReconcilerError(
            "no server is given: set EVOLUTION_API_URL or --url, or try --sandbox, the embedded server."
        )
    if not request.api_key:
        raise ReconcilerError("the server's key is not given: set EVOLUTION_API_KEY.")
    yield Server(request.url, request.api_key, request.timeout, request.concurrency, request.allow_http)


def log_nothing() -> None:
    """What libraries log, tracebacks among it, goes nowhere: what matters comes as an error."""
    logging.getLogger().addHandler(logging.NullHandler())


def _make_home() -> None:
    files.folders(SANDBOX_FILE.parent, below=Path(), private=True)
    files.ensure(SANDBOX_FILE.with_name(".gitignore"), b"*\n")


def _salt() -> bytes:
    """Random bytes that nobody else may read, made when they are first asked for. Raises ReconcilerError."""
    _make_home()
    files.ensure(SALT_FILE, os.urandom(_SALT_BYTES), private=True)
    files.restrict(SALT_FILE)
    salt = files.read(SALT_FILE, _SALT_BYTES, through_link=False)
    if len(salt) != _SALT_BYTES:
        raise ReconcilerError(f"{SALT_FILE} is not whole: delete it.")
    return salt


def seeds(desired: Desired) -> dict[str, set[str]]:
    """What a sandbox starts with: the instances that the manifests name, and the credentials that are theirs.

    Those that a manifest declares are left for apply to make.
    """
    every = (*desired.instances, *desired.creds_owners)
    declared = {(instance.name, one.name) for instance in every for one in instance.credentials}
    found: dict[str, set[str]] = {instance.name: set() for instance in desired.instances}
    for instance in desired.instances:
        named = [(bot.creds_owner or instance.name, bot.creds) for bot in instance.bots]
        if instance.settings is not None:
            named.append((instance.name, instance.settings.creds))
        for owner, creds in named:
            if creds is not None:
                found.setdefault(owner, set())
                if (owner, creds) not in declared:
                    found[owner].add(creds)
    return found


def plan(
    request: Request,
    server: Server,
    desired: Desired,
    reviewed: Sequence[Plan] = (),
    *,
    needs_keys: bool = False,
) -> Plan:
    """Read the server and compare. Raises ReconcilerError.

    reviewed: the plans whose changes alone may be made, if there are any. needs_keys: it is applied next.
    """

    def settings(instance: DesiredInstance, bots: tuple[RemoteBot, ...]) -> bool:
        return matching.needs_settings(instance, bots, request.owner, replace=request.replace)

    keys = secrets.keys(desired, keys_of(request))
    desired = secrets.filled(desired, keys_of(request))

    async def run() -> Plan:
        async with Client(server) as client:
            observed = await fetch(client, desired, settings, keys)
            options = _options(request, reviewed, observed, needs_keys=needs_keys)
            made = make(desired, observed, options)
            if not (problems := await misplaced(client, made)):
                return made
            return make(desired, observed.without(problems), options)

    made = signals.run(run())
    made = replace(made, server=name(request, server), server_name=_server_name(request))
    for each in reviewed:
        check_same_server(each, made)
        check_same_owner(each, made.owner)
    return made


def _options(request: Request, reviewed: Sequence[Plan], observed: Observed, *, needs_keys: bool) -> Options:
    """What the plan may do. What was reviewed of an instance that was made again since is not."""
    ids = {name: instance.id for name, instance in observed.instances.items()}
    again = [_made_again(each, ids) for each in reviewed]
    digests = {
        change.digest
        for each, names in zip(reviewed, again, strict=True)
        for change in each.changes()
        if change.instance not in names
    }
    return Options(
        owner=request.owner,
        replace=request.replace,
        prune=request.prune,
        max_deletes=request.max_deletes,
        max_delete_share=request.max_delete_share,
        reviewed=frozenset(digests) if reviewed else None,
        made_again=frozenset.intersection(*again) if again else frozenset(),
        needs_keys=needs_keys,
    )


def keys_of(request: Request) -> secrets.Read:
    """How the keys of credentials are read; for the embedded server, which keeps them, stand-ins for them."""
    return secrets.placeholders(_salt()) if request.sandbox else secrets.read


@contextmanager
def planned(
    request: Request, saved_plan: str | None, reviewed: Sequence[str]
) -> Iterator[tuple[Server, Plan]]:
    """The plan that is to be applied, and its server: made now, or read from a file."""
    if saved_plan is None:
        seen = [saved.read_plan(Path(file)) for file in reviewed]
        wanted = desired(request)
        with server(request, wanted) as running:
            yield running, plan(request, running, wanted, seen, needs_keys=True)
        return
    if reviewed or request.instance or request.replace or request.prune:
        raise ReconcilerError(
            "a saved plan is applied as it is: --reviewed, --instance, --replace and --prune do not go with "
            "it."
        )
    made = saved.read_plan(Path(saved_plan))
    check_same_owner(made, request.owner)
    check_deletes(made.instances, request.max_deletes, request.max_delete_share)
    secrets.check(made, keys_of(request))
    with server(request, Desired(())) as running:
        check_server(made, name(request, running), _server_name(request))
        yield running, made


Save = Callable[..., None]
"""Writes a plan, and how it ended where that is given too, to the file of --out."""


@contextmanager
def out(request: Request) -> Iterator[Save]:
    """The file of --out, which is prepared before anything else is done. Raises ReconcilerError."""
    if request.out is None:
        yield lambda made, results=None: None
        return
    if request.out in {"-", "/dev/stdout"}:
        raise ReconcilerError(
            f"--out {request.out} cannot be used: it needs a file. For stdout, --format json."
        )

    def save(made: Plan, results: Results | None = None) -> None:
        saved.write(file, made, results, commit=git.commit(Path(request.bots)))

    with files.Replacement(Path(request.out)) as file:
        yield save


def name(request: Request, server: Server) -> str:
    """What the server is called in a plan: its address; the embedded one has another with each run."""
    return SANDBOX if request.sandbox else Client(server).bound


def check_same_owner(made: Plan, owner: str) -> None:
    """A plan is of one owner. Raises ReconcilerError for another."""
    if made.owner != owner:
        raise ReconcilerError(
            f"the plan is of the owner {made.owner}, not {owner}: --owner {made.owner} applies it."
        )


def _server_name(request: Request) -> str:
    """What the server is called; nothing for the embedded one, whatever the environment says.

    Raises ReconcilerError for what is no name.
    """
    if request.server_name and not _SERVER_NAME.fullmatch(request.server_name):
        raise ReconcilerError(
            "the server's name can't be used: it has 1 to 64 letters, digits, dots, dashes and underscores, "
            "and begins with a letter or digit."
        )
    return "" if request.sandbox else request.server_name


def check_server(made: Plan, address: str, name: str) -> None:
    """A plan that is applied as it is belongs to one address. Raises ReconcilerError for another."""
    if made.server != address:
        raise ReconcilerError(f"the plan is for {made.server}, not for {address}.")
    if name and made.server_name and made.server_name != name:
        raise ReconcilerError(f"the plan is for the server named {made.server_name}, not for {name}.")


def check_same_server(reviewed: Plan, made: Plan) -> None:
    """A reviewed plan belongs to one server, whose address may be another now: a proxy's, or a new one.

    What tells that it is the same: its name where both plans have one, its address, or an instance whose id
    both saw. An instance with another id was made again, and its changes are held.
    Raises ReconcilerError for another server, and where nothing tells.
    """
    here, there = made.server_name, reviewed.server_name
    if here and there and here != there:
        raise ReconcilerError(f"the reviewed plan is for the server named {there}, not for {here}.")
    if SANDBOX in (reviewed.server, made.server):
        check_server(reviewed, made.server, "")
    ids = {instance.name: instance.id for instance in made.instances}
    again = _made_again(reviewed, ids)
    known = {one.name for one in reviewed.instances if one.id and ids.get(one.name)}
    if reviewed.server == made.server or known - again or (here and here == there):
        return
    for instance in reviewed.instances:
        if instance.name in again:
            raise ReconcilerError(
                f"the reviewed plan is for another server, or the instance {instance.name!r} was made again "
                f"since: its id was {instance.id} then, and is {ids[instance.name]} here. Plan again."
            )
    raise ReconcilerError(
        f"the reviewed plan is for {reviewed.server}, not for {made.server}. If that is one server with "
        "two addresses, give it one name for both, with EVOLUTION_SERVER_NAME or --server-name, and plan "
        "again."
    )


def _made_again(reviewed: Plan, ids: Mapping[str, str]) -> frozenset[str]:
    """The instances of a reviewed plan that have another id now: nothing in it is about them."""
    return frozenset(
        one.name for one in reviewed.instances if one.id and ids.get(one.name, "") not in {"", one.id}
    )


def apply(
    request: Request,
    server: Server,
    made: Plan,
    on_result: Callable[[Result], None],
    stop: applier.Stop,
    on_bug: Callable[[Exception], object],
) -> Results:
    """Make the plan's calls, until a stop is asked for. With nothing to do, no call is made.

    on_result, on_bug: as of applier.apply.
    """
    if not made.writes:
        return Results(())

    async def run() -> Results:
        async with Client(server) as client:
            return await applier.apply(client, made, keys_of(request), on_result, stop, on_bug)

    return signals.run(run())
