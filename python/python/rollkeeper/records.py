"""Records: what the engine gives back. Frozen objects with attributes; ``to_dict()`` and ``to_json()`` give the same
in the form in which it is stored and shown everywhere.

An attribute that the record does not have is ``None``, ``()`` or ``{}``. Times are ``datetime`` in UTC. ``repr()`` names
ids and states, never attribute values.
"""

from __future__ import annotations

import copy
from datetime import datetime
from typing import TYPE_CHECKING, Any, Callable, Optional

from . import _native

__all__ = [
    "Account",
    "Attempt",
    "Check",
    "CheckReport",
    "Explanation",
    "ExplanationStep",
    "Fault",
    "Hold",
    "LogEntry",
    "LogVerdict",
    "Membership",
    "Preview",
    "PreviewCreate",
    "PreviewOperation",
    "PreviewUpdate",
    "Progress",
    "PutSnapshot",
    "PutUsers",
    "Record",
    "Request",
    "RequestDetail",
    "Step",
    "TargetRequest",
    "Tile",
    "UserFault",
    "WithheldOperation",
]


class Record:
    """The base of all records."""

    __slots__ = ("_values",)

    _values: dict[str, Any]
    _fields: tuple[str, ...] = ()
    _shown: tuple[str, ...] = ()
    _readers: dict[str, Callable[[Any], Any]] = {}
    _absent: dict[str, Any] = {}

    def __init__(self, values: dict[str, Any]) -> None:
        object.__setattr__(self, "_values", values)

    def __init_subclass__(cls) -> None:
        cls._fields += tuple(name for name in cls.__annotations__ if not name.startswith("_"))

    def to_dict(self) -> dict[str, Any]:
        """The record as a dict of plain JSON values; a copy."""
        return copy.deepcopy(self._values)

    def to_json(self) -> str:
        """The record as canonical JSON: sorted keys, no white space. The same bytes in every language."""
        return _native.canonical(self._values)

    if not TYPE_CHECKING:  # for the type checker, a record has the attributes that are written down and no others

        def __getattr__(self, name):
            cls = type(self)
            if name not in cls._fields:
                raise AttributeError(f"`{cls.__name__}` has no attribute `{name}`")
            value = self._values.get(name)
            if value is None:
                return copy.copy(cls._absent.get(name))
            reader = cls._readers.get(name)
            return copy.deepcopy(value) if reader is None else reader(value)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a `{type(self).__name__}` is frozen")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a `{type(self).__name__}` is frozen")

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._fields]

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return bool(self._values == other._values)

    def __hash__(self) -> int:
        return hash((type(self), self.to_json()))

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self._values,))

    def _summary(self) -> list[tuple[str, str]]:
        return [(name, str(self._values[name])) for name in self._shown if self._values.get(name) is not None]

    def __repr__(self) -> str:
        return f"<{' '.join([type(self).__name__, *(f'{name}={value}' for name, value in self._summary())])}>"

    def _repr_html_(self) -> str:
        import html  # only notebooks want it, and it takes longer to import than all of rollkeeper

        rows = (f"<tr><th>{html.escape(n)}</th><td>{html.escape(v)}</td></tr>" for n, v in self._summary())
        return f"<table><caption>{html.escape(type(self).__name__)}</caption>{''.join(rows)}</table>"


def _time(text: str) -> datetime:
    return _native.parse_time(text)


def _tuple_of(item: Callable[[Any], Any]) -> Callable[[list[Any]], tuple[Any, ...]]:
    return lambda values: tuple(map(item, values))


class Fault(Record):
    """One thing that is wrong."""

    __slots__ = ()
    _shown = ("code", "attribute", "message")

    code: str
    message: str
    attribute: Optional[str]
    position: Optional[int]


class UserFault(Record):
    """A record of a list that was not stored, with its place in the list."""

    __slots__ = ()
    _shown = ("index", "id", "code", "attribute", "message")

    index: int
    id: Optional[str]
    code: str
    message: str
    attribute: Optional[str]
    position: Optional[int]


class Hold(Record):
    """What a person holds: nothing of what it names is sent until it is resumed."""

    __slots__ = ()
    _shown = ("app", "user", "request", "by", "reason")
    _readers = {"held_at": _time}

    app: Optional[str]
    user: Optional[str]
    request: Optional[str]
    by: str
    reason: str
    held_at: datetime


class Request(Record):
    """One provisioning action for one user and app."""

    __slots__ = ()
    _shown = ("id", "app", "user", "operation", "state", "waiting_for")
    _readers = {
        "created_at": _time,
        "not_before": _time,
        "due_at": _time,
        "finished_at": _time,
        "faults": _tuple_of(Fault),
    }
    _absent = {"faults": ()}

    id: str
    app: str
    user: Optional[str]
    operation: str
    state: str
    approval: str
    waiting_for: Optional[str]
    why: str
    by: Optional[str]
    created_at: datetime
    not_before: Optional[datetime]
    due_at: Optional[datetime]
    finished_at: Optional[datetime]
    attempts: int
    retry_count: int
    parent_id: Optional[str]
    external_id: Optional[str]
    verified: Optional[bool]
    faults: tuple[Fault, ...]


class Attempt(Record):
    """One try at a request."""

    __slots__ = ()
    _shown = ("number", "outcome", "code")
    _readers = {"started_at": _time, "ended_at": _time}

    number: int
    started_at: datetime
    ended_at: Optional[datetime]
    outcome: Optional[str]
    code: Optional[str]
    message: Optional[str]


class RequestDetail(Request):
    """A request with its attempts and what its last attempt sent."""

    __slots__ = ()
    _readers = {**Request._readers, "history": _tuple_of(Attempt)}
    _absent = {**Request._absent, "history": ()}

    history: tuple[Attempt, ...]
    payload: Optional[dict[str, Any]]


class Account(Record):
    """A user account in a target, as last seen, with its link."""

    __slots__ = ()
    _shown = ("app", "external_id", "user", "status", "link_state")
    _readers = {"created_at": _time, "updated_at": _time, "deleted_at": _time}
    _absent = {"attributes": {}}

    app: str
    external_id: str
    username: Optional[str]
    user: Optional[str]
    status: str
    frozen: bool
    link_state: str
    known_link: bool
    created_at: datetime
    updated_at: datetime
    deleted_at: Optional[datetime]
    attributes: dict[str, Any]
    version: Optional[str]


class LogEntry(Record):
    """One entry of the log: names and outcomes, never attribute values."""

    __slots__ = ()
    _shown = ("sequence", "at", "kind", "app", "user", "request")
    _readers = {"at": _time}

    sequence: int
    at: datetime
    kind: str
    app: Optional[str]
    user: Optional[str]
    request: Optional[str]
    by: Optional[str]
    details: Any
    hash: str


class LogVerdict(Record):
    """Whether the log's chain holds. Keep ``head`` elsewhere: without it, entries cut off the end cannot be missed."""

    __slots__ = ()
    _shown = ("whole", "entries", "head", "broken_at")

    whole: bool
    entries: int
    head: str
    broken_at: Optional[int]


class PutSnapshot(Record):
    """What followed for the users who are not in a list of all users."""

    __slots__ = ()
    _shown = ("verdict", "leavers", "noted", "held", "reconciliation")
    _readers = {"why": tuple, "memberships": tuple}
    _absent = {"memberships": ()}

    verdict: str
    why: tuple[str, ...]
    leavers: int
    noted: int
    held: int
    reconciliation: Optional[str]
    memberships: tuple[str, ...]


class PutUsers(Record):
    """What came of a list of users. ``snapshot`` is there where the list was said to be of all users."""

    __slots__ = ()
    _shown = ("stored", "unchanged", "requests")
    _readers = {"faults": _tuple_of(UserFault), "snapshot": PutSnapshot}
    _absent = {"faults": ()}

    stored: int
    unchanged: int
    requests: int
    faults: tuple[UserFault, ...]
    snapshot: Optional[PutSnapshot]


class PreviewOperation(Record):
    """One operation that would be sent."""

    __slots__ = ()
    _shown = ("operation", "why")

    operation: str
    why: str
    payload: Any


class WithheldOperation(Record):
    """An operation that was decided and is held back."""

    __slots__ = ()
    _shown = ("operation", "withheld")

    operation: str
    why: str
    withheld: str


class TargetRequest(Record):
    """What would reach a target: an HTTP request, or else the call of a connector with its arguments."""

    __slots__ = ()
    _shown = ("method", "path", "call")

    method: Optional[str]
    path: Optional[str]
    body: Any
    call: Optional[str]
    arguments: Optional[dict[str, Any]]


class PreviewCreate(Record):
    """What a Create would send, whether or not one is due."""

    __slots__ = ()
    _readers = {"requests": _tuple_of(TargetRequest), "faults": _tuple_of(Fault)}

    attributes: dict[str, Any]
    requests: tuple[TargetRequest, ...]
    faults: tuple[Fault, ...]


class Membership(Record):
    """A membership of a group: what we did about it at the target, and whether it is wanted.

    ``state`` is ``Adding``, ``Held``, ``Removing``, ``Refused``, or ``None`` where nothing was done yet.
    """

    __slots__ = ()
    _shown = ("group", "state", "wanted")
    _readers = {"why": tuple, "since": _time}
    _absent = {"why": ()}

    group: Optional[str]
    reference: dict[str, str]
    state: Optional[str]
    wanted: bool
    why: tuple[str, ...]
    since: Optional[datetime]
    request: Optional[str]


class PreviewUpdate(Record):
    """What an Update would send, whether or not one is due."""

    __slots__ = ()
    _readers = {"requests": _tuple_of(TargetRequest), "faults": _tuple_of(Fault)}

    changes: list[dict[str, Any]]
    requests: tuple[TargetRequest, ...]
    faults: tuple[Fault, ...]


class Preview(Record):
    """What would be sent for a user, and how each value came about. Nothing is sent."""

    __slots__ = ()
    _shown = ("app", "user")
    _readers = {
        "operations": _tuple_of(PreviewOperation),
        "faults": _tuple_of(Fault),
        "withheld": _tuple_of(WithheldOperation),
        "create": PreviewCreate,
        "update": PreviewUpdate,
        "memberships": _tuple_of(Membership),
    }
    _absent = {"operations": (), "faults": (), "attributes": {}, "memberships": ()}

    app: str
    user: str
    operations: tuple[PreviewOperation, ...]
    attributes: dict[str, Any]
    rules: Any
    faults: tuple[Fault, ...]
    withheld: tuple[WithheldOperation, ...]
    create: PreviewCreate
    update: PreviewUpdate
    memberships: tuple[Membership, ...]


class ExplanationStep(Record):
    """One step from the user's record to the account. ``found`` names things and never holds an attribute's value."""

    __slots__ = ()
    _shown = ("step", "result", "text")

    step: str
    result: str
    text: str
    found: dict[str, Any]


class Explanation(Record):
    """Why a user has what they have in an app."""

    __slots__ = ()
    _shown = ("app", "user", "wanted", "summary")
    _readers = {
        "because": tuple,
        "steps": _tuple_of(ExplanationStep),
        "account": Account,
        "requests": _tuple_of(Request),
        "not_kept": tuple,
        "memberships": _tuple_of(Membership),
    }
    _absent = {"because": (), "requests": (), "not_kept": (), "memberships": (), "learnt": {}, "learnt_by": {}}

    app: str
    user: str
    summary: str
    wanted: str
    because: tuple[str, ...]
    steps: tuple[ExplanationStep, ...]
    account: Optional[Account]
    matched: Optional[dict[str, Any]]
    requests: tuple[Request, ...]
    not_kept: tuple[str, ...]
    memberships: tuple[Membership, ...]
    learnt: dict[str, Any]
    learnt_by: dict[str, str]


class Tile(Record):
    """A tile of a user's launcher."""

    __slots__ = ()
    _shown = ("app", "label", "state")

    app: str
    label: str
    url: str
    icon: Optional[str]
    state: str


class Progress(Record):
    """How a run goes or went.

    ``due`` and ``next_due`` are counted when the run ends, and for ``progress`` once a second; ``due`` no further than
    10,000. ``open`` is counted when the run ends, and 0 until then.
    """

    __slots__ = ()
    _shown = ("done", "completed", "failed", "open", "due", "stopped")
    _readers = {"next_due": _time}

    done: int
    completed: int
    failed: int
    open: int
    due: int
    next_due: Optional[datetime]
    stopped: bool


class Metrics(Record):
    """How an engine's work stands."""

    __slots__ = ()
    _shown = ("at", "logged")
    _readers = {"at": _time}

    at: datetime
    logged: int
    apps: dict[str, dict[str, Any]]
    """For each app: ``open`` by what requests wait for, ``due``, ``next_due``, ``sending``, ``removals`` of access that are
    not confirmed and the ``oldest_removal``, ``paused_until``, ``token_issued_at``, ``credentials_expire_at``, ``attempts`` by outcome, ``ended`` by how."""


class Alert(Record):
    """One thing that needs a person."""

    __slots__ = ()
    _shown = ("kind", "app", "user", "request")
    _readers = {"at": _time}

    kind: str
    sequence: int
    at: datetime
    app: Optional[str]
    user: Optional[str]
    request: Optional[str]
    code: Optional[str]
    advice: str


class Step(Record):
    """What one step did."""

    __slots__ = ()
    _shown = ("worked", "next_due")
    _readers = {"next_due": _time}

    worked: bool
    next_due: Optional[datetime]


class Check(Record):
    """One check of the conformance suite. A check that was skipped counts as passed."""

    __slots__ = ()
    _shown = ("name", "passed", "skipped", "message")

    name: str
    passed: bool
    skipped: bool
    message: str


class CheckReport(Record):
    """What the conformance suite found out about a connector."""

    __slots__ = ()
    _readers = {"checks": _tuple_of(Check)}
    _absent = {"checks": ()}

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return not self.failures

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if not check.passed)

    def _summary(self) -> list[tuple[str, str]]:
        return [("passed", str(self.passed)), *((check.name, check.message) for check in self.failures)]
