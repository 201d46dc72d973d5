"""The rules of `validate`'s warnings, as data: the name of each, and the servers that it applies to.

All come from the server's behaviour, recorded or read in its public source. docs/reference/lint.md says why
each rule exists and what to do; the tests run its examples. A rule has no severity: what it finds is a
warning, and --strict makes all of them errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain

from reconciler.domain.records import dataclass
from reconciler.domain.versions import Version
from reconciler.lint import addresses, characters, doubles, starting, values, written
from reconciler.lint.context import FIELDS, Context, Remark
from reconciler.lint.found import UNKNOWN


@dataclass(frozen=True, slots=True)
class Rule:
    """Something that the server accepts but will not do as written.

    id: as `silence:` names it; never changes. title: a line. fields: those that it looks at. check: looks at
    the bots of one kind; None for a rule that looks further. compare: looks at all kinds of an instance.
    since, until: the first and the last version of the server that behaves like this.
    """

    id: str
    title: str
    fields: tuple[str, ...]
    check: Callable[[Context], Iterable[Remark]] | None
    since: Version | None = None
    until: Version | None = None
    compare: Callable[[Sequence[Context]], Iterable[Remark]] | None = None

    def remarks(self, contexts: Sequence[Context]) -> Iterable[Remark]:
        """What the rule finds in an instance. contexts: its kinds."""
        alone = chain.from_iterable(map(self.check, contexts)) if self.check else ()
        return chain(alone, self.compare(contexts) if self.compare else ())

    def holds(self, version: Version) -> bool:
        """Whether the rule applies to a server of that version."""
        return (self.since or version) <= version <= (self.until or version)


_TRIGGER = ("triggerType", "triggerOperator", "triggerValue")

RULES = (
    Rule(
        "catch-all",
        "A bot that answers every message hides the others",
        ("triggerType", "enabled"),
        starting.catch_all,
    ),
    Rule(
        "none-matches-all",
        "`triggerType: none` matches every message",
        ("triggerType", "enabled"),
        starting.none_matches_all,
        since=(2, 3, 0),
    ),
    Rule(
        "shadowed-keyword",
        "Another keyword matches every message that this one matches",
        _TRIGGER,
        starting.shadowed_keyword,
    ),
    Rule(
        "advanced-shadows",
        "An advanced expression matches every message that this bot's trigger matches",
        _TRIGGER,
        starting.advanced_shadows,
    ),
    Rule(
        "two-kinds-answer",
        "Bots of two kinds answer the same message",
        (*_TRIGGER, "enabled", "fallback"),
        None,
        compare=doubles.two_kinds_answer,
    ),
    Rule(
        "regex-invalid",
        "The regular expression is invalid in JavaScript",
        ("triggerValue",),
        starting.regex_invalid,
    ),
    Rule(
        "regex-python-only",
        "The regular expression means something else in JavaScript",
        ("triggerValue",),
        starting.regex_python_only,
    ),
    Rule(
        "regex-boundary",
        "`\\b` next to an accented letter is not a word boundary",
        ("triggerValue",),
        starting.regex_boundary,
    ),
    Rule(
        "regex-slashes",
        "The regular expression is written in slashes",
        ("triggerValue",),
        starting.regex_slashes,
    ),
    Rule(
        "regex-matches-everything",
        "The regular expression matches every message",
        ("triggerValue",),
        starting.regex_matches_everything,
    ),
    Rule(
        "not-checked",
        "A trigger is too long to be checked, or there are too many",
        ("triggerValue",),
        starting.not_checked,
    ),
    Rule(
        "advanced-syntax",
        "The server does not read the advanced expression as it is written",
        ("triggerValue",),
        starting.advanced_syntax,
    ),
    Rule(
        "advanced-never",
        "No message can meet the advanced expression",
        ("triggerValue",),
        starting.advanced_never,
    ),
    Rule(
        "advanced-comma",
        "Values separated by commas must all match, and alternatives were probably meant",
        ("triggerValue",),
        starting.advanced_comma,
    ),
    Rule(
        "padded-trigger",
        "The keyword has spaces that no message has",
        ("triggerValue",),
        starting.padded_trigger,
    ),
    Rule(
        "finish-is-trigger",
        "The word that starts the bot also ends its sessions",
        ("triggerValue", "keywordFinish"),
        starting.finish_is_trigger,
        since=(2, 3, 0),
    ),
    Rule(
        "no-effect",
        "A field has no effect for the bot's botType or triggerType",
        (
            "assistantId",
            "functionUrl",
            "model",
            "maxTokens",
            "systemMessages",
            "triggerOperator",
            "triggerValue",
        ),
        values.no_effect,
    ),
    Rule(
        "never-read",
        "The server never reads the field",
        values.UNREAD,
        values.never_read,
        since=(2, 3, 0),
    ),
    Rule(
        "not-known-yet",
        "A kind of bot or a field is newer than the server",
        ("kind", "splitMessages", "timePerChar"),
        values.not_known_yet,
        until=(2, 2, 999),
    ),
    Rule(
        "ignore-jids-of-bot",
        "The server ignores a bot's ignoreJids",
        ("ignoreJids",),
        values.ignore_jids_of_bot,
    ),
    Rule(
        "jid-matches-nothing",
        "An entry of ignoreJids matches no JID",
        ("ignoreJids",),
        values.jid_matches_nothing,
    ),
    Rule(
        "padded-keyword-finish",
        "A keywordFinish with spaces around it never ends a session",
        ("keywordFinish",),
        values.padded_keyword_finish,
    ),
    Rule(
        "keep-open",
        "A contact that ends the session is never answered again",
        ("keepOpen", "keywordFinish"),
        values.keep_open,
        until=(2, 3, 7),
    ),
    Rule(
        "debounce-milliseconds", "debounceTime is in seconds", ("debounceTime",), values.debounce_milliseconds
    ),
    Rule("delay-seconds", "delayMessage is in milliseconds", ("delayMessage",), values.delay_seconds),
    Rule("zero-delay", "delayMessage 0 waits 1000 milliseconds", ("delayMessage",), values.zero_delay),
    Rule(
        "assistants-api",
        "OpenAI shuts down its Assistants API",
        ("botType", "model", "maxTokens", "systemMessages", "assistantId", "functionUrl"),
        values.assistants_api,
    ),
    Rule(
        "reasoning-max-tokens",
        "The model rejects max_tokens",
        ("model", "maxTokens"),
        values.reasoning_max_tokens,
    ),
    Rule(
        "disabled-fallback",
        "A disabled fallback still answers",
        ("fallback", "enabled"),
        values.disabled_fallback,
    ),
    Rule(
        "unused-fallback",
        "The server never uses the kind's fallback",
        ("fallback",),
        values.unused_fallback,
        since=(2, 3, 0),
    ),
    Rule(
        "silent-bot-type",
        "The server answers nothing for the botType",
        ("botType",),
        values.silent_type,
        since=(2, 3, 0),
    ),
    Rule(
        "borrowed-credential",
        "The bot uses another instance's credential, and is deleted with it",
        ("openaiCreds",),
        values.borrowed_credential,
    ),
    Rule(
        "description-cut",
        "The description leaves no room for the marker",
        ("description",),
        values.description_cut,
    ),
    Rule(
        "variable-without-vars",
        "A text contains what looks like a variable, but no `vars:` is declared",
        values.TEXTS,
        values.variable_without_vars,
    ),
    Rule(
        "odd-characters",
        "A value that must match exactly contains a character that is invisible or hard to type",
        characters.EXACT,
        characters.odd_characters,
    ),
    Rule(
        "yaml-sign",
        "YAML reads a character of the value as something else",
        FIELDS,
        written.yaml_sign,
    ),
    Rule(
        "file-name",
        "Other systems may not find a file by its name",
        FIELDS,
        written.file_name,
    ),
    Rule(
        "secret-in-url",
        "A URL in the manifest contains a secret",
        characters.URLS,
        characters.secret_in_url,
    ),
    Rule(
        "key-over-http",
        "The server sends a key of its own over plain http",
        addresses.URLS,
        addresses.key_over_http,
    ),
    Rule(
        "global-key-shared",
        "The server sends its global api key to a host that may be somebody else's",
        addresses.URLS,
        addresses.global_key_shared,
    ),
    Rule(UNKNOWN, "`silence:` names a rule that does not exist", ("silence",), None),
)
