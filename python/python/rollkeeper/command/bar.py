"""The progress bar, for terminals alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Callable, Optional

from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn

from .output import console

__all__ = ["bar"]


@contextmanager
def bar(name: str, *columns: ProgressColumn, total: Optional[int] = None) -> Iterator[Callable[..., None]]:
    """A bar on standard error with columns after it, and the function that moves it.

    Without a terminal it does nothing. The function takes ``completed``, ``total`` and ``rows``, the text of a column.
    """
    told = console(sys.stderr)
    if not told.is_terminal:
        yield lambda **fields: None
        return
    with Progress(TextColumn("{task.description}"), BarColumn(), *columns, console=told, transient=True) as progress:
        task = progress.add_task(name, total=total, rows="0 rows")
        yield lambda **fields: progress.update(task, **fields)
