"""The stages one after another, for a Request of the command line: load, fetch, plan, apply.

With --sandbox the embedded server runs around them. Prints nothing and decides nothing about bots.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from reconciler import saved
from reconciler.apply import applier
from reconciler.domain import files, markers, signals, versions
from reconciler.domain.desired import Desired, DesiredInstance
from reconciler.domain.errors import ManifestError, ReconcilerError
from reconciler.domain.observed import Observed, RemoteBot
from reconciler.domain.plan import Plan, Prune, Verb
from reconciler.domain.results import Result, Results
from reconciler.evolution.client import Client, Server
from reconciler.evolution.confirming import misplaced
from reconciler.evolution.fetch import fetch
from reconciler.manifests import git, secrets
from reconciler.manifests import wanted as manifests
from reconciler.manifests.load import matches
from reconciler.manifests.wanted import Wanted, both
from reconciler.plan import effect, matching
from reconciler.plan.limits import deletes, exceeded
from reconciler.plan.options import Options
from reconciler.plan.planner import make
from reconciler.saved import binding

SANDBOX_FILE = Path(".reconciler/sandbox.db")
"""Where `--sandbox` keeps its state, from the current directory."""

SALT_FILE = SANDBOX_FILE.with_suffix(".salt")
"""Random bytes of this machine, from which the placeholders are made that are stored for real keys."""

ALL, DECLARED = SCOPES = ("all", "declared")
"""Which instances of the server are looked at."""

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
    prune: str = Prune.REVIEWED.value
    scope: str = "all"
    known_instance: tuple[str, ...] = ()
    max_deletes: int = 0
    max_delete_share: int = 0
    allow_deletes: tuple[str, ...] = ()
    format: str = "text"
    out: str | None = None


def wanted(request: Request, changed_since: str | None = None, base: str | None = None) -> Wanted:
    """What is to be planned: the selected manifests, and those of the base. Raises ReconcilerError."""
    check_owner(request)
    saved.key()  # signs the plan at the end: a bad key is an error now
    found = manifests.read(Path(request.bots), request.instance, changed_since, base)
    if request.scope == DECLARED:
        found.check(())
    return found


def desired(request: Request) -> Desired:
    """What the selected manifests declare. Raises ReconcilerError."""
    found = wanted(request)
    found.check(())
    return found.desired


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


def plan(
    request: Request,
    server: Server,
    wanted: Wanted,
    reviewed: Sequence[Plan] = (),
    *,
    applies: bool = False,
) -> Plan:
    """Read the server and compare. Raises ReconcilerError.

    With a base the plan is of what the work tree adds to it. reviewed: plans; where there are any, only their
    changes may be made. applies: whether the plan is to be applied, which takes the keys of credentials.
    """
    keys = secrets.keys(wanted.desired, _keys_of(request))
    planner = _Planner(request, _filled(request, wanted, reviewed), reviewed, applies=applies)
    others = wanted.looks_at if request.scope == ALL or wanted.only is not None else None

    async def run() -> Plan:
        async with Client(server) as client:
            observed = await fetch(client, planner.read, planner.needs_settings, keys, others)
            wanted.check(observed.instances.keys())
            made = planner.make(observed)
            if any(change.unkept for change in made.changes()):
                version = versions.recognized(await client.version() or "")
                observed = replace(observed, version=version)
                made = planner.make(observed)
            if not (problems := await misplaced(client, made)):
                return made
            return planner.make(observed.without(problems))

    made = signals.run(run())
    made = replace(made, server=_address(request, server), server_name=_server_name(request))
    for each in reviewed:
        binding.check_same_server(each, made)
        binding.check_owner(each, made.owner)
    return made


def _filled(request: Request, wanted: Wanted, reviewed: Sequence[Plan]) -> Wanted:
    """The manifests with the secret values of bots' fields, and with what they do not declare any more."""
    read = _keys_of(request)
    desired = secrets.filled(wanted.desired, read)
    if wanted.base is None:
        former = effect.of_reviewed(reviewed, desired)
        return replace(wanted, desired=replace(desired, former=former))
    former = effect.former(wanted.base, desired)
    with suppress(ManifestError):  # the base's key may be wrong: that is not this change's
        wanted = replace(wanted, base=secrets.filled(wanted.base, read))
    return replace(wanted, desired=replace(desired, former=former))


class _Planner:
    """Makes the plan of what was read; of a pull request its effect."""

    def __init__(self, request: Request, wanted: Wanted, reviewed: Sequence[Plan], *, applies: bool) -> None:
        self._wanted, self._request, self._reviewed = wanted, request, reviewed
        self._options = Options(
            owner=request.owner,
            replace=request.replace,
            prune=Prune(request.prune),
            unseen=applies and not reviewed,
            fleet=wanted.fleet,
            max_deletes=request.max_deletes,
            max_delete_share=request.max_delete_share,
            allowed=frozenset(request.allow_deletes),
            needs_keys=applies,
        )
        self._declared = [wanted.desired, *([] if wanted.base is None else [wanted.base])]
        self._by_name = [{one.name: one for one in each.instances} for each in self._declared]

    @property
    def read(self) -> Desired:
        """What is to be read."""
        return (
            self._declared[0] if self._wanted.base is None else both(self._wanted.base, self._wanted.desired)
        )

    def needs_settings(self, instance: DesiredInstance, bots: tuple[RemoteBot, ...]) -> bool:
        """Whether an instance's settings are read."""
        if instance.name in self._wanted.desired.former:
            return True
        owner, replaces = self._request.owner, self._request.replace
        mine = [each[instance.name] for each in self._by_name if instance.name in each]
        return any(matching.needs_settings(one, bots, owner, replace=replaces) for one in mine)

    def make(self, observed: Observed) -> Plan:
        """The plan. Raises ReconcilerError."""
        desired, base, options = self._wanted.desired, self._wanted.base, self._options
        options = replace(options, ours=self._ours(observed))
        if self._reviewed:
            ids = {name: instance.id for name, instance in observed.instances.items()}
            options = replace(options, review=effect.review(self._reviewed, ids))
        if base is None:
            made = make(desired, observed, options)
        else:
            free = replace(options, max_deletes=None)
            before = make(base, observed, free)
            added = effect.of_plans(before, make(desired, observed, free))
            made = make(desired, observed, replace(options, review=added))
            theirs = {one.name: one for one in base.instances}
            same = frozenset(one.name for one in desired.instances if theirs.get(one.name) == one)
            made = effect.marked(made, before, same)
        return replace(made, base=self._wanted.commit, notes=(*self._wanted.notes, *made.notes))

    def _ours(self, observed: Observed) -> Callable[[str], bool]:
        """Whether an undeclared instance is this repository's. Looks only for those that have our bots."""
        owner = self._request.owner
        found = {
            name
            for name, one in observed.instances.items()
            if any(markers.name_of(str(bot.fields.get("description", "")), owner) for bot in one.bots)
        }
        known = self._wanted.named(found)
        globs = self._request.known_instance
        return lambda name: name in known or (bool(globs) and matches(name, globs))


@contextmanager
def planned(
    request: Request, saved_plan: str | None, reviewed: Sequence[str]
) -> Iterator[tuple[Server, Plan]]:
    """The plan to apply, and its server: made now, or read from a file."""
    if saved_plan is None:
        seen = [saved.read_plan(Path(file)) for file in reviewed]
        found = wanted(request)
        with server(request, found.desired) as running:
            yield running, plan(request, running, found, seen, applies=True)
        return
    if reviewed or request.instance or request.replace:
        raise ReconcilerError(
            "a saved plan is applied as it is: remove --reviewed, --instance and --replace."
        )
    made = saved.read_plan(Path(saved_plan))
    binding.check_owner(made, request.owner)
    _check_deletes(request, made)
    secrets.check(made, _keys_of(request))
    with server(request, Desired(())) as running:
        binding.check_server(made, _address(request, running), _server_name(request))
        yield running, made


def _check_deletes(request: Request, made: Plan) -> None:
    """Raises ReconcilerError when a saved plan deletes what may not be deleted."""
    gone = list(deletes(made))
    if gone and request.prune == Prune.NEVER:
        raise ReconcilerError(
            f"nothing was done: prune is `never`, and the plan deletes {len(gone)}: plan again, or pass "
            "--prune reviewed."
        )
    if made.approved:
        return
    # An instance with nothing but deletes may be one that no manifest declares: there the share is of all
    # bots, which a plan does not say.
    declared = {
        one.name
        for one in made.instances
        if one.in_sync or any(c.verb is not Verb.DELETE for c in one.changes)
    }
    fleet = 100 * len(gone)
    found = exceeded(made.instances, declared, fleet, request.max_deletes, request.max_delete_share)
    if found:
        raise ReconcilerError("nothing was done: " + "; ".join(found) + ".")


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
