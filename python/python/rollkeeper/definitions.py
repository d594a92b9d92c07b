"""What is told of an app's definition, of its credentials and of its target, as records."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Optional

from .records import Fault, Record, _time, _tuple_of

__all__ = [
    "AppTest",
    "Credentials",
    "Discovery",
    "ExpressionReport",
    "LeftBehind",
    "MappingSuggestion",
    "ProbeFinding",
    "ProbeReport",
    "Readiness",
    "RuleSuggestion",
    "SchemaChange",
    "SecretState",
    "Validation",
]


class Readiness(Record):
    """One thing that has to hold before an app is enabled."""

    __slots__ = ()
    _shown = ("item", "ready", "detail")

    item: str
    ready: bool
    detail: str


class ExpressionReport(Record):
    """What can be told of an expression without evaluating it. ``paths`` is ``("*",)`` where it may read any."""

    __slots__ = ()
    _shown = ("place", "type")
    _readers = {"variables": tuple, "functions": tuple, "paths": tuple}
    _absent = {"place": ""}

    place: str
    variables: tuple[str, ...]
    functions: tuple[str, ...]
    paths: tuple[str, ...]
    type: str
    cost: int


class Validation(Record):
    """What stands between an app's definition and its use."""

    __slots__ = ()
    _shown = ("ready",)
    _readers = {
        "findings": _tuple_of(Fault),
        "warnings": _tuple_of(Fault),
        "readiness": _tuple_of(Readiness),
        "expressions": _tuple_of(ExpressionReport),
    }
    _absent = {"findings": (), "warnings": (), "readiness": (), "expressions": ()}

    findings: tuple[Fault, ...]
    warnings: tuple[Fault, ...]
    readiness: tuple[Readiness, ...]
    ready: bool
    expressions: tuple[ExpressionReport, ...]


class SchemaChange(Record):
    """One change of a target's schema."""

    __slots__ = ()
    _shown = ("path", "kind")

    path: str
    kind: str


class Discovery(Record):
    """What an app's target says about itself."""

    __slots__ = ()
    _shown = ("app", "source", "complete")
    _readers = {
        "findings": _tuple_of(Fault),
        "changed": _tuple_of(SchemaChange),
        "broken": _tuple_of(Fault),
        "discovered_at": _time,
    }
    _absent = {
        "findings": (), "changed": (), "broken": (), "attributes": [], "features": {}, "resource_types": [], "groups": [],
    }

    app: str
    attributes: list[dict[str, Any]]
    features: dict[str, dict[str, Any]]
    resource_types: list[dict[str, Any]]
    source: str
    complete: bool
    findings: tuple[Fault, ...]
    changed: tuple[SchemaChange, ...]
    broken: tuple[Fault, ...]
    groups: list[dict[str, Any]]
    discovered_at: datetime


class ProbeFinding(Record):
    """One thing that a probe tried; ``answered`` has each request with the status of its answer."""

    __slots__ = ()
    _shown = ("step", "conclusion")
    _readers = {"answered": tuple}
    _absent = {"value": None}

    step: str
    tried: str
    answered: tuple[str, ...]
    conclusion: str
    value: Any


class LeftBehind(Record):
    """Something that a probe made and could not take away."""

    __slots__ = ()
    _shown = ("kind", "name")
    _absent = {"external_id": None}

    kind: str
    external_id: Optional[str]
    name: str
    why: str


class ProbeReport(Record):
    """What a probe of a target found out."""

    __slots__ = ()
    _shown = ("app", "features")
    _readers = {
        "findings": _tuple_of(ProbeFinding),
        "left": _tuple_of(LeftBehind),
        "faults": _tuple_of(Fault),
        "probed_at": _time,
    }

    app: str
    name: str
    findings: tuple[ProbeFinding, ...]
    features: dict[str, Any]
    left: tuple[LeftBehind, ...]
    faults: tuple[Fault, ...]
    probed_at: datetime


class RuleSuggestion(Record):
    """Why a rule is proposed."""

    __slots__ = ()
    _shown = ("target", "confidence")

    rule: int
    target: str
    confidence: float
    because: str


class MappingSuggestion(Record):
    """A proposed mapping; ``mapping`` and ``matching`` go into the app as they are."""

    __slots__ = ()
    _shown = ("missing",)
    _readers = {"suggestions": _tuple_of(RuleSuggestion), "missing": tuple, "unused": tuple}
    _absent = {"suggestions": (), "missing": (), "unused": (), "mapping": [], "matching": []}

    mapping: list[dict[str, Any]]
    matching: list[dict[str, Any]]
    suggestions: tuple[RuleSuggestion, ...]
    missing: tuple[str, ...]
    unused: tuple[str, ...]


class SecretState(Record):
    """What is known of one secret of an app: never the secret itself."""

    __slots__ = ()
    _shown = ("field", "source", "name", "available")
    _readers = {"set_at": _time}

    field: str
    source: str
    name: str
    available: bool
    set_at: Optional[datetime]


class Credentials(Record):
    """What is known of an app's credentials: kinds, places and times, never a secret.

    ``token_expires_at`` is when the access token in use ends, which is renewed before; ``expires_at`` when what a person
    has to give anew ends.
    """

    __slots__ = ()
    _shown = ("kind", "ready")
    _readers = {
        "secrets": _tuple_of(SecretState),
        "issued_at": _time,
        "token_expires_at": _time,
        "expires_at": _time,
        "fault": Fault,
    }

    kind: str
    ready: bool
    secrets: tuple[SecretState, ...]
    issued_at: Optional[datetime]
    age: Optional[str]
    token_expires_at: Optional[datetime]
    expires_at: Optional[datetime]
    fault: Optional[Fault]


class AppTest(Record):
    """Whether a target can be reached, and what it can do.

    ``exception`` is what a connector written in Python raised; it is no part of ``to_dict()``.
    """

    __slots__ = ("exception",)
    _shown = ("passed",)
    _readers = {"fault": Fault}

    passed: bool
    fault: Optional[Fault]
    capabilities: dict[str, Any]
    exception: Optional[BaseException]

    def __init__(self, values: dict[str, Any], exception: Optional[BaseException] = None) -> None:
        super().__init__(values)
        object.__setattr__(self, "exception", exception)
