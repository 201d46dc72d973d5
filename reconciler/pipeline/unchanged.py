"""A plan that finds nothing to do is remembered, with digests of all that it was made of.

As long as none of that changes, the plan is the same: the manifests, the options, the keys, this program, and
every answer of the server, which is asked as ever. Then nothing is parsed, compared or planned. Whatever
differs, or cannot be told, leads to a plan that is made anew.

The digests are made with the server's key, and so is the one over all of them: nobody who can read or write
the file without having that key learns what the server has, or can make a plan look like it.
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import blake2b
from hmac import compare_digest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.domain import caches, files
from reconciler.domain.desired import Desired, PasswordRef, SecretRef, UrlRef, UrlTemplate
from reconciler.domain.errors import ReconcilerError
from reconciler.domain.plan import InstancePlan, Plan
from reconciler.domain.records import dataclass, field, replace
from reconciler.evolution import paths
from reconciler.evolution.exchange import log_call
from reconciler.manifests import tree
from reconciler.pipeline.ahead import Known, Reader, targets_of
from reconciler.pipeline.request import Request, keys_of

if TYPE_CHECKING:
    from reconciler.domain.secret import SecretStr
    from reconciler.manifests.secrets import Read

LEAST = 10
"""Instances from which on a plan is remembered: to start the process that reads takes a while too."""

_FORMAT = "1"
_WITH = ("pydantic", "ruamel", "quickjs")
_MOST = 64 * 2**20
"""Bytes of the file, which is read at once."""


class Digests:
    """Digests that nobody can make, or try texts against, who lacks the servers' keys."""

    def __init__(self, *keys: str) -> None:
        self._key = blake2b(json.dumps(keys).encode()).digest()

    def of(self, *parts: bytes) -> str:
        """A digest of the parts, each apart from the next."""
        made = blake2b(digest_size=16, key=self._key)
        for part in parts:
            made.update(b"%d:" % len(part))
            made.update(part)
        return made.hexdigest()

    def answer(self, path: str, status: int, body: bytes) -> str:
        """Of an answer, as far as a plan depends on it."""
        if path == paths.LIST:
            body = _listed(body)
        elif status >= 400:  # it may repeat the path, which names the instance
            body = body.replace(path.encode(), b"")
        return self.of(b"%d" % status, body)


def _route(path: str) -> str:
    """A path without the instance."""
    return path.rpartition("/")[0]


def _place_of(path: str, first: str) -> int:
    """Whether a path is read early: first the list of instances, then what is of the first instance."""
    return 0 if path == paths.LIST else 1 if path.rpartition("/")[2] == first else 2


def _listed(body: bytes) -> bytes:
    """What a plan takes from the list of instances; the rest of it changes with every message."""
    try:
        rows = [[row.get("name"), row.get("id"), row.get("createdAt")] for row in json.loads(body)]
        return json.dumps(rows).encode()
    except (ValueError, TypeError, AttributeError, RecursionError):
        return body


@dataclass(slots=True)
class Sources:
    """Takes down what a plan is made of while it is made.

    about: a digest of what was asked for. began: when, in nanoseconds since the epoch. answers: of each
    server a digest of each, by its path. refused: the server and the path of those that are errors. keys:
    where keys and other secret values were looked for, with a digest of what was found. steady: whether
    nothing was found in two ways.
    """

    digests: Digests
    about: str
    began: int = field(default_factory=time.time_ns)
    answers: dict[str, dict[str, str]] = field(default_factory=dict)
    refused: set[tuple[str, str]] = field(default_factory=set)
    keys: dict[str, str] = field(default_factory=dict)
    steady: bool = True

    def of(self, server: str) -> Callable[[str, int, bytes], None]:
        """What takes down the answers of a server to reads."""
        answers = self.answers.setdefault(server, {})

        def heard(path: str, status: int, body: bytes) -> None:
            self._add(answers, path, self.digests.answer(path, status, body))
            if status >= 400:
                self.refused.add((server, path))

        return heard

    def thinned(self, first: Mapping[str, str]) -> dict[str, dict[str, str]]:
        """The answers, but of those that say that a kind of bot is switched off one of each kind.

        Any of them says so for the whole server, and how many are asked for differs from run to run. first:
        the instance of each server that is read first, so that it is asked for this.
        """
        return {
            server: self._thinned(server, answers, paths.segment(first.get(server, "")))
            for server, answers in self.answers.items()
        }

    def _thinned(self, server: str, answers: Mapping[str, str], first: str) -> dict[str, str]:
        """The list of instances and the first instance come first, else all is in the order it came in."""
        answered = {_route(path) for path in answers if (server, path) not in self.refused}
        kept: dict[str, str] = {}
        said: set[tuple[str, str]] = set()
        for path, digest in answers.items():
            what = _route(path), digest
            if (server, path) not in self.refused or what[0] in answered:
                kept[path] = digest
            elif what not in said:
                kept[f"{what[0]}/{first}"] = digest
            said.add(what)
        return dict(sorted(kept.items(), key=lambda one: _place_of(one[0], first)))

    def reading(self, read: Read) -> Read:
        """The same, taking down what is found."""

        def noted(ref: SecretRef, name: str) -> SecretStr:
            where = json.dumps([type(ref).__name__, ref.tag, ref.name, getattr(ref, "shown", ""), name])
            try:
                found = read(ref, name)
            except ReconcilerError as error:
                self._add(self.keys, where, self.digests.of(b"none", str(error).encode()))
                raise
            self._add(self.keys, where, self.digests.of(b"found", found.get_secret_value().encode()))
            return found

        return noted

    def _add(self, to: dict[str, str], what: str, digest: str) -> None:
        if to.setdefault(what, digest) != digest:
            self.steady = False


def _again(read: Read, where: str) -> None:
    """Look for a secret value once more. Raises ReconcilerError as the first time, LookupError."""
    kind, tag, name, shown, label = json.loads(where)
    ref = {one.__name__: one for one in (SecretRef, PasswordRef, UrlRef, UrlTemplate)}[kind]
    read(UrlTemplate(tag, name, shown) if ref is UrlTemplate else ref(tag, name), label)


@dataclass(frozen=True, slots=True)
class Remembered:
    """A plan that found nothing to do, and what it was made of.

    request: the one that it is for. tree: a digest of the files. included: those that are texts. keys,
    answers: see Sources. new: takes down what is the same now.
    """

    request: Request
    plan: Plan
    tree: str
    included: list[str]
    keys: Mapping[str, str]
    answers: Mapping[str, Mapping[str, str]]
    new: Sources

    def paths(self) -> Known | None:
        """What was read of each server; None where files or keys are not what they were."""
        seen = tree.of(Path(self.request.bots), self.included)
        if seen is None or seen.contents != self.tree or not _same_keys(self):
            return None
        return {server: [*answers] for server, answers in self.answers.items()}


def sources(request: Request) -> Sources | None:
    """What takes down what the plan of a request is made of; None where it cannot be remembered."""
    if request.sandbox or request.target or request.shard is not None:
        return None
    targets, made_by = targets_of(request), _stamp()
    if not targets or made_by is None:
        return None
    asked = replace(
        request, api_key="", concurrency=0, timeout=0, max_rate=None, format="", out=None, secrets=()
    )
    where = {name: target["url"] for name, target in targets.items()}
    about = caches.digest(made_by.encode(), repr(asked).encode(), json.dumps(where).encode())
    return Sources(Digests(*(target["api_key"] for target in targets.values())), about)


def remembered(request: Request) -> Remembered | None:
    """The last plan with these options that found nothing to do; None where none is known."""
    place = _place(request)
    if place is None or not place.exists() or (new := sources(request)) is None:
        return None
    with suppress(OSError, ReconcilerError, ValueError, TypeError, KeyError):
        sign, _, data = files.read(place, _MOST).partition(b"\n")
        if not compare_digest(sign, new.digests.of(data).encode()):
            return None
        found = json.loads(data)
        if found.pop("for") == new.about:
            return Remembered(request, **{**found, "plan": _decoded(found["plan"]), "new": new})
    return None


def plan(known: Remembered, reader: Reader, read: Callable[[int, int], object]) -> Plan | None:
    """The remembered plan, if all that it was made of is as it was; else None.

    reader: reads what was read then, and keeps what comes. read: is told how many instances are read, of how
    many.
    """
    if not reader.known:
        return None
    missing = {
        (server, path): digest for server, each in known.answers.items() for path, digest in each.items()
    }
    every, of = len(missing), len(known.plan.instances)
    calls: list[tuple[str, str, float]] = []
    for one in reader.come():
        if one.last:
            continue
        digest = known.new.digests.answer(one.path, one.status, one.body)
        if missing.pop((reader.servers[one.server], one.path), None) != digest:
            _forget(known.request)
            break
        calls.append((one.path, str(one.status), one.seconds))
        read(of - len(missing) * of // every, of)
        if not missing:
            for call in calls:
                log_call("GET", *call)
            return known.plan
    return None


def _same_keys(known: Remembered) -> bool:
    if not known.keys:
        return True
    read = known.new.reading(keys_of(known.request))
    for where in known.keys:
        with suppress(ReconcilerError):
            _again(read, where)
    return known.new.keys == known.keys


def remember(request: Request, made: Plan, sources: Sources, every: Desired) -> None:
    """Remember a plan, if it found nothing to do. every: what the manifests declare."""
    if len(made.instances) < LEAST or not sources.steady or not _is_empty(made):
        return
    if (place := _place(request)) is None:
        return
    included = tree.texts(one.files for one in every.instances)
    there = tree.of(Path(request.bots), included)
    loaded = {one.files[0] for one in every.instances}
    if (
        there is None
        or not there.is_older_than(sources.began)  # it may have been changed after it was loaded
        or not loaded <= there.manifests <= loaded.union(included)
    ):
        return
    data = json.dumps(
        {
            "for": sources.about,
            "tree": there.contents,
            "included": included,
            "keys": sources.keys,
            "answers": sources.thinned(_first(every)),
            "plan": _encoded(made),
        }
    ).encode()
    with suppress(OSError, ReconcilerError):
        caches.make_folder(place)
        files.replace(place, sources.digests.of(data).encode() + b"\n" + data)


def _first(every: Desired) -> dict[str, str]:
    """The first instance of each server, by the server's name."""
    found: dict[str, str] = {}
    for one in every.instances:
        found.setdefault(one.server, one.local)
    return found


def _forget(request: Request) -> None:
    """Forget the plan: a row that was written has another time of its last change for ever."""
    if place := _place(request):
        with suppress(OSError):
            place.unlink()


def _place(request: Request) -> Path | None:
    where = [request.url, *(one.address for one in request.servers)]
    return caches.place("plan", Path(request.bots), json.dumps(where).encode())


@functools.cache
def _stamp() -> str | None:
    return caches.stamp(_FORMAT, [""], _WITH)


def _is_empty(made: Plan) -> bool:
    """Whether a plan found nothing to do, and nothing to say."""
    said = (made.base, made.limits, made.approval, made.notes, made.routing)
    return not any(said) and not any(one.changes or one.steps or one.problem for one in made.instances)


def _encoded(made: Plan) -> list[object]:
    instances = [
        [
            *(one.name, one.in_sync, one.id, one.manifest, one.answering),
            *(dict(one.credentials), dict(one.unverified), one.server),
        ]
        for one in made.instances
    ]
    routed = made.routing is not None
    return [made.server, made.server_name, made.owner, routed, dict(made.servers), instances]


def _decoded(data: list[Any]) -> Plan:
    address, named, owner, routed, servers, rows = data
    instances = tuple(
        InstancePlan(
            name,
            in_sync=in_sync,
            id=id,
            manifest=manifest,
            answering=answering,
            credentials=credentials,
            unverified=unverified,
            server=server,
        )
        for name, in_sync, id, manifest, answering, credentials, unverified, server in rows
    )
    routing = () if routed else None
    return Plan(address, owner, instances, server_name=named, routing=routing, servers=servers)
