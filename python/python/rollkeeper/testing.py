"""What tests need: a target whose faults are scripted, a clock that moves only when told to, and the conformance suite
for connectors.

>>> from datetime import datetime, timedelta, timezone
>>> clock = VirtualClock(datetime(2026, 1, 1, tzinfo=timezone.utc))
>>> clock.advance(timedelta(minutes=90))
>>> clock.now().isoformat()
'2026-01-01T01:30:00+00:00'
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional, Union

from . import _native
from ._native import MockTarget, VirtualClock
from .connector import Connector
from .records import Check, CheckReport

__all__ = ["Check", "CheckReport", "MockTarget", "VirtualClock", "check_connector"]


def check_connector(
    connector: Union[Connector, MockTarget, object],
    *,
    prefix: str = "rollkeeper-check",
    attributes: Optional[Mapping[str, Any]] = None,
    group: Optional[str] = None,
) -> CheckReport:
    """Runs the conformance suite against a connector. It makes a few accounts and takes them away again.

    ``prefix`` begins every user name that it makes; two runs at the same time need two. ``attributes`` are what the
    target asks for besides the usual ones; they are put on every account. ``group`` is the id of a group into which an
    account may be put, and taken out of it again.

    >>> report = check_connector(MockTarget())
    >>> report.passed, report.failures
    (True, ())
    """
    options: dict[str, Any] = {"prefix": prefix, "attributes": {} if attributes is None else attributes, "group": group}
    return CheckReport(_native.check_connector(connector, options))
