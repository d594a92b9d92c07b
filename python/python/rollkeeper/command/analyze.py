"""``analyze``: what a reconciliation would find in files, without a database."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from itertools import islice
from pathlib import Path
from typing import Any, Optional, Union

import click

from ..analysis import analyze as analyze_records
from ..reconciliation import Finding
from .exits import Exit
from .listing import limit, limited
from .options import as_json, readable
from .output import Output, described, plural, shown
from .rows import Flaw, Source, rows

__all__ = ["analyze"]

_TELLING = [
    "source_gone",
    "unqualified",
    "drifted",
    "orphaned",
    "taken",
    "ambiguous",
    "found",
    "missing",
    "absent",
    "unseen",
]
"""The situations that are listed where nobody says which: of the rest there is nothing to say."""


@click.command()
@click.argument("users", type=readable)
@click.argument("accounts", type=readable)
@click.option("--options", "file", metavar="FILE", type=readable, help="The rules, a JSON object.")
@click.option("--links", metavar="FILE", type=readable, help="Which account belongs to whom.")
@click.option("--situation", "situations", metavar="NAME", multiple=True, help="List those of this situation; of all but those that are well, where it is left out.")
@limit
@as_json
def analyze(
    users: str,
    accounts: str,
    file: Optional[str],
    links: Optional[str],
    situations: tuple[str, ...],
    limit: Optional[int],
    as_json: bool,
) -> int:
    """Tell how the users and the accounts of two files stand to each other.

    The files are JSON, NDJSON or CSV; one of them may be `-`, standard input. No database is needed and nothing is
    changed. Ends with 1 where records cannot be read or are repeated.
    """
    output = Output(as_json)
    options = _options(file)
    if situations:
        options["findings"] = list(situations)
    options.setdefault("findings", _TELLING)
    with ExitStack() as files:
        linked = None if links is None else _records(files, links)
        found = analyze_records(_records(files, users), _records(files, accounts), options, links=linked)
        totals = {
            "counts": found.counts,
            "complete": found.complete,
            "repeated": found.repeated,
            "unreadable": found.unreadable,
            "faults": [fault.to_dict() for fault in found.faults],
        }
        if not as_json:
            _summary(output, totals)
        table = limited(output, found if limit is None else islice(found, limit), limit)
    if table is None:
        output.emit(totals)
    elif table:
        output.say()
        output.table(("situation", "user", "account", "candidates", "differs", "faults"), map(_row, table))
    return Exit.FOUND if found.unreadable or found.repeated else Exit.WELL


def _options(file: Optional[str]) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        found = json.loads(sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes())
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise click.UsageError(f"the options file `{file}` does not hold a JSON object")
    return found


def _records(files: ExitStack, file: str) -> Union[Path, bytes, Iterator[bytes]]:
    """A file that the engine reads itself, or the rows of one that is CSV."""
    if file == "-":
        return sys.stdin.buffer.read()
    if not file.lower().endswith((".csv", ".tsv")):
        return Path(file)
    source = files.enter_context(closing(Source(file)))
    # A row that cannot be read stays in its place, so that it is told with its number.
    return (b"null" if isinstance(row, Flaw) else row.json for row in rows(source, file, "csv"))


def _summary(output: Output, totals: dict[str, Any]) -> None:
    for fault in totals["faults"]:
        output.say(described(fault, {fault["side"]: str(fault["index"])}), style="red")
    if totals["unreadable"]:
        output.say(f"{plural(totals['unreadable'], 'record')} cannot be read and take no part")
    if totals["repeated"]:
        output.say(f"{plural(totals['repeated'], 'account')} repeated: the first one counts")
    if not totals["complete"]:
        output.say("the listing is not whole: nothing is concluded from absence")
    output.table(("situation", "number"), [(name, f"{n:,}") for name, n in totals["counts"].items() if n])


def _row(found: Finding) -> tuple[Any, ...]:
    candidates = ", ".join(shown(one.user or one.account) for one in found.candidates)
    differs = ", ".join(f"{shown(drift.attribute)} ({drift.verdict})" for drift in found.drift)
    faults = "; ".join(described(fault.to_dict(), {}) for fault in found.faults)
    return found.situation, found.user, found.account, candidates, differs, faults
