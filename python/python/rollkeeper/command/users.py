"""``users put``: the directory comes in from a file."""

from __future__ import annotations

import json
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
@click.option("--snapshot", is_flag=True, help="These are all users there are: who is not in the file has left.")
@by
@database
@as_json
def put(
    file: str, format: Optional[str], snapshot: bool, by: Optional[str], database: Database, as_json: bool
) -> int:
    """Store the users of a file: JSON, NDJSON or CSV.

    A file `-` is standard input. Each row stands or falls on its own: faulty ones are told with line, code and id, and
    the command ends with 1.
    """
    output = Output(as_json)
    totals: dict[str, Any] = {"rows": 0, "stored": 0, "unchanged": 0, "requests": 0, "faulty": 0}
    with database.change() as engine, closing(Source(file)) as source, _bar(source) as move:
        items = rows(source, file, format)
        # A list of all users is judged as a whole.
        for batch in [list(items)] if snapshot else _batches(items):
            faults = _put(engine, batch, snapshot, by, totals)
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
        for line in _of_snapshot(totals.get("snapshot")):
            output.say(line)
    return Exit.FOUND if totals["faulty"] else Exit.WELL


def _of_snapshot(snapshot: Optional[dict[str, Any]]) -> Iterator[str]:
    """What followed for the users who are not in a list of all users."""
    if snapshot is None:
        return
    why = f": {'; '.join(snapshot['why'])}" if snapshot["why"] else ""
    yield f"the list is {snapshot['verdict']}{why}"
    yield (
        f"{plural(snapshot['leavers'], 'user')} left; {snapshot['noted']:,} absent for the first time; "
        f"{snapshot['held']:,} held"
    )
    if snapshot["held"]:
        yield f"a second person releases them: reconciliation {snapshot['reconciliation']}"


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


def _put(
    engine: Engine, batch: list[_Item], snapshot: bool, by: Optional[str], totals: dict[str, Any]
) -> list[dict[str, Any]]:
    """Stores a batch, adds to the totals, and gives the faults with their lines."""
    faults = [item.to_dict() for item in batch if isinstance(item, Flaw)]
    records = [item for item in batch if isinstance(item, Row)]
    lists = [row for row in records if row.json.startswith(b"[")]
    if lists:
        # At the beginning of a batch, a list would be taken for the list of all users.
        faults += [Flaw(row.line, "invalid_document", "a user must be a JSON object").to_dict() for row in lists]
        records = [row for row in records if not row.json.startswith(b"[")]
    texts = [row.json for row in records]
    if snapshot:
        # What cannot be read is told to the engine too: whoever it may be is not absent.
        texts += [_unreadable(item) for item in batch if not isinstance(item, Row) or item.json.startswith(b"[")]
    stored = engine.put_users(texts, snapshot=snapshot, by=by)
    if stored.snapshot is not None:
        totals["snapshot"] = stored.snapshot.to_dict()
    for fault in stored.faults:
        if fault.index >= len(records):
            continue
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


def _unreadable(item: _Item) -> bytes:
    """A record that is refused, of the user whose row it was where that is known."""
    return b"null" if item.id is None else json.dumps({"id": item.id, "active": "unreadable"}).encode()


def _line(fault: dict[str, Any]) -> int:
    return int(fault["line"])


def _tell(output: Output, fault: dict[str, Any]) -> None:
    if output.json:
        output.emit(fault)
    else:
        output.say(f"line {fault['line']}: {described(fault, {'user': fault.get('id')})}")
