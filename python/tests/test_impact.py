"""What would be sent and what would change, before anything is stored."""

from __future__ import annotations

from typing import Any

import pytest

import rollkeeper

APP: dict[str, Any] = {
    "id": "hr",
    "connector": {"kind": "scim", "base_url": "https://hr.example.com/scim/v2"},
    "assigned_to": {"profiles": ["Nurses"]},
    "mapping": [
        {"target": "userName", "source": "username", "required": True},
        {"target": "title", "source": "pay", "sensitive": True},
    ],
    "create_without_match": True,
}


READER: dict[str, Any] = {
    "id": "reader",
    "connector": {"kind": "mock"},
    "enabled": False,
    "mapping": [{"target": "title", "source": "pay"}],
}
"""An app that nobody has. What no app reads is not stored, and could not be foretold."""


def users(count: int) -> list[dict[str, Any]]:
    """So many nurses."""
    return [{"id": f"u{n:03}", "username": f"n{n}", "pay": "planted-pay", "profile": "Nurses"} for n in range(count)]


def test_a_definition_is_tried_before_it_is_stored(engine: rollkeeper.Engine) -> None:
    preview = engine.preview(APP, users(1)[0])
    assert [operation.operation for operation in preview.operations] == ["Create"]
    (create,), (update,) = preview.create.requests, preview.update.requests
    assert (create.method, create.path, create.body["userName"]) == ("POST", "/scim/v2/Users", "n0")
    assert (update.method, update.call) == ("PATCH", None)
    assert "planted-pay" not in preview.to_json() and "[sensitive]" in preview.to_json()
    with pytest.raises(rollkeeper.NotFound):
        engine.preview("hr", "u000")
    engine.put_users(users(1))
    assert engine.preview(APP, "u000").create.attributes["userName"] == "n0"
    assert engine.preview(b'{"id": "x", "connector": {"kind": "mock"}}', "u000").create.requests[0].call == "create"


def test_an_explanation_has_five_steps(engine: rollkeeper.Engine) -> None:
    engine.put_app({**APP, "connector": {"kind": "mock"}})
    engine.put_users(users(1))
    steps = engine.explain("hr", "u000").steps
    assert [step.step for step in steps] == ["import", "match", "scope", "evaluate", "provision"]
    assert [step.result for step in steps] == ["active", "none", "entitled", "complete", "open"]


def test_an_impact_is_an_iterator_that_reads_while_it_is_gone_through(engine: rollkeeper.Engine) -> None:
    engine.put_app(READER)
    engine.put_users(users(250))
    told: list[tuple[int, int]] = []
    impact = engine.impact(APP, values=True, progress=lambda done, total: told.append((done, total)))
    assert told == [] and impact.summary.users == 0
    first = next(impact)
    assert first.user == "u000" and first.operations[0].operation == "Create"
    paths = [(attribute.path, attribute.after, attribute.sensitive) for attribute in first.attributes]
    assert paths == [("title", None, True), ("userName", "n0", False)]
    assert told == [(100, 250)] and not impact.summary.finished
    assert len(list(impact)) == 249
    assert told[-1] == (250, 250) and impact.summary.finished
    summary = impact.summary
    assert (summary.affected, summary.operations, summary.attributes["title"]) == (250, {"Create": 250}, 250)
    assert "finished=True" in repr(impact)
    assert list(engine.requests()) == [] and [app["id"] for app in engine.apps()] == ["reader"]


def test_an_impact_tells_what_the_brake_would_hold(engine: rollkeeper.Engine) -> None:
    app = {**APP, "connector": {"kind": "mock"}}
    engine.put_app(app)
    engine.put_users(users(8))
    engine.run()
    impact = engine.impact({**app, "assigned_to": {"profiles": ["Nurse"]}})
    assert len(list(impact)) == 8
    held = impact.summary.held
    assert (held.accounts, held.memberships, [reason.name for reason in held.brake]) == (8, 0, ["deactivations"])
    engine.put_app({**app, "assigned_to": {"profiles": ["Nurse"]}}, by="adam")
    (plan,) = engine.reconciliations(app="hr", kind="source")
    assert (plan.items, plan.brake) == ({"held": 8}, held.brake)


def test_an_impact_ends_when_progress_says_so_and_what_it_raises_comes_out(engine: rollkeeper.Engine) -> None:
    engine.put_users(users(250))
    impact = engine.impact(APP, progress=lambda done, total: False)
    assert len(list(impact)) == 100
    assert list(impact) == [] and not impact.summary.finished

    def interrupted(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        next(engine.impact(APP, progress=interrupted))


def test_an_impact_tells_every_fault_of_the_definition_at_once(engine: rollkeeper.Engine) -> None:
    with pytest.raises(rollkeeper.Error) as caught:
        engine.impact({**APP, "scope": "user.", "mapping": [{"target": "nothing", "source": "x"}]})
    assert {fault["code"] for fault in caught.value.details["faults"]} == {"expression_invalid", "unknown_attribute"}


def test_an_impact_of_an_engine_that_is_closed_says_so() -> None:
    with rollkeeper.Engine.open() as engine:
        impact = engine.impact(APP)
    with pytest.raises(rollkeeper.Error) as caught:
        next(impact)
    assert caught.value.code == "closed"
