"""How the server says no: `{status, error, response: {message}}`, as values that are raised."""

from __future__ import annotations

from typing import Any


class RefusalError(Exception):
    """A call is refused. message as in the body: a text, a list, or a list of lists."""

    def __init__(self, status: int, message: str | list[Any], error: str = "Internal Server Error") -> None:
        super().__init__(status, message, error)
        self.status = status
        self.message = message
        self.error = error

    @property
    def content(self) -> dict[str, Any]:
        """The body of the answer."""
        return {"status": self.status, "error": self.error, "response": {"message": self.message}}


def failure(message: str) -> RefusalError:
    """A refusal by a business rule."""
    return RefusalError(500, message)


def bad_request(message: str | list[str]) -> RefusalError:
    """A refusal that names what is wrong with the request: one sentence, or those of the schema."""
    return RefusalError(400, [message], "Bad Request")


def not_found(message: str) -> RefusalError:
    """A refusal because something is not there."""
    return RefusalError(404, [message], "Not Found")


def unauthorized() -> RefusalError:
    """A refusal for want of a key."""
    return RefusalError(401, "Unauthorized", "Unauthorized")


def forbidden(message: str) -> RefusalError:
    """A refusal of a name that is taken."""
    return RefusalError(403, [message], "Forbidden")
