"""Connectors that behave and connectors that do not. What the engine makes of an answer or an exception shows in the
messages of the conformance suite, which have the outcome in parentheses."""

from __future__ import annotations

import sys
from typing import Any, Callable, Optional

import pytest

import rollkeeper
from rollkeeper import ConnectorError
from rollkeeper.testing import CheckReport, MockTarget, check_connector

from .connectors import Directory


def test_the_mock_target_passes_the_suite() -> None:
    assert check_connector(MockTarget()).failures == ()


def test_a_connector_in_python_passes_the_suite() -> None:
    report = check_connector(Directory())
    assert report.failures == ()
    skipped = [check.name for check in report.checks if check.skipped]
    # No group is named, so that none is changed.
    assert skipped[0] == "takes a repeated create with the same key for one"
    assert len(skipped) == 3 and all("group" in check for check in skipped[1:])
    assert report.passed and "passed=True" in repr(report)


def test_an_object_without_the_base_class_passes_the_suite() -> None:
    behind = Directory()

    class Duck:
        create, read, find, delete = behind.create, behind.read, behind.find, behind.delete

    report = check_connector(Duck())
    assert report.failures == ()
    assert {check.name for check in report.checks if check.skipped} >= {"freezes and unfreezes", "updates attributes, twice without harm"}


def test_the_suite_takes_a_prefix_and_attributes() -> None:
    target = MockTarget()
    check_connector(target, prefix="mine", attributes={"locale": "de"})
    created = [call["attributes"] for call in target.calls if call["method"] == "create"]
    assert all(attributes["locale"] == "de" for attributes in created)
    assert {attributes["userName"][:5] for attributes in created} == {"mine-"}


def test_capabilities_follow_from_the_methods_of_a_subclass() -> None:
    class Bare(rollkeeper.Connector):
        """Has nothing of its own."""

    class Rich(Bare):
        """Has a search and half of a freeze."""

        def find(self, attribute: str, value: Any) -> list[dict[str, Any]]:
            return []

        def freeze(self, external_id: str) -> None:
            """Freezes."""

    assert Bare().capabilities() == {"search": False, "freeze": False, "groups": False, "changes": False}
    assert Rich().capabilities() == {"search": True, "freeze": False, "groups": False, "changes": False}


def broken(method: str, behave: Callable[..., Any]) -> CheckReport:
    """The suite's report about a directory one method of which behaves otherwise."""
    kind = type("Broken", (Directory,), {method: lambda self, *arguments: behave(*arguments)})
    return check_connector(kind())


def message(method: str, behave: Callable[..., Any]) -> str:
    """The first complaint about that method."""
    return next(check.message for check in broken(method, behave).failures if check.message.startswith(method + ":"))


def throw(error: BaseException) -> Callable[..., Any]:
    """A method that throws."""

    def behave(*arguments: Any) -> Any:
        raise error

    return behave


def give(answer: Any) -> Callable[..., Any]:
    """A method that gives the same for every call."""
    return lambda *arguments: answer


def test_any_exception_of_a_write_leaves_doubt_and_of_a_read_none() -> None:
    for method, outcome in (("create", "ambiguous"), ("update", "ambiguous"), ("delete", "ambiguous")):
        told = message(method, throw(KeyError("planted-value")))
        assert told.startswith(f"{method}: connector_failed ({outcome}): the connector's `{method}` raised `KeyError`")
        assert "planted-value" not in told
    for method in ("read", "find", "list", "test"):
        told = message(method, throw(KeyError("planted-value")))
        assert told.startswith(f"{method}: connector_failed (not_applied)")
        assert "planted-value" not in told


def test_the_line_that_threw_is_told() -> None:
    line = throw.__code__.co_firstlineno + 4
    assert message("create", throw(OSError())).endswith(f"raised `OSError` at test_connector.py:{line}")


def test_a_connector_error_is_taken_at_its_word() -> None:
    error = ConnectorError("not_applied", "rate_limited", "slowly", retry_after=3)
    assert message("create", throw(error)) == "create: rate_limited (not_applied): slowly"
    error = ConnectorError("ambiguous", "timeout", "no answer")
    assert message("read", throw(error)) == "read: timeout (ambiguous): no answer"


def test_a_connector_error_that_was_spoilt_is_any_exception() -> None:
    for attribute, value in (("outcome", "perhaps"), ("code", 1), ("message", None), ("retry_after", "soon")):
        error = ConnectorError("not_applied", "x", "y")
        setattr(error, attribute, value)
        assert "connector_failed (ambiguous)" in message("create", throw(error))


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (None, "did not answer with an account"),
        (7, "did not answer with an account"),
        (["1"], "did not answer with an account"),
        ({}, "answered with an account without `external_id`"),
        ({"external_id": ""}, "answered with an empty `external_id`"),
        ({"external_id": 7}, "answered with an account whose `external_id` is of a wrong type"),
        ({"external_id": "planted-value", "active": "planted-value"}, "whose `active` is of a wrong type"),
        ({"external_id": "1", "colour": "planted-value"}, "has an unknown key `colour`"),
        ({"external_id": "1", "attributes": {"a": {1, 2}}}, "a document cannot hold a `set`"),
        ({"external_id": "1", "attributes": {"a": float("nan")}}, "NaN and infinity"),
        ({"external_id": "1", "attributes": {1: "a"}}, "keys are text, not `int`"),
        ({"external_id": "\ud800"}, "surrogates"),
        (object(), "a document cannot hold a `object`"),
    ],
    ids=repr,
)
def test_an_answer_that_is_no_account_leaves_doubt(answer: Any, complaint: str) -> None:
    told = message("create", give(answer))
    assert told.startswith("create: invalid_answer (ambiguous): the connector's `create`")
    assert complaint in told and "planted-value" not in told


def test_an_answer_of_100_000_levels_is_refused() -> None:
    deep: Any = {}
    for _ in range(100_000):
        deep = {"a": deep}
    assert "at most 64 levels" in message("create", give({"external_id": "1", "attributes": deep}))


@pytest.mark.parametrize(
    ("method", "answer", "complaint"),
    [
        ("find", None, "did not answer with a list of accounts"),
        ("find", {"external_id": "1"}, "did not answer with a list of accounts"),
        ("find", [None], "did not answer with an account"),
        ("read", [], "did not answer with an account"),
        ("list", [], "did not answer with a page of accounts"),
        ("list", {"accounts": None}, "did not answer with a list of accounts"),
        ("list", {"accounts": [["1"]]}, "did not answer with an account"),
        ("list", {"accounts": [], "next": 7}, "a `next` that is not text"),
        ("list", {"accounts": [], "complete": "planted-value"}, "a `complete` that is neither true nor false"),
        ("list", {"accounts": [], "complete": True, "total": -1}, "a `total` that is no count"),
    ],
)
def test_a_read_that_gives_nonsense_has_done_nothing(method: str, answer: Any, complaint: str) -> None:
    told = message(method, give(answer))
    assert told.startswith(f"{method}: invalid_answer (not_applied)") and complaint in told


def test_what_gives_not_implemented_or_is_no_method_is_not_supported() -> None:
    names = [check.name for check in broken("freeze", give(NotImplemented)).failures]
    assert names == ["freezes and unfreezes"]

    class Without(Directory):
        freeze = None  # type: ignore[assignment]

    assert "unsupported (rejected): the connector has no `freeze`" in check_connector(Without()).failures[0].message


def test_a_coroutine_is_refused_without_a_warning() -> None:
    class Asynchronous(Directory):
        async def create(self, attributes: Any, idempotency_key: str) -> Any:  # type: ignore[override]
            return {"external_id": "1"}

    told = check_connector(Asynchronous()).failures[0].message
    assert "unsupported (rejected): the connector's `create` is a coroutine" in told


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_exception_that_ends_programs_comes_out(kind: type[BaseException]) -> None:
    with pytest.raises(kind):
        broken("create", throw(kind()))


@pytest.mark.parametrize("connector", [None, object(), {}, Directory, rollkeeper.testing])
def test_what_is_no_connector_is_refused_at_once(engine: rollkeeper.Engine, connector: Any) -> None:
    with pytest.raises(TypeError, match="connector is an object, not a class|has no method `create`"):
        engine.register_connector("tickets", connector)


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [(None, "did not answer with"), ({"serch": True}, "unknown key `serch`"), ({"search": 1}, "`search` is of a wrong")],
)
def test_wrong_capabilities_are_refused_at_once(engine: rollkeeper.Engine, answer: Any, complaint: str) -> None:
    class Wrong(Directory):
        def capabilities(self) -> Any:
            return answer

    with pytest.raises(TypeError, match=complaint):
        engine.register_connector("tickets", Wrong())


def test_capabilities_that_throw_are_told_at_once(engine: rollkeeper.Engine) -> None:
    class Wrong(Directory):
        def capabilities(self) -> Any:
            raise RuntimeError("not today")

    with pytest.raises(RuntimeError, match="not today"):
        engine.register_connector("tickets", Wrong())


def test_capabilities_that_throw_later_stay_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    class Moody(Directory):
        asked = 0

        def capabilities(self) -> Any:
            self.asked += 1
            if self.asked > 1:
                raise RuntimeError("not again")
            return super().capabilities()

    seen: list[Optional[BaseException]] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: seen.append(unraisable.exc_value))
    report = check_connector(Moody())
    assert report.failures == () and len(seen) >= 1
    assert not next(check for check in report.checks if check.name == "finds an account by its user name alone").skipped


def test_the_mock_target_plays_its_script() -> None:
    target = MockTarget({"unique": False, "faults": [{"on": "test", "fault": "unreachable"}]})
    target.script([{"on": "read", "fault": "unauthorized"}])
    messages = [check.message for check in check_connector(target).failures]
    assert messages[0].startswith("test: unreachable (not_applied)")
    assert messages[1].startswith("read: unauthorized (not_applied)")
    target.clear_calls()
    assert target.calls == []
    target.put_account({"external_id": "x", "username": "amelie"})
    assert [account["external_id"] for account in target.accounts] == ["x"]
    assert target.remove_account("x") and not target.remove_account("x")
    target.set_reachable(False)
    assert check_connector(target).failures[0].message.startswith("test: unreachable")


def test_the_mock_target_refuses_a_script_that_is_none() -> None:
    with pytest.raises(rollkeeper.CallerError):
        MockTarget().script([{"on": "create", "fault": "explode"}])
    with pytest.raises(rollkeeper.CallerError):
        MockTarget({"colour": "blue"})
