"""``run``: everything that is due is done."""

from __future__ import annotations

from typing import Any, Optional

import click
from rich.progress import MofNCompleteColumn, TimeElapsedColumn

from ..records import Progress
from .bar import bar
from .exits import Exit
from .options import Database, as_json, database, secrets
from .output import Output, plural

__all__ = ["run"]


@click.command()
@click.option("--workers", type=click.IntRange(1, 256), default=4, show_default=True, help="Calls at the same time.")
@click.option(
    "--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="Wait that long for work that is due later."
)
@database
@secrets
@as_json
def run(workers: int, timeout: Optional[float], database: Database, as_json: bool) -> int:
    """Send what is due, until nothing is.

    Ends with 1 where requests failed. Ctrl-C ends it after the calls on their way; the rest is done by the next run.
    """
    output = Output(as_json)
    last: list[Progress] = []
    interrupted = False
    with database.change() as engine, bar("requests", MofNCompleteColumn(), TimeElapsedColumn()) as move:

        def tell(progress: Progress) -> None:
            last[:] = [progress]
            finished = progress.completed + progress.failed
            move(completed=finished, total=finished + progress.due)

        try:
            last[:] = [engine.run(workers=workers, timeout=timeout, progress=tell)]
        except KeyboardInterrupt:
            interrupted = True
    _summary(output, last[0].to_dict() if last else {}, interrupted)
    if interrupted:
        return Exit.INTERRUPTED
    return Exit.FOUND if last[0].failed else Exit.WELL


def _summary(output: Output, progress: dict[str, Any], interrupted: bool) -> None:
    progress = {"completed": 0, "done": 0, "due": 0, "failed": 0, "open": 0, **progress, "stopped": interrupted}
    if output.json:
        output.emit(progress)
        return
    due = progress.get("next_due")
    waits = f", the next is due at {due}" if due else ""
    output.say(
        f"{'interrupted: ' if interrupted else ''}{plural(progress['completed'], 'request')} completed, "
        f"{progress['failed']:,} failed, {progress['open']:,} open{waits}"
    )
