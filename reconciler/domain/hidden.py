"""Values with a secret in them, such as a URL with a token: shown without it, compared and sent with it.

A Hidden is a str whose characters are what may be shown, so whatever prints it, saves it or makes a digest of
it has no secret. Only what compares values and what sends them asks for the real one, here.

Pure. Which fields hold secrets is data (`Field.hides`). Of a URL only parts are hidden: userinfo, the
fragment, values of the query that could be secrets, and parts of the path that could be tokens.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NoReturn
from urllib.parse import unquote, urlsplit

from reconciler.domain.desired import Fields, PasswordRef, SecretRef, UrlRef, UrlTemplate
from reconciler.domain.kinds import KINDS, Field, Value

MASK = "***"
KEY = "[a key, not shown]"
"""What stands for a key that a server has put into a value of a bot."""

_TAGGED = r"(?s)!(env|secret-file) (.+)"
_PLACEHOLDER = r"\$\{env:[A-Za-z_][A-Za-z0-9_]*\}"
_IN_URL = rf"(?a)\$(\$\{{env:)|({_PLACEHOLDER})"
"""In a URL: what stands for `${env:` itself, or for a variable's value."""

_ALONE = rf"(?a)(?:{_PLACEHOLDER})+"
_USER = rf"(?a)(?:{_PLACEHOLDER}|[\w.-]{{0,40}}):{_PLACEHOLDER}|{_PLACEHOLDER}:?"
"""What has no secret but a placeholder: a part of a URL, and its userinfo."""

_NAMES = (
    r"(?:^|[^a-z])(?:code|token|sig|signature|key|secret|auth|authorization|pass|passwd|password|pwd|pw|pin|"
    r"credentials?|hmac|hash|jwt|sas|session|sid|cookie|bearer|api_?key|nonce|otp|senha|chave|se|sp|sv)(?:$|[^a-z])"
)
"""Names of a query's values that are secrets whatever they look like."""

_BEFORE = r"(?i)(?:api[-_]?|access[-_]?)?(?:key|token|secret|password|senha|chave)"
"""Parts of a path after which a secret stands, whatever it looks like."""

_PLAIN = r"(?a)(?:(?:[A-Za-z]{1,20}[0-9]{0,3}|[0-9]{1,6})(?:[-_., ]|$)){0,6}"
"""Values that no generator of secrets makes: a few short words or numbers."""

_RANDOM = r"(?a)(?=[^/]*[0-9])(?=[^/]*[A-Za-z])[\w=+.~:%-]{16,}|[0-9a-f-]{24,}|[A-Za-z0-9_=+~-]{32,}"
"""What could be a token in a path: long, and of letters and digits, or without any break."""

_HOOKS = (
    ("hooks.slack.com", 1),
    ("discord.com", 3),
    ("discordapp.com", 3),
    ("hooks.zapier.com", 2),
    ("api.telegram.org", 0),
    ("make.com", 0),
    ("integromat.com", 0),
    ("webhook.office.com", 1),
    ("outlook.office.com", 1),
    ("maker.ifttt.com", 2),
    ("webhook.site", 0),
    ("pipedream.net", 0),
)
"""Services whose paths are secrets, and after how many parts the secret begins."""


class Hidden(str):
    """A text of which only a part, or its place, may be shown. As a str it is just that.

    real: the whole text; None while it is not known. ref: where it is found, for one that is not in the
    manifest. why: of one that is not known: "FUNCTION_URL is not set".
    """

    __slots__ = ("real", "ref", "why")

    real: str | None
    ref: SecretRef | None
    why: str

    def __new__(cls, shown: str, real: str | None, ref: SecretRef | None = None, why: str = "") -> Hidden:
        made = super().__new__(cls, shown)
        made.real, made.ref, made.why = real, ref, why
        return made

    def __eq__(self, other: object) -> bool:
        if self.real is None:
            return isinstance(other, Hidden) and other.real is None and other.ref == self.ref
        return isinstance(other, str) and self.real == (
            other.real if isinstance(other, Hidden) else str(other)
        )

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.ref if self.real is None else self.real)

    def __copy__(self) -> Hidden:
        return self

    def __deepcopy__(self, memo: object) -> Hidden:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a value with a secret in it is not written anywhere")


def has_key(value: object) -> bool:
    """Whether a server has put a known key into a value, which is not shown."""
    return any(isinstance(text, str) and KEY in text for text in _texts(value))


def lacks_key(value: object) -> bool:
    """Whether a value had a key in it that is lost, as in a saved plan or a text that was made of it."""
    return has_key([text for text in _texts(value) if not isinstance(text, Hidden)])


def _texts(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else [value]


def unknown(value: object) -> bool:
    """Whether a value is found elsewhere, and was not."""
    return isinstance(value, Hidden) and value.real is None


def same(one: str, other: str) -> bool:
    """Whether two texts mean the same, as far as is known.

    What is not known is taken for whatever is there. A text of a saved plan, which has no secrets, is
    compared with what is shown of the other.
    """
    if unknown(one) or unknown(other):
        return bool(str(one) and str(other))
    saved = isinstance(one, Hidden) is not isinstance(other, Hidden)
    return one == other or (saved and str(one) == str(other))


def same_texts(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """The same of two lists of texts."""
    return len(one) == len(other) and all(map(same, one, other))


def of_ref(ref: SecretRef, why: str = "") -> Hidden:
    """A value that is found where ref says."""
    return Hidden(str(ref), None, ref, why)


def ref_of(field: Field, value: object) -> SecretRef | None:
    """Where a value is found that is not in the manifest, also as a saved plan says it; else None."""
    if isinstance(value, Hidden):
        return value.ref
    if field.hides and isinstance(value, str):
        if found := re.fullmatch(_TAGGED, value):
            return reference(field, found[1], found[2])
        if field.hides == "url" and MASK not in value and variables_of(value):
            return template(value)
    return None


def reference(field: Field, tag: str, name: str) -> SecretRef:
    """The reference to a field's value. tag: env or secret-file."""
    made = UrlRef if field.hides == "url" else PasswordRef if field.password else SecretRef
    return made("env" if tag == "env" else "secret-file", name)


def template(url: str) -> UrlTemplate:
    """A URL with `${env:NAME}` in it."""
    return UrlTemplate("env", url, mask(url, template=True))


def variables_of(url: str) -> list[str]:
    """The names of the variables that a URL has a `${env:NAME}` of."""
    names = [found[2][6:-1] for found in re.finditer(_IN_URL, url) if found[2]]
    return list(dict.fromkeys(names))


def put_together(url: str, value: Callable[[str], str]) -> str:
    """A URL with the value of each variable in its place."""
    return re.sub(_IN_URL, lambda found: found[1] or value(found[2][6:-1]), url)


def is_tagged(text: str) -> bool:
    """Whether a text reads like a reference, and would be taken for one in a saved plan."""
    return re.fullmatch(_TAGGED, text) is not None


def fields(table: Mapping[str, Field], values: Fields) -> Fields:
    """The values, those with a secret in them as Hidden."""
    found = {name: hide(table[name], values[name]) for name in _SECRET if name in values and name in table}
    return {**values, **found} if found else values


def hide(field: Field, value: Value) -> Value:
    """The value, as Hidden if it has a secret in it."""
    if not field.hides or not isinstance(value, str) or isinstance(value, Hidden) or not value:
        return value
    shown = MASK if field.hides == "whole" else mask(value)
    return value if shown == value and MASK not in value else Hidden(shown, value)


def texts(values: Fields) -> Iterator[str]:
    """Every text in the values, as it may be shown."""
    for value in values.values():
        if isinstance(value, str):
            yield value
        elif isinstance(value, tuple):
            yield from value


def covered(values: Fields, cover: Callable[[str], str]) -> Fields:
    """The values; those that have a known key in them as Hidden. cover: gives a text without any."""
    found = {
        name: made
        for name, value in values.items()
        if isinstance(value, str | tuple) and (made := _covered(value, cover)) is not value
    }
    return {**values, **found} if found else values


def _covered(value: str | tuple[str, ...], cover: Callable[[str], str]) -> str | tuple[str, ...]:
    if isinstance(value, tuple):
        made = tuple([_covered(text, cover) for text in value])
        return value if all(one is text for one, text in zip(made, value, strict=True)) else made  # type: ignore[return-value]
    shown = cover(value)
    if shown == str(value):
        return value
    return (
        Hidden(shown, value.real, value.ref, value.why) if isinstance(value, Hidden) else Hidden(shown, value)
    )


def body(values: Mapping[str, object]) -> dict[str, object]:
    """What is sent, with its secrets. Raises ValueError for a value that is not known."""
    found: dict[str, object] = {}
    for name, value in values.items():
        if unknown(value):
            raise ValueError(f"{name} is not known")
        found[name] = tuple(map(_real, value)) if isinstance(value, tuple) else _real(value)
    return found


def _real(value: object) -> object:
    return value.real if isinstance(value, Hidden) else value


def secrets(values: Mapping[str, object]) -> list[str]:
    """The secrets in the values, without what may be shown around them."""
    found: list[str] = []
    for value in values.values():
        if isinstance(value, Hidden) and value.real is not None:
            shown = mask(value.real) if isinstance(value.ref, UrlRef) else str(value)
            found += _between(shown.split(MASK), value.real)
            if isinstance(value.ref, UrlTemplate):
                text = put_together(value.ref.name, lambda _: "\0")
                found += _between(text.split("\0"), value.real)
    return found


def _between(parts: Sequence[str], text: str) -> Sequence[str]:
    """What stands in a text between the parts of it; all of it where these do not fit."""
    match = re.fullmatch("(.+?)".join(map(re.escape, parts)), text, re.DOTALL)
    return match.groups() if match else [text]


_SECRET = tuple(
    {
        field.name: None
        for kind in KINDS.values()
        for field in (*kind.fields.values(), *kind.settings.values())
        if field.hides
    }
)


# -- URLs -------------------------------------------------------------------------------------


def mask(url: str, *, template: bool = False) -> str:
    """The URL without what could be a secret; wholly masked where it cannot be taken apart.

    template: whether `${env:NAME}` stands for a value that is found elsewhere, and is shown.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return MASK
    if _odd(url, parts.netloc) or (not template and variables_of(url)):
        return MASK
    info, at, host = parts.netloc.rpartition("@")
    path = _path(host.lower().partition(":")[0], parts.path)
    scheme = url.partition(":")[0] + ":" if parts.scheme else ""
    user = f"{info if re.fullmatch(_USER, info) else MASK}@" if at else ""
    shown = f"{scheme}//{user}{host}{path}" if parts.netloc else f"{scheme}{path}"
    if "?" in url.partition("#")[0]:
        shown += "?" + "".join(map(_query, re.split("([&;])", parts.query)))
    if "#" in url:
        shown += "#" + (MASK if parts.fragment else "")
    return shown


def _odd(url: str, netloc: str) -> bool:
    """Whether others could read the URL otherwise than urlsplit, so that a password stands elsewhere."""
    decoded = unquote(unquote(url))
    if re.search(r"[\s\\\x00-\x1f]", url) or is_tagged(url):
        return True
    if not netloc:  # no host: whatever stands before an @ may be a password
        return "@" in decoded
    beyond = url.partition(f"//{netloc}")[2]
    return (
        "@" in unquote(unquote(netloc.rpartition("@")[2])) or re.search("//|:[^/@?#]*@", beyond) is not None
    )


def _path(host: str, path: str) -> str:
    segments = path.split("/")
    kept = next((1 + n for name, n in _HOOKS if host == name or host.endswith(f".{name}")), len(segments))
    return "/".join(
        MASK
        if segment
        and (place >= kept or _is_token(segment) or re.fullmatch(_BEFORE, before) or _has_encoded(segment))
        and not re.fullmatch(_ALONE, segment)
        else _pairs(segment)
        for place, (before, segment) in enumerate(pairwise(["", *segments]))
    )


def _has_encoded(segment: str) -> bool:
    """Whether a part of a path has what a server may read as the beginning of a query or of a fragment."""
    decoded = unquote(unquote(segment))
    return any(decoded.count(each) > segment.count(each) for each in "?#=&;")


def _pairs(segment: str) -> str:
    """A part of a path without the values of its parameters: `f;jsessionid=1`, `f,a=1`, `token:1`."""

    def masked(found: re.Match[str]) -> str:
        shows = re.fullmatch(_ALONE, found[4]) or (found[3] == ":" and not _is_secret(found[2]))
        return found[0] if shows else f"{found[1]}{found[2]}{found[3]}{MASK}"

    return re.sub(r"(^|[;,&])([^=:;,&]*)([=:])([^;,&]+)", masked, segment)


def _is_token(text: str) -> bool:
    words = re.split(r"[-_.]", text)
    return re.fullmatch(_RANDOM, text) is not None and not all(
        re.fullmatch(r"[a-z]*|[A-Z][a-z]*|v?[0-9]{1,4}|[a-z]+[0-9]{1,2}", word) for word in words
    )


def _query(item: str) -> str:
    """One `name=value` of a query. What is no pair is a value."""
    name, equals, value = item.partition("=")
    if item in ("", "&", ";") or re.fullmatch(_ALONE, value or name):
        return item
    if not equals:
        return item if re.fullmatch(_PLAIN, item) else MASK
    shown = value if not value or (re.fullmatch(_PLAIN, unquote(value)) and not _is_secret(name)) else MASK
    return f"{MASK if _is_token(name) else name}={shown}"


def _is_secret(name: str) -> bool:
    plain = unicodedata.normalize("NFKC", unquote(unquote(name)))
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", plain).lower()
    return re.search(_NAMES, words) is not None or words.endswith(
        ("key", "token", "secret", "signature", "password")
    )
