"""A compiled mapping; what mappings give is in `test_cases.py`."""

from __future__ import annotations

import json
import threading
from datetime import datetime, timezone

import pytest

import rollkeeper

RULES = [{"target": "userName", "source": "login", "required": True}]
ADA = b'{"userName":"ada"}'


def test_json_gives_json_and_a_dict_gives_a_dict() -> None:
    mapping = rollkeeper.Mapping(RULES)
    assert mapping.render(b'{"login": "ada"}') == ADA
    assert mapping.render('{"login": "ada"}') == ADA
    assert mapping.render(bytearray(b'{"login": "ada"}')) == ADA  # type: ignore[call-overload]
    assert mapping.render({"login": "ada"}) == {"userName": "ada"}
    assert rollkeeper.Mapping(json.dumps(RULES)).render(b'{"login": "ada"}') == ADA


def test_expressions_see_the_time_that_is_given() -> None:
    mapping = rollkeeper.Mapping([{"target": "at", "expression": "now"}])
    now = datetime(2026, 11, 20, 9, tzinfo=timezone.utc)
    assert mapping.render(b"{}", now=now) == b'{"at":"2026-11-20T09:00:00Z"}'
    assert mapping.render_lines(b"{}", now=now) == b'{"attributes":{"at":"2026-11-20T09:00:00Z"}}\n'


def test_every_fault_is_in_the_exception() -> None:
    with pytest.raises(rollkeeper.ConfigurationError) as caught:
        rollkeeper.Mapping([{"target": "a.", "constant": 1}, {"target": "b"}])
    assert [fault["code"] for fault in caught.value.details["faults"]] == ["invalid_path", "invalid_document"]
    with pytest.raises(rollkeeper.Error) as missing:
        rollkeeper.Mapping(RULES).render(b"{}")
    assert missing.value.code == "missing_required"
    with pytest.raises(rollkeeper.CallerError) as broken:
        rollkeeper.Mapping(RULES).render(b"{")
    assert broken.value.code == "invalid_json"


def test_a_bad_line_stops_nobody_else() -> None:
    lines = rollkeeper.Mapping(RULES).render_lines(b'{"login": "ada"}\n{}\n\n{"login": "bob"}\n').splitlines()
    found = [json.loads(line) for line in lines]
    assert found[0] == {"attributes": {"userName": "ada"}}
    assert [fault["code"] for fault in found[1]["faults"]] == ["missing_required"]
    assert [fault["code"] for fault in found[2]["faults"]] == ["invalid_json"]
    assert found[3:] == [{"attributes": {"userName": "bob"}}]
    assert rollkeeper.Mapping(RULES).render_lines("") == b""
    with pytest.raises(TypeError):
        rollkeeper.Mapping(RULES).render_lines([{"login": "ada"}])  # type: ignore[arg-type]


def test_several_threads_share_one() -> None:
    mapping = rollkeeper.Mapping(RULES)
    users = b'{"login": "ada"}\n' * 2000
    wanted = b'{"attributes":' + ADA + b"}\n"
    answers: list[bytes] = []
    threads = [threading.Thread(target=lambda: answers.append(mapping.render_lines(users))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [wanted * 2000] * 4
