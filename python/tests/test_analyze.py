"""``analyze``: the cases of `tests/data/reconciliation/analyze.json` and `situations.json`, and rows as tables give them."""

from __future__ import annotations

import datetime
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Union

import pytest

import rollkeeper

from .conftest import DATA, rows

CASES: list[dict[str, Any]] = [
    case
    for name in ("analyze", "situations")
    for case in json.loads((DATA / "reconciliation" / f"{name}.json").read_text(encoding="utf-8"))
]
SITUATIONS = [row["situation"] for row in rows("situations.csv") if row["side"] != "membership"]
NAN = float("nan")
BY_MAIL = [{"all": [{"user": "mail", "account": "mail"}]}]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["description"])
def test_analyze_answers_as_its_case_says(case: dict[str, Any]) -> None:
    def given(name: str) -> Any:
        """A list as it is, and as text where it has what is no row."""
        records = case[name]
        return records if all(isinstance(record, dict) for record in records) else json.dumps(records)

    def answer() -> rollkeeper.Analysis:
        users = case["users"] if isinstance(case["users"], str) else given("users")
        return rollkeeper.analyze(users, given("accounts"), case.get("options"), links=case.get("links"))

    if "faults" in case:
        with pytest.raises(rollkeeper.Error) as raised:
            answer()
        assert raised.value.details["faults"] == case["faults"]
        return
    analysis, totals = answer(), case["totals"]
    assert [found.to_dict() for found in analysis] == case["findings"]
    assert analysis.counts == {**dict.fromkeys(SITUATIONS, 0), **totals["counts"]}
    assert analysis.complete == totals.get("complete", True)
    assert (analysis.repeated, analysis.unreadable) == (totals.get("repeated", 0), totals.get("unreadable", 0))
    assert [fault.to_dict() for fault in analysis.faults] == totals.get("faults", [])


def test_there_are_cases() -> None:
    assert len(CASES) >= 14 + 124


class Scalar:
    """A value in a box with `item`, as the scalars of NumPy are."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def item(self) -> Any:
        return self.value


class Array(Scalar):
    """A value in a box with `tolist` too, as the arrays of NumPy are."""

    def tolist(self) -> Any:
        return self.value


class NAType:
    """As the NA of pandas is: nothing can be told of it."""

    def __bool__(self) -> bool:
        raise TypeError("boolean value of NA is ambiguous")


class NaTType(datetime.datetime):
    """As the NaT of pandas is: a time that differs from itself."""

    def __ne__(self, other: object) -> bool:
        return True

    __hash__ = datetime.datetime.__hash__


def seen(value: Any) -> Any:
    """What is seen of a cell: it is wanted of an account that has nothing there."""
    found = rollkeeper.analyze(
        [{"id": "u1", "cell": value}],
        [{"id": "7"}],
        links=[{"account": "7", "user": "u1"}],
        mapping=[{"target": "cell", "source": "cell"}],
    )
    (drift,) = next(found).drift or (None,)
    return None if drift is None else drift.wanted


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        *((nothing, None) for nothing in (None, NAN, NAType(), NaTType(2026, 1, 1), Scalar(NAN))),
        (1.5, 1.5),
        (True, True),
        (Scalar(7), 7),
        (Scalar("a"), "a"),
        (Array([1, NAN, Scalar(2)]), [1, 2]),
        (["a", None, NAN], ["a"]),
        ((1, 2), [1, 2]),
        ({"a": NAN, "b": {"c": 1}}, {"b": {"c": 1}}),
        (datetime.datetime(2026, 1, 5, 8), "2026-01-05T08:00:00"),
        (datetime.datetime(2026, 1, 5, 8, tzinfo=datetime.timezone.utc), "2026-01-05T08:00:00Z"),
        (datetime.date(2026, 1, 5), "2026-01-05"),
        *((Decimal(text), number) for text, number in (("NaN", None), ("7", 7), ("1.50", 1.5), ("1E+2", 100.0))),
    ],
    ids=repr,
)
def test_a_cell_is_what_it_says_or_left_out(cell: Any, expected: Any) -> None:
    assert seen(cell) == expected


def test_what_is_no_cell_and_no_row_is_refused() -> None:
    for cell in (float("inf"), Decimal("-Infinity"), object(), 1 << 64):
        with pytest.raises((TypeError, ValueError)):
            seen(cell)
    for users in ({"id": "u1"}, ["u1"], [1], [["id"]], 5):
        with pytest.raises(TypeError):
            rollkeeper.analyze(users, [])  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        rollkeeper.analyze([{1: "u1"}], [])  # type: ignore[dict-item]


def test_records_come_from_lists_generators_text_and_files(tmp_path: Path) -> None:
    users = [{"id": "u1", "mail": "a"}, {"id": "u2", "mail": "ü"}]
    lines = "\n".join(map(json.dumps, users))
    file = tmp_path / "users.ndjson"
    file.write_text(lines, encoding="utf-8")
    pretty = [json.dumps(user, indent=2).encode() for user in users]
    for given in (users, iter(users), (user for user in users), lines, lines.encode(), json.dumps(users), file, pretty):
        analysis = rollkeeper.analyze(given, [{"id": "7", "mail": "ü"}], matching=BY_MAIL)
        assert [found.user for found in analysis] == ["u2", "u1"]
    with pytest.raises(rollkeeper.CallerError) as raised:
        rollkeeper.analyze(tmp_path / "nowhere", [])
    assert raised.value.code == "invalid_argument"
    assert rollkeeper.analyze([b"{", b'{"id": "u1"}'], []).unreadable == 1


@pytest.mark.parametrize("text", ["{", "[]", b"7", '{"memory": NaN}', '{"colour": 1}'])
@pytest.mark.parametrize("more", [{}, {"complete": False}])
def test_options_that_are_no_object_are_told_by_the_engine(text: Union[str, bytes], more: dict[str, Any]) -> None:
    with pytest.raises((rollkeeper.CallerError, rollkeeper.ConfigurationError, ValueError)) as raised:
        rollkeeper.analyze([], [], text, **more)
    assert not isinstance(raised.value, json.JSONDecodeError)


def test_many_rows_are_read_and_found_page_by_page() -> None:
    numbers = range(5000)
    analysis = rollkeeper.analyze(
        ({"id": f"u{n}", "mail": n} for n in numbers), ({"id": f"a{n}", "mail": n} for n in numbers), matching=BY_MAIL
    )
    assert analysis.counts["found"] == 5000
    assert [found.user for found in analysis] == [f"u{n}" for n in numbers]
    assert list(analysis) == []


def test_findings_are_flat_rows_for_tables() -> None:
    analysis = rollkeeper.analyze(
        [{"id": "u1", "mail": "a", "title": "x"}, {"id": "u2", "mail": "b"}, {"id": "u3", "mail": "b"}],
        [{"id": "7", "mail": "a", "title": "y"}, {"id": "8", "mail": "b"}],
        {"matching": BY_MAIL, "mapping": [{"target": "title", "source": "title"}]},
        links=[{"account": "7", "user": "u1"}],
    )
    flat = {"user": None, "rule": None, "candidates": None, "differs": None, "faults": None}
    assert list(analysis.rows()) == [
        {**flat, "situation": "drifted", "user": "u1", "account": "7", "differs": "title"},
        {**flat, "situation": "ambiguous", "account": "8", "rule": 0, "candidates": "u2 u3"},
    ]


def test_attributes_are_rows_too() -> None:
    mapping = [{"target": "title", "source": "title"}]
    links = [{"account": "7", "user": "u1", "last": {"title": "x"}}]
    analysis = rollkeeper.analyze([{"id": "u1", "title": "x"}], [{"id": "7", "title": "y"}], links=links, mapping=mapping)
    values = {"attribute": "title", "last": "x", "wanted": "x", "actual": "y", "verdict": "theirs"}
    assert list(analysis.drift_rows()) == [{"user": "u1", "account": "7", **values}]


def test_options_are_a_dict_text_or_keywords() -> None:
    users, accounts = [{"id": "u1", "mail": "a"}], [{"id": "7", "mail": "a"}]
    for given in ({"matching": BY_MAIL}, json.dumps({"matching": BY_MAIL}), json.dumps({"matching": BY_MAIL}).encode()):
        assert rollkeeper.analyze(users, accounts, given).counts["found"] == 1
    assert rollkeeper.analyze(users, accounts, {"matching": []}, matching=BY_MAIL).counts["found"] == 1
    with pytest.raises(rollkeeper.Error) as raised:
        rollkeeper.analyze(users, accounts, match=BY_MAIL)
    assert raised.value.code == "unknown_key"


def test_it_tells_no_value() -> None:
    analysis = rollkeeper.analyze([{"id": "u1", "mail": "planted"}], [])
    assert repr(analysis) == "<Analysis absent=1>"
    assert analysis._repr_html_() == "<table><caption>Analysis</caption><tr><th>absent</th><td>1</td></tr></table>"


def test_what_an_iterable_raises_comes_out() -> None:
    def broken() -> Iterator[dict[str, Any]]:
        yield {"id": "u1"}
        raise OSError("broken")

    for users, accounts in ((broken(), []), ([], broken())):
        with pytest.raises(OSError, match="broken"):
            rollkeeper.analyze(users, accounts)


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as POSIX has them")
def test_ctrl_c_ends_it_while_rows_are_read() -> None:
    program = """
import itertools, rollkeeper
def users():
    for number in itertools.count():
        if number == 10_000:
            print("reading", flush=True)
        yield {"id": str(number)}
rollkeeper.analyze(users(), [])
"""
    # A shell that starts the tests in the background lets its children ignore the signal.
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "reading\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert errors.rstrip().endswith("KeyboardInterrupt")
