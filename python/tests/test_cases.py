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
