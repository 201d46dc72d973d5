"""Checks of what starts a bot: triggers that match too much, too little, or what another bot answers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from reconciler.domain.desired import DesiredBot
from reconciler.domain.text import quoted
from reconciler.lint import triggers
from reconciler.lint.context import Context, Remark
from reconciler.routing import advanced, jsregex
from reconciler.routing.values import Rule, enabled, modern, step

_NAMED = 3
"""How many bots a remark names before it only counts them."""

_SLASHES = re.compile(r"/.+/[dgimsuvy]*", re.DOTALL)


def catch_all(context: Context) -> Iterator[Remark]:
    """An enabled bot that answers every message, beside others that are enabled too."""
    settings = context.settings
    fallback = settings.fallback if settings and context.uses_fallback else None
    names = dict.fromkeys(bot.name for bot in context.answering())
    if fallback:
        names[fallback] = None
    first = list(islice(names, _NAMED + 1))
    for bot in context.answering():
        if step(bot.fields, context.version) is Rule.ALL:
            others = [name for name in first if name != bot.name]
            if others:
                yield Remark(
                    bot,
                    "triggerType",
                    "it answers every message that begins a session, so "
                    f"{_names(others, len(names) - 1)} never will: "
                    f"disable one of them, or {_keyword(context)}",
                )


def none_matches_all(context: Context) -> Iterator[Remark]:
    """An enabled bot with triggerType none."""
    for bot in context.answering():
        if bot.fields.get("triggerType") == "none":
            yield Remark(
                bot,
                "triggerType",
                "none matches every message since 2.3.0: write `enabled: false` if none should start it",
            )


def shadowed_keyword(context: Context) -> Iterator[Remark]:
    """A keyword whose messages other keywords of the same or a higher priority match."""
    for shadow in context.compared.shadows:
        if not shadow.advanced:
            advice = "change one of the triggers, or use equals for this one"
            yield Remark(shadow.bot, "triggerValue", f"{_hidden(shadow)}: {advice}")


def advanced_shadows(context: Context) -> Iterator[Remark]:
    """A trigger whose messages an advanced bot answers first."""
    for shadow in context.compared.shadows:
        if shadow.advanced:
            advice = "narrow the advanced expression, for example with notcontains"
            yield Remark(shadow.bot, "triggerValue", f"{_hidden(shadow)}: {advice}")


def _hidden(shadow: triggers.Shadow) -> str:
    takers = " and ".join(f"{quoted(bot.name)} ({_trigger(bot)})" for bot in shadow.takers[:3])
    every = f"every message that {_trigger(shadow.bot)} matches, {takers}"
    if shadow.certain:
        return f"{every} matches first, so this bot never answers"
    return f"{every} also matches, with the same priority, so which of them answers is random"


def regex_invalid(context: Context) -> Iterator[Remark]:
    """A pattern that is invalid in JavaScript."""
    for bot, pattern in _regexes(context):
        regex = jsregex.examine(pattern, modern(context.version))
        if regex.refused:
            later = "" if enabled(bot.fields) else " once it is enabled"
            yield Remark(
                bot,
                "triggerValue",
                f"{_pattern(pattern)} is not valid in JavaScript, and one such regex keeps other bots of the "
                f"instance from answering{later}: {regex.refused}",
            )


def regex_python_only(context: Context) -> Iterator[Remark]:
    """A pattern that means something else in JavaScript than in Python and elsewhere."""
    for bot, pattern in _regexes(context):
        for difference in jsregex.examine(pattern, modern(context.version)).foreign:
            text = f"{_pattern(pattern)} means something else in JavaScript: {difference}"
            yield Remark(bot, "triggerValue", text)


def regex_boundary(context: Context) -> Iterator[Remark]:
    r"""A \b next to á, ç and the like, which \b does not take for letters."""
    for bot, pattern in _regexes(context):
        if letter := jsregex.examine(pattern, modern(context.version)).boundary:
            yield Remark(
                bot,
                "triggerValue",
                f"{letter} is no word character in JavaScript, so the \\b next to it in {_pattern(pattern)} "
                r"is no word boundary: remove it, or write (^|\s) before and (\s|$) after the word",
            )


def regex_slashes(context: Context) -> Iterator[Remark]:
    """A pattern in slashes, as in the source of a program."""
    for bot, pattern in _regexes(context):
        if _SLASHES.fullmatch(pattern):
            yield Remark(
                bot,
                "triggerValue",
                f"the slashes are part of {_pattern(pattern)}, and so are flags after them: write only what "
                "is between the slashes; flags are not supported",
            )


def regex_matches_everything(context: Context) -> Iterator[Remark]:
    """A pattern that matches every message, or every message of one line."""
    for bot, pattern in _regexes(context):
        if extent := jsregex.examine(pattern, modern(context.version)).everything:
            of_a_line = " of one line" if extent == "line" else ""
            yield Remark(
                bot,
                "triggerValue",
                f"{_pattern(pattern)} matches every message{of_a_line}: write what it should "
                f"match, or {_keyword(context)}",
            )


def not_checked(context: Context) -> Iterator[Remark]:
    """Triggers that the rules about triggers did not check."""
    advice = "split it into several bots"
    for bot, pattern in _regexes(context):
        if why := jsregex.examine(pattern, modern(context.version)).unread:
            text = f"this regex is not checked because {why}: simplify it, or {advice}"
            yield Remark(bot, "triggerValue", text)
    for bot, expression in _expressions(context):
        if why := advanced.examine(expression).unread:
            yield Remark(bot, "triggerValue", f"this expression is not checked because {why}: {advice}")
    if first := context.compared.unread:
        yield Remark(
            first,
            "triggerValue",
            "the instance's triggers have too many texts to compare this one, and perhaps later ones, with "
            "all of them, so another bot may answer in its place: write fewer regexes and expressions",
        )


def advanced_syntax(context: Context) -> Iterator[Remark]:
    """An expression that the server does not read as it is written."""
    for bot, expression in _expressions(context):
        for mistake in advanced.examine(expression).mistakes:
            yield Remark(bot, "triggerValue", mistake)


def advanced_never(context: Context) -> Iterator[Remark]:
    """Demands that exclude each other."""
    for bot, expression in _expressions(context):
        found = advanced.examine(expression)
        if not found.mistakes and found.ways is not None and all(map(advanced.impossible, found.ways)):
            yield Remark(
                bot,
                "triggerValue",
                f"no message matches {quoted(expression)}, because all values between commas and all "
                "operators must match: write alternatives as separate parts, as in exact:sim exact:ok",
            )


def advanced_comma(context: Context) -> Iterator[Remark]:
    """Values between commas of which one is redundant, or many of them: alternatives were meant."""
    for bot, expression in _expressions(context):
        found = advanced.examine(expression)
        detail = ""
        if found.redundant:
            one, other = found.redundant
            detail = f", and {quoted(other)} already contains {quoted(one)}"
        elif found.listed:
            detail = f", so {quoted(found.listed)} needs all of them at once"
        if detail and not found.mistakes:
            yield Remark(
                bot,
                "triggerValue",
                f"a message must contain all values between commas{detail}: write alternatives as separate "
                "parts, as in contains:a contains:b",
            )


def padded_trigger(context: Context) -> Iterator[Remark]:
    """Spaces where a message has none, because WhatsApp trims it; or the line break of a block text."""
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
                " (a block text ends with a line break; `|-` leaves it out)" if value.endswith("\n") else ""
            )
            yield Remark(
                bot,
                "triggerValue",
                f"{quoted(value)} has spaces or line breaks where a message has none{breaks}: "
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
            then = (
                "which is checked first, so the bot never answers"
                if context.kind.finishes_first
                else "so the bot answers it once, and the next time it ends the session"
            )
            yield Remark(
                bot,
                "triggerValue",
                f"{quoted(str(value))} is also the keywordFinish, {then}: change one of them",
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
    """A text in quotes, with single backslashes."""
    return quoted(text).replace("\\\\", "\\")


def _keyword(context: Context) -> str:
    return f"give it a keyword{' and make it the fallback' if context.uses_fallback else ''}"


def _names(names: Sequence[str], of: int) -> str:
    """The first few names of so many."""
    shown = ", ".join(map(quoted, names[:_NAMED]))
    return f"{shown} and {of - _NAMED} more" if of > _NAMED else shown
