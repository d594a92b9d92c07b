"""Documents: what may stand in them, and what is refused rather than lost."""

from __future__ import annotations

import enum
import uuid
from collections import UserDict
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest

import rollkeeper
from rollkeeper import _native


class Colour(enum.Enum):
    """An enumeration of the host's."""

    RED = "red"


def nested(depth: int) -> Any:
    """A list in a list in a list."""
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def nested_dict(depth: int) -> Any:
    """A dict in a dict in a dict."""
    value: Any = {}
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (-(2**63), "-9223372036854775808"),
        (2**64 - 1, "18446744073709551615"),
        (1.5, "1.5"),
        (1.0, "1.0"),
        ("ü\n", '"ü\\n"'),
        ((1, [2]), "[1,[2]]"),
        ({"b": 1, "a": None}, '{"a":null,"b":1}'),
        (UserDict({"b": 1, "a": 2}), '{"a":2,"b":1}'),
        (datetime(2026, 1, 2, 3, 4, 5, 600, tzinfo=timezone.utc), '"2026-01-02T03:04:05.0006Z"'),
        (datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=1))), '"2026-01-02T02:00:00Z"'),
        (date(2026, 1, 2), '"2026-01-02"'),
        (timedelta(seconds=90), '"PT1M30S"'),
        (timedelta(days=30), '"P30D"'),
        (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (Colour.RED, '"red"'),
    ],
)
def test_a_value_has_one_canonical_text(value: Any, text: str) -> None:
    assert _native.canonical(value) == text


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        ({1, 2}, TypeError, "cannot hold a `set`"),
        (object(), TypeError, "cannot hold a `object`"),
        ({1: 2}, TypeError, "keys are text, not `int`"),
        (UserDict({1: 2}), TypeError, "keys are text, not `int`"),
        (float("nan"), ValueError, "NaN"),
        (float("-inf"), ValueError, "NaN and infinity"),
        (2**64, ValueError, "64 bits"),
        (-(2**63) - 1, ValueError, "64 bits"),
        ("\ud800", ValueError, "surrogates"),
        (datetime(2026, 1, 2), ValueError, "time zone"),
        (timedelta(seconds=-1), ValueError, "not negative"),
    ],
    ids=str,
)
def test_what_json_cannot_hold_is_refused(value: Any, kind: type[Exception], message: str) -> None:
    for document in (value, {"a": [value]}):
        with pytest.raises(kind, match=message):
            _native.canonical(document)


def test_a_document_of_64_levels_is_taken_and_one_more_is_not() -> None:
    assert _native.canonical(nested(64)) == "[" * 64 + "1" + "]" * 64
    for deep in (nested(65), nested_dict(65), nested(100_000), nested_dict(100_000)):
        with pytest.raises(TypeError, match="at most 64 levels"):
            _native.canonical(deep)


def test_a_document_that_holds_itself_is_refused(engine: rollkeeper.Engine) -> None:
    user: dict[str, Any] = {"id": "u1"}
    user["self"] = user
    with pytest.raises(TypeError, match="at most 64 levels"):
        engine.put_user(user)


def test_an_exception_of_a_mapping_comes_through() -> None:
    class Broken(UserDict[str, Any]):
        def items(self) -> Any:
            raise RuntimeError("no items today")

    with pytest.raises(RuntimeError, match="no items today"):
        _native.canonical(Broken(a=1))


@pytest.mark.parametrize("app", ["{", b"{", bytearray(b"{")])
def test_text_that_is_not_json_is_told_with_its_place(engine: rollkeeper.Engine, app: Any) -> None:
    with pytest.raises(rollkeeper.CallerError, match="line 1, column 1") as caught:
        engine.put_app(app)
    assert (caught.value.code, caught.value.operation) == ("invalid_json", "put_app")


def test_an_unknown_key_of_an_app_is_named(engine: rollkeeper.Engine) -> None:
    with pytest.raises(rollkeeper.CallerError, match="`sorce`") as caught:
        engine.put_app({"id": "crm", "connector": {"kind": "mock"}, "mapping": [{"target": "a", "sorce": "b"}]})
    assert caught.value.code == "unknown_key"


def test_bytes_that_are_not_utf8_are_told(engine: rollkeeper.Engine) -> None:
    with pytest.raises(rollkeeper.CallerError, match="not UTF-8 at byte 8") as caught:
        engine.put_user(b'{"id": "\xff"}')
    assert caught.value.code == "invalid_utf8"


def test_a_user_needs_an_id(engine: rollkeeper.Engine) -> None:
    for user in ({"username": "amelie"}, '{"username": "amelie"}'):
        with pytest.raises(rollkeeper.CallerError) as caught:
            engine.put_user(user)
        assert caught.value.code == "missing_id"


def test_several_users_are_not_one(engine: rollkeeper.Engine) -> None:
    with pytest.raises(TypeError, match="put_user"):
        engine.put_users({"id": "u1"})  # type: ignore[dict-item]
    with pytest.raises(TypeError, match="a user is a dict"):
        engine.put_users(["u1"])  # type: ignore[list-item]


def test_a_key_has_32_bytes() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        rollkeeper.Engine.open(key=b"short")


def test_a_filter_that_does_not_exist_is_refused_at_once(engine: rollkeeper.Engine) -> None:
    with pytest.raises(rollkeeper.CallerError) as caught:
        engine.requests(state="Done")
    assert caught.value.code == "unknown_state"
    with pytest.raises(rollkeeper.CallerError) as caught:
        engine.requests(operation="Dance")
    assert caught.value.code == "unknown_operation"
    with pytest.raises(rollkeeper.CallerError, match="`status`"):
        engine.accounts(status="Lost")
    with pytest.raises(ValueError, match="limit"):
        engine.users(limit=-1)
