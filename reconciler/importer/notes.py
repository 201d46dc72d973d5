"""What a person should know about how a drift was written into the manifests. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from reconciler.domain.desired import DesiredInstance
from reconciler.domain.origins import Origin
from reconciler.domain.records import dataclass
from reconciler.domain.text import listed
from reconciler.importer.drift import Drift
from reconciler.importer.edits import in_defaults, is_own
from reconciler.importer.included import Use, uses
from reconciler.yaml import SequenceNode, index
from reconciler.yaml.spans import ANCHOR

_SHOWN = 3
"""The most bots that are named in one sentence."""


@dataclass(frozen=True, slots=True)
class Texts:
    """What became of texts in files.

    users: the bots that have a text in each file. own: new files, and who has each, by the file that they had
    before. shared: files that changed for all their users. for_all: whether that was asked for.
    """

    directory: Path
    users: Mapping[Path, Sequence[str]]
    own: Mapping[Path, Mapping[Path, Sequence[Use]]]
    shared: Set[Path]
    for_all: bool = False

    def of(self, drift: Drift, path: Path, name: str) -> Iterator[str]:
        """A sentence about a file that several bots use, and one of which drifted."""
        me = f"{drift.about}@{drift.instance}"
        others = [user for user in dict.fromkeys(self.users.get(path, ())) if user != me]
        if path in self.shared:
            yield f"{name} was changed in {self._shown(path)} for all that use it, also {_few(others)}"
        for new, those in self.own.get(path, {}).items():
            if any((use.about, use.instance.name) == (drift.about, drift.instance) for use in those):
                way = "they drifted in different ways, so --for-all cannot take one text for all"
                if not self.for_all:
                    way = "to take it for all of them, undo this and run import --update --for-all"
                where = (
                    f"{self._shown(path)}, which {_few(others)} {'use' if len(others) > 1 else 'uses'} too"
                )
                yield f"{name} was in {where}: it is in {self._shown(new)} now; {way}"

    def _shown(self, path: Path) -> str:
        return (self.directory / path.relative_to(self.directory.resolve())).as_posix()


def _few(bots: Sequence[str]) -> str:
    more = [f"{len(bots) - _SHOWN} more"] if len(bots) > _SHOWN else []
    return listed([*bots[:_SHOWN], *more]) if bots else "this bot, in another field,"


def notes(
    instance: DesiredInstance,
    wanted: DesiredInstance,
    written: DesiredInstance,
    drift: Drift,
    edited: Mapping[Path, bytes],
    unfit: Set[Path],
    texts: Texts,
) -> Iterator[str]:
    """Sentences about one drift.

    instance, written: before and after. edited: the new contents of files. unfit: files that cannot hold
    the new text. texts: what became of texts in files.
    """
    of, now = _of(instance, drift), _of(written, drift)
    included = [use for use in uses(instance, wanted) if use.about == drift.about]
    defaults = in_defaults(instance, wanted)
    for name in drift.keys:
        origin = of.origins.get(name)
        moved = [use for use in included if use.field == name and use.after not in (None, use.before)]
        said = [text for use in moved for text in texts.of(drift, use.path, name)]
        apart = any(use.path in texts.own for use in moved)
        inlined = [use.path for use in moved if use.path not in edited and use.path not in texts.own]
        if origin is None:
            yield f"{name} is declared now: the bot needs it as it is on the server"
            continue
        if not is_own(origin.layer) and (inlined or apart or not moved):
            where = f"{name} came from {origin.layer} ({origin.at})"
            if name in defaults.get(origin.layer, {}):
                yield f"{where}: it was changed there, as all bots that inherit it drifted alike"
            else:
                yield f"{where}: it has its own value now, and the others keep theirs"
        yield from said
        if any(path not in unfit for path in inlined):
            yield f"{name} was in a file that others use too: it is in the manifest now, as JSON has no !file"
        if any(path in unfit for path in inlined):
            yield f"{name} was in a file, which cannot hold the new value: it is in the manifest now"
        here = now.origins[name]
        if lost := [f"${{{each}}}" for each in origin.variables if each not in here.variables]:
            yield f"{name} used {', '.join(lost)}: it is plain text now"
        for anchor in sorted(_anchors(of, name) - _anchors(now, name)):
            if re.search(rf"{re.escape(anchor)}(?!\S)", here.source.raw):
                yield f"{name} had the anchor {anchor}: the first alias of it has the anchor now"


def _of(instance: DesiredInstance, drift: Drift) -> Any:
    """The bot or the settings that the drift is about."""
    if drift.is_settings:
        return instance.settings_of(drift.kind)
    return next(bot for bot in instance.bots if bot.name == drift.about)


def _anchors(of: Any, name: str) -> set[str]:
    """The anchors at a value or at its items, where the bot or the settings themselves have it."""
    origin: Origin = of.origins[name]
    value = origin.value
    if not is_own(origin.layer) or origin.at < of.at:
        return set()  # an anchor stands above what merges it
    items = value.value if isinstance(value, SequenceNode) else []
    own = [node for node in (value, *items) if index(node) > index(origin.key)]
    found = (ANCHOR.match(origin.source.raw, index(node)) for node in own)
    return {anchor[0] for anchor in found if anchor}
