"""Texts that cannot be an API key: quotes, placeholders, masks, references and the like. Pure.

Each provider has its own format. All keys are one piece of ASCII letters, digits and a few signs, so only
that is required, and what people write instead of a key is refused. No message shows a part of the text,
except the code point of a character that no key has.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Callable

_QUOTES = "\"'`´‘’‚‛“”„‟«»‹›＂＇"
_NO_KEY_HAS = set("<>{}[]()\\*,;")

_NAME = r"[A-Za-z_][A-Za-z0-9_.-]*"
_SAID_TO_BE = r"(?:[A-Za-z0-9_.-]*(?:key|token|secret|bearer|authorization|passwor[dt])|basic)"
_HOST = r"(?:[a-z0-9-]+\.)+(?:com|org|net|io|ai|dev|app|br|cloud|co|local|internal)"
_STORES = (
    r"op|vault|bws|bw|env|file|path|secrets?|secrets?-?manager|secret-?file|sops|ssm|aws-?sm|aws|arn|gcp|gcpsm|gsm|"
    r"azkv|azure|akv|kv|keyvault|doppler|infisical|pass|gopass|keychain|keyring|lastpass|lpass|sm|ref|k8s|"
    r"credstash|chamber|conjur|berglas|data|mailto|git|secret-?ref|enc|encrypted|ejson|bao|openbao|akeyless"
)
_ENDINGS = r"txt|key|pem|env|json|ya?ml|toml|ini|cfg|conf|secret|token|crt|asc|gpg|age|md|html?|sh|py|js"
_TOPS = r"run|etc|var|home|users|root|tmp|opt|mnt|srv|usr|app|data|secrets?|vault|private|workspace|proc|dev"

_PLACEHOLDERS = """
your my the our api apikey key keys token secret secrets openai open ai chatgpt gpt here goes insert enter put
paste add replace set me with change changeit this to be todo tbd fixme example sample placeholder fake
redacted masked hidden removed censored value actual valid account project organization org sk pk proj svcacct
ant or none null nil nan undefined unset missing empty true false yes no on off na
password passwd pass not found available tba tbc sensitive forbidden unauthorized denied
sua seu su tu tua teu chave clave aqui aca da de del la minha mi coloque cole insira pon
dein ihr schluessel hier votre cle ici
"""
_WORDS = frozenset(_PLACEHOLDERS.split())
"""The words that placeholders are made of."""

_ALLOWED = frozenset({"empty"})
"""Written for servers that need no key."""

_PREFIXES = re.compile(r"(?:Bearer |sk-|gsk_|xai-|pplx-|hf_|AIza|export |[A-Z_]+KEY=)", re.IGNORECASE)
_PREFIX = re.compile(
    r"^(?:sk|pk|gsk|xai|pplx|hf|r8|nvapi|csk|fw|tgp)[-_](?:proj-|svcacct-|ant-|or-|v1-)*", re.I
)

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, flags), message)
    for pattern, flags, message in (
        (r"-----BEGIN", 0, "it is a certificate or a private key in PEM form: take the api key"),
        (r"^[<{(\[]", 0, "it is JSON, or a placeholder in brackets: write the key alone"),
        (
            r"^(?:bearer|basic|token|authorization)(?:[\s:=]|%20)|^bearer(?:[+_-]|sk-)",
            re.I,
            'it has "Bearer" or the name of a header before the key: write the key alone',
        ),
        (
            rf"^(?:(?:export|set|setx|declare|local|readonly|env)\s|\$env:|-e\s|--env[\s=])\s*{_NAME}[\s=]",
            re.I,
            "it is a shell's line that sets a variable: write the key alone",
        ),
        (
            rf"^(?:{_NAME})\s*=\s*[^=\s]|^{_SAID_TO_BE}\s*:",
            re.I,
            "it has a name and = or : before the key: write the key alone",
        ),
        (
            r"^\$|\$[{(]|^%[A-Za-z_]\w*%$|^!\w+!$",
            0,
            "it is the name of a variable: nothing put its value there",
        ),
        (
            r"^(?:process\.env|os\.environ|env|secrets|vars|inputs|github|steps|var|local)\.[A-Za-z_]\w*$",
            re.I,
            "it is the name of a variable: nothing put its value there",
        ),
        (
            r"^(?=.*_)(?=.*(?:KEY|TOKEN|SECRET))[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+=*$",
            0,
            "it is the name of a variable: nothing put its value there",
        ),
        (
            rf"^(?:{_STORES}|ref\+\w+):|://|^projects/[^/]+/secrets/",
            re.I,
            "it is an address or a reference to a store of secrets: nothing put the key in its place",
        ),
        (rf"^(?:[^@\s]+@)?{_HOST}(?:[:/?#]|$)", 0, "it is an address: take the key itself"),
        (
            rf"^(?:~|\.{{1,2}})?/(?:{_TOPS})/|^(?:~|\.{{1,2}})/|^(?:/[a-z][a-z_.-]*)+/?$|^[a-z_-]{{2,}}(?:/[a-z_.-]+)+$"
            rf"|\.(?:{_ENDINGS})$|^[A-Za-z]:[\\/]",
            0,
            "it is the path of a file: use that file's contents (!secret-file PATH)",
        ),
        (
            r"\*{2,}|#{2,}|\.{3,}|^(?!eyJ).*\.\.|^\*|x{6,}|[•●…∙⋯·]",
            re.I,
            "it is masked or a placeholder: take the whole key",
        ),
        (r"%[0-9A-F]{2}", re.I, "it is percent-encoded: write the key as it is"),
        (r"&(?:#\d+|#x[0-9a-f]+|[a-z]+);|\\[nrtux]", re.I, "signs in it are escaped: write the key as it is"),
        (r"^(.{8,})[\s,;|]*(?:\1[\s,;|]*)+$", re.S, "it is there more than once: write it once"),
        (
            r"^[=:|&?@#~^]+\w",
            0,
            "it begins with a punctuation mark: write the key alone",
        ),
        (
            r"^(?:sk-|gsk_|xai-|pplx-|hf_|AIza)[\w.-]*[#|/:=&?+@$!~^]",
            0,
            "it has a sign that keys with this beginning never have: write the key alone, without a comment",
        ),
        (
            r"^sk-sk-|(?:sk-(?:proj|svcacct|ant)-).+(?:sk-(?:proj|svcacct|ant)-)",
            0,
            "two keys are in it: write one",
        ),
    )
)


def fault(text: str) -> str:
    """Why a text is not an API key: "it has quotes around it: ..."; "" when it may be one.

    text: not blank, and without ASCII blanks and line breaks around it.
    """
    checks: tuple[Callable[[str], str], ...] = (_quotes, _pattern, _character, _placeholder, _encoded)
    return next((message for check in checks if (message := check(text))), "")


def url_fault(text: str) -> str:
    """Why a text is not a URL that can be called, like `fault`; for a URL that contains a secret."""
    strange = next((one for one in text if unicodedata.category(one)[0] in "CZ" and one not in " \t\r\n"), "")
    message = _quotes(text)
    if re.search(r"^\$|[$%]\{|\{\{|[<>]", text):
        message = message or _UNFILLED
    elif strange:
        message = message or f"it holds U+{ord(strange):04X}, which cannot be seen: remove it"
    elif re.search(r"\s", text):
        message = message or "it has a blank or a line break inside: write the URL alone"
    elif re.search(r"\*{2,}|\.{3,}|[•●…]", text):
        message = message or "it is masked: take the whole URL"
    elif any(one in text for one in '"`´‘’‚‛“”„‟«»\\'):
        message = message or "it has quotes or a backslash inside, which no URL has"
    elif not re.match(r"https?://[^\s/?#@\\]", text, re.IGNORECASE):
        message = message or "it does not begin with https:// and a host"
    return message


def part_fault(name: str, text: str) -> str:
    """Why a variable's value cannot be put into a URL, like `fault`. name: of the variable."""
    return placeholder(name, text) or _instead(text)


def password_fault(text: str) -> str:
    """Why a text is not a password, like `fault`: a password may have any signs that can be seen."""
    strange = next(
        (one for one in text if unicodedata.category(one)[0] in "CZ" and one != " "),
        "",
    )
    message = _around(text) or _instead(text)
    if strange:
        message = message or f"it holds U+{ord(strange):04X}, which cannot be seen: remove it"
    return message or _placeholder(text)


def server_key_fault(text: str) -> str:
    """Why a text is not the key of the server, like `fault`: whoever runs the server makes it up."""
    message = _around(text) or _instead(text)
    if text.isascii() and text.isprintable():
        return message
    return message or _character(text)


def _around(text: str) -> str:
    """Find quotes at both ends; one that is alone may belong to a text that somebody made up."""
    return _quotes(text) if text[0] in _QUOTES and text[-1] in _QUOTES else ""


_UNFILLED = "it is a placeholder, or the name of a variable: nothing put the value in its place"

_INSTEAD = tuple(
    (re.compile(pattern, re.ASCII | re.DOTALL), message)
    for pattern, message in (
        (
            r"\$(?:env:)?[A-Za-z_]\w*|.*\$[({].*|\{\{.*\}\}|<[^<>]*>|%[A-Za-z_]\w*%|\[[A-Z_ ]+\]",
            _UNFILLED,
        ),
        (r".*(?:\*{3,}|[•●…]).*", "it is masked: take the whole value"),
        (
            r"(?:(?:export|set|setx|declare|local|readonly|env|-e|--env)\s+)?"
            r"(?=[A-Z0-9_]*(?:_|KEY|TOKEN|SECRET|PASS|URL))[A-Z][A-Z0-9_]*\s*[=:]\s*[^=\s].*",
            "it has a name and = or : before the value: write the value alone",
        ),
        (
            r"(?i:(?:bearer|basic)\s|(?:authorization|x-api-key|apikey|api-key)\s*:).*",
            'it has "Bearer" or the name of a header before the value: write the value alone',
        ),
        (r'\{\s*".*\}|\[\s*".*\]', "it is JSON: write the value alone"),
        (r".*\S\s+#\s.*", "it has a comment after the value: leave that out"),
        (rf"(?:{_STORES}|ref\+\w+)://.*|!(?:env|secret-file|vault|secret|ref)\s.*", _UNFILLED),
    )
)
"""What people write instead of any secret, also of one that may have any signs. Each is the whole text."""


def _instead(text: str) -> str:
    return next((message for pattern, message in _INSTEAD if pattern.fullmatch(text)), "")


def placeholder(name: str, text: str) -> str:
    """Why a variable's value is no value, like `fault`; "" when it may be one. For variables of all kinds.

    name: of the variable. Words such as "changeme" are placeholders only for the name of a secret.
    """
    if not text:
        return ""
    secret = re.search(r"KEY|TOKEN|SECRET|PASSW", name, re.IGNORECASE)
    message = _quotes(text)
    if re.fullmatch(r"<[^<>]*>", text):
        message = message or "it is a placeholder in brackets: nothing put the value in its place"
    elif re.search(r"\*{3,}|[•●…]", text):
        message = message or "it is masked: take the whole value"
    elif secret or re.fullmatch(
        r"(?i)(?:change|replace)[ _-]?(?:me|it|this)|(?:your|my)[_-][a-z_-]+[_-]here", text
    ):
        message = message or _placeholder(text)
    return message


def _quotes(text: str) -> str:
    if text[0] in _QUOTES or text[-1] in _QUOTES:
        return "it has quotes around it (an env file that docker reads keeps them): leave them out"
    return ""


def _pattern(text: str) -> str:
    return next((message for pattern, message in _PATTERNS if pattern.search(text)), "")


def _character(text: str) -> str:
    message = ""
    strange = next(
        (one for one in text if one not in " \t\r\n" and not (one.isascii() and one.isprintable())), ""
    )
    if "\ud800" <= strange <= "\udfff":
        message = "it is not UTF-8: keys are plain ASCII"
    elif strange:
        name = unicodedata.name(strange, "a control character")
        message = f"it holds U+{ord(strange):04X} ({name}), and keys are plain ASCII: remove it"
    elif re.search(r"[\r\n]", text):
        message = "it has a line break inside: write the key alone, on one line"
    elif re.search(r"[ \t]", text):
        message = "it has a blank inside: write the key alone, without a comment or a name"
    elif any(character in _NO_KEY_HAS or character in _QUOTES for character in text):
        message = "it has brackets, quotes, a comma, or another sign that no key has: write the key alone"
    elif text[-1] in ".:|&%$":
        message = "it ends in a punctuation mark: leave that out"
    return message


def _placeholder(text: str) -> str:
    letters = re.sub(r"[\W_]", "", text.lower())
    if not letters:
        return "it has no letter and no digit"
    body = re.sub(r"[\W_]", "", _PREFIX.sub("", text))
    repeated = len(body) >= 3 and len(set(body.lower())) == 1
    crossed = re.search(r"(?:^|[-_])x{4,}(?:$|[-_])", text, re.IGNORECASE)
    if not body or repeated or crossed or (letters not in _ALLOWED and _all_words(letters)):
        return "it is a placeholder: nothing put the key in its place"
    if re.fullmatch(r"[A-Z]+(?:_[A-Z]+)+", text):
        return "it is the name of a variable: nothing put its value there"
    return ""


def _all_words(text: str) -> bool:
    """Whether a text is made only of the words of placeholders."""
    ends = {0}
    for at in range(len(text)):
        if at in ends:
            ends |= {at + len(word) for word in _WORDS if text.startswith(word, at)}
    return len(text) in ends


def _encoded(text: str) -> str:
    """Find base64 of a key with a known prefix, such as the data of a Kubernetes Secret."""
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return ""
    if decoded.isascii() and _PREFIXES.match(decoded.decode("ascii")):
        return "it is base64 of a key: decode it first"
    return ""
