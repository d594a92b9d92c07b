"""The verbs, on the mock target with a virtual clock."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import rollkeeper
from rollkeeper.testing import MockTarget, VirtualClock

from .connectors import Directory

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
CRM: dict[str, Any] = {
    "id": "crm",
    "label": "CRM",
    "launch_url": "https://crm.example.com",
    "connector": {"kind": "mock"},
    "assigned_to": {"profiles": ["Employees"]},
    "create_without_match": True,
    "mapping": [{"target": "userName", "source": "username"}, {"target": "title", "source": "title"}],
    "retry": {"attempts": 3, "first": timedelta(seconds=1), "cap": timedelta(minutes=1)},
}
AMELIE: dict[str, Any] = {"id": "u1", "username": "amélie", "profile": "Employees", "title": "planted-value"}


@pytest.fixture
def clock() -> VirtualClock:
    """A clock that stands at the new year."""
    return VirtualClock(START)


@pytest.fixture
def crm(clock: VirtualClock) -> Iterator[rollkeeper.Engine]:
    """An engine with one app."""
    with rollkeeper.Engine.open(clock=clock, seed=7) as engine:
        engine.put_app(CRM, by="admin")
        yield engine


def test_a_user_joins_moves_and_leaves(crm: rollkeeper.Engine) -> None:
    (request,) = crm.put_user(AMELIE, by="hr")
    assert (request.app, request.user, request.operation, request.state) == ("crm", "u1", "Create", "New")
    assert (request.by, request.created_at) == ("hr", START)
    progress = crm.run()
    assert (progress.completed, progress.failed, progress.open, progress.stopped) == (1, 0, 0, False)
    (account,) = crm.accounts(app="crm")
    assert (account.user, account.username, account.status, account.link_state) == ("u1", "amélie", "Active", "Linked")
    (update,) = crm.put_user({**AMELIE, "title": "Head"})
    assert update.operation == "Update"
    (leave,) = crm.put_user({**AMELIE, "title": "Head", "active": False})
    assert leave.operation == "Deactivate"
    crm.run()
    assert [account.status for account in crm.accounts(user="u1")] == ["Deactivated"]
    assert crm.mock_target("crm").accounts[0]["active"] is False
    assert crm.verify_log().whole


def test_a_request_tells_its_attempts(crm: rollkeeper.Engine) -> None:
    (request,) = crm.put_user(AMELIE)
    crm.mock_target("crm").script([{"on": "create", "fault": "rejected"}])
    crm.run()
    detail = crm.request(request.id)
    assert isinstance(detail, rollkeeper.Request) and detail.state == "Failed"
    (attempt,) = detail.history
    assert (attempt.number, attempt.outcome, attempt.code) == (1, "rejected", "rejected")
    assert attempt.started_at == START
    assert [failed.id for failed in crm.requests(state="Failed")] == [request.id]
    again = crm.retry(request.id, by="admin")
    assert again.parent_id == request.id
    crm.run()
    assert crm.request(again.id).state == "Completed" and crm.request(request.id).state == "Retried"


def test_work_that_becomes_due_later_is_done_when_the_clock_says_so(
    crm: rollkeeper.Engine, clock: VirtualClock
) -> None:
    crm.put_user(AMELIE)
    crm.mock_target("crm").script([{"on": "create", "fault": "unreachable"}])
    progress = crm.run()
    assert progress.completed == 0 and progress.next_due is not None and progress.next_due > START
    (request,) = crm.requests(waiting_for="retry")
    assert request.due_at == progress.next_due
    clock.set(progress.next_due)
    assert crm.run().completed == 1
    step = crm.step()
    assert not step.worked and step.next_due is None


def test_a_request_is_submitted_held_back_and_cancelled(crm: rollkeeper.Engine) -> None:
    crm.put_user(AMELIE)
    crm.run()
    later = START + timedelta(days=1)
    request = crm.submit("crm", "u1", "Deactivate", by="admin", not_before=later)
    assert (request.operation, request.not_before) == ("Deactivate", later)
    assert crm.cancel(request.id, by="admin").state == "Cancelled"
    crm.run()
    assert [account.status for account in crm.accounts()] == ["Active"]
    with pytest.raises(rollkeeper.CallerError) as caught:
        crm.submit("crm", "u1", "Dance")
    assert caught.value.code == "unknown_operation"


def test_lists_come_page_by_page(crm: rollkeeper.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rollkeeper.engine._PAGE", 3)
    answer = crm.put_users(({**AMELIE, "id": f"u{n}", "username": f"n{n}"} for n in range(10)), by="hr")
    assert (answer.stored, answer.requests, answer.faults) == (10, 10, ())
    crm.run()
    users = [user["id"] for user in crm.users()]
    assert users == [f"u{n}" for n in range(10)]
    assert [user["id"] for user in crm.users(limit=4, after="u2")] == ["u3", "u4", "u5", "u6"]
    requests = [request.id for request in crm.requests()]
    assert requests == sorted(requests) and len(requests) == 10
    assert [request.id for request in crm.requests(after=requests[6])] == requests[7:]
    accounts = list(crm.accounts(app="crm"))
    assert len({account.external_id for account in accounts}) == 10
    last = accounts[7]
    assert list(crm.accounts(after=(last.app, last.external_id))) == accounts[8:]
    numbers = [entry.sequence for entry in crm.log()]
    assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) > 10
    assert [entry.sequence for entry in crm.log(after=3, limit=2)] == [4, 5]
    assert list(crm.requests(limit=0)) == [] and len(list(crm.requests(limit=9))) == 9
    listing = crm.requests()
    assert iter(listing) is listing


def test_users_are_taken_in_every_form(crm: rollkeeper.Engine, tmp_path: Path) -> None:
    records = [{**AMELIE, "id": f"u{n}", "username": f"n{n}"} for n in range(3)]
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (tmp_path / "users.ndjson").write_text(lines, encoding="utf-8")
    forms: list[Any] = [records, iter(records), lines, lines.encode(), json.dumps(records), tmp_path / "users.ndjson"]
    for form in forms:
        assert crm.put_users(form).stored == 3
    assert len(list(crm.requests())) == 3
    broken = crm.put_users([records[0], {"username": "nobody"}])
    assert broken.stored == 1
    (fault,) = broken.faults
    assert (fault.index, fault.id, fault.code) == (1, None, "missing_id")


def test_who_is_not_among_all_users_leaves_after_two_lists(crm: rollkeeper.Engine, clock: VirtualClock) -> None:
    records = [{**AMELIE, "id": f"u{n}", "username": f"n{n}"} for n in range(20)]
    assert crm.put_users(records).snapshot is None
    first = crm.put_users(records[:19], snapshot=True, by="hr").snapshot
    assert first is not None and (first.verdict, first.why, first.noted, first.leavers) == ("complete", (), 1, 0)
    clock.advance(timedelta(minutes=10))
    second = crm.put_users(records[:19], snapshot=True, by="hr").snapshot
    assert second is not None and (second.noted, second.leavers, second.held) == (0, 1, 0)
    assert second.reconciliation is not None
    with pytest.raises(rollkeeper.NotFound):
        crm.user("u19")


def test_an_app_is_checked_exported_and_imported(crm: rollkeeper.Engine) -> None:
    text = crm.export_app("crm")
    crm.import_app(text)
    assert crm.export_app("crm") == text
    assert [app["id"] for app in crm.apps()] == ["crm"]
    assert crm.app("crm")["retry"]["first"] == "PT1S"
    validation = crm.validate_app({**CRM, "mapping": [{"target": "userName", "expression": "user.name +"}]})
    assert not validation.ready
    assert "expression_invalid" in {finding.code for finding in validation.findings}
    assert crm.validate_app(CRM).readiness
    crm.delete_app("crm", by="admin")
    with pytest.raises(rollkeeper.NotFound):
        crm.app("crm")


def test_the_engine_says_why(crm: rollkeeper.Engine) -> None:
    crm.put_user(AMELIE)
    preview = crm.preview("crm", "u1")
    assert [operation.operation for operation in preview.operations] == ["Create"]
    assert preview.attributes["userName"] == "amélie"
    assert "planted-value" not in repr(preview) + preview._repr_html_()
    assert list(crm.accounts()) == []
    crm.run()
    explanation = crm.explain("crm", "u1")
    assert explanation.wanted == "active" and explanation.because and explanation.summary
    assert explanation.account is not None and explanation.account.user == "u1"
    (tile,) = crm.launcher("u1")
    assert (tile.app, tile.label, tile.url, tile.state) == ("crm", "CRM", "https://crm.example.com", "active")


def test_every_record_is_the_same_in_json(crm: rollkeeper.Engine) -> None:
    crm.put_user(AMELIE)
    crm.run()
    for record in (*crm.requests(), *crm.accounts(), *crm.log(), crm.verify_log(), crm.preview("crm", "u1")):
        text = record.to_json()
        assert json.loads(text) == record.to_dict()
        assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def test_a_backup_can_be_opened_for_reading_alone(crm: rollkeeper.Engine, tmp_path: Path) -> None:
    crm.put_user(AMELIE)
    crm.backup(tmp_path / "copy.db")
    with rollkeeper.Engine.open(tmp_path / "copy.db", read_only=True) as copy:
        assert copy.user("u1")["username"] == "amélie"
        with pytest.raises(rollkeeper.CallerError) as caught:
            copy.put_user(AMELIE)
        assert caught.value.code == "read_only"
    with pytest.raises(rollkeeper.StoreError):
        rollkeeper.Engine.open(tmp_path / "nowhere.db", read_only=True)


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    place = tmp_path / "state.db"
    place.write_bytes(b"no database" * 1000)
    with pytest.raises(rollkeeper.StoreError) as caught:
        rollkeeper.Engine.open(os.fspath(place))
    assert caught.value.code == "store_damaged"


def test_the_log_goes_to_logging_unless_somebody_takes_it(
    caplog: pytest.LogCaptureFixture, clock: VirtualClock
) -> None:
    with caplog.at_level(logging.INFO, logger="rollkeeper"):
        with rollkeeper.Engine.open(clock=clock) as engine:
            engine.put_app(CRM)
            engine.put_user(AMELIE, by="hr")
            wanted = [entry.kind for entry in engine.log()]
        told = [record for record in caplog.records if record.name == "rollkeeper"]
        assert [record.__dict__["kind"] for record in told] == wanted
        assert any(record.__dict__["user"] == "u1" and record.__dict__["by"] == "hr" for record in told)
        assert "planted-value" not in caplog.text
        caplog.clear()
        seen: list[rollkeeper.LogEntry] = []
        with rollkeeper.Engine.open(clock=clock, log=seen.append) as engine:
            engine.put_app(CRM)
            engine.put_user(AMELIE)
            assert seen == list(engine.log())
        assert caplog.records == []


def test_a_log_nobody_reads_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="rollkeeper"):
        with rollkeeper.Engine.open() as engine:
            engine.put_app(CRM)
    assert caplog.records == []


def test_a_log_callback_that_throws_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    thrown: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: thrown.append(unraisable.exc_value))

    def throw(entry: rollkeeper.LogEntry) -> None:
        raise RuntimeError("the disk of the log is full")

    with rollkeeper.Engine.open(log=throw) as engine:
        engine.put_app(CRM)
        engine.put_user(AMELIE)
        assert engine.run().completed == 1
    assert {str(error) for error in thrown} == {"the disk of the log is full"}


def test_a_connector_that_throws_is_told_with_the_exception(engine: rollkeeper.Engine) -> None:
    class Broken(Directory):
        def test(self) -> None:
            raise OSError("planted-value")

    engine.register_connector("tickets", Broken())
    engine.put_app({**CRM, "connector": {"kind": "custom", "name": "tickets"}})
    test = engine.test_app("crm")
    assert not test.passed and test.fault is not None
    assert "`OSError`" in test.fault.message and "planted-value" not in test.to_json()
    assert isinstance(test.exception, OSError)
    assert test.capabilities["search"] is True


def test_the_mock_target_serves_as_a_connector(engine: rollkeeper.Engine) -> None:
    target = MockTarget()
    engine.register_connector("tickets", target)
    engine.put_app({**CRM, "connector": {"kind": "custom", "name": "tickets"}})
    engine.put_user(AMELIE)
    assert engine.test_app("crm").passed
    engine.run()
    assert [account["username"] for account in target.accounts] == ["amélie"]
    assert "create" in {call["method"] for call in target.calls}


def test_a_seed_and_a_clock_make_two_engines_alike() -> None:
    def history() -> list[str]:
        with rollkeeper.Engine.open(clock=VirtualClock(START), seed=42) as engine:
            engine.put_app(CRM)
            engine.put_users({**AMELIE, "id": f"u{n}", "username": f"n{n}"} for n in range(5))
            engine.run()
            return [record.to_json() for record in (*engine.requests(), *engine.accounts(), *engine.log())]

    assert history() == history()


def test_a_clock_may_be_a_function(monkeypatch: pytest.MonkeyPatch) -> None:
    with rollkeeper.Engine.open(clock=lambda: START) as engine:
        engine.put_app(CRM)
        (request,) = engine.put_user(AMELIE)
        assert request.created_at == START
