"""What reconciliation finds, plans and does, as records."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Optional

from .records import Fault, Record, _time, _tuple_of

__all__ = ["BrakeReason", "Drift", "Finding", "MatchCandidate", "PlanItem", "Reconciliation"]


class Drift(Record):
    """One attribute three ways: as last applied, as wanted, and as it is. Values of sensitive attributes are left out.

    ``attribute`` is the path at the target; ``active`` stands for whether the account can be used. ``verdict`` says whose
    doing it is: ``in_step``, ``ours``, ``theirs`` or ``both``.
    """

    __slots__ = ()
    _shown = ("attribute", "verdict")

    attribute: str
    last: Any
    wanted: Any
    actual: Any
    verdict: str


class MatchCandidate(Record):
    """A user or an account that comes into question."""

    __slots__ = ()
    _shown = ("user", "account", "confidence")

    user: Optional[str]
    account: Optional[str]
    confidence: float


class Finding(Record):
    """What was found of one account, or of one user without an account.

    ``rule`` is the matching rule that decided, counted from 0, and ``None`` where a link did.
    """

    __slots__ = ()
    _shown: tuple[str, ...] = ("situation", "user", "account")
    _readers = {"candidates": _tuple_of(MatchCandidate), "drift": _tuple_of(Drift), "faults": _tuple_of(Fault)}
    _absent = {"candidates": (), "drift": (), "faults": ()}

    situation: str
    user: Optional[str]
    account: Optional[str]
    rule: Optional[int]
    candidates: tuple[MatchCandidate, ...]
    drift: tuple[Drift, ...]
    faults: tuple[Fault, ...]


class PlanItem(Finding):
    """One thing that a plan would do, or only says: a finding, and what is done about it.

    ``state`` is ``planned``, ``review``, ``held``, ``done``, ``refused``, ``reported`` or ``expired``. ``changes`` is what
    is sent, ``before`` the values that it overwrites, and ``request`` the id of the request that was made. ``group`` is the
    id of the group where it is about a membership of the account.
    """

    __slots__ = ()
    _shown = ("number", *Finding._shown, "reaction", "state")
    _readers = {**Finding._readers, "changes": tuple, "why": tuple, "fault": Fault}
    _absent = {**Finding._absent, "changes": (), "before": {}, "why": ()}

    number: int
    group: Optional[str]
    reaction: str
    state: str
    destructive: bool
    explicit: bool
    changes: tuple[dict[str, Any], ...]
    before: dict[str, Any]
    why: tuple[str, ...]
    request: Optional[str]
    fault: Optional[Fault]
    by: Optional[str]


class GroupSize(Record):
    """A group of the target, as it was compared: how many members it has, how many it lacks and has too many.

    ``members`` is ``None`` where the target does not show them.
    """

    __slots__ = ()
    _shown = ("group", "display_name", "members", "lacks", "surplus")

    group: str
    display_name: Optional[str]
    members: Optional[int]
    lacks: int
    surplus: int


class BrakeReason(Record):
    """A reason why the brake holds what a plan would take away: ``count`` of ``of``, with those of the last 24 hours."""

    __slots__ = ()
    _shown = ("name", "message", "count", "of")

    name: str
    message: str
    count: int
    of: int


class Reconciliation(Record):
    """What came of comparing a target, a whole list of users, or what was done before, with what is wanted.

    ``verdict`` says whether what was read may be concluded from (``complete``, ``incomplete``, ``suspect``) and
    ``verdict_why`` why. ``counts`` has the number of findings by situation, ``items`` that of the plan's items by state,
    ``groups`` the groups that were compared.
    ``digest`` names the plan, for :meth:`rollkeeper.Engine.commit`. ``brake`` says why something is held.
    """

    __slots__ = ()
    _shown = ("id", "kind", "app", "state", "waiting_for", "verdict")
    _readers = {
        "created_at": _time,
        "finished_at": _time,
        "verdict_why": tuple,
        "groups": _tuple_of(GroupSize),
        "brake": _tuple_of(BrakeReason),
        "notes": tuple,
        "faults": _tuple_of(Fault),
    }
    _absent = {"verdict_why": (), "groups": (), "brake": (), "notes": (), "faults": (), "counts": {}, "items": {}}

    id: str
    kind: str
    app: Optional[str]
    state: str
    waiting_for: Optional[str]
    approval: str
    by: Optional[str]
    created_at: datetime
    finished_at: Optional[datetime]
    pages: int
    collected: int
    verdict: Optional[str]
    verdict_why: tuple[str, ...]
    counts: dict[str, int]
    groups: tuple[GroupSize, ...]
    items: dict[str, int]
    digest: Optional[str]
    brake: tuple[BrakeReason, ...]
    notes: tuple[str, ...]
    faults: tuple[Fault, ...]

    def _summary(self) -> list[tuple[str, str]]:
        told = {name: number for name, number in self._values.get("counts", {}).items() if number}
        return [*super()._summary(), *((name, str(told[name])) for name in sorted(told))]
