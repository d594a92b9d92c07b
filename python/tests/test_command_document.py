"""``core/docs/command_line.md``: its examples do what they show, and its tables say what the commands have."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from rollkeeper.command.exits import MEANINGS
from rollkeeper.command.program import program

DOCUMENT = Path(__file__).resolve().parents[2] / "core" / "docs" / "command_line.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")


def examples() -> list[tuple[str, str]]:
    """Every command on the page with what it shows."""
    blocks = re.findall(r"^```console\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    return [
        (command, output)
        for block in blocks
        for command, output in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
    ]


def commands() -> dict[str, click.Command]:
    """Every command by its name, `users put` with both words."""
    found: dict[str, click.Command] = {}
    for name, command in program.commands.items():
        inner = command.commands if isinstance(command, click.Group) else {}
        found.update({f"{name} {second}": one for second, one in inner.items()} if inner else {name: command})
    return found


def test_every_example_does_what_it_shows(tmp_path: Path) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PYTHONUTF8": "1", "PATH": path}
    checker, code = doctest.OutputChecker(), 0
    for command, shown in examples():
        if command.startswith("cat "):
            (tmp_path / command[4:]).write_text(shown, encoding="utf-8")
        elif command.startswith("export "):
            name, _, value = command[7:].partition("=")
            environment[name] = value
        elif command == "echo $?":
            assert shown == f"{code}\n"
        else:
            ended = subprocess.run(
                command,
                shell=True,
                cwd=tmp_path,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                check=False,
            )
            code = ended.returncode
            assert checker.check_output(shown, ended.stdout, doctest.ELLIPSIS), f"{command}\n{ended.stdout}"


def test_every_command_has_an_example_and_json() -> None:
    run = " ".join(command for command, _ in examples())
    for name, command in commands().items():
        assert f"rollkeeper {name}" in run, f"the page shows no `{name}`"
        assert "--json" in {option for parameter in command.params for option in parameter.opts}, name


def test_every_option_is_told() -> None:
    for name, command in commands().items():
        for parameter in command.params:
            for option in parameter.opts:
                assert not option.startswith("--") or f"`{option}" in TEXT, f"the page does not tell of {name} {option}"


def test_the_exit_codes_are_told_alike(capsys: pytest.CaptureFixture[str]) -> None:
    told = dict(re.findall(r"^\| (\d+) \| (.*) \|$", TEXT, re.MULTILINE))
    assert told == {str(int(code)): meaning for code, meaning in MEANINGS.items()}
    from rollkeeper.command import main

    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for code, meaning in told.items():
        assert f"{code:>5}  {meaning}" in text
