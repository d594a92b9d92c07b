"""An embeddable user-provisioning engine.

It decides who should have an account in which application, maps their attributes, and delivers the changes over SCIM
2.0 or a :class:`Connector` of your own. Start at :class:`Engine`.
"""

from __future__ import annotations

import atexit as _atexit

from . import _native, testing
from ._native import Mapping
from .analysis import Analysis, AnalysisFault, analyze
from .connector import Connector
from .definitions import (
    AppTest,
    Credentials,
    Discovery,
    ExpressionReport,
    LeftBehind,
    MappingSuggestion,
    ProbeFinding,
    ProbeReport,
    Readiness,
    RuleSuggestion,
    SchemaChange,
    SecretState,
    Validation,
)
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
from .impact import Impact, ImpactAttribute, ImpactHeld, ImpactOperation, ImpactSummary, UserImpact
from .pure import can_change, check_expression, evaluate, match_accounts, next_state, render
from .reconciliation import BrakeReason, Drift, Finding, GroupSize, MatchCandidate, PlanItem, Reconciliation
from .records import (
    Account,
    Alert,
    Attempt,
    Explanation,
    ExplanationStep,
    Fault,
    Hold,
    LogEntry,
    LogVerdict,
    Membership,
    Metrics,
    Preview,
    PreviewCreate,
    PreviewOperation,
    PreviewUpdate,
    Progress,
    PutSnapshot,
    PutUsers,
    Record,
    Request,
    RequestDetail,
    Step,
    TargetRequest,
    Tile,
    UserFault,
    WithheldOperation,
)
from .transport import HttpRequest, HttpResponse, TransportError

__all__ = [
    "Account",
    "Alert",
    "Analysis",
    "AnalysisFault",
    "AppTest",
    "Attempt",
    "BrakeReason",
    "CallerError",
    "ConfigurationError",
    "Connector",
    "ConnectorError",
    "Credentials",
    "Discovery",
    "Drift",
    "Engine",
    "Error",
    "Explanation",
    "ExplanationStep",
    "ExpressionReport",
    "Fault",
    "Finding",
    "GroupSize",
    "Hold",
    "HttpRequest",
    "HttpResponse",
    "Impact",
    "ImpactAttribute",
    "ImpactHeld",
    "ImpactOperation",
    "ImpactSummary",
    "InternalError",
    "LeftBehind",
    "LogEntry",
    "LogVerdict",
    "Mapping",
    "MappingSuggestion",
    "MatchCandidate",
    "Membership",
    "Metrics",
    "NotFound",
    "PlanItem",
    "Preview",
    "PreviewCreate",
    "PreviewOperation",
    "PreviewUpdate",
    "ProbeFinding",
    "ProbeReport",
    "Progress",
    "PutSnapshot",
    "PutUsers",
    "Readiness",
    "Reconciliation",
    "Record",
    "Request",
    "RequestDetail",
    "RuleSuggestion",
    "SchemaChange",
    "SecretState",
    "Step",
    "StoreError",
    "TargetError",
    "TargetRequest",
    "Tile",
    "TransportError",
    "UserFault",
    "UserImpact",
    "Validation",
    "WithheldOperation",
    "analyze",
    "can_change",
    "check_expression",
    "evaluate",
    "match_accounts",
    "next_state",
    "render",
    "testing",
]

# A thread that came back from the engine to an interpreter that is gone would take the whole process down.
_atexit.register(_native._shutdown)
