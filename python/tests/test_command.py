"""The commands: what they print, and how they end. Most run within this process, as the entry point would call them."""

from __future__ import annotations

import importlib.metadata
import io
import json
import sqlite3
import sys
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional

import pytest

import rollkeeper
from rollkeeper.command import main
from rollkeeper.command.exits import Exit, exit_of

CRM: dict[str, Any] = {
    "id": "crm",
    "connector": {"kind": "mock"},
    "assigned_to": {"profiles": ["Nurses"]},
    "create_without_match": True,
    "mapping": [
        {"target": "userName", "source": "username", "required": True},
        {"target": "title", "expression": "user.title.upper()"},
        {"target": "displayName", "source": "shown"},
        {"target": "nickName", "source": "nick", "sensitive": True},
    ],
}
AMELIE: dict[str, Any] = {"id": "u1", "username": "amelie", "profile": "Nurses", "title": "Nurse", "nick": "planted"}
BRUNO: dict[str, Any] = {"id": "u2", "username": "bruno", "profile": "Nurses"}


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def documents(self) -> list[Any]:
        """What it printed, as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]


Command = Callable[..., Ended]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """Runs a command in an empty folder, with the database `state.db` there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROLLKEEPER_DB", "state.db")
    for name in ("NO_COLOR", "FORCE_COLOR", "ROLLKEEPER_SECRETS", "ROLLKEEPER_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str, stdin: Optional[str] = None) -> Ended:
        capsys.readouterr()
        if stdin is not None:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode("utf-8"))))
        return Ended(main(arguments), *capsys.readouterr())

    return run


@pytest.fixture
def filled(command: Command) -> Command:
    """The same, with an app and two users, of whom one lacks what the mapping reads."""
    assert command("app", "put", "-", "--by", "admin", stdin=json.dumps(CRM)).code == 0
    assert command("users", "put", "-", "--by", "hr", stdin=json.dumps([AMELIE, BRUNO])).code == 0
    return command


def test_check_tells_findings_with_code_and_place(command: Command) -> None:
    broken = {**CRM, "mapping": [*CRM["mapping"], {"target": "locale", "expression": "usr.a"}]}
    Path("crm.json").write_text(json.dumps(CRM))
    Path("broken.json").write_text(json.dumps(broken))
    Path("late.json").write_text(json.dumps({**CRM, "create_without_match": False}))
    assert command("check", "crm.json").out.startswith("crm.json: ready\n")
    ended = command("check", "crm.json", "broken.json", "late.json")
    assert (ended.code, ended.err) == (1, "")
    assert "broken.json: 1 finding" in ended.out and "late.json: not ready\n" in ended.out
    assert "unknown_variable  mapping[4].expression, character 0  there is no variable `usr`" in ended.out
    assert "no  matching" in ended.out
    assert "mapping[1].expression  title  upper" in ended.out
    pair = {"all": [{"user": "username", "account": "emials.value"}]}
    warned = command("check", "-", stdin=json.dumps({**CRM, "matching": [pair]}))
    assert warned.code == 0 and "warnings\n" in warned.out and "matching[0].all[0].account" in warned.out
    whole, *_ = command("check", "crm.json", "--json").documents
    with rollkeeper.Engine.open() as engine:
        assert whole == {"file": "crm.json", **engine.validate_app(CRM).to_dict()}
    assert not Path("state.db").exists()


def test_check_takes_a_custom_connector_as_there_where_it_is_told_to(command: Command) -> None:
    text = json.dumps({**CRM, "connector": {"kind": "custom", "name": "tickets"}})
    assert command("check", "-", stdin=text).code == 1
    assert command("check", "-", "--connector", "tickets", stdin=text).code == 0


def test_what_a_later_engine_tells_besides_is_shown_too(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    class Later(rollkeeper.Engine):
        """An engine whose records have more than is known here."""

        def validate_app(self, app: Any) -> Any:
            more = {"outlook": [{"code": "slow", "message": "it may take long"}], "bounds": {"cost": 12}}
            return rollkeeper.Validation({**super().validate_app(app).to_dict(), **more})

        def preview(self, app: Any, user: Any) -> Any:
            found = super().preview(app, user).to_dict()
            found["rules"][0]["candidate"] = 3
            return rollkeeper.Preview({**found, "adopt": {"attributes": {"a": 1}}, "merge": [{"op": "remove"}]})

    text = json.dumps(CRM)
    command("app", "put", "-", stdin=text)
    command("users", "put", "-", stdin=json.dumps(AMELIE))
    monkeypatch.setattr("rollkeeper.command.check.Engine", Later)
    monkeypatch.setattr("rollkeeper.command.options.Engine", Later)
    shown = command("check", "-", stdin=text).out
    assert "outlook\ncode  message\nslow  it may take long\n" in shown and "bounds\ncost  12\n" in shown
    shown = command("preview", "crm", "u1").out
    assert '{"candidate":3}' in shown
    assert 'adopt\nattributes  {"a":1}\n' in shown and "merge\nop\nremove\n" in shown


def test_preview_shows_each_rule_with_inputs_result_and_why_it_was_skipped(filled: Command) -> None:
    ended = filled("preview", "crm", "u1")
    assert ended.code == 0 and "Create would be sent: entitled by profile `Nurses`" in ended.out
    rules = [line.split("  ") for line in ended.out.partition("rules\n")[2].partition("\n\n")[0].splitlines()]
    cells = [[cell.strip() for cell in rule if cell] for rule in rules]
    assert cells == [
        ["target", "kind", "inputs", "result", "note"],
        ["userName", "source", 'username="amelie"', '"amelie"'],
        ["title", "expression", 'title="Nurse"', '"NURSE"'],
        ["displayName", "source", "shown=null", "skipped: missing"],
        ["nickName", "source", "sensitive: not shown"],
    ]
    assert 'what create would send\ncreate  {"attributes":{"externalId":"u1",' in ended.out
    assert 'what update would send\nupdate  {"changes":[' in ended.out and '"external_id":"EXTERNAL-ID"}' in ended.out
    ended = filled("preview", "crm", "u2")
    assert ended.code == 1 and "Create cannot be sent" in ended.out and "expression_failed: `user.title`" in ended.out
    with rollkeeper.Engine.open("state.db", read_only=True) as engine:
        assert filled("preview", "crm", "u1", "--json").documents == [engine.preview("crm", "u1").to_dict()]


def test_users_come_in_from_every_form_and_faulty_rows_are_told_by_line(filled: Command) -> None:
    lines = ['{"id": "u1"}', '{"id": "u3", "active": 3}', '[{"id": "u4"}]', "", "{", '{"id": "u5"}']
    ended = filled("users", "put", "-", stdin="\n".join(lines))
    assert ended.code == 1 and ended.err == ""
    assert [line.split(":")[:2] for line in ended.out.splitlines()[:-1]] == [
        ["line 2", " invalid_document"],
        ["line 3", " invalid_document"],
        ["line 5", " invalid_json"],
    ]
    assert "(attribute `active`, user `u3`)" in ended.out and "2 users stored" in ended.out
    (fault, totals) = filled("users", "put", "-", "--json", "--format", "ndjson", stdin='[{"id": "u4"}]').documents
    assert (fault["line"], fault["code"], totals["stored"]) == (1, "invalid_document", 0)
    text = "id;username;name.givenName;permission_sets;active\nu6;f;Fa;A;true\nu7;g;;;no\n"
    fault, totals = filled("users", "put", "-", "--json", stdin=text).documents
    assert (fault["line"], fault["id"], fault["code"], fault["attribute"]) == (3, "u7", "invalid_document", "active")
    assert totals == {"rows": 2, "stored": 1, "unchanged": 1, "requests": 0, "faulty": 1}
    assert filled("users", "put", "-", "--format", "json", stdin="id,username").code == 1


def test_who_is_not_in_a_file_of_all_users_is_told(filled: Command) -> None:
    ended = filled("users", "put", "-", "--snapshot", stdin=json.dumps([AMELIE]))
    assert ended.code == 0
    assert "the list is suspect: the list has 1 users, the directory has 2" in ended.out
    assert "0 users left; 1 absent for the first time; 0 held" in ended.out
    (totals,) = filled("users", "put", "-", "--snapshot", "--json", stdin=json.dumps([AMELIE, BRUNO])).documents
    nothing = {"verdict": "complete", "why": [], "leavers": 0, "noted": 0, "held": 0}
    assert (totals["rows"], totals["stored"], totals["snapshot"]) == (2, 2, nothing)


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        ([json.dumps(AMELIE), json.dumps(BRUNO)], "complete"),
        # Whose record is faulty is there all the same.
        ([json.dumps(AMELIE), '{"id": "u2", "active": 3}'], "complete"),
        ([json.dumps(AMELIE), json.dumps(BRUNO), "{"], "incomplete"),
        (["[]", json.dumps(AMELIE), json.dumps(BRUNO)], "incomplete"),
        ([json.dumps(AMELIE), json.dumps(BRUNO), json.dumps(AMELIE)], "incomplete"),
    ],
)
def test_a_file_of_all_users_is_judged_with_its_faulty_rows(filled: Command, rows: list[str], verdict: str) -> None:
    put = ("users", "put", "-", "--snapshot", "--json", "--format", "ndjson")
    *faults, totals = filled(*put, stdin="\n".join(rows)).documents
    assert totals["snapshot"]["verdict"] == verdict
    assert (totals["rows"], totals["faulty"], totals["snapshot"]["noted"]) == (len(rows), len(faults), 0)


def test_a_csv_of_all_users_keeps_whom_a_faulty_row_names(filled: Command) -> None:
    put = ("users", "put", "-", "--snapshot", "--json")
    text = "id,username,active\nu1,amelie,true\nu2,bruno,maybe\n"
    fault, totals = filled(*put, stdin=text).documents
    assert (fault["line"], fault["id"], totals["faulty"]) == (3, "u2", 1)
    assert (totals["snapshot"]["verdict"], totals["snapshot"]["noted"]) == ("complete", 0)
    fault, totals = filled(*put, stdin=text.replace("u2,bruno,maybe", '"u2,bruno')).documents
    assert totals["snapshot"]["verdict"] == "incomplete"


def test_bytes_that_are_no_text_are_refused_with_their_row(filled: Command) -> None:
    Path("users.csv").write_bytes(b'id,title,tags[]\nu1,\xff,\nu2,,"[""\\ud800""]"\nu3,x,y\n')
    *faults, totals = filled("users", "put", "users.csv", "--json").documents
    assert [(fault["line"], fault["id"], fault["code"]) for fault in faults] == [
        (2, "u1", "invalid_utf8"),
        (3, "u2", "invalid_utf8"),
    ]
    assert totals["stored"] == 1


def test_the_rows_of_many_batches_keep_their_lines(filled: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rollkeeper.command.users._BATCH", 3)
    lines = [json.dumps({"id": f"n{n}", "active": n % 4 != 0 or "x"}) for n in range(1, 11)]
    lines[5] = "[]"
    *faults, totals = filled("users", "put", "-", "--json", stdin="\n".join(lines)).documents
    assert [fault["line"] for fault in faults] == [4, 6, 8]
    assert (totals["rows"], totals["stored"], totals["faulty"]) == (10, 7, 3)


def test_a_run_ends_with_1_where_requests_failed_in_it(filled: Command) -> None:
    ended = filled("run")
    assert (ended.code, ended.out) == (1, "1 request completed, 1 failed, 0 open\n")
    assert filled("run", "--json").documents == [
        {"completed": 0, "done": 0, "due": 0, "failed": 0, "open": 0, "stopped": False}
    ]


def test_lists_are_filtered_and_limited(filled: Command) -> None:
    filled("run")
    with rollkeeper.Engine.open("state.db", read_only=True) as engine:
        requests = [request.to_dict() for request in engine.requests()]
        accounts = [account.to_dict() for account in engine.accounts()]
        entries = [entry.to_dict() for entry in engine.log()]
    assert filled("requests", "--json").documents == requests and len(requests) == 2
    assert filled("accounts", "--json").documents == accounts and len(accounts) == 1
    assert filled("log", "list", "--json", "--after", "2", "--limit", "3").documents == entries[2:5]
    assert filled("apps", "--json").documents[0]["mapping"] == CRM["mapping"]
    (failed,) = filled("requests", "--json", "--state", "Failed", "--user", "u2", "--operation", "create").documents
    assert failed["faults"][0]["code"] == "expression_failed"
    table = filled("requests", "--state", "Failed").out.splitlines()
    assert len(table) == 2 and "expression_failed: `user.title` has no value (attribute `title`)" in table[1]
    assert filled("requests", "--limit", "1").out.count("\n") == 2
    assert filled("requests", "--waiting-for", "approval").out == ""
    assert filled("accounts", "--status", "Deactivated", "--link-state", "Linked", "--app", "crm").out == ""
    shown = filled("request", failed["id"]).out
    assert failed["id"] in shown and "expression_failed" in shown
    assert filled("request", failed["id"], "--json").documents[0]["history"] == []


def test_a_table_says_that_there_is_more(filled: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rollkeeper.command.listing._SHOWN", 1)
    ended = filled("requests")
    assert ended.out.count("\n") == 2 and "the first 1 are shown" in ended.err
    assert filled("requests", "--limit", "1").err == ""


def test_a_broken_log_is_told_with_its_place(filled: Command) -> None:
    ended = filled("log", "verify")
    assert ended.code == 0 and ended.out.startswith("the log is whole: 5 entries\nhead ")
    with sqlite3.connect("state.db") as database:
        database.execute("UPDATE log SET author = 'somebody' WHERE sequence = 2")
    database.close()
    ended = filled("log", "verify")
    assert (ended.code, ended.out.startswith("the log is broken: entry 2 ")) == (1, True)
    (verdict,) = filled("log", "verify", "--json").documents
    assert (verdict["whole"], verdict["broken_at"]) == (False, 2)


def test_explain_tells_why(filled: Command) -> None:
    filled("run")
    shown = filled("explain", "crm", "u2").out
    assert shown.startswith("u2 has no account in crm; wanted is active") and "expression_failed" in shown
    assert "scope      entitled  entitled by profile" in shown
    assert "external_id  1" in filled("explain", "crm", "u1").out
    assert filled("explain", "crm", "u1", "--json").documents[0]["wanted"] == "active"


def test_the_demo_is_a_story_that_is_always_the_same(command: Command) -> None:
    ended = command("demo")
    assert ended.code == 0 and ended == command("demo")
    assert ended.out.count("Completed") == 5 and ended.out.count("Deactivated") == 2
    scenes = command("demo", "--json").documents
    assert [scene["scene"] for scene in scenes] == ["joiner", "mover", "leaver", "log"]
    assert scenes[-1]["whole"] and [one["status"] for one in scenes[2]["accounts"]] == ["Deactivated", "Deactivated"]
    assert not Path("state.db").exists()


def test_a_target_is_asked(filled: Command) -> None:
    assert filled("app", "test", "crm").out.startswith("the target answers\n")
    bearer = {"kind": "bearer", "token": {"secret": "crm-token"}}
    scim = {**CRM, "id": "scim", "connector": {"kind": "scim", "base_url": "http://127.0.0.1:9", "auth": bearer}}
    Path("secrets.json").write_text('{"crm-token": "planted"}')
    assert filled("app", "put", "-", stdin=json.dumps(scim)).code == 1
    assert filled("app", "put", "-", "--secrets", "secrets.json", stdin=json.dumps(scim)).code == 0
    ended = filled("app", "test", "scim", "--secrets", "secrets.json")
    assert (ended.code, ended.out) == (4, "unreachable: the target could not be reached (app `scim`)\n")
    assert filled("app", "test", "scim", "--secrets", "secrets.json", "--json").documents[0]["passed"] is False


def test_errors_are_one_line_with_code_and_what_they_concern(filled: Command) -> None:
    ended = filled("preview", "crm", "u9")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == "rollkeeper: not_found: there is no such user (app `crm`, user `u9`)\n"
    broken = {**CRM, "mapping": [{"target": "userName", "expression": "usr.a"}, {"target": "x y", "source": "a"}]}
    ended = filled("app", "put", "-", stdin=json.dumps(broken))
    assert ended.code == 1
    assert [line.split()[1] for line in ended.err.splitlines()] == ["unknown_variable:", "invalid_path:"]
    error = json.loads(filled("preview", "crm", "u9", "--json").err)["error"]
    assert (error["code"], error["operation"], error["retry"]) == ("not_found", "preview", "never")
    assert error["details"]["context"] == {"app": "crm", "user": "u9"}


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ((), 2, "Missing command"),
        (("users",), 2, "Missing command"),
        (("fly",), 2, "No such command"),
        (("preview", "crm"), 2, "USER"),
        (("users", "put", "nowhere.csv"), 2, "nowhere.csv"),
        (("users", "put", "."), 2, "directory"),
        (("requests", "--state", "Dancing"), 2, "unknown_state"),
        (("accounts", "--status", "Dancing"), 2, "invalid_argument"),
        (("requests", "--db", "nowhere.db"), 3, "store_missing"),
        (("run", "--db", "nowhere.db"), 3, "store_missing"),
        (("users", "put", "-", "--db", "nowhere.db"), 3, "store_missing"),
        (("run", "--key-file", "short.key"), 2, "short.key"),
        (("run", "--secrets", "short.key"), 2, "short.key"),
        (("requests", "--db", "garbage.db"), 3, "store_damaged"),
    ],
)
def test_a_wrong_call_ends_with_its_code(
    arguments: tuple[str, ...], code: int, told: str, filled: Command
) -> None:
    Path("short.key").write_bytes(b'"planted-key')
    Path("garbage.db").write_bytes(b"garbage " * 1000)
    ended = filled(*arguments)
    assert (ended.code, ended.out) == (code, "") and told in ended.err and "Traceback" not in ended.err
    assert "planted" not in ended.err
    ended = filled(*arguments, "--json")
    assert ended.code == code and set(json.loads(ended.err)) == {"error"}
    assert not Path("nowhere.db").exists()


def test_a_database_must_be_named(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROLLKEEPER_DB")
    ended = command("requests")
    assert ended.code == 2 and "--db" in ended.err and "ROLLKEEPER_DB" in ended.err


def test_a_sealed_database_is_opened_with_its_key(filled: Command) -> None:
    Path("key").write_bytes(bytes(range(32)))
    Path("key.hex").write_text(bytes(range(32)).hex() + "\n")
    assert filled("app", "put", "-", "--db", "sealed.db", "--key-file", "key", stdin=json.dumps(CRM)).code == 0
    assert filled("apps", "--db", "sealed.db", "--key-file", "key.hex").code == 0
    ended = filled("apps", "--db", "sealed.db")
    assert ended.code == 3 and "key_missing" in ended.err


def test_every_kind_of_error_has_its_exit_code() -> None:
    def code(kind: str, operation: str = "put_app") -> int:
        return exit_of(rollkeeper.Error("", kind=kind, operation=operation))

    assert code("caller") == code("configuration") == Exit.FOUND and code("caller", "requests") == Exit.USAGE
    assert (code("store"), code("target"), code("ours")) == (Exit.STORE, Exit.TARGET, Exit.INTERNAL)


def test_what_a_directory_says_cannot_move_the_cursor(filled: Command) -> None:
    evil = {**AMELIE, "id": "u8", "username": "a\x1b[2Jb\u202ec\r", "title": "\x07[bold]x[/bold]:smile:"}
    filled("users", "put", "-", stdin=json.dumps(evil))
    shown = filled("preview", "crm", "u8").out
    assert "a\\x1b[2Jb\\u202ec\\r" in shown and "\\x07[BOLD]X[/BOLD]:SMILE:" in shown
    assert not {"\x1b", "\u202e", "\r", "\x07"} & set(shown)


def test_the_package_itself_needs_nothing() -> None:
    needed = importlib.metadata.requires("rollkeeper") or []
    assert sorted(need.split(">")[0] for need in needed) == ["click", "rich"]
    assert all("extra == 'cli'" in need.replace('"', "'") for need in needed)
