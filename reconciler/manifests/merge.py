"""A manifest and the files of its folders → the instance that they declare.

The nearest layer wins, variables are filled in, and what depends on several values is checked. Touches no
file; errors go to the sources.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial, reduce

from reconciler.domain import hidden
from reconciler.domain.desired import DesiredBot, DesiredCredential, DesiredInstance, DesiredSettings
from reconciler.domain.kinds import DEFAULT, KINDS, Kind
from reconciler.domain.text import near, quoted
from reconciler.manifests import asserted
from reconciler.manifests import bots as instance_bots
from reconciler.manifests.bots import Bot, Error
from reconciler.manifests.clashes import clashes
from reconciler.manifests.layer import Layer, over
from reconciler.manifests.messages import misnamed
from reconciler.manifests.scope import Scope
from reconciler.manifests.traces import traces
from reconciler.manifests.variables import VARIABLE
from reconciler.yaml import MappingNode


def instance(manifest: Layer, folders: Sequence[Layer], *, origins: bool = True) -> DesiredInstance | None:
    """What a manifest declares, with the files of its folders under it, the nearest first.

    origins: whether to keep where each value comes from. With errors, the result is only good for finding
    more of them in other files.
    """
    if manifest.instance is None:
        return None
    layers = (manifest, *folders)
    if not all(layer.whole for layer in layers):
        return DesiredInstance(manifest.instance, (), manifest.at)
    scope = Scope.of(manifest.instance, layers)
    bots = instance_bots.bots(scope)
    ignored = frozenset[str]().union(*(layer.silence for layer in layers))
    desired = tuple(instance_bots.desired(name, bot, ignored, origins=origins) for name, bot in bots.items())
    for source, node, message in _errors(scope, bots, desired):
        scope.report(source, node, message)
    variables = scope.variables
    return DesiredInstance(
        scope.instance,
        desired,
        manifest.at,
        _credentials(scope),
        {path: found for path, kind in KINDS.items() if (found := _settings(scope, kind, origins=origins))},
        ignored,
        vars=None if variables is None else {name: text for name, (text, _) in variables.items()},
        tests=asserted.tests(scope),
    )


def _errors(scope: Scope, bots: Mapping[str, Bot], desired: Sequence[DesiredBot]) -> Iterator[Error]:
    yield from instance_bots.left_out(scope)
    for name, bot in bots.items():
        yield from instance_bots.incomplete(name, bot)
    yield from instance_bots.renames(bots)
    yield from _clashes(scope, bots, desired)
    yield from instance_bots.shared_with_itself(scope.instance, bots)


def _clashes(scope: Scope, bots: Mapping[str, Bot], desired: Sequence[DesiredBot]) -> Iterator[Error]:
    """Bots that the server would not hold side by side, each reported at the one that is declared nearer."""
    sources = [layer.source for layer in scope.layers]
    far_first = sorted(desired, key=lambda bot: -sources.index(bots[bot.name].source))
    for clash in clashes(far_first):
        bot = bots[clash.bot.name]
        origin = bot.origins.get(clash.field)
        own = origin if origin and origin.layer.endswith("bot") else bot
        yield own.source, own.key, clash.message


def _credentials(scope: Scope) -> tuple[DesiredCredential, ...]:
    """The credentials with variables filled into their names."""
    source = scope.layers[0].source
    found: dict[str, DesiredCredential] = {}
    for written, (key, ref) in scope.layers[0].credentials.items():
        name = written
        if VARIABLE in written:
            filler = scope.filler(source, partial(misnamed, declared=True))
            filled = filler.fill("a credential's name", written, key)
            if filled is None:
                continue
            name = str(filled)
        if name in found:
            message = (
                f"the credential {quoted(name)} is already declared at {found[name].at}: remove one of them"
            )
            scope.report(source, key, message)
        else:
            found[name] = DesiredCredential(name, ref, source.at(key))
    return tuple(found.values())


def _settings(scope: Scope, kind: Kind, *, origins: bool) -> DesiredSettings | None:
    """The settings of a kind, of all layers. origins: whether to keep them."""
    layers = [layer for layer in scope.layers if kind.path in layer.settings]
    declared = [(layer.source, *layer.settings[kind.path]) for layer in layers]
    if not declared:
        return None
    part = scope.filled(reduce(over, (part for _, _, part in declared)), kind.settings)
    if not part.origins:
        return None
    source, key, _ = declared[0]
    values = part.values
    fallback = values.get("fallback")
    if fallback and (message := _no_fallback(scope, kind, fallback)):
        origin = part.origins["fallback"]
        scope.report(origin.source, origin.value, message)
    jids = part.origins.get("ignoreJids")
    at = source.at(key)
    return DesiredSettings(
        fields=hidden.fields(kind.settings, {n: values[n] for n in kind.settings if n in values}),
        at=at,
        creds=values.get("openaiCreds"),
        creds_at=part.origins["openaiCreds"].at if "openaiCreds" in values else None,
        fallback=fallback,
        merge_jids=jids is not None and isinstance(jids.value, MappingNode),
        origins=part.origins if origins else {},
        traces=traces(part.origins, at.file),
    )


def _no_fallback(scope: Scope, kind: Kind, name: str) -> str | None:
    """Why a bot cannot be the fallback of a kind; None where it can."""
    kinds = instance_bots.kinds(scope)
    if kinds.get(name) is kind:
        return None
    same = [other for other, its in kinds.items() if its is kind]
    of = "" if kind is DEFAULT else f" of kind {kind.path}"
    said = f"the instance has no bot {quoted(name)}{of}{near(name, same)} to fall back to"
    if name in kinds:
        said = (
            f"{quoted(name)} is a bot of kind {kinds[name].path}, and the settings of kind {kind.path} can "
            "only fall back to one of their own"
        )
    return f'{said}: write the name of one, or "" for none'
