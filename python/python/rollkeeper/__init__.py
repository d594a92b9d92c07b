"""An embeddable user-provisioning engine.

It decides who should have an account in which application, maps their attributes, and delivers the changes over SCIM
2.0 or a :class:`Connector` of your own. Start at :class:`Engine`.
"""

from __future__ import annotations

import atexit as _atexit

from . import _native, testing
from ._native import Mapping
from .connector import Connector
from .engine import Engine
from .errors import (
    CallerError,
    ConfigurationError,
    ConnectorError,
    Error,
    InternalError,
    NotFound,
    StoreError,
    TargetError,
)
from .pure import can_change, evaluate, next_state, render
from .records import (
    Account,
    AppTest,
    Attempt,
    Explanation,
    Fault,
    LogEntry,
    LogVerdict,
    Preview,
    PreviewOperation,
    Progress,
    PutUsers,
    Readiness,
    Record,
    Request,
    RequestDetail,
    Step,
    Tile,
    UserFault,
    Validation,
)

__all__ = [
    "Account",
    "AppTest",
    "Attempt",
    "CallerError",
    "ConfigurationError",
    "Connector",
    "ConnectorError",
    "Engine",
    "Error",
    "Explanation",
    "Fault",
    "InternalError",
    "LogEntry",
    "LogVerdict",
    "Mapping",
    "NotFound",
    "Preview",
    "PreviewOperation",
    "Progress",
    "PutUsers",
    "Readiness",
    "Record",
    "Request",
    "RequestDetail",
    "Step",
    "StoreError",
    "TargetError",
    "Tile",
    "UserFault",
    "Validation",
    "can_change",
    "evaluate",
    "next_state",
    "render",
    "testing",
]

# A thread that came back from the engine to an interpreter that is gone would take the whole process down.
_atexit.register(_native._shutdown)
