"""The cases of `tests/data` that every language runs."""

from __future__ import annotations

import json
from typing import Any

import pytest

import rollkeeper

from .conftest import DATA

NOW = rollkeeper.testing.VirtualClock("2026-11-20T09:00:00Z").now()


def cases(folder: str) -> list[Any]:
    """All cases of a folder, each with the file's name and its description for an id."""
    files = sorted((DATA / folder).glob("*.json"))
    assert files, f"no cases in {folder}"
    found = [(file.stem, case) for file in files for case in json.loads(file.read_text(encoding="utf-8"))]
    return [pytest.param(case, id=f"{stem}: {case['description']}") for stem, case in found]


def faults(error: rollkeeper.Error, wanted: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The faults found, without the messages that the case leaves out."""
    found = [dict(fault) for fault in error.details["faults"]]
    for fault, expected in zip(found, wanted):
        if "message" not in expected:
            del fault["message"]
    return found


def check(case: dict[str, Any], answer: Any) -> None:
    """Compares what a function gives or raises with what the case says."""
    wanted = case.get("faults", [])
    try:
        value = answer()
    except rollkeeper.Error as error:
        assert wanted, f"unexpected: {error}"
        assert faults(error, wanted) == wanted
        assert error.code == wanted[0]["code"]
    else:
        assert not wanted
        assert value == case.get("rendered", case.get("judged", case.get("value")))


@pytest.mark.parametrize("case", cases("expression"))
def test_an_expression_gives_what_its_case_says(case: dict[str, Any]) -> None:
    options = {"now": NOW, **case.get("options", {})}
    check(case, lambda: rollkeeper.evaluate(case["expression"], case.get("user", {}), **options))


@pytest.mark.parametrize("case", cases("mapping"))
def test_a_mapping_gives_what_its_case_says(case: dict[str, Any]) -> None:
    assert set(case) <= {"description", "mapping", "user", "current", "last", "rendered", "faults"}
    current, last = case.get("current"), case.get("last")
    check(case, lambda: rollkeeper.render(case["mapping"], case["user"], current=current, last=last, now=NOW))
    if current is None and last is None:
        wanted = {**case, "rendered": case.get("rendered", {}).get("attributes")}
        check(wanted, lambda: rollkeeper.Mapping(case["mapping"]).render(case["user"], now=NOW))
        text = json.dumps(case["user"])
        check(wanted, lambda: json.loads(rollkeeper.Mapping(case["mapping"]).render(text, now=NOW)))


@pytest.mark.parametrize("case", cases("matching"))
def test_matching_decides_as_its_case_says(case: dict[str, Any]) -> None:
    check(case, lambda: rollkeeper.match_accounts(case["matching"], case["user"], case["accounts"]))


def test_there_are_many_cases() -> None:
    assert len(cases("expression")) > 600 and len(cases("mapping")) > 500 and len(cases("matching")) > 90
