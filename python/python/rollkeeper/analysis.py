"""Reconciliation as a function that needs no engine and no database."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Optional, Union

from . import _native
from .reconciliation import Finding
from .records import Record

__all__ = ["Analysis", "AnalysisFault", "analyze"]

Rows = Union[Iterable[Union[Mapping[str, Any], bytes]], str, bytes, "os.PathLike[str]"]
"""Dicts, JSON text, or the path of a file with such text."""

_PAGE = 1000


class AnalysisFault(Record):
    """A record that takes no part in an analysis: ``index`` is its place, from 0, among the ``side``."""

    __slots__ = ()
    _shown = ("side", "index", "code", "attribute", "message")

    side: str
    index: int
    code: str
    message: str
    attribute: Optional[str]


class Analysis:
    """What :func:`analyze` found: an iterator over the findings, accounts in their order and then users in theirs.

    They are worked out while it is gone through, so that any number of them takes the memory of one page.
    """

    __slots__ = ("_native", "_page", "_totals")

    def __init__(self, native: _native.Analysis) -> None:
        """For the use of :func:`analyze`."""
        self._native = native
        self._totals = native.totals()
        self._page: deque[dict[str, Any]] = deque()

    @property
    def counts(self) -> dict[str, int]:
        """How many findings there are of each situation."""
        return dict(self._totals["counts"])

    @property
    def complete(self) -> bool:
        """Whether the accounts are the whole listing: nothing is concluded from absence where they are not."""
        return bool(self._totals["complete"])

    @property
    def repeated(self) -> int:
        """How many accounts have the id of one before; they count once."""
        return int(self._totals["repeated"])

    @property
    def unreadable(self) -> int:
        """How many records take no part."""
        return int(self._totals["unreadable"])

    @property
    def faults(self) -> tuple[AnalysisFault, ...]:
        """The first thousand records that take no part."""
        return tuple(map(AnalysisFault, self._totals["faults"]))

    def __iter__(self) -> Analysis:
        return self

    def __next__(self) -> Finding:
        return Finding(self._next())

    def _next(self) -> dict[str, Any]:
        if not self._page:
            self._page.extend(self._native.page(_PAGE))
        if not self._page:
            raise StopIteration
        return self._page.popleft()

    def rows(self) -> Iterator[dict[str, Any]]:
        """The findings that are still to come as flat dicts with the same keys each, for a table.

        ``pandas.DataFrame(analysis.rows())``, ``polars.DataFrame(analysis.rows())``: ``situation``, ``user``, ``account``
        and ``rule``, and as text, apart by spaces, ``candidates`` (ids), ``differs`` (attributes) and ``faults`` (codes).
        """
        while True:
            try:
                found = self._next()
            except StopIteration:
                return
            yield {
                **{name: found.get(name) for name in ("situation", "user", "account", "rule")},
                "candidates": _words(one.get("user") or one.get("account") for one in found.get("candidates", ())),
                "differs": _words(one["attribute"] for one in found.get("drift", ())),
                "faults": _words(one["code"] for one in found.get("faults", ())),
            }

    def drift_rows(self) -> Iterator[dict[str, Any]]:
        """The same for attributes: a flat dict for each one that differs, with its values."""
        while True:
            try:
                found = self._next()
            except StopIteration:
                return
            for drift in found.get("drift", ()):
                values = {name: drift.get(name) for name in ("attribute", "last", "wanted", "actual", "verdict")}
                yield {"user": found.get("user"), "account": found.get("account"), **values}

    def _summary(self) -> str:
        return " ".join(f"{name}={number}" for name, number in self.counts.items() if number)

    def __repr__(self) -> str:
        return f"<Analysis {self._summary()}>"

    def _repr_html_(self) -> str:
        import html  # only notebooks want it, and it takes longer to import than all of rollkeeper

        counted = ((html.escape(name), number) for name, number in self.counts.items() if number)
        rows = "".join(f"<tr><th>{name}</th><td>{number}</td></tr>" for name, number in counted)
        return f"<table><caption>Analysis</caption>{rows}</table>"


def _words(words: Iterable[Optional[str]]) -> Optional[str]:
    return " ".join(word for word in words if word) or None


def analyze(
    users: Rows,
    accounts: Rows,
    options: Union[Mapping[str, Any], str, bytes, None] = None,
    *,
    links: Optional[Rows] = None,
    **more: Any,
) -> Analysis:
    """How users and accounts stand to each other: what a reconciliation would find, without an engine.

    ``users`` are records as :meth:`rollkeeper.Engine.put_user` takes them. ``accounts`` are dicts with ``external_id`` as a
    :class:`rollkeeper.Connector` gives them, or any other dicts with ``id``, which are then their own attributes. Each is an
    iterable of dicts (``DataFrame.to_dict("records")`` of pandas, ``iter_rows(named=True)`` of polars, a generator), JSON
    text (a list, or one object a line), or the path of such a file, which must stay as it is meanwhile.

    In rows, ``None``, NaN, NaT and NA stand for a cell that says nothing and is left out. Scalars and arrays of NumPy are
    taken as the Python values they hold, a ``Decimal`` as a number, times without a zone as they are written.

    ``links`` says which account belongs to whom: records with ``account``, ``user``, ``last`` (the attributes applied last)
    and more. Options are given as a dict, as JSON text, or by keyword: ``matching``, ``mapping``, ``assigned_to``,
    ``scope``, ``tables`` and ``protected`` as an app has them, ``now``, ``complete=False`` where these are not all accounts,
    ``memory`` in bytes, ``threads`` that read the records, and ``findings``, the situations that are iterated.

    Raises :class:`rollkeeper.ConfigurationError` or :class:`rollkeeper.CallerError` with every fault of the options in
    ``details``. Records that cannot be read are in :attr:`Analysis.faults`.

    >>> users = [{"id": "u1", "mail": "ada@example.com"}]
    >>> accounts = [{"id": "7", "mail": "Ada@example.com"}, {"id": "8", "mail": "eve@example.com"}]
    >>> rules = [{"all": [{"user": "mail", "account": "mail", "normalize": ["casefold"]}]}]
    >>> analysis = analyze(users, accounts, matching=rules)
    >>> analysis
    <Analysis found=1 orphaned=1>
    >>> [(found.situation, found.account, found.user) for found in analysis]
    [('found', '7', 'u1'), ('orphaned', '8', None)]
    """
    given: Union[Mapping[str, Any], str, bytes] = {} if options is None else options
    if more and isinstance(given, (str, bytes)):
        import json  # only JSON text needs it, and it takes longer to import than the rest

        with suppress(ValueError):
            given = json.loads(given)
    # What is no object is told by the engine, which knows how.
    merged = {**given, **more} if isinstance(given, Mapping) else given
    return Analysis(_native.analyze(users, accounts, links, merged))
