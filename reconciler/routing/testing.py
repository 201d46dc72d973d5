"""The tests of manifests: who should answer a message, and who does. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from enum import StrEnum

from reconciler.domain.desired import DesiredInstance, DesiredTest
from reconciler.domain.records import dataclass
from reconciler.domain.versions import Version
from reconciler.routing import sides
from reconciler.routing.choice import route, uses_fallback
from reconciler.routing.difference import relevant
from reconciler.routing.values import CONTACT, STEPS, Answer, Instance, Message, Rule, enabled, step


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
    """The tests of one instance, and what it is."""

    name: str
    instance: Instance
    cases: tuple[Case, ...]

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
        found.append(Tested(desired.name, instance, tuple(cases)))
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


# -- coverage ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of an instance its tests reach.

    bots: those that may answer: the enabled ones and the fallbacks. missed: those of them that answer no
    message of a test. triggers: the bots that a message may start. untried: those of them that no message of
    a test starts by the trigger. idle: tests that cannot fail, whatever bots there are, because the settings
    ignore their sender.
    """

    bots: tuple[str, ...]
    missed: tuple[str, ...]
    triggers: tuple[str, ...]
    untried: tuple[str, ...]
    idle: tuple[DesiredTest, ...]

    @property
    def share(self) -> float:
        """The smaller one of the shares of bots and of triggers, in percent. All of nothing is 100."""
        pairs = ((self.bots, self.missed), (self.triggers, self.untried))
        return min(100 * (len(all_) - len(rest)) / len(all_) if all_ else 100.0 for all_, rest in pairs)


def coverage(tested: Tested) -> Coverage:
    """What the tests of an instance reach."""
    instance = tested.instance
    answering: set[str] = set()
    started: set[str] = set()
    for case in tested.cases:
        for answer in case.answers.values():
            answering.update(answer.bots)
            if answer.rule in STEPS:
                started.update(answer.bots)
    fallbacks = {
        (kind.path, instance.of(kind).fallback)
        for kind in instance.kinds
        if uses_fallback(kind, instance.version)
    }
    triggers = tuple(
        bot.name for bot in instance.bots if enabled(bot.fields) and step(bot.fields, instance.version)
    )
    bots = tuple(
        bot.name for bot in instance.bots if bot.name in triggers or (bot.kind.path, bot.name) in fallbacks
    )
    idle = [case.test for case in tested.cases if _is_idle(case)]
    return Coverage(
        bots,
        tuple(name for name in bots if name not in answering),
        triggers,
        tuple(name for name in triggers if name not in started),
        tuple(dict.fromkeys(idle)),
    )


def _is_idle(case: Case) -> bool:
    """Whether a test of nobody passes because all kinds ignore its sender."""
    answers = case.answers.values()
    return bool(answers) and not case.test.bots and all(one.rule is Rule.IGNORED for one in answers)
