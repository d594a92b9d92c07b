"""Nothing shows a secret or an attribute value: they are planted, and looked for wherever the engine speaks or writes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

import rollkeeper
from rollkeeper.records import Record

from .connectors import Directory

TOKEN = "planted-token-7f3a9c"
KEY = bytes(range(101, 133))
VALUES = ["planted-name-51d0be", "planted-title-0c77e1", "planted-mail-93ab42"]
APP: dict[str, Any] = {
    "assigned_to": {"profiles": ["Employees"]},
    "create_without_match": True,
    "mapping": [
        {"target": "userName", "source": "username"},
        {"target": "title", "source": "title"},
        {"target": 'emails[type eq "work"].value', "source": "email"},
    ],
    "matching": [{"all": [{"user": "email", "account": "emails.value"}]}],
    "retry": {"attempts": 1},
}
BROKEN = [*APP["mapping"], {"target": "displayName", "expression": "user.title.matches('x') ? 'a' : user.missing"}]


def user(number: int) -> dict[str, Any]:
    """A user who has the planted values."""
    name, title, mail = VALUES
    values = {"username": name, "title": title, "email": f"{mail}@example.com"}
    return {"id": f"u{number}", "profile": "Employees", **values}


class Careless(BaseHTTPRequestHandler):
    """A target that refuses everything and quotes what it was sent, the token too."""

    def do_GET(self) -> None:
        self.refuse()

    def do_POST(self) -> None:
        self.refuse()

    def refuse(self) -> None:
        """Answers with what was asked."""
        sent = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        seen = " ".join([self.path, str(self.headers), sent])
        for character in '"\\\r\n':
            seen = seen.replace(character, " ")
        answer = f'{{"schemas": [], "status": "400", "scimType": "invalidValue", "detail": "{seen}"}}'.encode()
        self.server.__dict__["quoted"].append(seen)
        self.send_response(400)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Says nothing on the console."""


class Talkative(Directory):
    """A connector whose exceptions and wrong answers quote what they were given."""

    def __init__(self, fault: Callable[[dict[str, Any]], Any]) -> None:
        super().__init__()
        self.fault = fault

    def create(self, attributes: dict[str, Any], idempotency_key: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.fault(attributes)
        return answer


def throw(attributes: dict[str, Any]) -> Any:
    """A failure as careless programmers write it."""
    raise ValueError(f"cannot create {attributes}")


FAULTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "throws": throw,
    "answers-a-list": lambda attributes: [*attributes.values()],
    "answers-the-wrong-type": lambda attributes: {"external_id": "x", "active": attributes["userName"]},
    "answers-an-unknown-key": lambda attributes: {"external_id": "x", attributes["userName"]: True},
    "answers-no-json": lambda attributes: {"external_id": "x", "attributes": {("a", attributes["title"]): 1}},
}


class Noting(logging.Handler):
    """Notes everything about every line of the log."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{self.format(record)} {record.__dict__!r}")


@pytest.fixture
def careless() -> Iterator[ThreadingHTTPServer]:
    """The careless target."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Careless) as server:
        server.__dict__["quoted"] = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def noting() -> Iterator[Noting]:
    """What goes to `logging`, from every logger and at every level."""
    handler, root = Noting(), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.setLevel(before)
    root.removeHandler(handler)


def shown(record: Record) -> list[str]:
    """How a record shows itself and what it holds."""
    held = [getattr(record, name) for name in record._fields]
    inner = [one for value in held for one in (value if isinstance(value, tuple) else (value,))]
    return [repr(record), str(record), record._repr_html_()] + [
        text for one in inner if isinstance(one, Record) for text in shown(one)
    ]


def told(error: BaseException) -> list[str]:
    """How an error shows itself."""
    return [str(error), repr(error), repr(error.args), repr(error.__dict__)]


def raised(verb: Callable[..., Any], *arguments: Any) -> list[str]:
    """How the error of a verb shows itself."""
    with pytest.raises((rollkeeper.Error, TypeError, ValueError)) as caught:
        verb(*arguments)
    return told(caught.value)


def everything(engine: rollkeeper.Engine, app: str) -> list[str]:
    """How all that the engine gives shows itself. What is for people to read is taken as JSON too."""
    requests = list(engine.requests())
    details = [engine.request(request.id) for request in requests]
    log, test = list(engine.log()), engine.test_app(app)
    users = [one["id"] for one in engine.users()]
    reasons = [verb(app, id) for id in users for verb in (engine.preview, engine.explain)]
    records: list[Record] = [*requests, *details, *engine.accounts(), *reasons, *log, engine.verify_log(), test]
    written: list[Record] = [*requests, *log, test, *(attempt for one in details for attempt in one.history)]
    return (
        [repr(engine), engine.export_app(app)]
        + [text for record in records for text in shown(record)]
        + [record.to_json() for record in written]
    )


def found(secrets: list[str], texts: list[str]) -> list[str]:
    """The texts that hold a secret."""
    return [text for text in texts if any(secret in text for secret in secrets)]


def files_with_a_secret(folder: Path) -> list[str]:
    """The files that hold a secret, a value or the key, byte by byte."""
    planted = [TOKEN.encode(), *(value.encode() for value in VALUES), KEY, KEY.hex().encode()]
    return [file.name for file in folder.iterdir() if any(one in file.read_bytes() for one in planted)]


@pytest.mark.parametrize("key", [None, KEY], ids=["no-key", "key"])
def test_nothing_planted_is_shown_or_written(
    key: Optional[bytes], tmp_path: Path, careless: ThreadingHTTPServer, noting: Noting
) -> None:
    asked: list[str] = []

    def secret(name: str) -> str:
        asked.append(name)
        return TOKEN

    bearer = {"kind": "bearer", "token": {"secret": "scim-token"}}
    scim = {"kind": "scim", "base_url": f"http://127.0.0.1:{careless.server_port}/scim/v2", "auth": bearer}
    texts: list[str] = []
    with rollkeeper.Engine.open(tmp_path / "state.db", key=key, secrets=secret) as engine:
        apps = {"mock": {"kind": "mock"}, "broken": {"kind": "mock"}, "scim": scim, "scim-searched": scim}
        for name, fault in FAULTS.items():
            engine.register_connector(name, Talkative(fault))
            apps[name] = {"kind": "custom", "name": name}
        for id, connector in apps.items():
            mapping = BROKEN if id == "broken" else APP["mapping"]
            matching = [] if id == "scim" else APP["matching"]
            app = {**APP, "id": id, "connector": connector, "mapping": mapping, "matching": matching}
            texts += [repr(engine.put_app(app))]
        texts += [repr(engine.put_user(user(1))), repr(engine.put_users([user(2), {"username": VALUES[0]}]).faults)]
        texts += [repr(engine.run())]
        for id in apps:
            texts += everything(engine, id)
        codes = {fault.code for request in engine.requests() for fault in request.faults}
        names = [file.name for file in tmp_path.iterdir()]
        assert "state.db-wal" in names and files_with_a_secret(tmp_path) == []
        engine.backup(tmp_path / "copy.db")
    assert files_with_a_secret(tmp_path) == []
    assert found([TOKEN, *VALUES], texts + noting.lines) == []
    # All of that would hold, too, if nothing had happened.
    assert {"scim-token"} == set(asked) and len(noting.lines) > 20
    assert {"expression_failed", "connector_failed", "invalid_answer"} <= codes, codes
    quoted = " ".join(careless.__dict__["quoted"])
    assert all(one in quoted for one in [TOKEN, *VALUES])


def test_no_error_shows_what_was_passed(engine: rollkeeper.Engine) -> None:
    name, title, _ = VALUES
    engine.put_app({**APP, "id": "crm", "connector": {"kind": "mock"}})
    engine.put_user(user(1))
    wrong: list[dict[str, Any]] = [{"active": title}, {"id": 7}, {"profile": [title]}]
    wrong += [{"title": {1: title}}, {"title": {title}}]
    records: list[Any] = [{**user(2), **one} for one in wrong]
    texts = [
        text
        for record in (*records, f'{{"id": "u2", "title": "{title}"', f'"{title}"')
        for text in raised(engine.put_user, record)
    ]
    for expression in ("int(user.title)", "timestamp(user.title)", "duration(user.title)", "user.title + 1"):
        texts += raised(rollkeeper.evaluate, expression, user(1))
    mapping = [{"target": "active", "source": "title"}, {"target": "n", "expression": "int(user.username)"}]
    texts += raised(rollkeeper.render, mapping, user(1))
    assert found([name, title], texts) == []


def test_the_search_finds_what_is_planted(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"\0" + VALUES[1].encode() + b"\0")
    (tmp_path / "other.db").write_bytes(b"nothing")
    assert files_with_a_secret(tmp_path) == ["state.db"]
    fault = rollkeeper.Fault({"code": "rejected", "message": f"no {TOKEN}"})
    request = rollkeeper.Request({"id": "1", "faults": [fault.to_dict()]})
    assert found([TOKEN], shown(request)) and found([TOKEN], told(rollkeeper.Error(TOKEN)))
