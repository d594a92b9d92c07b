"""Exceptions. Every failure of the engine is an :class:`Error` with a stable code; its class says whose fault it is.

The codes are listed in ``tests/data/codes.csv`` of the source repository.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Optional, Union

__all__ = [
    "CallerError",
    "ConfigurationError",
    "ConnectorError",
    "Error",
    "InternalError",
    "NotFound",
    "StoreError",
    "TargetError",
]


class Error(Exception):
    """A verb failed.

    The message names attributes, apps and requests, never an attribute's value or a secret.
    """

    code: str
    """The stable code, such as ``not_found``."""
    number: int
    """The code's number."""
    kind: str
    """Whose fault it is: ``caller``, ``configuration``, ``target``, ``store`` or ``ours``."""
    retry: str
    """Whether trying again can help: ``now``, ``later`` or ``never``."""
    operation: str
    """The verb that failed."""
    details: dict[str, Any]
    """``context`` (what it concerns, by id) and ``faults`` (everything that is wrong)."""

    def __init__(
        self,
        message: str = "",
        *,
        code: str = "internal",
        number: int = 500,
        kind: str = "ours",
        retry: str = "never",
        operation: str = "",
        details: Optional[dict[str, Any]] = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.number = number
        self.kind = kind
        self.retry = retry
        self.operation = operation
        self.details = {} if details is None else details

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), self.args, self.__dict__)


class CallerError(Error):
    """The calling program passed something that is not right, or called at a time when it may not."""


class NotFound(CallerError, LookupError):
    """There is no such user, app, request or account."""


class ConfigurationError(Error):
    """An app's definition has to be changed."""


class TargetError(Error):
    """A target or its connector failed."""


class StoreError(Error):
    """The database file cannot be used."""


class InternalError(Error):
    """A fault of rollkeeper's own. Please report it."""


_BY_KIND: dict[str, type[Error]] = {
    "caller": CallerError,
    "configuration": ConfigurationError,
    "target": TargetError,
    "store": StoreError,
    "ours": InternalError,
}
_BY_CODE: dict[str, type[Error]] = {"not_found": NotFound}


def _class_of(code: str, kind: str) -> type[Error]:
    return _BY_CODE.get(code) or _BY_KIND.get(kind, Error)


def _from_json(text: str) -> Error:
    """The exception for an error that the native layer describes."""
    import json  # where nothing fails, it need not be imported

    told = json.loads(text)
    message = told.pop("message")
    return _class_of(told["code"], told["kind"])(message, **told)


class ConnectorError(Exception):
    """What a connector raises to say what a failed call means for the target.

    ``outcome`` is one of

    * ``not_applied``: nothing reached the target, or it promised to have done nothing; the call is tried again;
    * ``rejected``: the target refused; trying the same again will not help;
    * ``ambiguous``: nobody knows; the engine looks before it tries again;
    * ``conflict``: such an account exists already.

    ``code`` is a name such as ``rate_limited``, ``message`` one line for the operator. Attribute values and secrets do
    not belong there. ``retry_after`` is how long the target asked to wait, as a ``timedelta`` or in seconds;
    ``external_id`` is the account that the target named.

    >>> ConnectorError("not_applied", "rate_limited", "the ticket system asks to wait", retry_after=30).retry_after
    datetime.timedelta(seconds=30)
    """

    outcomes = ("not_applied", "rejected", "ambiguous", "conflict")

    def __init__(
        self,
        outcome: str,
        code: str,
        message: str,
        *,
        retry_after: Optional[Union[timedelta, float]] = None,
        external_id: Optional[str] = None,
    ) -> None:
        if outcome not in self.outcomes:
            raise ValueError(f"`outcome` must be one of {', '.join(self.outcomes)}")
        for name, value in (("code", code), ("message", message)):
            if not isinstance(value, str):
                raise TypeError(f"`{name}` must be text, not `{type(value).__name__}`")
        if retry_after is not None and not isinstance(retry_after, timedelta):
            retry_after = timedelta(seconds=retry_after)
        super().__init__(outcome, code, message)
        self.outcome = outcome
        self.code = code
        self.message = message
        self.retry_after: Optional[timedelta] = retry_after
        self.external_id = external_id

    def __str__(self) -> str:
        return f"{self.code} ({self.outcome}): {self.message}"

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), self.args, self.__dict__)
