"""What the manifests declare. Frozen values, comparable, without behaviour beyond reading themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Literal

from reconciler.domain.errors import Position
from reconciler.domain.kinds import DEFAULT, KINDS, OPENAI, Kind, Value
from reconciler.domain.origins import Origin, Trace
from reconciler.domain.records import dataclass, field, replace

Fields = Mapping[str, Value]
"""Fields of a bot by the API's names, in the order of the kind's table."""


@dataclass(frozen=True, slots=True)
class DesiredBot:
    """A bot as its manifest declares it, defaults merged, files read.

    fields: only what is declared. description is the human's text, without a marker.
    creds: the credential's name, or None when fields has openaiCredsId. creds_at: where it is named.
    previously: names that this bot had before, for a rename.
    on_drift: what is done when the bot on the server differs.
    creds_owner: the instance that owns the credential, None for the bot's own instance.
    ignored: ids of lint rules that do not apply to this bot. kind: whose fields it has.
    origins: where each declared key comes from, by the manifest's name of it; {} where that was not kept.
    traces: the same in short, by the API's name of a field, for those that another file than `at` or a
    folder's file declares, or that have variables.
    """

    name: str
    fields: Fields
    creds: str | None
    at: Position
    previously: tuple[str, ...] = ()
    on_drift: Literal["update", "replace"] = "update"
    creds_owner: str | None = None
    ignored: frozenset[str] = frozenset()
    kind: Kind = OPENAI
    creds_at: Position | None = field(default=None, compare=False)
    origins: Mapping[str, Origin] = field(default_factory=dict, compare=False, repr=False)
    traces: Mapping[str, Trace] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where an api key is found, never the key itself.

    tag: env, a variable of the environment; secret-file, a file. name: the variable's name, or the path from
    the current directory.
    """

    tag: Literal["env", "secret-file"]
    name: str

    def __str__(self) -> str:
        return f"!{self.tag} {self.name}"


@dataclass(frozen=True, slots=True)
class PasswordRef(SecretRef):
    """Where a password is found, which may have any characters."""


@dataclass(frozen=True, slots=True)
class UrlRef(SecretRef):
    """Where a URL is found that has a secret in it."""


@dataclass(frozen=True, slots=True, repr=False)
class UrlTemplate(UrlRef):
    """A URL with parts that are found in variables of the environment.

    name: the URL, with `${env:NAME}` for such a part. shown: the same, without what else may be secret in it.
    """

    shown: str = ""

    def __repr__(self) -> str:
        return f"UrlTemplate({self.shown!r})"

    def __str__(self) -> str:
        return self.shown


@dataclass(frozen=True, slots=True)
class DesiredCredential:
    """An OpenAI credential that an instance should have.

    name: as the bots name it. On the server a rotated one is called NAME@2, NAME@3 and so on.
    """

    name: str
    key: SecretRef
    at: Position


@dataclass(frozen=True, slots=True)
class DesiredSettings:
    """The settings that an instance should have. What is None, or not in fields, belongs to the server.

    fields: of the kind's table of settings. creds: the name of a credential of the instance's own, and
    creds_at: where it is named.
    fallback: the name of the bot that answers when no other does, "" for none.
    merge_jids: ignoreJids are added to those that the server has, instead of replacing them.
    origins: where each declared key comes from. traces: as of a bot.
    """

    fields: Fields
    at: Position
    creds: str | None = None
    fallback: str | None = None
    merge_jids: bool = False
    creds_at: Position | None = field(default=None, compare=False)
    origins: Mapping[str, Origin] = field(default_factory=dict, compare=False, repr=False)
    traces: Mapping[str, Trace] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class DesiredTest:
    """Who should answer messages. bots: these and no other, one of a kind; none for nobody.

    jid: of the sender, "" for some contact. name: by which a manifest replaces or drops the test, or "".
    """

    messages: tuple[str, ...]
    bots: tuple[str, ...]
    at: Position = field(compare=False)
    jid: str = ""
    from_me: bool = False
    name: str = ""


@dataclass(frozen=True, slots=True)
class DesiredInstance:
    """The bots that one instance should have, in the order of the manifest; its credentials and settings.

    settings: by the kind of the bots whose settings they are, those of which something is declared.
    ignored: ids of lint rules that do not apply to it.
    files: the paths of all files that this was read from, the manifest first.
    vars: the value of each ${name} in its texts; None where there are no variables.
    tests: who should answer which message; no plan makes anything of them.
    server: "" where there are not several; else the name begins with it (servers.py). named_server: the one
    that its manifests name, and where.
    """

    name: str
    bots: tuple[DesiredBot, ...]
    at: Position
    credentials: tuple[DesiredCredential, ...] = ()
    settings: Mapping[str, DesiredSettings] = field(default_factory=dict)
    ignored: frozenset[str] = frozenset()
    files: tuple[str, ...] = field(default=(), compare=False)
    vars: Mapping[str, str] | None = field(default=None, compare=False)
    tests: tuple[DesiredTest, ...] = ()
    server: str = ""
    named_server: tuple[str, Position] | None = field(default=None, compare=False)

    @property
    def local(self) -> str:
        """What its server calls it."""
        return self.name.removeprefix(f"{self.server}/") if self.server else self.name

    def settings_of(self, kind: Kind) -> DesiredSettings | None:
        """The settings of a kind, None when nothing is declared of them."""
        return self.settings.get(kind.path)

    def has(self, kind: Kind) -> bool:
        """Whether anything of a kind is declared."""
        return kind.path in self.settings or any(bot.kind is kind for bot in self.bots)

    def of_kind(self, kind: Kind) -> DesiredInstance:
        """What the instance declares of one kind of bot."""
        return replace(
            self,
            bots=tuple(bot for bot in self.bots if bot.kind is kind),
            credentials=self.credentials if kind.credential else (),
            settings={path: one for path, one in self.settings.items() if path == kind.path},
        )


@dataclass(frozen=True, slots=True)
class Former:
    """What an instance's manifest declared before and does not declare any more.

    bots: the fields of bots that are still declared, by the bot's name. settings: by kind the fields of
    settings that are still declared, and `fallbackId`. blocks: the kinds whose settings are not declared any
    more at all. credentials: their names.
    """

    bots: Mapping[str, frozenset[str]] = field(default_factory=dict)
    settings: Mapping[str, frozenset[str]] = field(default_factory=dict)
    blocks: frozenset[str] = frozenset()
    credentials: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Desired:
    """All manifests, one instance each, by the instance's name.

    creds_owners: instances that were not selected, but own a credential that a selected one uses; nothing of
    them is planned. former: what is not declared any more, by the instance's name, as far as it is known.
    """

    instances: tuple[DesiredInstance, ...]
    creds_owners: tuple[DesiredInstance, ...] = ()
    former: Mapping[str, Former] = field(default_factory=dict)


def declared_kinds(instances: Iterable[DesiredInstance]) -> Set[str]:
    """The kinds of bot of which anything is declared, by path; the default where nothing is."""
    found: set[str] = set()
    for one in instances:
        found |= {bot.kind.path for bot in one.bots} | one.settings.keys()
        found |= {path for path, kind in KINDS.items() if kind.credential and one.credentials}
    return found or {DEFAULT.path}


_NOWHERE = Position("", 0, 0)


def essence(instance: DesiredInstance) -> DesiredInstance:
    """What an instance declares, without the places where it is written."""
    bots = sorted(instance.bots, key=lambda bot: bot.name)
    return replace(
        instance,
        at=_NOWHERE,
        bots=tuple(replace(bot, at=_NOWHERE) for bot in bots),
        credentials=tuple(replace(one, at=_NOWHERE) for one in instance.credentials),
        settings={path: replace(one, at=_NOWHERE) for path, one in instance.settings.items()},
    )
