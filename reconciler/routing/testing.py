"""The tests of manifests: who should answer a message, and who does. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from reconciler.domain.desired import DesiredInstance, DesiredTest
from reconciler.domain.versions import Version
from reconciler.routing import sides
from reconciler.routing.choice import route
from reconciler.routing.difference import relevant
from reconciler.routing.values import CONTACT, Answer, Instance, Message


class Why(StrEnum):
    """Why a test fails."""

    OTHER = "other"
    TIE = "tie"
    UNCERTAIN = "uncertain"
    UNKNOWN = "unknown"
    NO_BOT = "no bot"
    SAME_KIND = "same kind"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a test fails. bots: those that it is about; of a tie all that may answer."""

    why: Why
    bots: tuple[str, ...] = ()


Judged = tuple[Mapping[str, Answer], Failure | None]
"""Who answers, by the kind's path, and what is wrong with that."""


@dataclass(frozen=True, slots=True)
class Case:
    """One message of a test, on one instance. answers: by the kind's path."""

    test: DesiredTest
    message: Message
    answers: Mapping[str, Answer]
    failure: Failure | None


@dataclass(frozen=True, slots=True)
class Tested:
    """The tests of one instance. alike: the same for instances whose messages are answered alike."""

    name: str
    instance: Instance
    cases: tuple[Case, ...]
    alike: Hashable

    @property
    def failed(self) -> list[Case]:
        """The cases that fail."""
        return [case for case in self.cases if case.failure]


def messages(tests: Iterable[DesiredTest]) -> tuple[Message, ...]:
    """The messages of tests, each once."""
    return tuple(dict.fromkeys(message for test in tests for message in _messages(test)))


def _messages(test: DesiredTest) -> list[Message]:
    return [Message(text, test.jid or CONTACT, test.from_me) for text in test.messages]


def run(instances: Iterable[DesiredInstance], version: Version) -> tuple[Tested, ...]:
    """Run the tests of each instance. The same test on instances that are alike is looked at once."""
    known: dict[Hashable, dict[Hashable, Judged]] = {}
    found = []
    for desired in instances:
        instance = sides.declared(desired, version)
        kinds = {bot.name: bot.kind.path for bot in instance.bots}
        alike = relevant(instance), frozenset(kinds.items())
        judged = known.setdefault(alike, {})
        cases = []
        for test in desired.tests:
            for message in _messages(test):
                key = message, test.bots
                if key not in judged:
                    answers = route(instance, message)
                    judged[key] = answers, _failure(kinds, test.bots, answers)
                cases.append(Case(test, message, *judged[key]))
        found.append(Tested(desired.name, instance, tuple(cases), id(judged)))
    return tuple(found)


def _failure(kinds: Mapping[str, str], bots: Sequence[str], answers: Mapping[str, Answer]) -> Failure | None:
    """What is wrong with the answers where these bots, and no other, should answer."""
    if missing := tuple(name for name in bots if name not in kinds):
        return Failure(Why.NO_BOT, missing)
    wanted: dict[str, str] = {}
    for name in bots:
        other = wanted.setdefault(kinds[name], name)
        if other != name:
            return Failure(Why.SAME_KIND, (other, name))
    return next(
        (wrong for path, answer in answers.items() if (wrong := _wrong(answer, wanted.get(path)))), None
    )


def _wrong(answer: Answer, wanted: str | None) -> Failure | None:
    """What is wrong with a kind's answer. wanted: its bot that should answer, None for nobody."""
    if answer.undecided:
        return Failure(Why.UNKNOWN, answer.undecided)
    if wanted is None:
        return Failure(Why.OTHER, answer.bots) if answer.bots else None
    if wanted not in answer.bots:
        return Failure(Why.OTHER, answer.bots)
    if len(answer.bots) > 1:
        return Failure(Why.TIE, answer.bots)
    return Failure(Why.UNCERTAIN, answer.bots) if answer.silent else None
