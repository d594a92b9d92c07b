"""``check``: what is wrong with definitions, without a database."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Optional

import click

from ..connector import Connector
from ..engine import Engine
from .exits import Exit
from .options import as_json, readable, secrets, secrets_of
from .output import Output, plural, without

__all__ = ["check"]


@click.command()
@click.argument("files", metavar="APP.json...", nargs=-1, required=True, type=readable)
@click.option(
    "--connector", "connectors", metavar="NAME", multiple=True, help="Take a custom connector of this name as there."
)
@secrets
@as_json
def check(files: tuple[str, ...], connectors: tuple[str, ...], secrets: Optional[Path], as_json: bool) -> int:
    """Tell what is wrong with definitions of apps.

    A file `-` is standard input. Nothing is stored and no target is asked. Ends with 1 where a definition has a finding
    or is not ready to be enabled.
    """
    output = Output(as_json)
    ready = True
    with Engine.open(secrets=secrets_of(secrets)) as engine:
        for name in connectors:
            engine.register_connector(name, Connector())
        for file in files:
            document = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
            validation = engine.validate_app(document).to_dict()
            ready = ready and validation["ready"]
            if as_json:
                output.emit({"file": file, **validation})
            else:
                _show(output, file, validation)
    return Exit.WELL if ready else Exit.FOUND


def _show(output: Output, file: str, validation: dict[str, Any]) -> None:
    findings = validation["findings"]
    verdict = plural(len(findings), "finding") if findings else "ready" if validation["ready"] else "not ready"
    output.say(f"{file}: {verdict}", style="green" if validation["ready"] else "red")
    output.table(("code", "place", "message"), map(_row, findings))
    readiness = validation["readiness"]
    output.table(("", "item", "detail"), [(_mark(one["ready"]), one["item"], one["detail"]) for one in readiness])
    output.part("warnings", [dict(zip(("code", "place", "message"), _row(one))) for one in validation["warnings"]])
    output.part("expressions", [_expression(one) for one in validation["expressions"]])
    for title, value in without(validation, "findings", "warnings", "readiness", "expressions", "ready").items():
        output.part(title, value)


def _row(finding: dict[str, Any]) -> tuple[str, str, str]:
    place = finding.get("attribute", "")
    if "position" in finding:
        place += f", character {finding['position']}"
    return finding["code"], place, finding["message"]


def _expression(one: dict[str, Any]) -> dict[str, Any]:
    """What a person wants to know of an expression: lists without brackets, and the variables are in the text."""
    told = without(one, "place", "paths", "functions", "variables")
    reads, functions = ", ".join(one["paths"]), ", ".join(one["functions"])
    return {"place": one["place"], "reads": reads, "functions": functions, **told}


def _mark(ready: bool) -> str:
    return "ok" if ready else "no"
