"""The checks of what starts a bot: triggers that match too much, too little, or what another answers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from reconciler.domain.desired import DesiredBot
from reconciler.domain.text import quoted
from reconciler.lint import advanced, jsregex, triggers
from reconciler.lint.context import Context, Remark

_SLASHES = re.compile(r"/.+/[dgimsuvy]*", re.DOTALL)


def catch_all(context: Context) -> Iterator[Remark]:
    """An enabled bot that answers every message, beside others that are enabled too."""
    settings = context.instance.settings
    fallback = settings.fallback if settings else None
    answering = context.answering()
    for bot in answering:
        if triggers.catches_all(bot.fields, context.none_matches):
            others = [other.name for other in answering if other is not bot]
            if fallback and fallback != bot.name and fallback not in others:
                others.append(fallback)
            if others:
                yield Remark(
                    bot,
                    "triggerType",
                    f"it answers every message that begins a session, so {_names(others)} never will: "
                    "disable one or the other, or give this one a keyword and make it the fallback",
                )


def none_matches_all(context: Context) -> Iterator[Remark]:
    """An enabled bot with triggerType none."""
    for bot in context.answering():
        if bot.fields.get("triggerType") == "none":
            yield Remark(
                bot,
                "triggerType",
                "none matches every message since 2.3.0: write `enabled: false` if no message is to start it",
            )


def shadowed_keyword(context: Context) -> Iterator[Remark]:
    """A keyword whose messages other keywords match, before it or beside it."""
    for shadow in context.compared.shadows:
        if not shadow.advanced:
            way_out = "change one of the triggers, or make this one equals"
            yield Remark(shadow.bot, "triggerValue", f"{_hidden(shadow)}: {way_out}")


def advanced_shadows(context: Context) -> Iterator[Remark]:
    """A trigger whose messages an advanced bot takes before."""
    for shadow in context.compared.shadows:
        if shadow.advanced:
            way_out = "make the advanced expression narrower, with notcontains for example"
            yield Remark(shadow.bot, "triggerValue", f"{_hidden(shadow)}: {way_out}")


def _hidden(shadow: triggers.Shadow) -> str:
    takers = " and ".join(f"{quoted(bot.name)} ({_trigger(bot)})" for bot in shadow.takers[:3])
    said = f"all that {_trigger(shadow.bot)} matches, {takers} matches too"
    if shadow.certain:
        return f"{said} and is asked first, so this bot never answers"
    return f"{said}, and between the two the server has no order, so chance decides which answers"


def regex_invalid(context: Context) -> Iterator[Remark]:
    """A pattern that JavaScript refuses."""
    for bot, pattern in _regexes(context):
        regex = jsregex.examine(pattern, context.modern)
        if regex.refused:
            enabled = "" if triggers.answers(bot.fields) else " once it is enabled"
            yield Remark(
                bot,
                "triggerValue",
                f"JavaScript refuses {_pattern(pattern)}, and one such regex silences the other bots of the "
                f"instance{enabled}: {regex.refused}",
            )


def regex_python_only(context: Context) -> Iterator[Remark]:
    """A pattern that JavaScript takes for something else than it is in Python and elsewhere."""
    for bot, pattern in _regexes(context):
        for said in jsregex.examine(pattern, context.modern).foreign:
            yield Remark(bot, "triggerValue", f"{_pattern(pattern)} is not what it seems: {said}")


def regex_boundary(context: Context) -> Iterator[Remark]:
    r"""A \b beside á, ç and the like, which are no letters to it."""
    for bot, pattern in _regexes(context):
        if letter := jsregex.examine(pattern, context.modern).boundary:
            yield Remark(
                bot,
                "triggerValue",
                f"for JavaScript {letter} is no letter, so the \\b beside it in {_pattern(pattern)} is no "
                r"word's end: leave it out, or write (^|\s) before and (\s|$) behind the word",
            )


def regex_slashes(context: Context) -> Iterator[Remark]:
    """A pattern in the slashes of a program's source."""
    for bot, pattern in _regexes(context):
        if _SLASHES.fullmatch(pattern):
            yield Remark(
                bot,
                "triggerValue",
                f"the slashes are a part of {_pattern(pattern)}, and so are letters behind them: write what "
                "stands between them alone; flags cannot be given",
            )


def regex_matches_everything(context: Context) -> Iterator[Remark]:
    """A pattern that no message, or none of one line, fails to match."""
    for bot, pattern in _regexes(context):
        if extent := jsregex.examine(pattern, context.modern).everything:
            of_a_line = " of one line" if extent == "line" else ""
            yield Remark(
                bot,
                "triggerValue",
                f"{_pattern(pattern)} matches every message{of_a_line}: write what is to be "
                "matched, or give the bot a keyword and make it the fallback",
            )


def not_checked(context: Context) -> Iterator[Remark]:
    """What the rules about triggers did not look at."""
    way_out = "split it over several bots"
    for bot, pattern in _regexes(context):
        if why := jsregex.examine(pattern, context.modern).unread:
            said = f"this regex is not checked, {why}"
            yield Remark(bot, "triggerValue", f"{said}: make it simpler, or {way_out}")
    for bot, expression in _expressions(context):
        if why := advanced.examine(expression).unread:
            yield Remark(bot, "triggerValue", f"this expression is not checked, {why}: {way_out}")
    if first := context.compared.unread:
        yield Remark(
            first,
            "triggerValue",
            "the instance's triggers have so many texts that this one, and perhaps others below it, was not "
            "compared with all of them, and another bot may answer in its place: write fewer regexes and "
            "expressions",
        )


def advanced_syntax(context: Context) -> Iterator[Remark]:
    """An expression that the server does not read as it is written."""
    for bot, expression in _expressions(context):
        for said in advanced.examine(expression).mistakes:
            yield Remark(bot, "triggerValue", said)


def advanced_never(context: Context) -> Iterator[Remark]:
    """Demands that exclude each other."""
    for bot, expression in _expressions(context):
        found = advanced.examine(expression)
        if not found.mistakes and found.ways is not None and all(map(advanced.impossible, found.ways)):
            yield Remark(
                bot,
                "triggerValue",
                f"no message meets {quoted(expression)}, for all values between commas and all operators "
                "must "
                "hold: write alternatives as parts of their own, as in exact:sim exact:ok",
            )


def advanced_comma(context: Context) -> Iterator[Remark]:
    """Values between commas one of which says nothing, or many of them: alternatives were meant."""
    for bot, expression in _expressions(context):
        found = advanced.examine(expression)
        said = ""
        if found.redundant:
            one, other = found.redundant
            said = f", and {quoted(one)} is in {quoted(other)} anyway"
        elif found.listed:
            said = f", so {quoted(found.listed)} wants every one of them at once"
        if said and not found.mistakes:
            yield Remark(
                bot,
                "triggerValue",
                f"a message must hold all values between commas{said}: write alternatives as parts of their "
                "own, as in contains:a contains:b",
            )


def padded_trigger(context: Context) -> Iterator[Remark]:
    """Blanks where a message has none, for WhatsApp trims it; or the line break of a block text."""
    for bot in context.bots:
        operator, value = bot.fields.get("triggerOperator"), bot.fields.get("triggerValue")
        if bot.fields.get("triggerType") != "keyword" or not isinstance(value, str):
            continue
        before, behind = value != value.lstrip(), value != value.rstrip()
        if (
            (before and operator in ("equals", "startsWith"))
            or (behind and operator in ("equals", "endsWith"))
            or value.endswith(("\n", "\r", "\t"))
            or value.startswith(("\n", "\r", "\t"))
        ):
            breaks = (
                " (a block text ends with a line break: `|-` leaves it out)" if value.endswith("\n") else ""
            )
            yield Remark(
                bot,
                "triggerValue",
                f"{quoted(value)} is compared with its blanks, which a message does not have there{breaks}: "
                f"write {quoted(value.strip())}",
            )


def finish_is_trigger(context: Context) -> Iterator[Remark]:
    """A word that starts the bot and ends its sessions."""
    for bot in context.bots:
        fields = bot.fields
        value, word = fields.get("triggerValue"), context.effective(bot, "keywordFinish")[1]
        if (
            (fields.get("triggerType"), fields.get("triggerOperator")) == ("keyword", "equals")
            and isinstance(word, str)
            and word
            and str(value).strip().lower() == word.lower()
        ):
            yield Remark(
                bot,
                "triggerValue",
                f"{quoted(str(value))} is the keywordFinish as well, which is looked at first, so the bot "
                "never answers: change one of them",
            )


def _regexes(context: Context) -> Iterator[tuple[DesiredBot, str]]:
    for bot in context.bots:
        if (bot.fields.get("triggerType"), bot.fields.get("triggerOperator")) == ("keyword", "regex"):
            yield bot, str(bot.fields.get("triggerValue", ""))


def _expressions(context: Context) -> Iterator[tuple[DesiredBot, str]]:
    for bot in context.bots:
        if bot.fields.get("triggerType") == "advanced":
            yield bot, str(bot.fields.get("triggerValue", ""))


def _trigger(bot: DesiredBot) -> str:
    how = bot.fields.get("triggerOperator") if bot.fields.get("triggerType") == "keyword" else "advanced"
    return f"{how} {_pattern(str(bot.fields.get('triggerValue')))}"


def _pattern(text: str) -> str:
    """A text in quotes, its backslashes as they are."""
    return quoted(text).replace("\\\\", "\\")


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(map(quoted, names[:3]))
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
