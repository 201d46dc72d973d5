"""The checks of what single fields say: values that are stored and then not acted on, or not as they read."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconciler.domain import markers
from reconciler.domain.kinds import OPENAI
from reconciler.domain.text import quoted
from reconciler.lint.context import Context, Remark
from reconciler.manifests.model import IDENTIFIER

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
"""Fields that people write texts in."""

UNREAD = ("expire", "unknownMessage")
"""Fields that are stored, and that no code reads since 2.3.0."""


def no_effect(context: Context) -> Iterator[Remark]:
    """A field without a meaning for the bot's botType or triggerType. Shared ones are for the others."""
    for bot in context.bots:
        bot_type, trigger_type = bot.fields.get("botType"), bot.fields.get("triggerType")
        for name, value in bot.fields.items():
            field = OPENAI.fields[name]
            if field.applies(bot_type, trigger_type) or value in ("", ()):
                continue  # an empty one clears what another type left there
            origin = bot.origins.get(name)
            if origin and id(origin.value) in context.useful:
                continue
            where, given = (
                ("botType", bot_type)
                if field.bot_types and bot_type not in field.bot_types
                else ("triggerType", trigger_type)
            )
            yield Remark(
                bot, name, f"{name} has no effect with {where} {given}: leave it out, or change {where}"
            )


def never_read(context: Context) -> Iterator[Remark]:
    """expire and unknownMessage. Zero and the empty text say what happens anyway."""
    for subject, fields in context.holders():
        for name in UNREAD:
            if fields.get(name):
                yield Remark(
                    subject, name, f"{name} is stored, but no code reads it since 2.3.0: leave it out"
                )


def not_known_yet(context: Context) -> Iterator[Remark]:
    """splitMessages and timePerChar on a server that has no such fields."""
    for subject, fields in context.holders():
        for name in ("splitMessages", "timePerChar"):
            if name in fields:
                yield Remark(
                    subject, name, f"{name} is ignored before 2.2.0: leave it out, or update the server"
                )


def ignore_jids_of_bot(context: Context) -> Iterator[Remark]:
    """A bot's own list, unless the settings have all of it."""
    settings = context.instance.settings
    listed = settings.fields.get("ignoreJids") if settings else None
    known = set(listed) if isinstance(listed, tuple) else set()
    for bot in context.bots:
        own = bot.fields.get("ignoreJids")
        if isinstance(own, tuple) and not known.issuperset(own):
            yield Remark(
                bot,
                "ignoreJids",
                "only the list of the instance's settings is looked at, a bot's is not: "
                "write it under `settings: ignoreJids:`",
            )


def jid_matches_nothing(context: Context) -> Iterator[Remark]:
    """What is neither @g.us, @s.whatsapp.net nor a JID as it stands in a message."""
    for subject, fields in context.holders():
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
    """More than a minute of waiting."""
    for subject, fields in context.holders():
        time = fields.get("debounceTime")
        if isinstance(time, int) and time > 60:
            seconds = f"write {time // 1000} for {time // 1000} s" if time >= 1000 else "write 60 or less"
            yield Remark(
                subject, "debounceTime", f"debounceTime is in seconds, and {time} of them are long: {seconds}"
            )


def delay_seconds(context: Context) -> Iterator[Remark]:
    """So few milliseconds that seconds are meant."""
    for subject, fields in context.holders():
        delay = fields.get("delayMessage")
        if isinstance(delay, int) and 2 <= delay <= 30:
            yield Remark(
                subject,
                "delayMessage",
                f"delayMessage is in milliseconds, and {delay} of them are nothing: write {delay}000 for "
                f"{delay} s",
            )


def zero_delay(context: Context) -> Iterator[Remark]:
    """A zero, which the server's code takes for nothing said."""
    for subject, fields in context.holders():
        if fields.get("delayMessage") == 0:
            yield Remark(
                subject, "delayMessage", "delayMessage 0 is taken for 1000 when sending: write 1 for no delay"
            )


def padded_keyword_finish(context: Context) -> Iterator[Remark]:
    """The message is trimmed before the comparison, the keyword is not."""
    for subject, fields in context.holders():
        word = fields.get("keywordFinish")
        if isinstance(word, str) and word != word.strip():
            way_out = f"write {quoted(word.strip())}" if word.strip() else 'write "" for no such word'
            yield Remark(
                subject,
                "keywordFinish",
                f"messages are trimmed before they are compared, so {quoted(word)} with blanks around it "
                f"never ends a session: {way_out}",
            )


def keep_open(context: Context) -> Iterator[Remark]:
    """A word that ends a session which is kept, closed: nothing opens it again."""
    said = (
        "with keepOpen, who sends the keywordFinish {} is never answered again: "
        'write `keepOpen: false`, or `keywordFinish: ""`'
    )
    settings = context.instance.settings
    if (
        settings
        and settings.fields.get("keepOpen") is True
        and (word := settings.fields.get("keywordFinish"))
    ):
        yield Remark(settings, "keepOpen", said.format(quoted(str(word))))
    for bot in context.bots:
        subject, keep = context.effective(bot, "keepOpen")
        owner, word = context.effective(bot, "keywordFinish")
        if keep is True and word and bot in (subject, owner):
            yield Remark(
                bot, "keepOpen" if subject is bot else "keywordFinish", said.format(quoted(str(word)))
            )


def assistants_api(context: Context) -> Iterator[Remark]:
    """Bots that stop with OpenAI's Assistants API."""
    for bot in context.bots:
        if bot.fields.get("botType") == "assistant":
            yield Remark(
                bot,
                "botType",
                "OpenAI announced the end of its Assistants API for 2026-08-26: write `botType: "
                "chatCompletion` with model, maxTokens and systemMessages (the assistant's instructions), "
                "and leave assistantId and functionUrl out",
            )


def reasoning_max_tokens(context: Context) -> Iterator[Remark]:
    """Models that refuse the parameter in which the server sends maxTokens."""
    for bot in context.bots:
        model = bot.fields.get("model")
        if bot.fields.get("botType") == "chatCompletion" and _REASONING.match(str(model)):
            yield Remark(
                bot,
                "model",
                f"the server sends maxTokens as max_tokens, which {quoted(str(model))} refuses, so contacts "
                "get an error for an answer: take a model that accepts it, such as gpt-4o-mini or gpt-4.1",
            )


def disabled_fallback(context: Context) -> Iterator[Remark]:
    """A fallback that is switched off, and answers nevertheless."""
    settings = context.instance.settings
    for bot in context.bots:
        if settings and bot.name == settings.fallback and bot.fields.get("enabled") is False:
            yield Remark(
                settings,
                "fallback",
                f"{quoted(bot.name)} is disabled and answers as the fallback all the same: "
                'write `fallback: ""` to keep it silent',
            )


def borrowed_credential(context: Context) -> Iterator[Remark]:
    """A credential that goes with another instance, and takes the bot along."""
    for bot in context.bots:
        if bot.creds_owner is not None:
            yield Remark(
                bot,
                "openaiCreds",
                f"the credential belongs to instance {quoted(bot.creds_owner)}: whoever deletes that "
                "instance deletes this bot, so give this instance a key of its own where you can",
            )


def variable_without_vars(context: Context) -> Iterator[Remark]:
    """What looks like a variable where none has a meaning, each once in a text."""
    if context.instance.vars is not None:
        return
    for subject, fields in context.holders():
        for name in TEXTS:
            value = fields.get(name, "")
            texts = value if isinstance(value, tuple) else (str(value),)
            for item, text in enumerate(texts):
                for variable in dict.fromkeys(_VARIABLE.findall(text)):
                    declare = "`vars: {}`" if variable == "instance" else "it under `vars:`"
                    yield Remark(
                        subject,
                        name,
                        f"${{{variable}}} is no variable, for no `vars:` is declared: declare {declare}",
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
                f"the server holds {markers.LIMIT} characters with the marker, so this text is cut: "
                f"shorten it to {room} characters",
            )
