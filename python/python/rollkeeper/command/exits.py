"""How a command ends: the exit codes, in one place."""

from __future__ import annotations

import enum

from ..errors import Error

__all__ = ["MEANINGS", "Exit", "exit_of"]


class Exit(enum.IntEnum):
    """The exit codes."""

    WELL = 0
    FOUND = 1
    USAGE = 2
    STORE = 3
    TARGET = 4
    INTERNAL = 5
    HELD = 6
    INTERRUPTED = 130
    PIPE = 141


MEANINGS = {
    Exit.WELL: "all is well",
    Exit.FOUND: "something was found to be wrong, was refused, failed or is not there",
    Exit.USAGE: "the command line is wrong, a file cannot be read, or the extra is missing",
    Exit.STORE: "the database file cannot be used",
    Exit.TARGET: "a target or its connector failed",
    Exit.INTERNAL: "a fault of rollkeeper's own",
    Exit.HELD: "the brake holds a part of a plan",
    Exit.INTERRUPTED: "ended by Ctrl-C",
    Exit.PIPE: "whoever read the output went away",
}

_BY_KIND = {"store": Exit.STORE, "target": Exit.TARGET, "ours": Exit.INTERNAL}
_LISTS = frozenset({"accounts", "log", "reconciliations", "requests"})


def exit_of(error: Error) -> Exit:
    """The exit code of an error. A list that is refused was asked for wrongly: its options are the only input."""
    if error.kind == "caller" and error.operation in _LISTS:
        return Exit.USAGE
    return _BY_KIND.get(error.kind, Exit.FOUND)
