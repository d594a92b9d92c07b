"""An HTTP client of your own, in place of the library's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

__all__ = ["HttpRequest", "HttpResponse", "TransportError"]


@dataclass(frozen=True)
class HttpRequest:
    """A request to be sent. Its ``repr`` shows neither credentials nor values."""

    method: str
    """``GET``, ``POST``, ``PUT``, ``PATCH`` or ``DELETE``."""
    url: str = field(repr=False)
    """The absolute URL, percent-encoded."""
    headers: Mapping[str, str] = field(repr=False)
    """The headers, with the credentials among them."""
    body: Optional[bytes] = field(repr=False)
    """The body, where there is one."""
    timeout: float
    """How many seconds everything may take, from the connection to the last byte."""
    largest_answer: int
    """How many bytes of the answer's body are to be read at the most."""


@dataclass(frozen=True)
class HttpResponse:
    """What the server answered, whatever the status."""

    status: int
    """The status."""
    headers: Mapping[str, str] = field(repr=False)
    """The headers."""
    body: bytes = field(repr=False)
    """The body, decompressed."""


Transport = Callable[[HttpRequest], HttpResponse]
"""An HTTP client: a callable that may be called from several threads at once.

It follows no redirect, repeats nothing, and answers every status. Which addresses may be called, whom it trusts and whether it
heeds a proxy of the environment is its own to say; ``connector.tls`` and ``connector.proxy`` of apps are refused beside it. The
size and the depth of answers stay bounded.
"""


class TransportError(Exception):
    """What a transport raises where there is no answer.

    ``sent`` is false where the target read nothing of the request, so that it can be sent again without a look. ``code`` is
    ``unreachable``, ``timeout``, ``tls_failed``, ``proxy_failed``, ``blocked_address``, ``redirected``, ``answer_too_large``
    or ``invalid_answer``, ``message`` one line for the operator, without attribute values and secrets. After any other
    exception the target may have read the request.

    >>> TransportError("unreachable", "no connection came about", sent=False).sent
    False
    """

    def __init__(self, code: str, message: str, *, sent: bool) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.sent = sent

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_transport_error, (self.code, self.message, self.sent))


def _transport_error(code: str, message: str, sent: bool) -> TransportError:
    return TransportError(code, message, sent=sent)


_Answer = tuple[int, list[tuple[str, str]], bytes]


def _sending(transport: Transport) -> Callable[..., _Answer]:
    """The transport as the native layer calls it."""
    if not callable(transport):
        raise TypeError("a transport is a callable that takes a request")

    def send(
        method: str, url: str, headers: list[tuple[str, str]], body: Optional[bytes], timeout: float, largest: int
    ) -> _Answer:
        answer = transport(HttpRequest(method, url, dict(headers), body, timeout, largest))
        if not isinstance(answer, HttpResponse):
            message = f"the transport answered with `{type(answer).__name__}`, not with `HttpResponse`"
            raise TransportError("invalid_answer", message, sent=True)
        return answer.status, list(answer.headers.items()), answer.body

    return send
