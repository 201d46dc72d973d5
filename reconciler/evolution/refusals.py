"""Why a call failed, as an error with a sentence for the person.

Pure: a request and its answer go in, an error comes out. The cases:

    came back                                   to a read                 to a writing call
    nothing, or half an answer                  ServerError               Unclear
    a redirect, no licence, no such route       ServerError               ServerError
    the server's own JSON, 401, 404             Unauthorized, Missing     the same
    ... 404 for a kind that 2.2 does not have   Absent                    the same
    the server's own JSON, any other refusal    Disabled, Refused         the same
    429, 502, 503, 504                          ServerError               Unclear
    a page or JSON that is not the API's: 4xx   Foreign, ServerError      Refused
    ... status 500 and above                    ServerError               Unclear
    ... any other status                        Foreign, ServerError      Unclear

A Foreign answer is one to the read of an instance.
"""

from __future__ import annotations

import json

from reconciler.domain.errors import (
    Absent,
    Disabled,
    Foreign,
    InstanceError,
    Missing,
    ReconcilerError,
    Refused,
    ServerError,
    Unauthorized,
    Unclear,
)
from reconciler.domain.kinds import KINDS, Kind
from reconciler.domain.records import dataclass, field
from reconciler.evolution import address, failures
from reconciler.evolution.exchange import BUSY, Answer, NoAnswer
from reconciler.evolution.masking import Secrets
from reconciler.evolution.parsing import NotUnderstood, parse, secrets_in
from reconciler.evolution.routes import Request

OLDEST = (2, 2)
"""The oldest version that is supported."""

LONGEST_GIST = 80
"""The most characters of a page's gist."""

_NO_ROUTE = "Cannot "
"""How the server's own 404 for an unknown route begins, followed by method and path."""

_DISABLED = {f"{kind.title} is disabled".casefold(): kind for kind in KINDS.values() if kind.switch}
"""What the server says of a kind that is switched off."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})

_MAYBE_DONE = frozenset({408, 425, 429})
"""Statuses below 500 that a proxy may give to a call that the server has seen."""


@dataclass(frozen=True, slots=True)
class Refusals:
    """Makes the errors of one server. secrets: what no sentence may contain."""

    url: str
    secrets: Secrets = field(repr=False)

    def unreachable(self, request: Request, failure: NoAnswer, *, sent: bool) -> ReconcilerError:
        """An error for no complete answer. sent: whether the server may have seen this try or one before."""
        why = self.secrets.clean(str(failure))
        if request.reads:
            return ServerError(f"Cannot reach the server at {self.url}: {why}. {failure.advice}")
        return Unclear(f"Cannot {self._message(request)}: {why}.", sent=sent)

    def unclear(self, request: Request, reason: str, answer: Answer) -> Unclear:
        """An error for a writing call that the server may or may not have done."""
        return Unclear(
            f"It is not known whether the server did this: {self._message(request)}; {reason}.",
            retry_after=failures.retry_after(answer.headers),
        )

    def not_understood(self, request: Request, error: NotUnderstood) -> InstanceError:
        """An error for a status of success with JSON of another shape, or with words of failure."""
        why = self.secrets.clean(str(error)).rstrip(".")
        sentence = f"Cannot {self._message(request)}: the server's answer is not understood: {why}."
        return InstanceError(sentence) if request.reads else Unclear(sentence)

    def refusal(self, request: Request, answer: Answer, *, seen: bool = False) -> ReconcilerError:
        """An error for an answer that is not a success: a status from 300 on, or no JSON.

        seen: whether the server may have seen a try before the one that it answered like this.
        """
        if answer.status in _REDIRECTS:
            return self._redirect(request, answer)
        try:
            data = parse(answer.body)
        except NotUnderstood:
            gist = failures.gist(answer.body, self.secrets)
            return self._foreign(request, answer, self.secrets.clean(gist, LONGEST_GIST))
        self.secrets.add(*secrets_in(data))
        if failures.is_licence(data):
            return ServerError(
                f"The server at {self.url} has no licence (LICENSE_REQUIRED): from 2.4.0 on it serves "
                "nothing until it is registered. Register it in its manager, then run this again."
            )
        words = failures.refusal(data)
        if words is None or answer.status in BUSY or answer.status < 400:
            # An answer with an odd status is not quoted: it may be what was asked for, keys included.
            quoted = "" if answer.status < 300 else self.secrets.clean(words or json.dumps(data))
            return self._foreign(request, answer, quoted)
        error = self._own(request, answer.status, words)
        if request.method == "DELETE" and seen and isinstance(error, Refused):
            # The server refuses to delete what is not there, and the try before may have deleted it.
            return self.unclear(request, f"the second try was refused: {error.words}", answer)
        return error

    def _redirect(self, request: Request, answer: Answer) -> ServerError:
        location = answer.headers.get("location", "").strip()
        target = self.secrets.clean(address.shown(location) or "") if location else "nowhere"
        return ServerError(
            f"{self.url} redirects to {target or 'an address that may hold a secret'}. Redirects are not "
            "followed, so that the key goes to no other host: use the final URL."
        )

    def _foreign(self, request: Request, answer: Answer, words: str) -> ReconcilerError:
        """An error for an answer of something in front of the server, or of another server."""
        what = f"status {answer.status}, {words!r}" if words else f"status {answer.status}"
        if request.reads and answer.status in BUSY:
            return ServerError(
                f"The server at {self.url} is not available now ({what}). "
                "Try again later, or with fewer requests at a time (--concurrency)."
            )
        if request.reads:
            sentence = (
                f"{self.url} does not answer with the API's JSON ({what}). "
                "Check the URL, and what is in front of the server, such as a proxy."
            )
            if request.instance is None or not 200 <= answer.status < 500:
                return ServerError(sentence)
            return Foreign(f"Cannot {self._message(request)}: {sentence}", sentence)
        if 400 <= answer.status < 500 and answer.status not in _MAYBE_DONE:
            sentence = f"Cannot {self._message(request)}: something in front of the server refuses ({what})."
            return Refused(sentence, answer.status, words)
        return self.unclear(request, f"the answer is not the API's ({what})", answer)

    def _own(self, request: Request, status: int, raw: str) -> ReconcilerError:
        """An error for a refusal by the server itself."""
        words = self.secrets.clean(raw)
        if status == 404 and raw.startswith(_NO_ROUTE):
            return self._no_route(request, words)
        if status == 404 and request.instance is not None:
            return Missing(
                f"The instance {self.secrets.shown(request.instance)} does not exist on {self.url}."
            )
        if status == 401:
            return Unauthorized(
                f"Cannot {self._message(request)}: the key is refused (status 401). The global key opens "
                "every instance, an instance's own token that instance only."
            )
        if kind := _DISABLED.get(raw.casefold()):
            return Disabled(
                f"The {kind.label} integration of {self.url} is disabled: "
                f"set {kind.switch}=true in the server's environment and restart it."
            )
        return Refused(
            f"Cannot {self._message(request)}: the server refuses (status {status}): {words}", status, words
        )

    def _no_route(self, request: Request, words: str) -> ReconcilerError:
        """An error for the server's own 404 for a path that it does not know."""
        if request.kind and is_young(request.kind):
            since = ".".join(map(str, request.kind.since))
            return Absent(
                f"The server at {self.url} has no {request.kind.label} bots: they came with version {since}."
            )
        if "%" in request.path:
            return Refused(
                f"Cannot {self._message(request)}: a proxy in front of the server seems to decode the "
                f"path ({words}). Configure it to pass the path on unchanged.",
                404,
                words,
            )
        return ServerError(f"{self.url} has no such route ({words}). Check the path in the server's URL.")

    def _message(self, request: Request) -> str:
        """What the request was for, and the instance."""
        if request.instance is None:
            return request.task
        return f"{request.task} of the instance {self.secrets.shown(request.instance)}"


def is_young(kind: Kind) -> bool:
    """Whether a server that is supported may be too old for the kind."""
    return kind.since[:2] > OLDEST


def lacks_route(answer: Answer) -> bool:
    """Whether the server says that it does not have the route of a call."""
    if answer.status != 404:
        return False
    try:
        return (failures.refusal(parse(answer.body)) or "").startswith(_NO_ROUTE)
    except NotUnderstood:
        return False
