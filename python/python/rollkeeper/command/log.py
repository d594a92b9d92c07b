"""``log list`` and ``log verify``: what happened, and whether nobody changed the record of it."""

from __future__ import annotations

from typing import Any, Optional

import click

from ..records import LogEntry
from .exits import Exit
from .listing import limit, limited
from .options import Database, as_json, database
from .output import Output, plural, shown

__all__ = ["log"]


@click.group(no_args_is_help=False)
def log() -> None:
    """The log of everything that was done."""


@log.command()
@database
@as_json
def verify(database: Database, as_json: bool) -> int:
    """Check the chain of the log; ends with 1 where it is broken.

    Keep the newest hash, the head, elsewhere: entries cut off the end are missed only by comparing it.
    """
    output = Output(as_json)
    with database.read() as engine:
        verdict = engine.verify_log()
    if as_json:
        output.emit(verdict)
    elif verdict.whole:
        output.say(f"the log is whole: {plural(verdict.entries, 'entry', 'entries')}", style="green")
        output.say(f"head {verdict.head}")
    else:
        output.say(f"the log is broken: entry {verdict.broken_at} does not follow from the one before", style="red")
    return Exit.WELL if verdict.whole else Exit.FOUND


@log.command("list")
@click.option("--app", metavar="ID", help="Of this app.")
@click.option("--user", metavar="ID", help="Of this user.")
@click.option("--request", metavar="ID", help="Of this request.")
@click.option("--after", type=click.IntRange(min=0), metavar="N", help="After the entry of this number.")
@limit
@database
@as_json
def list_(
    app: Optional[str],
    user: Optional[str],
    request: Optional[str],
    after: Optional[int],
    limit: Optional[int],
    database: Database,
    as_json: bool,
) -> None:
    """List the entries of the log, the oldest first: names and outcomes, never attribute values."""
    output = Output(as_json)
    with database.read() as engine:
        entries = engine.log(app=app, user=user, request=request, limit=limit, after=after)
        found = limited(output, entries, limit)
    if found is not None:
        output.table(("entry", "at", "kind", "app", "user", "by", "details"), [_row(entry) for entry in found])


def _row(entry: LogEntry) -> tuple[Any, ...]:
    details = entry.details or None
    return entry.sequence, shown(entry.to_dict()["at"]), entry.kind, entry.app, entry.user, entry.by, details
