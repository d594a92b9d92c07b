"""Fixtures for all tests."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

import rollkeeper

DATA = Path(__file__).resolve().parents[2] / "tests" / "data"


def rows(name: str) -> list[dict[str, str]]:
    """The rows of a file of test data."""
    with open(DATA / name, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def engine() -> Iterator[rollkeeper.Engine]:
    """An engine in memory."""
    with rollkeeper.Engine.open() as engine:
        yield engine
