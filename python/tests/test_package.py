"""The package as a whole: types, stubs, examples in the documentation."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import rollkeeper

HERE = Path(__file__).resolve().parents[1]
MODULES = ["rollkeeper", *(f"rollkeeper.{found.name}" for found in pkgutil.iter_modules(rollkeeper.__path__))]


def checked(*arguments: str) -> None:
    """Runs a module of the type checker's."""
    pytest.importorskip("mypy")
    ended = subprocess.run([sys.executable, "-m", *arguments], cwd=HERE, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_package_and_its_tests_are_typed() -> None:
    checked("mypy", "--strict")


def test_the_stub_says_what_the_extension_has() -> None:
    checked("mypy.stubtest", "rollkeeper")


@pytest.mark.parametrize("name", [name for name in MODULES if name != "rollkeeper.__main__"])
def test_the_examples_in_the_documentation_hold(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples() -> None:
    finder = doctest.DocTestFinder()
    modules = [importlib.import_module(name) for name in MODULES if name != "rollkeeper.__main__"]
    assert sum(len(found.examples) for module in modules for found in finder.find(module)) > 10


def test_an_import_leaves_out_what_not_everybody_needs() -> None:
    program = """
import sys
import rollkeeper
with rollkeeper.Engine.open() as engine:
    app = {"connector": {"kind": "mock"}, "enabled": False, "mapping": []}
    engine.put_app({"id": "silent", **app})
    print(sorted({"html", "json", "logging"} & set(sys.modules)))
    import logging
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(name)s %(message)s")
    engine.put_app({"id": "told", **app})
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.stdout.splitlines() == ["[]", "rollkeeper app_put app=told"], ended.stderr


def test_the_example_of_the_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (HERE / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})
    assert capsys.readouterr().out == "amelie Active\n"


def test_every_public_name_is_listed_and_documented() -> None:
    for name in MODULES:
        module = importlib.import_module(name)
        for public in getattr(module, "__all__", []):
            thing = getattr(module, public)
            assert getattr(thing, "__doc__", None), f"{name}.{public} has no documentation"
    assert sorted(rollkeeper.__all__) == rollkeeper.__all__
