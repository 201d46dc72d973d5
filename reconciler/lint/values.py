"""Checks of single fields: values that the server stores and ignores, or acts on in an unexpected way."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconciler.domain import markers
from reconciler.domain.kinds import DEFAULT, KINDS
from reconciler.domain.text import listed, quoted
from reconciler.domain.versions import Version
from reconciler.lint.context import LIMITED, Context, Remark, place
from reconciler.manifests.tables import IDENTIFIER

_JID = re.compile(
    r"@g\.us|@s\.whatsapp\.net|\d{5,20}(-\d+)?@g\.us|\d{5,20}@(s\.whatsapp\.net|lid|newsletter)", re.ASCII
)
_BROADCAST = re.compile(r"(status|\d+)@broadcast", re.ASCII)
_REASONING = re.compile(r"(?:ft:)?(?:o[1-9]|gpt-[5-9])(?![0-9a-z])(?!-chat)")
_VARIABLE = re.compile(rf"(?<!\$)\$\{{({IDENTIFIER})\}}", re.ASCII)
_OWNER = "gitops"

TEXTS = (
    *("systemMessages", "assistantMessages", "userMessages", "triggerValue", "keywordFinish"),
    *("unknownMessage", "description"),
)
"""Fields that hold texts for people or the model."""

UNREAD = tuple(
    dict.fromkeys(name for kind in KINDS.values() for name in kind.settings if name in kind.unused)
)
"""Fields that some kind stores and never reads since 2.3.0."""


def no_effect(context: Context) -> Iterator[Remark]:
    """A field without an effect for the bot's botType or triggerType, unless a bot that shares it uses it."""
    for bot in context.bots:
        bot_type, trigger_type = bot.fields.get("botType"), bot.fields.get("triggerType")
        for field in LIMITED[context.kind.path]:
            name, value = field.name, bot.fields.get(field.name, "")
            if value in ("", ()) or field.applies(bot_type, trigger_type):
                continue  # an empty value clears what another type left there
            origin = bot.origins.get(name)
            if origin and place(origin) in context.useful:
                continue
            where, given = (
                ("botType", bot_type)
                if field.bot_types and bot_type not in field.bot_types
                else ("triggerType", trigger_type)
            )
            yield Remark(
                bot, name, f"{name} has no effect with {where} {given}: remove it, or change {where}"
            )


def never_read(context: Context) -> Iterator[Remark]:
    """Fields that are never read, unless they say what happens anyway: zero, the empty text, no."""
    whose = "" if context.kind is DEFAULT else " of this kind of bot"
    unread = context.unread
    for subject, fields in context.holders:
        for name in fields:
            if name in unread and fields[name]:
                yield Remark(subject, name, f"{name}{whose} is stored, but never read since 2.3.0: remove it")


def not_known_yet(context: Context) -> Iterator[Remark]:
    """Bots of a kind that the server does not have, and fields that it does not have."""
    kind = context.kind
    if kind.since > context.version:
        for bot in context.bots:
            text = f"{kind.label} bots came with {_text(kind.since)}: update the server, or use another kind"
            yield Remark(bot, "kind", text)
        return
    for subject, fields in context.holders:
        for name, since in kind.fields_since.items():
            if name in fields and since > context.version:
                yield Remark(
                    subject,
                    name,
                    f"{name} is ignored before {_text(since)}: remove it, or update the server",
                )


def _text(version: Version) -> str:
    return ".".join(map(str, version))


def ignore_jids_of_bot(context: Context) -> Iterator[Remark]:
    """A bot's own list, unless all of it is in the settings too."""
    settings = context.settings
    listed = settings.fields.get("ignoreJids") if settings else None
    known = set(listed) if isinstance(listed, tuple) else set()
    for bot in context.bots:
        own = bot.fields.get("ignoreJids")
        if isinstance(own, tuple) and not known.issuperset(own):
            yield Remark(
                bot,
                "ignoreJids",
                "the server uses only the list in the instance's settings, not a bot's: "
                "write it under `settings: ignoreJids:`",
            )


def jid_matches_nothing(context: Context) -> Iterator[Remark]:
    """What is neither @g.us, @s.whatsapp.net nor a JID as a message has it."""
    for subject, fields in context.holders:
        listed = fields.get("ignoreJids")
        for item, jid in enumerate(listed if isinstance(listed, tuple) else ()):
            if not (_JID.fullmatch(jid) or _BROADCAST.fullmatch(jid)):
                yield Remark(subject, "ignoreJids", f"{quoted(jid)} matches nobody: {_meant(jid)}", item)


def _meant(jid: str) -> str:
    user, at, server = jid.strip().lower().partition("@")
    digits = re.sub(r"[^0-9-]" if server == "g.us" else r"[^0-9]", "", user)
    if len(digits) >= 5:
        return f"write {digits}@{server if server in ('g.us', 'lid') else 's.whatsapp.net'}"
    if "g.us" in server or "group" in user:
        return 'write "@g.us" for all groups, or one group\'s JID'
    if (at and "whatsapp" in server) or server == "c.us":
        return 'write "@s.whatsapp.net" for all contacts, or one JID such as 5511999999999@s.whatsapp.net'
    return 'write a whole JID such as 5511999999999@s.whatsapp.net, "@g.us" or "@s.whatsapp.net"'


def debounce_milliseconds(context: Context) -> Iterator[Remark]:
    """A wait of more than a minute."""
    for subject, fields in context.holders:
        time = fields.get("debounceTime")
        if isinstance(time, int) and time > 60:
            seconds = (
                f"write {time // 1000} for {time // 1000} seconds" if time >= 1000 else "write 60 or less"
            )
            yield Remark(
                subject,
                "debounceTime",
                f"debounceTime is in seconds, and {time} seconds is a long wait: {seconds}",
            )


def delay_seconds(context: Context) -> Iterator[Remark]:
    """So few milliseconds that seconds were meant."""
    for subject, fields in context.holders:
        delay = fields.get("delayMessage")
        if isinstance(delay, int) and 2 <= delay <= 30:
            yield Remark(
                subject,
                "delayMessage",
                f"delayMessage is in milliseconds, and {delay} is too short to notice: write {delay}000 for "
                f"{delay} seconds",
            )


def zero_delay(context: Context) -> Iterator[Remark]:
    """A zero, which the server treats as a missing value."""
    for subject, fields in context.holders:
        if fields.get("delayMessage") == 0:
            yield Remark(
                subject,
                "delayMessage",
                "the server treats delayMessage 0 as 1000: write 1 for no noticeable delay",
            )


def padded_keyword_finish(context: Context) -> Iterator[Remark]:
    """The message is trimmed before the comparison, the keyword is not."""
    for subject, fields in context.holders:
        word = fields.get("keywordFinish")
        if isinstance(word, str) and word != word.strip():
            advice = f"write {quoted(word.strip())}" if word.strip() else 'write "" for no such word'
            yield Remark(
                subject,
                "keywordFinish",
                f"messages are trimmed before they are compared, so {quoted(word)}, which has spaces or line "
                f"breaks around it, never ends a session: {advice}",
            )


def keep_open(context: Context) -> Iterator[Remark]:
    """A word that closes a session that is then kept: nothing opens it again."""
    always = "keepOpen" in context.unread
    if always:
        text = (
            "a contact that sends the keywordFinish {} is never answered again, as the server keeps the "
            "closed sessions of this kind of bot, whatever keepOpen says: "
            'write `keywordFinish: ""`'
        )
    else:
        text = (
            "with keepOpen, a contact that sends the keywordFinish {} is never answered again: "
            'write `keepOpen: false`, or `keywordFinish: ""`'
        )
    for subject, _ in context.holders:
        keeper, keep = context.effective(subject, "keepOpen")
        owner, word = context.effective(subject, "keywordFinish")
        field = "keepOpen" if keeper is subject and not always else "keywordFinish"
        if word and (owner is subject if always else keep is True and subject in (keeper, owner)):
            yield Remark(subject, field, text.format(quoted(str(word))))


def assistants_api(context: Context) -> Iterator[Remark]:
    """Bots that depend on OpenAI's Assistants API."""
    for bot in context.bots:
        if bot.fields.get("botType") == "assistant":
            yield Remark(
                bot,
                "botType",
                "OpenAI shuts down its Assistants API on 2026-08-26: write `botType: chatCompletion` with "
                "model, maxTokens and systemMessages (the assistant's instructions), and remove assistantId "
                "and functionUrl",
            )


def reasoning_max_tokens(context: Context) -> Iterator[Remark]:
    """Models that reject the parameter in which the server sends maxTokens."""
    for bot in context.bots:
        model = bot.fields.get("model")
        if bot.fields.get("botType") == "chatCompletion" and _REASONING.match(str(model)):
            yield Remark(
                bot,
                "model",
                f"the server sends maxTokens as max_tokens, which {quoted(str(model))} rejects, so contacts "
                "get an error as the answer: use a model that accepts it, such as gpt-4o-mini or gpt-4.1",
            )


def silent_type(context: Context) -> Iterator[Remark]:
    """A bot of a botType that the server does nothing for."""
    answered = [name for name in context.kind.keys if name not in context.kind.silent_types]
    for bot in context.bots:
        if (bot_type := bot.fields.get("botType")) in context.kind.silent_types:
            yield Remark(
                bot,
                "botType",
                f"the server starts sessions for botType {bot_type}, but never calls "
                f"{context.kind.label} for it and answers nothing: use {listed(answered, 'or')}",
            )


def unused_fallback(context: Context) -> Iterator[Remark]:
    """A fallback that the server never uses."""
    if context.settings and context.settings.fallback and not context.uses_fallback:
        yield Remark(
            context.settings,
            "fallback",
            f"the server stores the fallback of {context.kind.label} bots and never uses it: remove it, and "
            "give the bot a trigger",
        )


def disabled_fallback(context: Context) -> Iterator[Remark]:
    """A disabled fallback, which still answers."""
    settings = context.settings
    for bot in context.bots if settings and context.uses_fallback else ():
        if settings and bot.name == settings.fallback and bot.fields.get("enabled") is False:
            yield Remark(
                settings,
                "fallback",
                f"{quoted(bot.name)} is disabled, but still answers as the fallback: "
                'write `fallback: ""` to stop it',
            )


def borrowed_credential(context: Context) -> Iterator[Remark]:
    """A credential that is deleted with another instance, and the bot with it."""
    for bot in context.bots:
        if bot.creds_owner is not None:
            yield Remark(
                bot,
                "openaiCreds",
                f"the credential belongs to the instance {quoted(bot.creds_owner)}, and deleting that "
                "instance deletes this bot too: give this instance a key of its own where you can",
            )


def variable_without_vars(context: Context) -> Iterator[Remark]:
    """What looks like a variable where no variables are declared, each once in a text."""
    if context.instance.vars is not None:
        return
    names = context.has(TEXTS)
    for subject, fields in context.holders:
        for name in names:
            value = fields.get(name, "")
            texts = value if isinstance(value, tuple) else (str(value),)
            for item, text in enumerate(texts):
                if "${" not in text:
                    continue
                for variable in dict.fromkeys(_VARIABLE.findall(text)):
                    declare = "`vars: {}`" if variable == "instance" else "it under `vars:`"
                    yield Remark(
                        subject,
                        name,
                        f"${{{variable}}} is plain text, because no `vars:` is declared: declare {declare}",
                        item if isinstance(value, tuple) else None,
                    )


def description_cut(context: Context) -> Iterator[Remark]:
    """A text that leaves no room for the marker."""
    for bot in context.bots:
        text = bot.fields.get("description")
        if isinstance(text, str) and text.rstrip() not in markers.describe(text, _OWNER, bot.name):
            room = len(markers.human_text(markers.describe(text, _OWNER, bot.name), _OWNER))
            yield Remark(
                bot,
                "description",
                f"the server stores {markers.LIMIT} characters including the marker, so this text is cut: "
                f"shorten it to {room} characters",
            )
