"""Errors: every code has a class, and survives pickling."""

from __future__ import annotations

import json
import pickle
from datetime import timedelta

import pytest

import rollkeeper
from rollkeeper import _native, errors

from .conftest import rows

CLASSES = {
    "caller": rollkeeper.CallerError,
    "configuration": rollkeeper.ConfigurationError,
    "target": rollkeeper.TargetError,
    "store": rollkeeper.StoreError,
    "ours": rollkeeper.InternalError,
}


def told(row: dict[str, str]) -> str:
    """An error as the native layer describes it."""
    fault = {"code": row["name"], "message": "what is wrong"}
    return json.dumps(
        {
            "code": row["name"],
            "number": int(row["number"]),
            "kind": row["blame"],
            "retry": row["retry"],
            "operation": "put_app",
            "message": "what is wrong",
            "details": {"context": {"app": "crm"}, "faults": [fault]},
        }
    )


def test_the_codes_are_those_of_the_list() -> None:
    listed = [(int(row["number"]), row["name"], row["blame"], row["retry"]) for row in rows("codes.csv")]
    assert sorted(_native.codes()) == sorted(listed)


@pytest.mark.parametrize("row", rows("codes.csv"), ids=lambda row: row["name"])
def test_every_code_has_the_class_of_its_blame(row: dict[str, str]) -> None:
    error = errors._from_json(told(row))
    assert type(error) is (rollkeeper.NotFound if row["name"] == "not_found" else CLASSES[row["blame"]])
    assert isinstance(error, CLASSES[row["blame"]])
    assert (error.code, error.number, error.kind) == (row["name"], int(row["number"]), row["blame"])
    assert (error.retry, error.operation, str(error)) == (row["retry"], "put_app", "what is wrong")
    assert error.details["context"] == {"app": "crm"}


@pytest.mark.parametrize("row", rows("codes.csv"), ids=lambda row: row["name"])
def test_every_error_survives_pickling(row: dict[str, str]) -> None:
    error = errors._from_json(told(row))
    copied = pickle.loads(pickle.dumps(error))
    assert type(copied) is type(error)
    assert (copied.args, copied.__dict__) == (error.args, error.__dict__)


def test_a_connector_error_survives_pickling() -> None:
    error = rollkeeper.ConnectorError("conflict", "conflict", "taken", retry_after=1.5, external_id="t-1")
    copied = pickle.loads(pickle.dumps(error))
    assert str(copied) == "conflict (conflict): taken"
    assert (copied.retry_after, copied.external_id) == (timedelta(seconds=1.5), "t-1")


def test_a_connector_error_refuses_an_outcome_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match="not_applied, rejected, ambiguous, conflict"):
        rollkeeper.ConnectorError("perhaps", "x", "y")
    with pytest.raises(TypeError, match="`message` must be text"):
        rollkeeper.ConnectorError("rejected", "x", 1)  # type: ignore[arg-type]


def test_a_missing_record_is_a_lookup_error_too(engine: rollkeeper.Engine) -> None:
    with pytest.raises(LookupError) as caught:
        engine.app("nowhere")
    assert isinstance(caught.value, rollkeeper.NotFound)
    assert (caught.value.code, caught.value.operation, caught.value.retry) == ("not_found", "app", "never")


def test_a_closed_engine_says_so() -> None:
    engine = rollkeeper.Engine.open()
    engine.close()
    engine.close()
    with pytest.raises(rollkeeper.CallerError) as caught:
        engine.step()
    assert caught.value.code == "closed"
