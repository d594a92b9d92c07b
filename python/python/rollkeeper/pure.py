"""Functions that need no engine and no file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Optional, Union

from . import _native
from .definitions import ExpressionReport

__all__ = ["can_change", "check_expression", "evaluate", "match_accounts", "next_state", "render"]

Document = Union[Mapping[str, Any], str, bytes]


def evaluate(
    expression: str,
    user: Document,
    *,
    current: Optional[Document] = None,
    app: Optional[Mapping[str, str]] = None,
    iteration: int = 0,
    token: str = "",
    now: Optional[datetime] = None,
    tables: Optional[Mapping[str, Mapping[str, Any]]] = None,
) -> Any:
    """The value of an expression for a user.

    ``current`` are the account's attributes, ``app`` is a dict with ``id`` and ``label``, ``tables`` are what ``lookup``
    finds values in. Raises :class:`rollkeeper.ConfigurationError` with the position of what is wrong.

    >>> evaluate("lookup('dept', user.dept) + token", {"dept": "X"}, token="2", tables={"dept": {"X": "HR"}})
    'HR2'
    """
    options: dict[str, Any] = {"app": app or {}, "iteration": iteration, "token": token, "tables": tables or {}}
    if current is not None:
        if isinstance(current, (str, bytes)):
            import json  # only JSON text needs it, and it takes longer to import than the rest

            current = json.loads(current)
        options["current"] = current
    return _native.evaluate(expression, user, options, now)


def check_expression(
    expression: str, *, tables: Optional[Mapping[str, Mapping[str, Any]]] = None
) -> ExpressionReport:
    """What can be told of an expression without evaluating it: variables, functions, paths, type, cost.

    ``tables`` are those that ``lookup`` may name. Raises :class:`rollkeeper.ConfigurationError` with the position of
    what is wrong.

    >>> check_expression("user.email.lower()").paths
    ('email',)
    """
    return ExpressionReport(_native.check_expression(expression, tables))


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
