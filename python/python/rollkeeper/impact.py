"""What a new definition would change, user by user."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from typing import Any, Callable, Optional

from . import _native
from .reconciliation import BrakeReason
from .records import Fault, Membership, Record, WithheldOperation, _time, _tuple_of

__all__ = ["Impact", "ImpactAttribute", "ImpactHeld", "ImpactOperation", "ImpactSummary", "UserImpact"]


class ImpactOperation(Record):
    """One request that would be made."""

    __slots__ = ()
    _shown = ("operation", "why")
    _readers = {"not_before": _time}

    operation: str
    why: str
    not_before: Optional[datetime]


class ImpactAttribute(Record):
    """An attribute of which another value would be wanted; the values only where they are told."""

    __slots__ = ()
    _shown = ("path", "sensitive")
    _absent = {"sensitive": False}

    path: str
    sensitive: bool
    before: Any
    after: Any


class UserImpact(Record):
    """What a new definition would mean for one user."""

    __slots__ = ()
    _shown = ("user",)
    _readers = {
        "operations": _tuple_of(ImpactOperation),
        "withheld": _tuple_of(WithheldOperation),
        "cancelled": tuple,
        "attributes": _tuple_of(ImpactAttribute),
        "memberships": _tuple_of(Membership),
        "faults": _tuple_of(Fault),
    }
    _absent = {"memberships": ()}

    user: str
    operations: tuple[ImpactOperation, ...]
    withheld: tuple[WithheldOperation, ...]
    cancelled: tuple[str, ...]
    attributes: tuple[ImpactAttribute, ...]
    memberships: tuple[Membership, ...]
    faults: tuple[Fault, ...]


class ImpactHeld(Record):
    """What the brake would hold until a second person agrees: how many ``accounts`` would not be disabled or deleted until
    then, how many ``memberships`` not be taken away, and why."""

    __slots__ = ()
    _shown = ("accounts", "memberships")
    _readers = {"brake": _tuple_of(BrakeReason)}

    accounts: int
    memberships: int
    brake: tuple[BrakeReason, ...]


class ImpactSummary(Record):
    """The totals of an impact: of what was looked at so far, and of everything once ``finished``. What would be ``held`` is
    among the requests that would be made, and told at the end."""

    __slots__ = ()
    _shown = ("app", "users", "total", "affected", "destructive", "share", "finished")
    _readers = {"held": ImpactHeld}

    app: str
    changed: bool
    total: int
    users: int
    affected: int
    accounts: int
    operations: dict[str, int]
    withheld: dict[str, int]
    cancelled: dict[str, int]
    attributes: dict[str, int]
    faults: dict[str, int]
    destructive: int
    share: float
    held: ImpactHeld
    finished: bool


class Impact:
    """An iterator over the users for whom something would change. They are read in pages while it is gone through, so that
    any number of users takes the memory of one page, and Ctrl-C is noticed.

    :meth:`rollkeeper.Engine.impact` makes it.
    """

    __slots__ = ("_ended", "_native", "_page", "_progress")

    def __init__(self, native: _native.Impact, progress: Optional[Callable[[int, int], Optional[bool]]]) -> None:
        """For the use of :meth:`rollkeeper.Engine.impact`."""
        self._native = native
        self._progress = progress
        self._page: deque[dict[str, Any]] = deque()
        self._ended = False

    def __iter__(self) -> Impact:
        return self

    def __next__(self) -> UserImpact:
        while not self._page:
            self._read()
        return UserImpact(self._page.popleft())

    def _read(self) -> None:
        page = None if self._ended else self._native.page()
        if page is None:
            self._ended = True
            raise StopIteration
        self._page.extend(page)
        if self._progress is not None:
            so_far = self.summary
            self._ended = self._progress(so_far.users, so_far.total) is False

    @property
    def summary(self) -> ImpactSummary:
        """The totals so far."""
        return ImpactSummary(self._native.summary())

    def __repr__(self) -> str:
        return f"<Impact {self.summary!r}>"
