#!/usr/bin/env python3
"""Runs the programs of README.md, each as a new user would, and compares what they print with what it shows.

Where the parts are comes from options or from the environment:

  --library   ROLLKEEPER_LIBRARY_DIR   folder of librollkeeper.so (C)
  --include   ROLLKEEPER_INCLUDE_DIR   folder of rollkeeper.h (C); include/ where it is left out
  --go        ROLLKEEPER_GO_DIR        folder of the Go package; ffi/go where it is left out
  --python    ROLLKEEPER_PYTHON        interpreter that has the wheel and the extra `cli`; this one where it is left out

A language is one of python, bash (the command line), c, go and rust; without any all are run. Ends with 1 and names each
language that fails.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = ("python", "bash", "c", "go", "rust")
LONGEST = 25
SECONDS = 600


class Failure(Exception):
    """A program does not do what README.md says."""


def programs(text: str, language: str) -> list[tuple[str, str]]:
    """The programs of a language, each with the output that is shown right after it."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    found = []
    for place, (kind, program) in enumerate(blocks):
        if kind == language:
            shown = blocks[place + 1 : place + 2]
            if [kind for kind, _ in shown] != ["text"]:
                raise Failure("README.md does not show what a program prints")
            found.append((program, shown[0][1]))
    if not found:
        raise Failure("README.md has no program in this language")
    return found


def call(command: list[str], where: Path, **variables: str) -> str:
    """What a command prints; a failure where it does not end well."""
    environment = {**os.environ, **variables}
    done = subprocess.run(
        command, cwd=where, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    if done.returncode != 0:
        raise Failure(f"`{' '.join(command)}` ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def python(program: str, place: Path, options: argparse.Namespace) -> str:
    (place / "first.py").write_text(program)
    return call([options.python, "-W", "error", "first.py"], place)


def bash(program: str, place: Path, options: argparse.Namespace) -> str:
    """The command line, of the interpreter's environment."""
    (place / "first.sh").write_text(program)
    path = os.pathsep.join([str(Path(options.python).parent), os.environ["PATH"]])
    return call(["bash", "-eu", "first.sh"], place, PATH=path, NO_COLOR="1")


def c(program: str, place: Path, options: argparse.Namespace) -> str:
    if options.library is None:
        raise Failure("say where librollkeeper.so is (--library)")
    library = str(Path(options.library).resolve())
    (place / "first.c").write_text(program)
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{Path(options.include).resolve()}"]
    compiler = os.environ.get("CC", "cc")
    call([compiler, *flags, "first.c", f"-L{library}", "-lrollkeeper", f"-Wl,-rpath,{library}", "-o", "first"], place)
    # The program may have been linked with the file's other name, which a build without an installation lacks.
    soname = place / "librollkeeper.so.1"
    soname.symlink_to(Path(library) / "librollkeeper.so")
    return call(["./first"], place, LD_LIBRARY_PATH=str(place))


def go(program: str, place: Path, options: argparse.Namespace) -> str:
    if shutil.which("go") is None:
        raise Failure("there is no `go` on this machine")
    module = "github.com/rollkeeper/rollkeeper/ffi/go"
    (place / "main.go").write_text(program)
    (place / "go.mod").write_text(
        f"module first\n\ngo 1.23\n\nrequire {module} v0.0.0\n\nreplace {module} => {Path(options.go).resolve()}\n"
    )
    layout = call(["gofmt", "-l", "main.go"], place)
    if layout:
        raise Failure("the program is not laid out as gofmt has it")
    return call(["go", "run", "-mod=mod", "."], place, GOFLAGS="", GOWORK="off")


def rust(program: str, place: Path, options: argparse.Namespace) -> str:
    (place / "src").mkdir()
    (place / "src" / "main.rs").write_text(program)
    (place / "Cargo.toml").write_text(
        '[package]\nname = "first"\nversion = "0.0.0"\nedition = "2024"\n\n'
        f'[dependencies]\nrollkeeper = {{ path = "{ROOT / "core"}" }}\n\n[workspace]\n\n'
        # The repository's own profile, so that what was built for its tests is not built again.
        '[profile.dev]\ndebug = "line-tables-only"\n'
    )
    shutil.copy(ROOT / "Cargo.lock", place / "Cargo.lock")
    target = os.environ.get("CARGO_TARGET_DIR", str(ROOT / "target"))
    return call(["cargo", "run", "--quiet", "--offline"], place, CARGO_TARGET_DIR=target)


def check(language: str, text: str, options: argparse.Namespace) -> None:
    """Runs the programs of a language and compares."""
    for program, expected in programs(text, language):
        lines = len(program.splitlines())
        if lines > LONGEST:
            raise Failure(f"the program has {lines} lines, more than {LONGEST}")
        with tempfile.TemporaryDirectory() as folder:
            printed = RUN[language](program, Path(folder), options)
        if printed != expected:
            raise Failure(f"README.md shows\n{expected}and the program printed\n{printed}")


RUN = {"python": python, "bash": bash, "c": c, "go": go, "rust": rust}


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs the programs of README.md.")
    parser.add_argument("languages", nargs="*", help="python, bash, c, go, rust; all where none is given")
    parser.add_argument("--readme", type=Path, default=ROOT / "README.md", help="the file that shows the programs")
    parser.add_argument("--library", default=os.environ.get("ROLLKEEPER_LIBRARY_DIR"))
    parser.add_argument("--include", default=os.environ.get("ROLLKEEPER_INCLUDE_DIR", str(ROOT / "include")))
    parser.add_argument("--go", default=os.environ.get("ROLLKEEPER_GO_DIR", str(ROOT / "ffi" / "go")))
    parser.add_argument("--python", default=os.environ.get("ROLLKEEPER_PYTHON", sys.executable))
    options = parser.parse_args()
    unknown = set(options.languages) - set(LANGUAGES)
    if unknown:
        parser.error(f"unknown language: {', '.join(sorted(unknown))}")
    text = options.readme.read_text(encoding="utf-8")
    failed = []
    for language in options.languages or LANGUAGES:
        try:
            check(language, text, options)
            print(f"{language}: as README.md shows")
        except (Failure, OSError, subprocess.TimeoutExpired) as problem:
            failed.append(language)
            print(f"{language}: FAILED: {problem}", file=sys.stderr)
    if failed:
        print(f"README.md is wrong about: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
