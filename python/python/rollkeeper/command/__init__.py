"""The command line: ``rollkeeper``, also ``python -m rollkeeper``.

It needs the packages of the extra ``cli``; the rest of rollkeeper does not, so they are asked for here. What the
commands do and print is told in ``core/docs/command_line.md`` of the source repository.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Optional

__all__ = ["main"]

_USAGE = 2


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Does what the arguments say, those of the process where there are none, and gives the exit code."""
    try:
        import click  # noqa: F401
        import rich  # noqa: F401
    except ImportError:
        print("rollkeeper: the command line needs more packages: pip install 'rollkeeper[cli]'", file=sys.stderr)
        return _USAGE
    from .program import run

    return run(sys.argv[1:] if arguments is None else arguments)
