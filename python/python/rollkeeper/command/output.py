"""What commands print: JSON lines for programs, text and tables for people."""

from __future__ import annotations

import io
import os
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional, TextIO, Union

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .. import _native
from ..records import Record

__all__ = ["Output", "console", "described", "plural", "prepare", "shown", "without"]

_WITHOUT_LIMIT = 100_000
_HIDDEN = {"Cc", "Cs", "Zl", "Zp"}
_TURNING = {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}


def prepare(json: bool) -> None:
    """Makes the output fit for whatever is printed: JSON is UTF-8, and text does not fail at a letter unknown here."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            if json:
                stream.reconfigure(encoding="utf-8")
            else:
                stream.reconfigure(errors="backslashreplace")


def shown(value: Any) -> str:
    """A value as a person reads it on one line.

    Control characters and those that turn the direction of writing are escaped: what a directory or a target says must
    not move the cursor or disguise itself.

    >>> shown(None), shown("Ren\\u00e9e"), shown("a\\x1b[2J"), shown({"b": 1, "a": [True]})
    ('', 'Renée', 'a\\\\x1b[2J', '{"a":[true],"b":1}')
    """
    if value is None:
        return ""
    text = value if isinstance(value, str) else _native.canonical(value)
    return "".join(map(_escaped, text)) if not (text.isascii() and text.isprintable()) else text


def _escaped(character: str) -> str:
    if unicodedata.category(character) in _HIDDEN or character in _TURNING:
        return character.encode("unicode_escape").decode("ascii")
    return character


def described(fault: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """A fault in one line: its code, its message, and what it concerns.

    >>> described({"code": "unknown_key", "message": "it has an unknown key"}, {"app": "crm"})
    'unknown_key: it has an unknown key (app `crm`)'
    """
    places = {"attribute": fault.get("attribute"), **about}
    told = ", ".join(f"{kind} `{shown(name)}`" for kind, name in places.items() if name is not None)
    return f"{shown(fault['code'])}: {shown(fault['message'])}" + (f" ({told})" if told else "")


def console(stream: TextIO) -> Console:
    """A console on a stream. Colours only where a terminal shows them and ``NO_COLOR`` does not say otherwise."""
    plain = bool(os.environ.get("NO_COLOR"))
    found = Console(file=stream, color_system=None if plain else "auto", highlight=False, markup=False, emoji=False)
    if not found.is_terminal:
        found.width = _WITHOUT_LIMIT  # nothing is cut where a program reads
    return found


class Output:
    """What one command prints, on standard output."""

    def __init__(self, json: bool) -> None:
        self.json = json
        self._console = console(sys.stdout)

    def emit(self, value: Union[Record, Mapping[str, Any]]) -> None:
        """Prints one JSON document on a line of its own, in canonical form."""
        text = value.to_json() if isinstance(value, Record) else _native.canonical(value)
        sys.stdout.write(f"{text}\n")

    def say(self, text: str = "", style: str = "") -> None:
        """Prints text."""
        self._print(Text(text, style=style))

    def table(self, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Prints rows under their names; a column without any value is left out."""
        cells = [[shown(value) for value in row] for row in rows]
        kept = [place for place in range(len(names)) if any(row[place] for row in cells)]
        table = Table(box=None, pad_edge=False, header_style="bold")
        for place in kept:
            table.add_column(names[place], overflow="fold")
        for row in cells:
            table.add_row(*(Text(row[place]) for place in kept))
        if cells:
            self._print(table)

    def fields(self, values: Mapping[str, Any]) -> None:
        """Prints names with their values, one a line; those without a value are left out."""
        grid = Table.grid(padding=(0, 2), pad_edge=False)
        grid.add_column(style="bold")
        grid.add_column(overflow="fold")
        for name, value in values.items():
            if value is not None:
                grid.add_row(Text(name), Text(shown(value)))
        self._print(grid)

    def part(self, title: str, value: Any) -> None:
        """Prints something whose form is not known beforehand, under a title: nothing of it is lost."""
        if value is None or value == [] or value == {}:
            return
        self.say()
        self.say(title, style="bold")
        if isinstance(value, Mapping):
            self.fields(value)
        elif isinstance(value, list) and all(isinstance(item, Mapping) for item in value):
            names = list(dict.fromkeys(name for item in value for name in item))
            self.table(names, [[item.get(name) for name in names] for item in value])
        else:
            self.say(shown(value))

    def _print(self, what: Union[Text, Table]) -> None:
        with self._console.capture() as captured:
            self._console.print(what, soft_wrap=isinstance(what, Text))
        lines = captured.get().splitlines() or [""]
        sys.stdout.write("".join(f"{line.rstrip()}\n" for line in lines))


def without(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The values but for some."""
    return {name: value for name, value in values.items() if name not in names}


def plural(number: int, one: str, many: Optional[str] = None) -> str:
    """A number of things.

    >>> plural(1, "row"), plural(2, "row"), plural(0, "entry", "entries")
    ('1 row', '2 rows', '0 entries')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"
