"""The rows of a file of users: which form the file has, and its text, piece by piece, so that any size fits."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO, Callable, NamedTuple, Optional, TextIO, Union

__all__ = ["FORMATS", "Flaw", "Row", "Source", "rows"]

FORMATS = ("json", "ndjson", "csv")
_BY_ENDING = {".csv": "csv", ".tsv": "csv", ".jsonl": "ndjson", ".ndjson": "ndjson"}
_HEAD = 1 << 16


class Row(NamedTuple):
    """A user's record as JSON on one line, and the line of the file where it begins."""

    line: int
    json: bytes
    id: Optional[str] = None


class Flaw(NamedTuple):
    """A row that cannot be read, and why."""

    line: int
    code: str
    message: str
    id: Optional[str] = None
    attribute: Optional[str] = None

    def to_dict(self) -> dict[str, Any]:
        """The flaw in the form of a fault."""
        return {name: value for name, value in self._asdict().items() if value is not None}


class Source(io.RawIOBase):
    """A file, or standard input where it is ``-``, whose beginning can be looked at first. It counts what was read."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._file: BinaryIO = sys.stdin.buffer if path == "-" else open(path, "rb")
        self._own = path != "-"
        self.size = os.path.getsize(path) if self._own else None
        self.done = 0
        self.head = self._ahead = self._first_line()

    def _first_line(self) -> bytes:
        """Enough of the beginning to tell the form by: the first line that says something."""
        head = b""
        while len(head) < _HEAD and b"\n" not in head.lstrip():
            piece = self._file.read(4096)
            head += piece
            if not piece:
                break
        return head

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """What was looked at already, then the rest."""
        piece = self._ahead[: len(buffer)] if self._ahead else self._file.read(len(buffer))
        self._ahead = self._ahead[len(piece) :]
        buffer[: len(piece)] = piece
        self.done += len(piece)
        return len(piece)

    def close(self) -> None:
        """Closes the file; standard input stays open."""
        if not self.closed and self._own:
            self._file.close()
        super().close()

    def text(self, newline: str) -> TextIO:
        """The text. A byte that is not UTF-8 travels on, and is refused with the row in which it stands."""
        encoding, errors = _encoding_of(self.head), "surrogateescape"
        return io.TextIOWrapper(io.BufferedReader(self, _HEAD), encoding=encoding, errors=errors, newline=newline)


def rows(source: Source, path: str, format: Optional[str]) -> Iterator[Union[Row, Flaw]]:
    """The rows of a file, in the form that is said, or that its name or its first line shows."""
    from . import rows_csv, rows_json

    readers: dict[str, tuple[str, Callable[[TextIO], Iterator[Union[Row, Flaw]]]]] = {
        "csv": ("", rows_csv.rows),
        "json": ("\n", rows_json.values),
        "ndjson": ("\n", rows_json.lines),
    }
    newline, read = readers[format or _BY_ENDING.get(os.path.splitext(path)[1].lower()) or _format_of(source.head)]
    last = 0
    try:
        for row in read(source.text(newline)):
            last = row.line
            yield row
    except UnicodeDecodeError:
        yield Flaw(last + 1, "invalid_utf8", "the text cannot be read on from here: it is not UTF-16")


def _encoding_of(head: bytes) -> str:
    """UTF-8, but for the UTF-16 of spreadsheets, which says so."""
    return "utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"


def _format_of(head: bytes) -> str:
    """The form by the first line: a list or the beginning of an object is JSON, a whole object is one of many lines."""
    from .rows_json import is_value

    text = head.decode(_encoding_of(head), "replace").lstrip()
    if text.startswith("{"):
        return "ndjson" if is_value(text.partition("\n")[0]) else "json"
    return "json" if text.startswith("[") else "csv"
