"""What a target has: asking it, a mapping for it, and what is told about definitions that do not fit."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest

import rollkeeper

from .test_cases import cases

APP: dict[str, Any] = {
    "id": "crm",
    "connector": {"kind": "mock"},
    "create_without_match": True,
    "update_on": ["sn"],
}


def test_a_target_is_asked_and_a_mapping_proposed_and_put() -> None:
    with rollkeeper.Engine.open(None) as engine:
        engine.put_app(APP)
        engine.put_user({"id": "u1", "username": "ann", "sn": "Lee"})
        target = engine.mock_target("crm")
        target.set_schema([{"path": "userName", "required": True}, {"path": "surname"}])
        discovery = engine.discover("crm")
        assert (discovery.source, discovery.complete, len(discovery.attributes)) == ("connector", True, 2)
        assert discovery.features == {} and discovery.resource_types == [] and discovery.findings == ()
        assert [fault.code for fault in discovery.broken] == ["missing_required"]
        assert discovery.discovered_at.utcoffset() is not None
        assert repr(discovery) == "<Discovery app=crm source=connector complete=True>"
        suggestion = engine.suggest_mapping("crm")
        assert [(rule.rule, rule.target, rule.confidence) for rule in suggestion.suggestions] == [
            (0, "userName", 0.95),
            (1, "surname", 0.9),
        ]
        assert (suggestion.missing, suggestion.unused) == ((), ())
        assert pickle.loads(pickle.dumps(suggestion)) == suggestion
        engine.put_app({**APP, "mapping": suggestion.mapping, "matching": suggestion.matching})
        target.set_schema([{"path": "userName"}])
        again = engine.discover("crm")
        assert [(change.path, change.kind) for change in again.changed] == [
            ("surname", "removed"),
            ("userName", "required"),
        ]
        assert [(fault.code, fault.attribute) for fault in again.broken] == [("unknown_attribute", "mapping[1].target")]


def test_an_app_that_is_not_there_cannot_be_asked() -> None:
    with rollkeeper.Engine.open(None) as engine:
        with pytest.raises(rollkeeper.NotFound):
            engine.discover("nowhere")
        with pytest.raises(rollkeeper.NotFound):
            engine.suggest_mapping("nowhere")


def test_a_schema_of_the_wrong_shape_is_refused() -> None:
    with pytest.raises(rollkeeper.Error):
        rollkeeper.testing.MockTarget().set_schema([{"pth": "userName"}])


@pytest.mark.parametrize("case", cases("definitions"))
def test_a_bad_definition_is_told_as_its_case_says(case: dict[str, Any]) -> None:
    with rollkeeper.Engine.open(None) as engine:
        app = copy.deepcopy(case["app"])
        told = engine.validate_app(app if isinstance(app, str) else json.dumps(app)).to_dict()
    assert told["findings"] == case["findings"]
    assert told["warnings"] == case.get("warnings", [])
