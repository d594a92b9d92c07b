"""The extension module. Private to the package: use `rollkeeper.Engine` and the functions of `rollkeeper`."""

import os
from collections.abc import Callable, Iterable
from collections.abc import Mapping as _Mapping
from datetime import datetime, timedelta
from typing import Any, final, overload

__all__ = [
    "Analysis",
    "Engine",
    "Impact",
    "Mapping",
    "MockTarget",
    "VirtualClock",
    "_shutdown",
    "analyze",
    "can_change",
    "canonical",
    "check_connector",
    "check_expression",
    "codes",
    "evaluate",
    "match_accounts",
    "next_state",
    "parse_time",
    "render",
]

_Object = dict[str, Any]
_Document = _Mapping[str, Any] | str | bytes
_Path = str | os.PathLike[str]

_Rows = Iterable[_Mapping[str, Any] | bytes] | str | bytes | os.PathLike[str]

@final
class Analysis:
    """The findings of an analysis."""

    def totals(self) -> _Object:
        """The totals."""

    def page(self, size: int) -> list[_Object]:
        """At most so many findings, as a list; an empty one after the last."""

@final
class Engine:
    """The engine."""

    @staticmethod
    def open(
        path: _Path | None,
        key: bytes | None,
        secrets: Callable[[str], str | None] | _Mapping[str, str] | None,
        clock: VirtualClock | Callable[[], datetime] | None,
        seed: int | None,
        log: Callable[[_Object], object] | None,
        log_switch: Callable[[], bool] | None,
        alerts: Callable[[_Object], object] | None,
        transport: Callable[..., tuple[int, list[tuple[str, str]], bytes]] | None,
        read_only: bool,
        look_up: bool,
    ) -> Engine: ...
    def close(self) -> None: ...
    @property
    def closed(self) -> bool: ...
    def backup(self, path: _Path) -> None: ...
    def put_app(self, app: _Document, by: str | None) -> list[_Object]: ...
    def app(self, id: str) -> _Object: ...
    def apps(self) -> list[_Object]: ...
    def delete_app(self, id: str, by: str | None) -> list[_Object]: ...
    def validate_app(self, app: _Document) -> _Object: ...
    def discover(self, app: str) -> _Object: ...
    def probe(self, app: str, sandbox: bool, by: str | None) -> _Object: ...
    def suggest_mapping(self, app: str) -> _Object: ...
    def export_app(self, id: str) -> str: ...
    def import_app(self, app: _Document, by: str | None) -> list[_Object]: ...
    def put_user(self, user: _Document, by: str | None) -> list[_Object]: ...
    def put_users(
        self, users: Iterable[_Mapping[str, Any] | bytes] | str | bytes, snapshot: bool, by: str | None
    ) -> _Object: ...
    def delete_user(self, id: str, by: str | None) -> list[_Object]: ...
    def user(self, id: str) -> _Object: ...
    def users(self, limit: int | None, after: str | None) -> list[_Object]: ...
    def run(
        self,
        workers: int,
        timeout: timedelta | float | str | None,
        progress: Callable[[_Object], bool | None] | None,
    ) -> _Object: ...
    def step(self) -> _Object: ...
    def metrics(self) -> _Object: ...
    def open_metrics(self) -> str: ...
    def cancel_run(self) -> None: ...
    def requests(
        self,
        app: str | None,
        user: str | None,
        state: str | None,
        operation: str | None,
        waiting_for: str | None,
        limit: int | None,
        after: str | None,
    ) -> list[_Object]: ...
    def request(self, id: str) -> _Object: ...
    def submit(
        self, app: str, user: str, operation: str, by: str | None, not_before: datetime | str | None
    ) -> _Object: ...
    def cancel(self, id: str, by: str | None) -> _Object: ...
    def approve(self, id: str, by: str, comment: str | None) -> _Object: ...
    def deny(self, id: str, by: str, comment: str | None) -> _Object: ...
    def retry(self, id: str, by: str) -> _Object: ...
    def complete_manually(self, id: str, by: str, note: str, external_id: str | None) -> _Object: ...
    def hold(
        self, by: str, reason: str, app: str | None, user: str | None, request: str | None
    ) -> _Object: ...
    def resume(self, by: str, app: str | None, user: str | None, request: str | None) -> _Object | None: ...
    def holds(self) -> list[_Object]: ...
    def set_secret(self, app: str, name: str, value: str | None, by: str | None) -> None: ...
    def credentials(self, app: str) -> _Object: ...
    def rotate_key(self, old: bytes | None, new: bytes, by: str | None) -> None: ...
    def set_maintenance(self, app: str, on: bool, by: str) -> None: ...
    def accounts(
        self,
        app: str | None,
        user: str | None,
        status: str | None,
        link_state: str | None,
        limit: int | None,
        after: tuple[str, str] | None,
    ) -> list[_Object]: ...
    def preview(self, app: str | _Mapping[str, Any] | bytes, user: str | _Mapping[str, Any] | bytes) -> _Object: ...
    def impact(self, app: _Document, values: bool) -> Impact: ...
    def reconcile(
        self, app: str, by: str | None, progress: Callable[[_Object], bool | None] | None
    ) -> _Object: ...
    def stage_accounts(
        self,
        app: str,
        accounts: Iterable[_Mapping[str, Any] | bytes] | str | bytes,
        complete: bool,
        by: str | None,
    ) -> _Object: ...
    def reconciliation(self, id: str) -> _Object: ...
    def reconciliations(
        self, app: str | None, kind: str | None, state: str | None, limit: int | None, after: str | None
    ) -> list[_Object]: ...
    def plan(
        self,
        id: str,
        situation: str | None,
        reaction: str | None,
        state: str | None,
        user: str | None,
        limit: int | None,
        after: int | None,
    ) -> list[_Object]: ...
    def commit(self, id: str, digest: str, by: str) -> _Object: ...
    def release(self, id: str, digest: str, by: str) -> _Object: ...
    def review(self, id: str, item: int, reaction: str, user: str | None, by: str) -> _Object: ...
    def undo(self, id: str, by: str) -> _Object: ...
    def explain(self, app: str, user: str) -> _Object: ...
    def log(
        self, app: str | None, user: str | None, request: str | None, limit: int | None, after: int | None
    ) -> list[_Object]: ...
    def verify_log(self) -> _Object: ...
    def launcher(self, user: str) -> list[_Object]: ...
    def register_connector(self, name: str, connector: object) -> None: ...
    def test_app(self, id: str) -> tuple[_Object, BaseException | None]: ...
    def mock_target(self, app: str) -> MockTarget: ...

@final
class Impact:
    """The impact of a definition."""

    def page(self) -> list[_Object] | None:
        """The users of the next page for whom something would change; None after the last."""

    def summary(self) -> _Object:
        """The totals so far."""

@final
class MockTarget:
    """A target in memory whose faults are scripted. It can be registered as a connector."""

    def __new__(cls, options: _Document | None = None) -> MockTarget: ...
    def script(self, faults: Iterable[_Mapping[str, Any]] | str | bytes) -> None:
        """Adds faults for the calls to come."""

    def set_schema(self, attributes: Iterable[_Mapping[str, Any]] | str | bytes) -> None:
        """Tells the target which attributes it has from now on."""

    @property
    def calls(self) -> list[_Object]:
        """Every call so far, in order."""

    def clear_calls(self) -> None:
        """Forgets the calls so far."""

    @property
    def accounts(self) -> list[_Object]:
        """Every account as it really is, in order of creation."""

    def put_account(self, account: _Mapping[str, Any]) -> None:
        """Puts an account as it is, without a call: a change behind the engine's back."""

    def remove_account(self, external_id: str) -> bool:
        """Takes an account away without a call. Gives whether there was one."""

    def set_reachable(self, reachable: bool) -> None:
        """Switches the target off (every call fails as `unreachable`) and on again."""

    def members(self, group: str) -> list[str]:
        """The members of a group, sorted."""

@final
class VirtualClock:
    """A clock that moves only when told to."""

    def __new__(cls, start: datetime | str) -> VirtualClock: ...
    def advance(self, period: timedelta | float | str) -> None:
        """Moves the clock forward."""

    def set(self, time: datetime | str) -> None:
        """Sets the clock, backwards too."""

    def now(self) -> datetime:
        """The time that the clock shows."""

@final
class Mapping:
    """A mapping that was compiled once, to be rendered for many users who get a new account.

    ``rules`` is a list of rules as an app has it. Raises :class:`rollkeeper.ConfigurationError`, with every fault in
    ``details``. It may be used from several threads at once.
    """

    def __new__(cls, rules: Iterable[_Mapping[str, Any]] | str | bytes) -> Mapping: ...
    @overload
    def render(self, user: str | bytes, *, now: datetime | str | None = None) -> bytes:
        """The attributes of a new account for a user, as :func:`rollkeeper.render` gives them, and much faster.

        JSON text gives JSON as bytes with sorted keys and without white space; a dict gives a dict. Raises
        :class:`rollkeeper.ConfigurationError` or :class:`rollkeeper.CallerError`, with every fault in ``details``.
        """

    @overload
    def render(self, user: _Mapping[str, Any], *, now: datetime | str | None = None) -> _Object: ...
    def render_lines(self, users: str | bytes, *, now: datetime | str | None = None) -> bytes:
        """Renders many users, one a line, and gives one line for each, in their order.

        A line is ``{"attributes": …}``, or ``{"faults": […]}`` with the faults of that user alone. A line break at the
        very end begins no further line; a line without a user is one with a fault. The interpreter lock is released.
        """

def analyze(
    users: _Rows, accounts: _Rows, links: _Rows | None, options: _Document
) -> Analysis: ...
def check_connector(connector: object, options: _Mapping[str, Any]) -> _Object: ...
def check_expression(expression: str, tables: _Document | None) -> _Object: ...
def evaluate(
    expression: str, user: _Document, options: _Mapping[str, Any], now: datetime | str | None
) -> Any: ...
def render(
    mapping: Iterable[_Mapping[str, Any]] | str | bytes,
    user: _Document,
    current: _Document | None,
    last: _Document | None,
    now: datetime | str | None,
) -> _Object: ...
def match_accounts(
    matching: Iterable[_Mapping[str, Any]] | _Document,
    user: _Document,
    accounts: Iterable[_Mapping[str, Any]] | str | bytes,
) -> _Object: ...
def can_change(from_: str, to: str) -> bool: ...
def next_state(state: str, event: str) -> str: ...
def canonical(document: object) -> str: ...
def parse_time(text: str) -> datetime: ...
def codes() -> list[tuple[int, str, str, str]]: ...
def _shutdown() -> None: ...
