"""Functions that need no engine and no file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Optional, Union

from . import _native

__all__ = ["can_change", "evaluate", "match_accounts", "next_state", "render"]

Document = Union[Mapping[str, Any], str, bytes]


def evaluate(expression: str, user: Document, *, now: Optional[datetime] = None) -> Any:
    """The value of an expression for a user.

    Raises :class:`rollkeeper.ConfigurationError` with the position of what is wrong.
    """
    return _native.evaluate(expression, user, now)


def render(
    mapping: Union[Iterable[Mapping[str, Any]], str, bytes],
    user: Document,
    *,
    current: Optional[Document] = None,
    last: Optional[Document] = None,
    now: Optional[datetime] = None,
) -> dict[str, Any]:
    """What a mapping makes of a user: ``{"attributes": …, "changes": […], "skipped": […]}``.

    ``current`` are the attributes at the target, ``last`` those sent last. Raises
    :class:`rollkeeper.ConfigurationError`, with every fault in ``details``.
    """
    return dict(_native.render(mapping, user, current, last, now))


def match_accounts(
    matching: Union[Iterable[Mapping[str, Any]], Mapping[str, Any], str, bytes],
    user: Document,
    accounts: Union[Iterable[Mapping[str, Any]], str, bytes],
) -> dict[str, Any]:
    """Which of some accounts of a target belongs to a user: ``{"decision": …, "candidates": […]}``.

    ``matching`` is what an app has under that key; of the accounts, ``external_id`` and ``attributes`` matter. Raises
    :class:`rollkeeper.ConfigurationError`, with every fault in ``details``.

    >>> rules = [{"all": [{"user": "email", "account": "userName", "normalize": ["casefold"]}]}]
    >>> match_accounts(rules, {"email": "Ann@x"}, [{"external_id": "7", "attributes": {"userName": "ann@x"}}])
    {'candidates': [{'confidence': 1, 'external_id': '7', 'rules': [0]}], 'decision': 'linked'}
    """
    return dict(_native.match_accounts(matching, user, accounts))


def can_change(from_: str, to: str) -> bool:
    """Whether a request may change from one state to another.

    >>> can_change("New", "Requested"), can_change("Completed", "New")
    (True, False)
    """
    return _native.can_change(from_, to)


def next_state(state: str, event: str) -> str:
    """The state that ``event`` leads to from ``state``; raises ``invalid_transition`` where it leads nowhere.

    >>> next_state("New", "send")
    'Requested'
    >>> next_state("Completed", "send")
    Traceback (most recent call last):
    ...
    rollkeeper.errors.CallerError: a request in state `Completed` does not take the event `send`
    """
    return _native.next_state(state, event)
