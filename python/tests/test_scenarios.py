"""Every scenario of `tests/data/scenarios/` leaves behind the golden bytes that the core left."""

from __future__ import annotations

import json
from typing import Any

import pytest

import rollkeeper

from . import scenario
from .conftest import DATA

FOLDER = DATA / "scenarios"
NAMES = sorted(file.stem for file in FOLDER.glob("*.json"))


def read(name: str) -> dict[str, Any]:
    """A scenario."""
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


def golden(name: str) -> bytes:
    """The bytes that a scenario must leave behind."""
    return (FOLDER / "golden" / f"{name}.json").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_leaves_the_golden_bytes(name: str) -> None:
    assert scenario.golden(scenario.play(read(name))).encode() == golden(name)


def test_every_golden_file_has_its_scenario() -> None:
    assert len(NAMES) >= 20
    assert sorted(file.stem for file in (FOLDER / "golden").glob("*.json")) == NAMES


def test_one_changed_attribute_makes_the_comparison_fail() -> None:
    name = "event_01_create_user"
    dump = scenario.play(read(name))
    changed = dump["accounts"][0].to_dict()
    changed["attributes"]["userName"] = "somebody.else"
    dump["accounts"][0] = rollkeeper.Account(changed)
    assert scenario.golden(dump).encode() != golden(name)


def test_a_step_that_ends_otherwise_than_it_says_is_noticed() -> None:
    story = read("active_required")
    del story["steps"][1]["error"]
    with pytest.raises(AssertionError, match="step 1: .*active"):
        scenario.play(story)
    story["steps"] = [{"run": {}, "error": "not_found"}]
    with pytest.raises(AssertionError, match="step 0: no error"):
        scenario.play(story)
