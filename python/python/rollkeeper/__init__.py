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
from .impact import Impact, ImpactAttribute, ImpactOperation, ImpactSummary, UserImpact
from .pure import can_change, check_expression, evaluate, match_accounts, next_state, render
from .reconciliation import BrakeReason, Drift, Finding, GroupSize, MatchCandidate, PlanItem, Reconciliation
from .records import (
    Account,
    Alert,
    AppTest,
    Attempt,
    Credentials,
    Discovery,
    Explanation,
    ExplanationStep,
    ExpressionReport,
    Fault,
    Hold,
    LogEntry,
    LogVerdict,
    MappingSuggestion,
    Membership,
    Metrics,
    Preview,
    PreviewCreate,
    PreviewOperation,
    PreviewUpdate,
    Progress,
    PutSnapshot,
    PutUsers,
    Readiness,
    Record,
    Request,
    RequestDetail,
    RuleSuggestion,
    SchemaChange,
    SecretState,
    Step,
    TargetRequest,
    Tile,
    UserFault,
    Validation,
    WithheldOperation,
)

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
    "Impact",
    "ImpactAttribute",
    "ImpactOperation",
    "ImpactSummary",
    "InternalError",
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
