"""``probe``: how a target takes what it is sent, found out by trying it."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import click

from .exits import Exit
from .options import Database, as_json, by, database, secrets
from .output import Output, described, shown

__all__ = ["probe"]


@click.command()
@click.argument("app")
@click.option("--sandbox", is_flag=True, help="Accounts may be made at the target, and taken away again.")
@by
@database
@secrets
@as_json
def probe(app: str, sandbox: bool, by: Optional[str], database: Database, as_json: bool) -> int:
    """Find out how an app's target takes what it is sent, by trying it.

    An account or two and a group are made there, changed and taken away again; nothing else is touched. What follows is
    used from then on where the definition does not say otherwise. Ends with 1 where something could not be taken away.
    """
    output = Output(as_json)
    with database.change() as engine:
        report = engine.probe(app, sandbox=sandbox, by=by)
    if as_json:
        output.emit(report)
    else:
        rows = ((one.step, one.conclusion, one.value, ", ".join(one.answered)) for one in report.findings)
        output.table(("step", "conclusion", "", "answered"), rows)
        output.part("features", report.features or None)
        for left in report.left:
            known = f", id {shown(left.external_id)}" if left.external_id else ""
            output.say(f"the {left.kind} {shown(left.name)}{known} may be left: {left.why}", style="red")
        if not report.left:
            output.say("everything that was made is taken away again")
    return Exit.FOUND if report.left else Exit.WELL
