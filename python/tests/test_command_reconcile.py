"""The commands that reconcile: what they print, and how they end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .test_command import Command, command

__all__ = ["command"]  # the fixture

ACCOUNTS: list[dict[str, Any]] = [
    {"external_id": "1", "username": "amelie", "attributes": {"userName": "amelie"}},
    {"external_id": "9", "username": "eve\x1b[2J", "attributes": {"userName": "eve\x1b[2J", "title": "planted"}},
]
CRM: dict[str, Any] = {
    "id": "crm",
    "enabled": False,
    "connector": {"kind": "mock", "settings": {"accounts": ACCOUNTS}},
    "assigned_to": {"profiles": ["Nurses"]},
    "mapping": [{"target": "userName", "source": "username"}, {"target": "title", "source": "title"}],
    "matching": [{"all": [{"user": "username", "account": "userName"}]}],
    "reconcile": {"reactions": {"orphaned": "deactivate"}},
}
USERS = [{"id": "u1", "username": "amelie", "profile": "Nurses"}, {"id": "u2", "username": "bo", "profile": "Nurses"}]


@pytest.fixture
def filled(command: Command) -> Command:
    """The commands, on a database with an app whose target has an account of a user, and one of nobody."""
    assert command("app", "put", "-", "--by", "admin", stdin=json.dumps(CRM)).code == 0
    assert command("users", "put", "-", "--by", "hr", stdin=json.dumps(USERS)).code == 0
    return command


def reconciled(filled: Command) -> tuple[str, str]:
    """A reconciliation's id and digest."""
    (found,) = filled("reconcile", "crm", "--by", "nightly", "--json").documents
    return found["id"], found["digest"]


def test_a_target_is_reconciled_and_a_plan_that_is_held_has_its_own_exit_code(filled: Command) -> None:
    ended = filled("reconcile", "crm", "--by", "nightly")
    assert (ended.code, ended.err) == (6, "")
    assert ": Analyzed" in ended.out and "2 accounts read, complete" in ended.out
    for line in ("found      1", "orphaned   1", "absent     1", "held      1", "planned   1"):
        assert line in ended.out, ended.out
    assert "the brake holds what would be taken away\n" in ended.out and "first_observation" in ended.out
    (listed,) = filled("reconciliations", "--app", "crm", "--json").documents
    assert f"reconciliation {listed['id']}: Analyzed" in ended.out and f"digest {listed['digest']}" in ended.out
    assert filled("reconciliations", "--kind", "undo").out == ""
    assert "complete" in filled("reconciliations", "--state", "Analyzed").out


def test_a_definition_that_takes_too_much_away_is_stored_and_ends_as_a_plan_that_is_held(command: Command) -> None:
    app = {**CRM, "enabled": True, "connector": {"kind": "mock"}, "create_without_match": True}
    assert command("app", "put", "-", "--by", "adam", stdin=json.dumps(app)).code == 0
    assert command("users", "put", "-", "--by", "hr", stdin=json.dumps(USERS)).code == 0
    assert command("run").code == 0
    wrong = json.dumps({**app, "assigned_to": {"profiles": ["Nurse"]}})
    ended = command("app", "put", "-", "--by", "adam", stdin=wrong)
    (plan,) = command("reconciliations", "--kind", "source", "--json").documents
    assert (ended.code, ended.err) == (6, "")
    assert f"2 items held, a second person releases them: {plan['id']}\n" in ended.out
    codes = [command("release", plan["id"], "--digest", plan["digest"], "--by", by).code for by in ("adam", "eve")]
    assert codes == [1, 0]


def test_a_plan_is_listed_without_values_and_filtered(filled: Command) -> None:
    id, _ = reconciled(filled)
    shown = filled("plan", id)
    assert shown.code == 0 and "planted" not in shown.out and "\x1b" not in shown.out
    assert [line.split()[1:4] for line in shown.out.splitlines()[1:]] == [
        ["found", "u1", "1"],
        ["orphaned", "9", "deactivate"],
        ["absent", "u2", "report"],
    ]
    items = filled("plan", id, "--json").documents
    assert [item["number"] for item in items] == [1, 2, 3]
    assert filled("plan", id, "--json", "--state", "held", "--reaction", "deactivate").documents == [items[1]]
    assert filled("plan", id, "--json", "--situation", "absent", "--user", "u2").documents == [items[2]]
    assert filled("plan", id, "--json", "--after", "1", "--limit", "1").documents == [items[1]]


def test_exactly_the_plan_that_was_read_is_committed(filled: Command) -> None:
    id, digest = reconciled(filled)
    ended = filled("commit", id, "--digest", "0" * 64, "--by", "anna")
    assert ended.code == 1 and "plan_changed" in ended.err
    ended = filled("commit", id, "--digest", digest, "--by", "anna")
    assert ended.code in (0, 6) and "done" in ended.out
    (account,) = filled("accounts", "--user", "u1", "--json").documents
    assert (account["external_id"], account["link_state"]) == ("1", "Linked")
    entries = filled("log", "list", "--json").documents
    assert {entry["by"] for entry in entries if entry["kind"] == "linked"} == {"anna"}


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("reconcile", "nowhere"), 1, "not_found"),
        (("plan", "nowhere"), 1, "not_found"),
        (("commit", "nowhere", "--by", "anna"), 2, "--digest"),
        (("release", "nowhere", "--digest", "0"), 2, "--by"),
        (("release", "nowhere", "--digest", "0", "--by", "anna"), 1, "not_found"),
        (("review", "nowhere", "0", "link", "--by", "anna"), 2, "ITEM"),
        (("review", "nowhere", "1", "dance", "--by", "anna"), 1, "invalid_argument"),
        (("review", "nowhere", "1", "unfreeze", "--by", "anna"), 1, "invalid_argument"),
        (("undo", "nowhere", "--by", "anna"), 1, "not_found"),
        (("reconciliations", "--state", "Dancing"), 2, "unknown_state"),
        (("reconciliations", "--kind", "dance"), 2, "invalid_argument"),
        (("plan", "nowhere", "--state", "dancing"), 1, "invalid_argument"),
    ],
)
def test_what_is_wrong_is_told_with_its_code(
    arguments: tuple[str, ...], code: int, told: str, filled: Command
) -> None:
    ended = filled(*arguments)
    assert ended.code == code and told in ended.err and ended.out == ""


def test_files_are_analysed_without_a_database(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROLLKEEPER_DB")
    options = {"matching": CRM["matching"], "mapping": CRM["mapping"]}
    Path("options.json").write_text(json.dumps(options))
    Path("users.ndjson").write_text("\n".join(map(json.dumps, USERS)))
    Path("users.csv").write_text("id,username,profile\nu1,amelie,Nurses\nu2,bo,Nurses\n")
    Path("accounts.json").write_text(json.dumps(ACCOUNTS))
    Path("accounts.csv").write_text("id;userName;active\n1;amelie;true\n9;eve;false\n")
    Path("links.json").write_text('[{"account": "1", "user": "u1"}]')
    for users in ("users.ndjson", "users.csv"):
        for accounts in ("accounts.json", "accounts.csv"):
            ended = command("analyze", users, accounts, "--options", "options.json")
            assert (ended.code, ended.err) == (0, "")
            rows = [line.split() for line in ended.out.splitlines()]
            assert rows[:4] == [["situation", "number"], ["absent", "1"], ["found", "1"], ["orphaned", "1"]]
            assert rows[5:] == [["situation", "user", "account"], ["found", "u1", "1"], ["orphaned", "9"], ["absent", "u2"]]
    *found, totals = command("analyze", "users.csv", "accounts.csv", "--links", "links.json", "--json").documents
    assert [one["situation"] for one in found] == ["orphaned", "absent"]
    assert totals["counts"]["confirmed"] == 1 and totals["complete"]
    found = command("analyze", "users.csv", "accounts.csv", "--situation", "absent", "--limit", "1", "--json").documents
    assert [one.get("user") for one in found] == ["u1", None]


def test_records_that_cannot_be_read_end_an_analysis_with_1(command: Command) -> None:
    Path("users.csv").write_text("id,active\nu1,maybe\nu2,true\n")
    ended = command("analyze", "users.csv", "-", stdin='[{"id": "7"}, {"id": "7"}, 5]')
    assert ended.code == 1
    assert "1 account repeated: the first one counts" in ended.out and "2 records cannot be read" in ended.out
    assert "the listing is not whole" in ended.out and "users `0`)" in ended.out


def test_options_that_are_wrong_are_told_at_their_place(command: Command) -> None:
    Path("users.json").write_text("[]")
    Path("wrong.json").write_text('{"scope": "usr.a"}')
    Path("none.json").write_text("planted")
    ended = command("analyze", "users.json", "users.json", "--options", "wrong.json")
    assert ended.code == 1 and "unknown_variable" in ended.err and "(attribute `scope`)" in ended.err
    ended = command("analyze", "users.json", "users.json", "--options", "none.json")
    assert ended.code == 2 and "none.json" in ended.err and "planted" not in ended.err
    ended = command("analyze", "users.json", "users.json", "--situation", "lost")
    assert ended.code == 1 and ended.out == ""
