"""Files of users: the cases of ``tests/data/users``, any size, and pieces cut anywhere."""

from __future__ import annotations

import io
import json
import tracemalloc
from contextlib import closing
from pathlib import Path
from typing import Any, Optional

import pytest

from rollkeeper.command import rows_json
from rollkeeper.command.rows import Flaw, Row, Source, rows

from .conftest import DATA

CASES = {
    file: json.loads((DATA / "users" / f"{file}.json").read_text(encoding="utf-8")) for file in ("csv", "json")
}


def content(case: dict[str, Any]) -> bytes:
    """The bytes of a case's file."""
    return bytes.fromhex(case["bytes"]) if "bytes" in case else case["text"].encode("utf-8")


def read(path: Path, format: Optional[str] = None) -> tuple[list[Any], list[Any]]:
    """The rows and flaws of a file."""
    with closing(Source(str(path))) as source:
        found = list(rows(source, str(path), format))
    good = [[row.line, json.loads(row.json)] for row in found if isinstance(row, Row)]
    return good, [[flaw.line, flaw.code, flaw.id] for flaw in found if isinstance(flaw, Flaw)]


@pytest.mark.parametrize("case", CASES["csv"], ids=lambda case: case["name"])
def test_csv_is_read_as_the_cases_say(case: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_bytes(content(case))
    assert read(tmp_path / "users.csv") == (case["rows"], case.get("flaws", []))


@pytest.mark.parametrize("name", ["users", "users.json"])
@pytest.mark.parametrize("case", CASES["json"], ids=lambda case: case["name"])
def test_json_is_read_as_the_cases_say(case: dict[str, Any], name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content(case))
    assert read(tmp_path / name) == (case["rows"], case.get("flaws", []))
    assert read(tmp_path / name, case["format"]) == (case["rows"], case.get("flaws", []))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_json_is_read_the_same_wherever_a_piece_ends(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_json, "_PIECE", size)
    records: list[Any] = [{"id": "u1", "a": "é\\\"\n", "b": [-1.5e10, None, True]}, 12, "x", {"c": {"d": False}}]
    text = json.dumps(records, indent=1)
    found = list(rows_json.values(io.StringIO(text)))
    assert [json.loads(row.json) for row in found if isinstance(row, Row)] == records
    assert [row.line for row in found] == [2, 11, 12, 13]
    numbers = list(rows_json.values(io.StringIO("[1234567, 89]")))
    assert numbers == [Row(1, b"1234567"), Row(1, b"89")]
    # Whatever is cut off, what was whole before it stands, and the rest is one flaw.
    for end in range(1, len(text)):
        cut = list(rows_json.values(io.StringIO(text[:end])))
        assert [type(item) for item in cut] == [Row] * (len(cut) - 1) + [Flaw]


def test_a_form_is_told_by_the_first_line_where_the_name_does_not(tmp_path: Path) -> None:
    for text, line in (('{"id": "u1"}\n{"id": "u2"}\n', 1), ('{\n"id": "u1"}', 1), ('\n[{"id": "u1"}]', 2)):
        (tmp_path / "users.txt").write_text(text)
        assert read(tmp_path / "users.txt")[0][0] == [line, {"id": "u1"}]
    (tmp_path / "users.txt").write_text("id,title\nu1,x\n")
    assert read(tmp_path / "users.txt")[0] == [[2, {"id": "u1", "title": "x"}]]


def test_a_line_of_json_leaves_the_rest_alone_and_goes_on_byte_for_byte(tmp_path: Path) -> None:
    lines = [b'{"id": "u1", "n": 1.10}', b'{"id":', b'{"id": "\xff"}', b"[1]"]
    (tmp_path / "users.ndjson").write_bytes(b"\n".join(lines))
    with closing(Source(str(tmp_path / "users.ndjson"))) as source:
        found = list(rows(source, "users.ndjson", None))
    assert found == [Row(number, line) for number, line in enumerate(lines, start=1)]


def test_json_that_no_parser_should_read_ends_with_a_flaw() -> None:
    for text in ("[" * 200_000, '[{"a": ' * 100_000, '["' + "x" * (1 << 25)):
        (flaw,) = rows_json.values(io.StringIO(text))
        assert isinstance(flaw, Flaw) and flaw.code == "invalid_json"
    (row,) = rows_json.values(io.StringIO('{"id": "u1", "n": ' + "9" * 10_000 + "}"))
    assert isinstance(row, Row)


def test_small_records_after_a_long_one_are_not_copied_again_and_again() -> None:
    text = json.dumps({"id": "u0", "note": "x" * (1 << 21)}) + '{"id": "u"}\n' * 100_000
    found = list(rows_json.values(io.StringIO(text)))
    assert len(found) == 100_001 and found[-1] == Row(100_000, b'{"id": "u"}')


@pytest.mark.parametrize("ending", ["csv", "ndjson", "json"])
def test_a_large_file_needs_little_memory(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"users.{ending}"
    write(path, 60_000)
    tracemalloc.start()
    with closing(Source(str(path))) as source:
        number = sum(1 for _ in rows(source, str(path), None))
        assert source.done == source.size
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert number == 60_000 and peak < 1_000_000 < path.stat().st_size / 2


def write(path: Path, number: int) -> None:
    """Writes a file of so many users in the form that its name says."""
    users = ({"id": f"u{n}", "username": f"name{n}"} for n in range(number))
    if path.suffix == ".csv":
        text = "\n".join(["id,username,title", *(f"{','.join(user.values())},{'x' * 30}" for user in users)])
    else:
        lines = [json.dumps(user) for user in users]
        text = "\n".join(lines) if path.suffix == ".ndjson" else f"[{', '.join(lines)}]"
    path.write_text(text)
