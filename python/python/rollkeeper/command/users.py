"""``users put``: the directory comes in from a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from typing import Any, Callable, Optional, Union

import click
from rich.progress import DownloadColumn, TextColumn, TimeRemainingColumn

from ..engine import Engine
from .bar import bar
from .exits import Exit
from .options import Database, as_json, by, database, readable
from .output import Output, described, plural
from .rows import FORMATS, Flaw, Row, Source, rows

__all__ = ["users"]

_BATCH = 1000
_BATCH_BYTES = 1 << 23

_Item = Union[Row, Flaw]


@click.group(no_args_is_help=False)
def users() -> None:
    """The users of the directory."""


@users.command()
@click.argument("file", type=readable)
@click.option("--format", type=click.Choice(FORMATS), help="The form of the file, where its name and text do not tell.")
@by
@database
@as_json
def put(file: str, format: Optional[str], by: Optional[str], database: Database, as_json: bool) -> int:
    """Store the users of a file: JSON, NDJSON or CSV.

    A file `-` is standard input. Each row stands or falls on its own: faulty ones are told with line, code and id, and
    the command ends with 1.
    """
    output = Output(as_json)
    totals = {"rows": 0, "stored": 0, "unchanged": 0, "requests": 0, "faulty": 0}
    with database.change() as engine, closing(Source(file)) as source, _bar(source) as move:
        for batch in _batches(rows(source, file, format)):
            faults = _put(engine, batch, by, totals)
            for fault in sorted(faults, key=_line):
                _tell(output, fault)
            move(completed=source.done, rows=plural(totals["rows"], "row"))
    if as_json:
        output.emit(totals)
    else:
        output.say(
            f"{plural(totals['stored'], 'user')} stored, {totals['unchanged']:,} of them without a change to make; "
            f"{plural(totals['requests'], 'request')} made; {plural(totals['faulty'], 'faulty row')}"
        )
    return Exit.FOUND if totals["faulty"] else Exit.WELL


def _bar(source: Source) -> AbstractContextManager[Callable[..., None]]:
    """A bar by bytes, and the rows beside it."""
    columns = (DownloadColumn(), TextColumn("{task.fields[rows]}"), TimeRemainingColumn())
    return bar("users", *columns, total=source.size)


def _batches(items: Iterator[_Item]) -> Iterator[list[_Item]]:
    """Lists of items that are small enough to be held, by number and by bytes."""
    batch: list[_Item] = []
    size = 0
    for item in items:
        batch.append(item)
        size += len(item.json) if isinstance(item, Row) else 0
        if len(batch) >= _BATCH or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _put(engine: Engine, batch: list[_Item], by: Optional[str], totals: dict[str, int]) -> list[dict[str, Any]]:
    """Stores a batch, adds to the totals, and gives the faults with their lines."""
    faults = [item.to_dict() for item in batch if isinstance(item, Flaw)]
    records = [item for item in batch if isinstance(item, Row)]
    lists = [row for row in records if row.json.startswith(b"[")]
    if lists:
        # At the beginning of a batch, a list would be taken for the list of all users.
        faults += [Flaw(row.line, "invalid_document", "a user must be a JSON object").to_dict() for row in lists]
        records = [row for row in records if not row.json.startswith(b"[")]
    stored = engine.put_users((row.json for row in records), by=by)
    for fault in stored.faults:
        row = records[fault.index]
        told = {"line": row.line, "id": row.id, **fault.to_dict()}
        del told["index"]
        faults.append({name: value for name, value in told.items() if value is not None})
    totals["rows"] += len(batch)
    totals["stored"] += stored.stored
    totals["unchanged"] += stored.unchanged
    totals["requests"] += stored.requests
    totals["faulty"] += len(faults)
    return faults


def _line(fault: dict[str, Any]) -> int:
    return int(fault["line"])


def _tell(output: Output, fault: dict[str, Any]) -> None:
    if output.json:
        output.emit(fault)
    else:
        output.say(f"line {fault['line']}: {described(fault, {'user': fault.get('id')})}")
