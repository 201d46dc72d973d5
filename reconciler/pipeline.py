"""The stages one after another, for a Request of the command line: load, fetch, plan, apply.

With --sandbox the embedded server runs around them. Prints nothing and decides nothing about bots.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from reconciler import saved
from reconciler.apply import applier
from reconciler.domain import files, markers, signals, versions
from reconciler.domain.desired import Desired, DesiredInstance
from reconciler.domain.errors import ReconcilerError
from reconciler.domain.observed import Observed, RemoteBot
from reconciler.domain.plan import Plan
from reconciler.domain.results import Result, Results
from reconciler.evolution.client import Client, Server
from reconciler.evolution.confirming import misplaced
from reconciler.evolution.fetch import OnRead, fetch
from reconciler.manifests import changed, git, secrets
from reconciler.manifests.load import load, select
from reconciler.plan import matching
from reconciler.plan.limits import check_deletes
from reconciler.plan.options import Options
from reconciler.plan.planner import make
from reconciler.saved import binding

SANDBOX_FILE = Path(".reconciler/sandbox.db")
"""Where `--sandbox` keeps its state, from the current directory."""

SALT_FILE = SANDBOX_FILE.with_suffix(".salt")
"""Random bytes of this machine, from which the placeholders are made that are stored for real keys."""

_SALT_BYTES = 32

_SERVER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Request:
    """The options that plan and apply share, by their names.

    Commands that call the server but do not plan have only the options without a default.
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
    saved.key()  # signs the plan at the end: a bad key is an error now
    every = load(Path(request.bots), origins=False)
    selected = select(every, request.instance)
    if changed_since is not None:
        selected = changed.since(changed_since, Path(request.bots), selected)
    return _with_creds_owners(selected, every)


def _with_creds_owners(selected: Desired, every: Desired) -> Desired:
    """The selected instances, and with them the owning instances of the credentials that they share."""
    names = {instance.name for instance in selected.instances}
    owners = {bot.creds_owner for instance in selected.instances for bot in instance.bots} - names
    return replace(selected, creds_owners=tuple(one for one in every.instances if one.name in owners))


@contextmanager
def server(request: Request, desired: Desired) -> Iterator[Server]:
    """The server of the request. The embedded one runs for the length of the block."""
    log_nothing()
    if request.sandbox:
        from reconciler.sandbox import Sandbox  # noqa: PLC0415  slow to import

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


Reading = Callable[[], AbstractContextManager[OnRead]]
"""Surrounds the reading of a server, and yields what is told how far it is."""


@contextmanager
def _silently() -> Iterator[OnRead]:
    yield lambda number, of: None


def plan(
    request: Request,
    server: Server,
    desired: Desired,
    reviewed: Sequence[Plan] = (),
    *,
    needs_keys: bool = False,
    reading: Reading = _silently,
) -> Plan:
    """Read the server and compare. Raises ReconcilerError.

    reviewed: plans; where there are any, only their changes may be made. needs_keys: whether the plan is to
    be applied, which takes the keys of credentials. reading: shows how far the reading is.
    """

    def settings(instance: DesiredInstance, bots: tuple[RemoteBot, ...]) -> bool:
        return matching.needs_settings(instance, bots, request.owner, replace=request.replace)

    keys = secrets.keys(desired, _keys_of(request))
    desired = secrets.filled(desired, _keys_of(request))

    async def run() -> Plan:
        async with Client(server) as client:
            observed = await fetch(client, desired, settings, keys, on_read)
            options = _options(request, reviewed, observed, needs_keys=needs_keys)
            made = make(desired, observed, options)
            if any(change.unkept for change in made.changes()):
                observed = replace(observed, version=versions.recognized(await client.version() or ""))
                made = make(desired, observed, options)
            if not (problems := await misplaced(client, made)):
                return made
            return make(desired, observed.without(problems), options)

    with reading() as on_read:
        made = signals.run(run())
    made = replace(made, server=_address(request, server), server_name=_server_name(request))
    for each in reviewed:
        binding.check_same_server(each, made)
        binding.check_owner(each, made.owner)
    return made


def _options(request: Request, reviewed: Sequence[Plan], observed: Observed, *, needs_keys: bool) -> Options:
    """What the plan may do. A review does not count for an instance that was recreated since."""
    ids = {name: instance.id for name, instance in observed.instances.items()}
    again = [binding.recreated(each, ids) for each in reviewed]
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


@contextmanager
def planned(
    request: Request, saved_plan: str | None, reviewed: Sequence[str], reading: Reading = _silently
) -> Iterator[tuple[Server, Plan]]:
    """The plan to apply, and its server: made now, or read from a file. reading: see plan."""
    if saved_plan is None:
        seen = [saved.read_plan(Path(file)) for file in reviewed]
        wanted = desired(request)
        with server(request, wanted) as running:
            yield running, plan(request, running, wanted, seen, needs_keys=True, reading=reading)
        return
    if reviewed or request.instance or request.replace or request.prune:
        raise ReconcilerError(
            "a saved plan is applied as it is: remove --reviewed, --instance, --replace and --prune."
        )
    made = saved.read_plan(Path(saved_plan))
    binding.check_owner(made, request.owner)
    check_deletes(made.instances, request.max_deletes, request.max_delete_share)
    secrets.check(made, _keys_of(request))
    with server(request, Desired(())) as running:
        binding.check_server(made, _address(request, running), _server_name(request))
        yield running, made


def apply(
    request: Request,
    server: Server,
    made: Plan,
    on_result: Callable[[Result], None],
    stop: applier.Stop,
    on_bug: Callable[[Exception], object],
) -> Results:
    """Make the plan's calls until a stop is asked for. Makes no call when there is nothing to do.

    on_result, on_bug: see applier.apply.
    """
    if not made.writes:
        return Results(())

    async def run() -> Results:
        async with Client(server) as client:
            return await applier.apply(client, made, _keys_of(request), on_result, stop, on_bug)

    return signals.run(run())


Save = Callable[..., None]
"""Writes a plan, and its results if given, to the file of --out."""


@contextmanager
def out(request: Request) -> Iterator[Save]:
    """The file of --out, opened before anything else is done. Raises ReconcilerError."""
    if request.out is None:
        yield lambda made, results=None: None
        return
    if request.out in {"-", "/dev/stdout"}:
        raise ReconcilerError(
            f"--out {request.out} is not a file: name a file, or use --format json for stdout."
        )

    def save(made: Plan, results: Results | None = None) -> None:
        saved.write(file, made, results, commit=git.commit(Path(request.bots)))

    with files.Replacement(Path(request.out)) as file:
        yield save


# -- what the stages need to know of a request ---------------------------------------------------


def check_owner(request: Request) -> None:
    """Raises ReconcilerError for an owner that cannot stand in a marker."""
    if not markers.OWNER.fullmatch(request.owner):
        raise ReconcilerError(
            "the name of the owner is invalid: use 1 to 32 letters, digits, dots, dashes and underscores, at "
            "least one of them a letter, and begin with a letter or a digit."
        )


def _address(request: Request, server: Server) -> str:
    """The server's address, as a plan has it."""
    return binding.SANDBOX if request.sandbox else Client(server).bound


def _server_name(request: Request) -> str:
    """The server's name; "" for the embedded server, whatever the environment says.

    Raises ReconcilerError for an invalid name.
    """
    if request.server_name and not _SERVER_NAME.fullmatch(request.server_name):
        raise ReconcilerError(
            "the name of the server is invalid: use 1 to 64 letters, digits, dots, dashes and underscores, "
            "and begin with a letter or a digit."
        )
    return "" if request.sandbox else request.server_name


def _keys_of(request: Request) -> secrets.Read:
    """How the keys of credentials are read. The embedded server stores keys, so it gets placeholders."""
    return secrets.placeholders(_salt()) if request.sandbox else secrets.read


# -- the embedded server -------------------------------------------------------------------------


def _make_home() -> None:
    files.folders(SANDBOX_FILE.parent, below=Path(), private=True)
    files.ensure(SANDBOX_FILE.with_name(".gitignore"), b"*\n")


def _salt() -> bytes:
    """Random bytes that only this user can read; made on first use. Raises ReconcilerError."""
    _make_home()
    files.ensure(SALT_FILE, os.urandom(_SALT_BYTES), private=True)
    files.restrict(SALT_FILE)
    salt = files.read(SALT_FILE, _SALT_BYTES, through_link=False)
    if len(salt) != _SALT_BYTES:
        raise ReconcilerError(f"{SALT_FILE} is damaged: delete it, and run this again.")
    return salt


def seeds(desired: Desired) -> dict[str, set[str]]:
    """What the embedded server starts with: the instances that the manifests name, and their credentials.

    Without the credentials that a manifest declares: apply creates those.
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


def log_nothing() -> None:
    """Drop what libraries log, tracebacks included: what matters comes as an error."""
    logging.getLogger().addHandler(logging.NullHandler())
