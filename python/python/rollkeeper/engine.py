"""The engine's class."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Callable, Optional, TypeVar, Union

from . import _logging, _native, transport as _transport
from .connector import Connector
from .definitions import AppTest, Credentials, Discovery, MappingSuggestion, ProbeReport, Validation
from .impact import Impact
from .reconciliation import PlanItem, Reconciliation
from .records import (
    Account,
    Alert,
    Explanation,
    Hold,
    LogEntry,
    LogVerdict,
    Metrics,
    Preview,
    Progress,
    PutUsers,
    Record,
    Request,
    RequestDetail,
    Step,
    Tile,
)

__all__ = ["Engine"]

Document = Union[Mapping[str, Any], str, bytes]
"""A dict, or JSON text."""
Path = Union[str, "os.PathLike[str]"]
Time = Union[datetime, str]
Duration = Union[timedelta, float]
Secrets = Union[Callable[[str], Optional[str]], Mapping[str, str]]
Clock = Union[_native.VirtualClock, Callable[[], datetime]]

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")
_PAGE = 1000


class Engine:
    """The engine. It may be used from any thread; all work releases the interpreter lock.

    >>> with Engine.open() as engine:
    ...     engine.closed
    False
    >>> engine.closed
    True

    ``by``, where a verb takes it, is who asks for it, as your program asserts; the log says so. Every verb raises
    :class:`rollkeeper.Error`; a document that JSON cannot hold is a ``TypeError`` or ``ValueError``.
    """

    __slots__ = ("_native",)

    def __init__(self, native: _native.Engine) -> None:
        """For the use of :meth:`open`."""
        self._native = native

    @classmethod
    def open(
        cls,
        path: Optional[Path] = None,
        *,
        key: Optional[bytes] = None,
        secrets: Optional[Secrets] = None,
        clock: Optional[Clock] = None,
        seed: Optional[int] = None,
        log: Optional[Callable[[LogEntry], object]] = None,
        alerts: Optional[Callable[[Alert], object]] = None,
        transport: Optional[_transport.Transport] = None,
        read_only: bool = False,
        look_up: bool = True,
    ) -> Engine:
        """Opens an engine on a database file, in memory where there is no ``path``.

        ``key``: 32 bytes that seal the keys per user; the same at every opening. ``secrets``: gives the secret of a
        name, a function or a mapping. ``clock``: gives the time, for tests. ``seed``: makes ids, keys and jitter
        reproducible, for tests. ``log``: is told every log entry once it is durable; without it they go to the logger
        ``rollkeeper``. ``alerts``: is told what needs a person, once it is durable. ``transport``: an HTTP client of your own,
        :class:`rollkeeper.HttpRequest` → :class:`rollkeeper.HttpResponse`. ``read_only``: every verb that would change
        something fails. ``look_up``: only for showing that duplicates appear without it.
        """
        tell = _logging.forward if log is None else _telling(log, LogEntry)
        switch = _logging.is_wanted if log is None else None
        place = None if path is None else os.fspath(path)
        warn = None if alerts is None else _telling(alerts, Alert)
        send = None if transport is None else _transport._sending(transport)
        native = _native.Engine.open(place, key, secrets, clock, seed, tell, switch, warn, send, read_only, look_up)
        return cls(native)

    def close(self) -> None:
        """Cancels a run, waits for the calls under way and closes the file. Closing twice does nothing."""
        self._native.close()

    @property
    def closed(self) -> bool:
        """Whether the engine was closed."""
        return self._native.closed

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        exception: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Engine {'closed' if self.closed else 'open'}>"

    def backup(self, path: Path) -> None:
        """Writes a consistent copy of the database to ``path``, which must not exist."""
        self._native.backup(os.fspath(path))

    # Apps

    def put_app(self, app: Document, *, by: Optional[str] = None) -> list[Request]:
        """Stores an app's definition and gives the requests that the change asks for.

        Where it would take so many accounts or memberships away that it looks like a mistake, none of that is requested: it
        waits in a reconciliation of the kind ``source`` until a second person agrees with :meth:`release`. :meth:`impact`
        tells beforehand.
        """
        return _requests(self._native.put_app(app, by))

    def app(self, id: str) -> dict[str, Any]:
        """The app's definition."""
        return self._native.app(id)

    def apps(self) -> Iterator[dict[str, Any]]:
        """Every app's definition, by id."""
        return iter(self._native.apps())

    def delete_app(self, id: str, *, by: Optional[str] = None) -> list[Request]:
        """Forgets an app; accounts stay. Gives the open requests that were cancelled."""
        return _requests(self._native.delete_app(id, by))

    def validate_app(self, app: Document) -> Validation:
        """Everything that is wrong with a definition, and what has to hold before it is enabled. Nothing is stored.

        ``warnings`` of the answer are allowed and yet hardly meant.
        """
        return Validation(self._native.validate_app(app))

    def discover(self, app: str) -> Discovery:
        """Asks an app's target what attributes it has and what it can do. Mappings are checked against it from then on.

        What a target leaves out or gets wrong is named in ``findings`` of the answer, and what of the app's definition
        does not fit it any more in ``broken``.
        """
        return Discovery(self._native.discover(app))

    def probe(self, app: str, *, sandbox: bool = False, by: Optional[str] = None) -> ProbeReport:
        """Finds out how an app's SCIM target takes what it is sent, by trying it.

        An account or two and a group are made there, changed and taken away again; nothing else is touched. ``sandbox``
        has to say that this may be done. What follows (``features``) is used from then on where the definition does not
        say otherwise; ``left`` names what could not be taken away again. It may take some minutes.
        """
        return ProbeReport(self._native.probe(app, sandbox, by))

    def suggest_mapping(self, app: str) -> MappingSuggestion:
        """Proposes mapping and matching rules, from the attributes of the users in the store and those of the target."""
        return MappingSuggestion(self._native.suggest_mapping(app))

    def export_app(self, id: str) -> str:
        """The app's definition as canonical JSON."""
        return self._native.export_app(id)

    def import_app(self, app: Document, *, by: Optional[str] = None) -> list[Request]:
        """Stores a definition that was exported."""
        return _requests(self._native.import_app(app, by))

    def test_app(self, id: str) -> AppTest:
        """Asks the target of an app whether all is well. ``exception`` of the answer is what a connector raised."""
        values, exception = self._native.test_app(id)
        return AppTest(values, exception)

    # Source

    def put_user(self, user: Document, *, by: Optional[str] = None) -> list[Request]:
        """Stores a user's record and gives the requests that the change asks for."""
        return _requests(self._native.put_user(user, by))

    def put_users(
        self,
        users: Union[Iterable[Union[Mapping[str, Any], bytes]], str, bytes, os.PathLike[str]],
        *,
        snapshot: bool = False,
        by: Optional[str] = None,
    ) -> PutUsers:
        """Stores each record on its own; ``faults`` of the answer are those that could not be stored.

        ``users`` is an iterable of dicts, JSON text (a list, or one object a line), or the path of such a file.
        With ``snapshot`` these are all users there are, and who is not among them has left: when a second list, at least
        ten minutes later, is without them too, and after a second person agreed where the list looks like a mistake.
        ``snapshot`` of the answer says so.
        """
        return PutUsers(self._native.put_users(_text_of(users), snapshot, by))

    def delete_user(self, id: str, *, by: Optional[str] = None) -> list[Request]:
        """The user has left the directory. Gives the requests that this asks for."""
        return _requests(self._native.delete_user(id, by))

    def user(self, id: str) -> dict[str, Any]:
        """The user's record as stored."""
        return self._native.user(id)

    def users(self, *, limit: Optional[int] = None, after: Optional[str] = None) -> Iterator[dict[str, Any]]:
        """Users' records by id, at most ``limit``, after the one of the id ``after``."""
        return _pages(lambda size, place: self._native.users(size, place), lambda user: user["id"], dict, limit, after)

    # Work

    def run(
        self,
        *,
        workers: int = 1,
        timeout: Optional[Duration] = None,
        progress: Optional[Callable[[Progress], Optional[bool]]] = None,
    ) -> Progress:
        """Does everything that is due, with up to ``workers`` calls to targets at the same time.

        With ``timeout`` it waits that long for work that becomes due later. ``progress`` is called after each
        transaction and cancels the run by giving ``False``. Ctrl-C cancels the run too: what was sent is settled, then
        ``KeyboardInterrupt`` is raised.
        """
        told = None if progress is None else _telling(progress, Progress)
        return Progress(self._native.run(workers, timeout, told))

    def step(self) -> Step:
        """Does one unit of work."""
        return Step(self._native.step())

    def metrics(self) -> Metrics:
        """How the work stands: what is open, due and under way for each app, which removals of access are not confirmed
        yet, and what was done since the opening."""
        return Metrics(self._native.metrics())

    def open_metrics(self) -> str:
        """The same in the OpenMetrics text form, for a scraper; its media type is
        ``application/openmetrics-text; version=1.0.0; charset=utf-8``."""
        return self._native.open_metrics()

    def cancel_run(self) -> None:
        """Ends a run after the calls under way. From any thread, callbacks too."""
        self._native.cancel_run()

    # Requests

    def requests(
        self,
        *,
        app: Optional[str] = None,
        user: Optional[str] = None,
        state: Optional[str] = None,
        operation: Optional[str] = None,
        waiting_for: Optional[str] = None,
        limit: Optional[int] = None,
        after: Optional[str] = None,
    ) -> Iterator[Request]:
        """Requests by id, which is by time of making."""

        def page(size: int, place: Optional[str]) -> list[dict[str, Any]]:
            return self._native.requests(app, user, state, operation, waiting_for, size, place)

        return _pages(page, lambda request: request["id"], Request, limit, after)

    def request(self, id: str) -> RequestDetail:
        """One request with its attempts."""
        return RequestDetail(self._native.request(id))

    def submit(
        self, app: str, user: str, operation: str, *, by: Optional[str] = None, not_before: Optional[Time] = None
    ) -> Request:
        """Asks for an operation by hand."""
        return Request(self._native.submit(app, user, operation, by, not_before))

    def cancel(self, id: str, *, by: Optional[str] = None) -> Request:
        """Cancels a request that has not been sent."""
        return Request(self._native.cancel(id, by))

    def approve(self, id: str, *, by: str, comment: Optional[str] = None) -> Request:
        """Agrees to a request."""
        return Request(self._native.approve(id, by, comment))

    def deny(self, id: str, *, by: str, comment: Optional[str] = None) -> Request:
        """Refuses a request."""
        return Request(self._native.deny(id, by, comment))

    def retry(self, id: str, *, by: str) -> Request:
        """Has a failed request tried again by a clone, which it gives."""
        return Request(self._native.retry(id, by))

    def complete_manually(self, id: str, *, by: str, note: str, external_id: Optional[str] = None) -> Request:
        """Says that a person did what a failed request was for."""
        return Request(self._native.complete_manually(id, by, note, external_id))

    # Holding back

    def hold(
        self,
        *,
        by: str,
        reason: str,
        app: Optional[str] = None,
        user: Optional[str] = None,
        request: Optional[str] = None,
    ) -> Hold:
        """Holds an app, a user, one user in one app, or one request.

        Nothing of it is sent until it is resumed, removals of access neither. What was held already stays as it was.
        """
        return Hold(self._native.hold(by, reason, app, user, request))

    def resume(
        self, *, by: str, app: Optional[str] = None, user: Optional[str] = None, request: Optional[str] = None
    ) -> Optional[Hold]:
        """Ends the hold of exactly that scope and gives it; ``None`` where that was not held."""
        ended = self._native.resume(by, app, user, request)
        return None if ended is None else Hold(ended)

    def holds(self) -> list[Hold]:
        """Everything that is held, the longest held first."""
        return [Hold(hold) for hold in self._native.holds()]

    def set_maintenance(self, app: str, on: bool, *, by: str) -> None:
        """Begins or ends the maintenance of an app's target. While it lasts nothing is sent, and requests wait."""
        self._native.set_maintenance(app, on, by)

    # Credentials

    def set_secret(self, app: str, name: str, value: Optional[str], *, by: Optional[str] = None) -> None:
        """Puts a secret of an app into the store, for ``{"sealed": name}`` in its definition; ``None`` erases it.

        It is sealed under the engine's ``key``; without one, ``key_required`` is raised. An app may be put after its
        secrets.
        """
        self._native.set_secret(app, name, value, by)

    def credentials(self, app: str) -> Credentials:
        """What is known of an app's credentials: kinds, places and times, never a secret. Nobody is asked."""
        return Credentials(self._native.credentials(app))

    def rotate_key(self, old: Optional[bytes], new: bytes, *, by: Optional[str] = None) -> None:
        """Gives the file another key: everything that the old one seals is sealed under the new one, in one transaction.

        ``None`` stands for a file without a key. Other processes that have the file open must open it anew; backups
        that were made before still need the old key.
        """
        self._native.rotate_key(old, new, by)

    # Reconciliation

    def reconcile(
        self,
        app: str,
        *,
        by: Optional[str] = None,
        progress: Optional[Callable[[Reconciliation], Optional[bool]]] = None,
    ) -> Reconciliation:
        """Reads the target of an app, compares it with the users, and makes a plan. Nothing is changed.

        It goes on with a reconciliation that was interrupted. Ctrl-C ends it after the page it is at. The answer has the
        counts by situation and the ``digest`` of the plan; :meth:`plan` gives its items.

        ``progress`` is called with the reconciliation as it is after each page and step; ``False`` stops it there, and the
        next call goes on. An exception stops it too, and comes out of this method.
        """
        told = None if progress is None else _telling(progress, Reconciliation)
        return Reconciliation(self._native.reconcile(app, by, told))

    def stage_accounts(
        self,
        app: str,
        accounts: Union[Iterable[Union[Mapping[str, Any], bytes]], str, bytes, os.PathLike[str]],
        *,
        complete: bool = True,
        by: Optional[str] = None,
    ) -> Reconciliation:
        """The same with accounts that your program collected, each as a :class:`Connector` gives it.

        ``accounts`` is an iterable of dicts, JSON text (a list, or one object a line), or the path of such a file.
        ``complete`` says whether these are all accounts of the target; otherwise nothing is concluded from absence.
        """
        return Reconciliation(self._native.stage_accounts(app, _text_of(accounts), complete, by))

    def reconciliation(self, id: str) -> Reconciliation:
        """One reconciliation."""
        return Reconciliation(self._native.reconciliation(id))

    def reconciliations(
        self,
        *,
        app: Optional[str] = None,
        kind: Optional[str] = None,
        state: Optional[str] = None,
        limit: Optional[int] = None,
        after: Optional[str] = None,
    ) -> Iterator[Reconciliation]:
        """Reconciliations by id, which is by time of making; ``kind`` is ``target``, ``source`` or ``undo``."""

        def page(size: int, place: Optional[str]) -> list[dict[str, Any]]:
            return self._native.reconciliations(app, kind, state, size, place)

        return _pages(page, lambda one: one["id"], Reconciliation, limit, after)

    def plan(
        self,
        id: str,
        *,
        situation: Optional[str] = None,
        reaction: Optional[str] = None,
        state: Optional[str] = None,
        user: Optional[str] = None,
        limit: Optional[int] = None,
        after: Optional[int] = None,
    ) -> Iterator[PlanItem]:
        """The items of a reconciliation's plan by their numbers, after the one of the number ``after``."""

        def page(size: int, place: Optional[int]) -> list[dict[str, Any]]:
            return self._native.plan(id, situation, reaction, state, user, size, place)

        return _pages(page, lambda item: item["number"], PlanItem, limit, after)

    def commit(self, id: str, digest: str, *, by: str) -> Reconciliation:
        """Carries out exactly the plan of that digest; what the brake holds waits for :meth:`release`.

        An item whose user, account or app changed since is refused and says so.
        """
        return Reconciliation(self._native.commit(id, digest, by))

    def release(self, id: str, digest: str, *, by: str) -> Reconciliation:
        """A second person agrees to what the brake holds of exactly that plan: it goes through once, within 24 hours.

        What a definition or a list would take away may be released at any time, until a newer one takes its place.
        """
        return Reconciliation(self._native.release(id, digest, by))

    def review(
        self, id: str, item: int, reaction: str, *, by: str, user: Optional[str] = None
    ) -> Reconciliation:
        """A person decides what is done about one item, where several users are possible with ``user``.

        The plan has another digest then.
        """
        return Reconciliation(self._native.review(id, item, reaction, user, by))

    def undo(self, id: str, *, by: str) -> Reconciliation:
        """Plans to put back what a reconciliation or a request changed, from the values that were stored before.

        The plan is committed, held and released as any other; ``notes`` of the answer say first what cannot be undone.
        """
        return Reconciliation(self._native.undo(id, by))

    # Accounts and reasons

    def accounts(
        self,
        *,
        app: Optional[str] = None,
        user: Optional[str] = None,
        status: Optional[str] = None,
        link_state: Optional[str] = None,
        limit: Optional[int] = None,
        after: Optional[tuple[str, str]] = None,
    ) -> Iterator[Account]:
        """Accounts by app and external id, after the one of the pair ``after``."""

        def page(size: int, place: Optional[tuple[str, str]]) -> list[dict[str, Any]]:
            return self._native.accounts(app, user, status, link_state, size, place)

        return _pages(page, lambda account: (account["app"], account["external_id"]), Account, limit, after)

    def preview(
        self, app: Union[str, Mapping[str, Any], bytes], user: Union[str, Mapping[str, Any], bytes]
    ) -> Preview:
        """What would be sent for a user, and how each value came about. Nothing is sent or stored.

        ``app`` and ``user`` are ids where they are text, and otherwise documents that need not be stored (a dict, or JSON
        in bytes): a definition can be tried before it is put.
        """
        return Preview(self._native.preview(app, user))

    def impact(
        self,
        app: Document,
        *,
        values: bool = False,
        progress: Optional[Callable[[int, int], Optional[bool]]] = None,
    ) -> Impact:
        """Whom a definition would touch: it is compared with the one that is stored, or with nothing, over all users.

        The answer is a lazy iterator of :class:`UserImpact`; its ``summary`` has the totals. With ``values`` the old and
        new values of attributes are told, those of sensitive rules never. ``progress`` is called with how many users of
        how many were looked at, and ends it by giving ``False``. Nothing is stored or sent, and no target is asked.
        """
        return Impact(self._native.impact(app, values), progress)

    def explain(self, app: str, user: str) -> Explanation:
        """Why a user has what they have in an app."""
        return Explanation(self._native.explain(app, user))

    def launcher(self, user: str) -> list[Tile]:
        """The tiles of a user: the apps with a launch address in which they have an account."""
        return [Tile(tile) for tile in self._native.launcher(user)]

    # Log

    def log(
        self,
        *,
        app: Optional[str] = None,
        user: Optional[str] = None,
        request: Optional[str] = None,
        limit: Optional[int] = None,
        after: Optional[int] = None,
    ) -> Iterator[LogEntry]:
        """Log entries by number, after the one of the number ``after``."""

        def page(size: int, place: Optional[int]) -> list[dict[str, Any]]:
            return self._native.log(app, user, request, size, place)

        return _pages(page, lambda entry: entry["sequence"], LogEntry, limit, after)

    def verify_log(self) -> LogVerdict:
        """Whether the log's chain holds."""
        return LogVerdict(self._native.verify_log())

    # Connectors

    def register_connector(self, name: str, connector: Union[Connector, _native.MockTarget, object]) -> None:
        """Makes a connector known under a name, before the app that names it is put.

        Any object with the methods of :class:`rollkeeper.Connector` will do. Its ``capabilities`` are asked at once.
        """
        self._native.register_connector(name, connector)

    def mock_target(self, app: str) -> _native.MockTarget:
        """The target of an app of connector kind ``mock``, to script its faults and see its calls."""
        return self._native.mock_target(app)


def _text_of(
    records: Union[Iterable[Union[Mapping[str, Any], bytes]], str, bytes, os.PathLike[str]],
) -> Union[Iterable[Union[Mapping[str, Any], bytes]], str, bytes]:
    """What a path leads to; anything else as it is."""
    if isinstance(records, os.PathLike):
        with open(records, "rb") as file:
            return file.read()
    return records


def _requests(values: list[dict[str, Any]]) -> list[Request]:
    return [Request(value) for value in values]


def _telling(
    tell: Callable[[_Item], _Answer], kind: Callable[[dict[str, Any]], _Item]
) -> Callable[[dict[str, Any]], _Answer]:
    return lambda values: tell(kind(values))


def _pages(
    page: Callable[[int, Any], list[dict[str, Any]]],
    place_of: Callable[[dict[str, Any]], Any],
    kind: Callable[[dict[str, Any]], _Item],
    limit: Optional[int],
    after: Any,
) -> Iterator[_Item]:
    """Items page by page. The first page is read at once, so that a mistake in a filter shows where it was made."""
    if limit is not None and limit < 0:
        raise ValueError("`limit` must not be negative")

    def size(left: Optional[int]) -> int:
        return _PAGE if left is None else min(left, _PAGE)

    def items(values: list[dict[str, Any]], left: Optional[int]) -> Iterator[_Item]:
        while True:
            full = len(values) == size(left)
            for value in values:
                yield kind(value)
            left = None if left is None else left - len(values)
            if not full or not values or left == 0:
                return
            values = page(size(left), place_of(values[-1]))

    return items([] if limit == 0 else page(size(limit), after), limit)
