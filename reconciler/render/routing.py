"""Who answers a message, and why: as text, a table of many messages, and JSON. Foreign text is made safe."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from reconciler.domain import safe
from reconciler.domain.records import dataclass
from reconciler.domain.text import listed, quoted
from reconciler.routing.choice import uses_fallback
from reconciler.routing.explanation import Explanation, Reason, Verdict, explain
from reconciler.routing.values import Answer, Bot, Instance, Message, Rule
from reconciler.saved.encode import printed, printed_line

FORMAT, VERSION = "evolution-reconciler/route", 1

_NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Routed:
    """An instance whose messages are routed. bot: the one that is asked about, "" for all."""

    name: str
    instance: Instance
    bot: str = ""

    def explained(self, message: Message) -> tuple[Explanation, ...]:
        """Of each kind, or of the kinds of the bot that is asked about."""
        return tuple(
            one
            for one in explain(self.instance, message)
            if not self.bot or any(verdict.bot == self.bot for verdict in one.verdicts)
        )


def text(routed: Routed, messages: Sequence[Message]) -> str:
    """Each message with the kinds' answers, and below each the bots in the order in which they are asked."""
    return safe.inert("\n".join("\n".join(_lines(routed, message)) + "\n" for message in messages))


def table(routed: Routed, messages: Sequence[Message]) -> str:
    """A line for each different message, and how many nobody answers."""
    counts = Counter(messages)
    rows = [(said(message), *_short(routed, message), times) for message, times in counts.items()]
    widths = max((safe.cells(said) for said, *_ in rows), default=0)
    lines = [
        f"{said}{' ' * (widths - safe.cells(said))}  {answers}{f'  ({times} times)' if times > 1 else ''}"
        for said, answers, _, times in rows
    ]
    silent = sum(times for _, _, answered, times in rows if not answered)
    total = len(messages)
    lines.append(f"{total} message{'s' * (total != 1)}, {silent} of them answered by nobody.")
    return safe.inert("\n".join(lines) + "\n")


def json(routed: Routed, messages: Sequence[Message]) -> str:
    """The same as a JSON document, ending with a newline."""
    rows = [(message, routed.explained(message)) for message in messages]
    return printed(
        {
            "format": FORMAT,
            "version": VERSION,
            "instance": routed.name,
            "bot": routed.bot or None,
            "messages": [
                {
                    "message": message.text,
                    "jid": message.jid,
                    "fromMe": message.from_me,
                    **_answers(routed, found, message),
                    "bots": {one.kind.path: [_verdict(each) for each in one.verdicts] for one in found},
                }
                for message, found in rows
            ],
            "unanswered": sum(not any(one.answer.bots for one in found) for _, found in rows),
        }
    )


def json_line(routed: Routed, message: Message) -> str:
    """A message's answers as one line of JSON."""
    return printed_line({"message": message.text, **_answers(routed, routed.explained(message), message)})


def _answers(
    routed: Routed, found: Sequence[Explanation], message: Message
) -> dict[str, Mapping[str, object]]:
    return {
        "answers": {one.kind.path: list(one.answer.bots) for one in found},
        "why": {one.kind.path: why(routed, one, message) for one in found},
    }


def _verdict(verdict: Verdict) -> dict[str, object]:
    return {
        "bot": verdict.bot,
        "rule": verdict.rule,
        "reason": verdict.reason.value,
        "by": list(verdict.by),
        "detail": verdict.detail or None,
    }


def _lines(routed: Routed, message: Message) -> Iterator[str]:
    yield f"{said(message)} on {safe.line(routed.name)}"
    yield from lines(routed, message)


def lines(routed: Routed, message: Message) -> Iterator[str]:
    """The kinds' answers to a message, and below each the bots in the order in which they are asked."""
    found = routed.explained(message)
    if not found:
        yield "  Nobody answers: the instance has no bots."
    for one in found:
        yield f"  {one.kind.label}: {why(routed, one, message)}"
        shown = [verdict for verdict in one.verdicts if routed.bot in ("", verdict.bot)]
        names = [safe.line(verdict.bot) for verdict in shown]
        triggers = [_trigger(routed.instance.bot(one.kind, verdict.bot)) for verdict in shown]
        for name, trigger, verdict in zip(names, triggers, shown, strict=True):
            yield f"    {_padded(name, names)}  {_padded(trigger, triggers)}  {reason(verdict)}"


def _padded(text: str, others: Sequence[str]) -> str:
    return text + " " * (max(map(safe.cells, others)) - safe.cells(text))


def said(message: Message) -> str:
    """A message as it is shown."""
    return safe.line(quoted(message.text)) + (" from us" if message.from_me else "")


def _short(routed: Routed, message: Message) -> tuple[str, bool]:
    """Who answers, on one line, and whether anybody does."""
    found = {one.kind: one.answer for one in routed.explained(message)}
    said = [f"{kind.label}: {_names(one)} ({one.rule})" for kind, one in found.items() if one.bots]
    unknown = [f"{kind.label}: not known" for kind, answer in found.items() if answer.undecided]
    return "; ".join([*said, *unknown]) or _NOBODY, bool(said or unknown)


def _names(answer: Answer) -> str:
    return listed(map(safe.line, answer.bots), "or")


def why(routed: Routed, found: Explanation, message: Message) -> str:
    """Who of a kind answers, and by which rule: a sentence."""
    answer = found.answer
    if answer.undecided:
        slow = listed(map(safe.line, answer.undecided), "or")
        return f"it is not known who answers, because the regex of {slow} takes too long to try."
    if answer.bots:
        return f"{_answering(routed.instance, found)}{_unless(found)}."
    return f"nobody answers: {_silence(routed.instance, found, message)}."


def _answering(instance: Instance, found: Explanation) -> str:
    answer = found.answer
    names = _names(answer)
    if answer.rule is Rule.SESSION:
        return f"{names} answers: its session with the sender is open"
    if answer.rule is Rule.FALLBACK:
        return f"{names} answers as the fallback: no trigger matches"
    if len(answer.bots) > 1:
        return f"{names} answers, at random: the triggers of all of them match, and have the same rank"
    bot = instance.bot(found.kind, answer.bots[0])
    value = _value(bot) if bot else ""
    return f"{names} answers: {_MATCHED[answer.rule].format(value)}"


_MATCHED = {
    Rule.ALL: "it is started by every message",
    Rule.ADVANCED: "the message matches its expression {}",
    Rule.EQUALS: "the message is exactly {}",
    Rule.REGEX: "the message matches its regex {}",
    Rule.STARTS_WITH: "the message starts with {}",
    Rule.ENDS_WITH: "the message ends with {}",
    Rule.CONTAINS: "the message contains {}",
}


def _silence(instance: Instance, found: Explanation, message: Message) -> str:
    """Why nobody of a kind answers."""
    answer, kind = found.answer, found.kind
    if answer.chosen:
        hushed = next(one for one in found.verdicts if one.bot == answer.chosen[0])
        return f"{listed(map(safe.line, answer.chosen), 'or')} is chosen, but {reason(hushed)}"
    if answer.broken:
        return f"the message is lost, because {_broken(found)}"
    if answer.rule is Rule.IGNORED:
        return f"the {kind.label} settings ignore {safe.line(message.jid)} (ignoreJids)"
    fallback = instance.of(kind).fallback
    if fallback and not uses_fallback(kind, instance.version):
        unused = f"{safe.line(fallback)}, the fallback of {kind.label}"
        return f"no trigger matches, and the server never uses {unused}"
    return f"no trigger matches, and there is {'no such fallback' if fallback else 'no fallback'}"


def _unless(found: Explanation) -> str:
    answer = found.answer
    said = ""
    if rest := [name for name in answer.chosen if name not in answer.bots]:
        said += f"; or nobody does, if the server picks {listed(map(safe.line, rest), 'or')}"
    if answer.broken:
        said += f"; or nobody does, because {_broken(found)}, and may be tried first"
    return said


def _broken(found: Explanation) -> str:
    verdict = next(one for one in found.verdicts if one.bot in found.answer.broken)
    return f"the trigger of {safe.line(verdict.bot)} is an error ({safe.line(verdict.detail)})"


def reason(verdict: Verdict) -> str:
    """What the message is to a bot, in a few words."""
    by = listed(map(safe.line, verdict.by), "or") if verdict.by else ""
    return {
        Reason.ANSWERS: "answers",
        Reason.DISABLED: "is disabled",
        Reason.IGNORED: "is not asked: the settings ignore the sender",
        Reason.NO_MATCH: "does not match",
        Reason.NOT_ASKED: "is started by no message",
        Reason.SHADOWED: f"matches, but {by} is asked first",
        Reason.BROKEN: f"is an error: {safe.line(verdict.detail)}",
        Reason.LOST: f"matches, but the trigger of {by} is an error, which loses the message first",
        Reason.SESSION: f"is not asked: the session of {by} is open",
        Reason.FROM_ME: "it does not answer messages from us (listeningFromMe is false)",
        Reason.PAUSED: "a message from us pauses its session (stopBotFromMe)",
        Reason.FINISH: "the message is its keywordFinish",
        Reason.UNDECIDED: "is not known: " + (safe.line(verdict.detail) or f"{by} takes too long to try"),
    }[verdict.reason]


def _trigger(bot: Bot | None) -> str:
    """A trigger as a manifest has it: equals "oi"."""
    if bot is None:
        return ""
    kind = bot.fields.get("triggerType")
    if kind not in ("keyword", "advanced"):
        return str(kind)
    how = bot.fields.get("triggerOperator") if kind == "keyword" else kind
    return f"{how} {_value(bot)}"


def _value(bot: Bot) -> str:
    return safe.line(quoted(str(bot.fields.get("triggerValue", ""))).replace("\\\\", "\\"))
