"""Users as CSV: a row of names, then a row a user (RFC 4180; `,`, `;` or tab between cells).

A dotted name makes nested objects, a list holds its items apart by `;`, an empty cell says nothing. Everything else is
text: a cell does not say whether `007` is a number.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from itertools import chain
from typing import Any, NamedTuple, Optional, TextIO, Union

from .rows import Flaw, Row

__all__ = ["rows"]

_LISTS = {"permission_sets", "permission_set_groups"}
_SWITCHES = {"active", "frozen"}
_DELIMITERS = ",;\t"
_LONGEST_CELL = 1 << 20


class _Column(NamedTuple):
    """A column: its name as written, the keys that lead to its value, and whether the value is a list."""

    name: str
    path: tuple[str, ...]
    is_list: bool


class _Refused(Exception):
    """A header or row that cannot be read: code, message, and the column."""

    def __init__(self, code: str, message: str, attribute: Optional[str] = None) -> None:
        super().__init__(code, message, attribute)
        self.code, self.message, self.attribute = code, message, attribute


def rows(text: TextIO) -> Iterator[Union[Row, Flaw]]:
    """The rows. Without a readable header there is only a flaw; a faulty row leaves the rest alone."""
    csv.field_size_limit(_LONGEST_CELL)
    first, before = text.readline(), 0
    if re.fullmatch(r'sep=[^"\r\n]\s*', first):
        delimiter, first, before = first[4], text.readline(), 1
    else:
        delimiter = _delimiter_of(first)
    reader = csv.reader(chain([first], text), delimiter=delimiter, strict=True)
    try:
        columns = _columns(next(reader, []))
    except _Refused as flaw:
        yield Flaw(before + 1, flaw.code, flaw.message, attribute=flaw.attribute)
        return
    except csv.Error as error:
        yield Flaw(before + 1, "invalid_document", _said(error))
        return
    while True:
        line = before + reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield Flaw(line, "invalid_document", _said(error))
            continue
        if cells is None:
            return
        if any(cells):
            yield _row(line, columns, cells)


def _delimiter_of(header: str) -> str:
    """What stands most often between names; the comma where nothing does."""
    bare = re.sub(r'"[^"]*"', "", header)
    return max(_DELIMITERS, key=bare.count)


def _said(error: csv.Error) -> str:
    return f"the row is not CSV: {error}"


def _columns(names: list[str]) -> list[_Column]:
    """The columns of a header.

    >>> _columns(["id", "name.givenName", r"a\\.b", "tags[]"])[1:]
    ... # doctest: +NORMALIZE_WHITESPACE
    [_Column(name='name.givenName', path=('name', 'givenName'), is_list=False),
     _Column(name='a\\\\.b', path=('a.b',), is_list=False),
     _Column(name='tags[]', path=('tags',), is_list=True)]
    """
    columns = []
    for place, written in enumerate(names, start=1):
        name = written.strip()
        is_list = name.endswith("[]")
        path = tuple(part.replace("\\.", ".") for part in re.split(r"(?<!\\)\.", name[:-2] if is_list else name))
        if not all(path):
            raise _Refused("invalid_document", f"column {place} of the header has no whole name")
        columns.append(_Column(name, path, is_list or name in _LISTS))
    if not any(column.path == ("id",) for column in columns):
        raise _Refused("missing_id", "the header has no column `id`", "id")
    for column in columns:
        rivals = [other for other in columns if other is not column and other.path[: len(column.path)] == column.path]
        if rivals:
            raise _Refused("invalid_document", "two columns of the header fill the same place", column.name)
    return columns


def _row(line: int, columns: list[_Column], cells: list[str]) -> Union[Row, Flaw]:
    record: dict[str, Any] = {}
    # The id tells whose row it is even where cells are missing before it.
    id = next((cell for column, cell in zip(columns, cells) if column.path == ("id",)), None) or None
    try:
        if len(cells) != len(columns):
            raise _Refused("invalid_document", f"the row has {len(cells)} cells and the header {len(columns)}")
        for column, cell in zip(columns, cells):
            if cell:
                _put(record, column.path, _value(column, cell))
    except _Refused as flaw:
        return Flaw(line, flaw.code, flaw.message, id, flaw.attribute)
    # Half a character makes bytes that the engine refuses as it refuses any others that are not UTF-8.
    return Row(line, json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogatepass"), id)


def _put(record: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for key in path[:-1]:
        record = record.setdefault(key, {})
    record[path[-1]] = value


def _value(column: _Column, cell: str) -> Any:
    if column.name in _SWITCHES:
        # Any other word is the engine's to refuse.
        return {"true": True, "false": False}.get(cell.strip().lower(), cell)
    if not column.is_list:
        return cell
    if not cell.lstrip().startswith("["):
        return [item for item in map(str.strip, cell.split(";")) if item]
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        raise _Refused("invalid_json", "the cell begins like a JSON list and is none", column.name) from None
