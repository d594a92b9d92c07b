"""Users as JSON: one object a line, a list, or one object after another over any number of lines.

The text of each record goes on as it stands, so that what is in it is judged in one place, by the engine.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TextIO, Union

from .rows import Flaw, Row

__all__ = ["is_value", "lines", "values"]

_PIECE = 1 << 16
_LARGEST = 1 << 24
_LONGEST_WORD = 16
_BLANK = " \t\r\n"
_BLANKS = re.compile(f"[{_BLANK}]*")
# Numbers are not looked at here, and Python refuses very long ones.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str)


def is_value(text: str) -> bool:
    """Whether the text is a JSON value.

    >>> is_value('{"id": "u1"}'), is_value('{')
    (True, False)
    """
    try:
        _DECODER.decode(text)
    except (ValueError, RecursionError):
        return False
    return True


def lines(text: TextIO) -> Iterator[Union[Row, Flaw]]:
    """One record a line. A faulty line leaves the rest alone."""
    for number, line in enumerate(text, start=1):
        line = line.strip(_BLANK)
        if line:
            yield Row(number, _bytes(line))


def values(text: TextIO) -> Iterator[Union[Row, Flaw]]:
    """The items of a list, or objects one after another. Where the text is no longer JSON, it ends with a flaw."""
    pieces = _Pieces(text)
    try:
        if pieces.mark() == "[":
            yield from _items(pieces)
            if pieces.mark():
                raise _Unreadable("there is something after the list")
        while pieces.mark():
            yield pieces.value()
    except _Unreadable as flaw:
        yield Flaw(pieces.line, "invalid_json", f"the text cannot be read on from here: {flaw}")


def _items(pieces: _Pieces) -> Iterator[Row]:
    pieces.take(1)
    if pieces.mark() == "]":
        pieces.take(1)
        return
    while True:
        yield pieces.value()
        mark = pieces.mark()
        if mark not in (",", "]"):
            raise _Unreadable("after a record comes `,` or `]`" if mark else "the list does not end")
        pieces.take(1)
        if mark == "]":
            return
        pieces.mark()


class _Unreadable(Exception):
    """The text is not JSON."""


class _Pieces:
    """Text that is read piece by piece, and the number of the line that comes next."""

    def __init__(self, text: TextIO) -> None:
        self._text, self._buffer, self._next = text, "", 0
        self.line = 1

    def _more(self) -> bool:
        # As much again as there is, so that a long record is not looked at too often.
        piece = self._text.read(max(_PIECE, len(self._buffer) - self._next))
        self._buffer, self._next = self._buffer[self._next :] + piece, 0
        return bool(piece)

    def take(self, length: int) -> str:
        """Takes so many letters away. What is taken stays in the buffer until more is read: copying the rest each time
        would take the longer the more there is.
        """
        taken = self._buffer[self._next : self._next + length]
        self._next += length
        self.line += taken.count("\n")
        return taken

    def mark(self) -> str:
        """The next letter that is not blank, or nothing at the end. It stays."""
        while True:
            blank = _BLANKS.match(self._buffer, self._next)
            self.take(blank.end() - self._next if blank else 0)
            if self._next < len(self._buffer) or not self._more():
                return self._buffer[self._next : self._next + 1]

    def value(self) -> Row:
        """Takes one value."""
        while True:
            try:
                _, end = _DECODER.raw_decode(self._buffer, self._next)
            except RecursionError:
                raise _Unreadable("it is nested too deeply") from None
            except json.JSONDecodeError as error:
                if not self._is_cut(error) or not self._more():
                    raise _Unreadable("it is not JSON") from None
                if len(self._buffer) - self._next > _LARGEST:
                    raise _Unreadable("a record is too large") from None
                continue
            if end == len(self._buffer) and self._more():
                continue  # a number may go on
            line = self.line
            # A line break can only stand between the parts of a value, where a blank means the same.
            return Row(line, _bytes(self.take(end - self._next).replace("\n", " ").replace("\r", " ")))

    def _is_cut(self, error: json.JSONDecodeError) -> bool:
        """Whether the value may only be cut off at the end of what was read so far."""
        return error.msg.startswith("Unterminated string") or error.pos >= len(self._buffer) - _LONGEST_WORD


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
