"""``apps``, ``app put`` and ``app test``: the definitions that the database holds, and whether their targets answer."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Optional

import click

from .exits import Exit
from .listing import request_table
from .options import Database, as_json, by, database, readable, secrets
from .output import Output, described, plural, shown

__all__ = ["app", "apps"]


@click.command()
@database
@as_json
def apps(database: Database, as_json: bool) -> None:
    """List the apps. JSON gives their whole definitions."""
    output = Output(as_json)
    with database.read() as engine:
        found = list(engine.apps())
    if as_json:
        for definition in found:
            output.emit(definition)
    else:
        output.table(("app", "label", "connector", "target", "enabled"), map(_row, found))


def _row(definition: dict[str, Any]) -> tuple[Any, ...]:
    connector = definition["connector"]
    target = connector.get("base_url") or connector.get("name")
    return definition["id"], definition.get("label"), connector["kind"], target, definition.get("enabled", True)


@click.group(no_args_is_help=False)
def app() -> None:
    """The definition of an app."""


@app.command()
@click.argument("file", metavar="APP.json", type=readable)
@by
@database
@secrets
@as_json
def put(file: str, by: Optional[str], database: Database, as_json: bool) -> int:
    """Store an app's definition.

    A file `-` is standard input. Tells the requests that the change makes. Makes the database where there is none. An
    app that is not ready to be enabled is refused with the list of what is missing. Ends with 6 where the brake holds what
    the definition would take away.
    """
    output = Output(as_json)
    document = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    with database.create() as engine:
        made = engine.put_app(document, by=by)
        held = list(engine.reconciliations(app=json.loads(document)["id"], kind="source", state="Committing"))
    if as_json:
        for request in made:
            output.emit(request)
    else:
        output.say(f"{shown(file)} is stored; {plural(len(made), 'request')} made")
        request_table(output, made[:100])
        for plan in held:
            output.say(f"{plural(plan.items.get('held', 0), 'item')} held, a second person releases them: {shown(plan.id)}")
    return Exit.HELD if held else Exit.WELL


@app.command()
@click.argument("id")
@database
@secrets
@as_json
def test(id: str, database: Database, as_json: bool) -> int:
    """Ask the target of an app whether all is well.

    Ends with 4 where it cannot be reached or does not accept the credentials. Nothing is changed there.
    """
    output = Output(as_json)
    with database.read() as engine:
        found = engine.test_app(id)
    if as_json:
        output.emit(found)
    else:
        fault = found.fault
        output.say("the target answers" if fault is None else described(fault.to_dict(), {"app": id}))
        output.part("capabilities", found.capabilities if found.passed else None)
    return Exit.WELL if found.passed else Exit.TARGET
