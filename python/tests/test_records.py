"""Records: frozen, comparable, picklable, and silent about values."""

from __future__ import annotations

import copy
import pickle
from datetime import datetime, timezone
from typing import Any

import pytest

import rollkeeper
from rollkeeper.records import Record

REQUEST: dict[str, Any] = {
    "id": "0199",
    "app": "crm",
    "user": "<u1>",
    "operation": "Create",
    "state": "New",
    "approval": "NotRequired",
    "why": "profile `Employees`",
    "created_at": "2026-01-01T00:00:00.25Z",
    "attempts": 0,
    "retry_count": 0,
    "history": [{"number": 1, "started_at": "2026-01-01T00:00:01Z"}],
    "payload": {"userName": "planted-value"},
    "faults": [{"code": "rejected", "message": "no"}],
}


def test_attributes_read_like_python() -> None:
    request = rollkeeper.RequestDetail(copy.deepcopy(REQUEST))
    assert request.created_at == datetime(2026, 1, 1, 0, 0, 0, 250_000, tzinfo=timezone.utc)
    assert request.finished_at is None and request.not_before is None
    assert [attempt.number for attempt in request.history] == [1]
    assert request.history[0].ended_at is None
    assert request.faults[0].code == "rejected"
    assert request.payload == {"userName": "planted-value"}
    assert rollkeeper.Request({**REQUEST, "faults": None}).faults == ()


def test_the_dict_and_the_json_are_those_of_every_face() -> None:
    request = rollkeeper.Request({"b": 1, "a": {"d": "ü", "c": [1.5]}})
    assert request.to_json() == '{"a":{"c":[1.5],"d":"ü"},"b":1}'
    request.to_dict()["a"]["c"].append(1)
    assert request.to_dict() == {"b": 1, "a": {"d": "ü", "c": [1.5]}}


def test_a_record_cannot_be_changed() -> None:
    request = rollkeeper.RequestDetail(copy.deepcopy(REQUEST))
    with pytest.raises(AttributeError, match="frozen"):
        request.state = "Completed"
    with pytest.raises(AttributeError, match="frozen"):
        request.something = 1
    with pytest.raises(AttributeError, match="frozen"):
        del request.state
    assert request.payload is not None
    request.payload["userName"] = "other"
    assert request.payload == {"userName": "planted-value"}


def test_an_attribute_that_no_such_record_has_is_an_error() -> None:
    with pytest.raises(AttributeError, match="`Request` has no attribute `colour`"):
        rollkeeper.Request(REQUEST).colour  # type: ignore[attr-defined]
    assert "state" in dir(rollkeeper.Request(REQUEST))


def test_equal_records_are_equal_and_hash_alike() -> None:
    one, other = rollkeeper.Request(REQUEST), rollkeeper.Request(copy.deepcopy(REQUEST))
    assert one == other and hash(one) == hash(other)
    assert one != rollkeeper.RequestDetail(REQUEST)
    assert one != rollkeeper.Request({**REQUEST, "state": "Failed"})


def every_record() -> list[type[Record]]:
    """All record classes."""
    classes, found = [Record], []
    while classes:
        below = classes.pop().__subclasses__()
        found += below
        classes += below
    return found


@pytest.mark.parametrize("kind", every_record(), ids=lambda kind: kind.__name__)
def test_every_record_survives_pickling_and_copying(kind: type[Record]) -> None:
    record = kind({"id": "x"})
    assert pickle.loads(pickle.dumps(record)) == copy.deepcopy(record) == copy.copy(record) == record


@pytest.mark.parametrize("kind", every_record(), ids=lambda kind: kind.__name__)
def test_no_record_shows_a_value(kind: type[Record]) -> None:
    hidden = ("attributes", "payload", "username", "details", "rules", "operations")
    assert not set(kind._shown) & set(hidden)
    assert set(kind._shown) <= set(kind._fields)
    assert set(kind._readers) <= set(kind._fields) and set(kind._absent) <= set(kind._fields)
    values: dict[str, Any] = {name: "planted-value" for name in hidden}
    assert "planted-value" not in repr(kind(values)) + kind(values)._repr_html_()


def test_the_representation_names_and_escapes() -> None:
    request = rollkeeper.Request(REQUEST)
    assert repr(request) == "<Request id=0199 app=crm user=<u1> operation=Create state=New>"
    assert "<th>user</th><td>&lt;u1&gt;</td>" in request._repr_html_()
