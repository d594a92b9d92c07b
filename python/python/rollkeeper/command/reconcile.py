"""``reconcile`` and what follows: what a target really holds, the plan, and doing exactly that."""

from __future__ import annotations

import functools
from typing import Any, Callable, Optional, TypeVar

import click

from ..reconciliation import PlanItem, Reconciliation
from .exits import Exit
from .listing import limit, limited
from .options import Database, as_json, by, database, person, secrets
from .output import Output, described, plural, shown

__all__ = ["commit", "plan", "reconcile", "reconciliations", "release", "review", "undo"]

_Command = TypeVar("_Command", bound=Callable[..., Any])

_digest = click.option(
    "--digest", required=True, metavar="SHA-256", help="The digest of the plan that was read, as `reconcile` tells it."
)


def _decision(command: _Command) -> _Command:
    """The options of a command by which a person decides about a reconciliation, given as ``id``."""
    options = (click.argument("id"), person, database, secrets, as_json)
    return functools.reduce(lambda made, option: option(made), reversed(options), command)


@click.command()
@click.argument("app")
@by
@database
@secrets
@as_json
def reconcile(app: str, by: Optional[str], database: Database, as_json: bool) -> int:
    """Read the target of an app, compare, and make a plan.

    Nothing is changed. Ends with 6 where the brake holds a part of the plan, and with 1 where the target was not read
    whole. One that was interrupted is gone on with.
    """
    with database.change() as engine:
        found = engine.reconcile(app, by=by)
    return _told(Output(as_json), found)


@click.command()
@click.option("--app", metavar="ID", help="Of this app.")
@click.option("--kind", help="Of this kind: target, source, undo.")
@click.option("--state", help="In this state: Analyzed, Committing, Completed, …")
@click.option("--after", metavar="ID", help="After the one of this id.")
@limit
@database
@as_json
def reconciliations(database: Database, as_json: bool, limit: Optional[int], **filters: Optional[str]) -> None:
    """List reconciliations, the oldest first."""
    output = Output(as_json)
    with database.read() as engine:
        found = limited(output, engine.reconciliations(limit=limit, **filters), limit)
    if found is not None:
        names = ("reconciliation", "app", "kind", "state", "waiting for", "listing", "held", "at")
        output.table(names, map(_row, found))


def _row(one: Reconciliation) -> tuple[Any, ...]:
    at = shown(one.to_dict()["created_at"])
    return one.id, one.app, one.kind, one.state, one.waiting_for, one.verdict, one.items.get("held"), at


@click.command()
@click.argument("id")
@click.option("--situation", help="In this situation: orphaned, unqualified, drifted, missing, …")
@click.option("--reaction", help="With this reaction: report, link, update, deactivate, review, …")
@click.option("--state", help="In this state: planned, review, held, done, refused, reported, expired.")
@click.option("--user", metavar="ID", help="About this user.")
@click.option("--after", type=click.IntRange(min=0), metavar="N", help="After the item of this number.")
@limit
@database
@as_json
def plan(
    id: str,
    situation: Optional[str],
    reaction: Optional[str],
    state: Optional[str],
    user: Optional[str],
    after: Optional[int],
    limit: Optional[int],
    database: Database,
    as_json: bool,
) -> None:
    """List the items of a reconciliation's plan.

    The table names the attributes that differ, without their values; JSON has those too.
    """
    output = Output(as_json)
    with database.read() as engine:
        items = engine.plan(
            id, situation=situation, reaction=reaction, state=state, user=user, limit=limit, after=after
        )
        found = limited(output, items, limit)
    if found is not None:
        names = ("item", "situation", "user", "account", "reaction", "state", "candidates", "differs", "why")
        output.table(names, map(_item, found))


def _item(one: PlanItem) -> tuple[Any, ...]:
    candidates = ", ".join(shown(other.user or other.account) for other in one.candidates)
    differs = ", ".join(f"{shown(drift.attribute)} ({drift.verdict})" for drift in one.drift)
    faults = [*one.faults, *([] if one.fault is None else [one.fault])]
    why = "; ".join([*one.why, *(described(fault.to_dict(), {}) for fault in faults)])
    return one.number, one.situation, one.user, one.account, one.reaction, one.state, candidates, differs, why


@click.command()
@_digest
@_decision
def commit(id: str, digest: str, by: str, database: Database, as_json: bool) -> int:
    """Carry out exactly the plan of that digest.

    `run` sends the requests that this makes. Ends with 6 where a part is held by the brake, and with 1 where items were
    refused because something changed since the plan was made.
    """
    with database.change() as engine:
        done = engine.commit(id, digest, by=by)
    return _told(Output(as_json), done)


@click.command()
@_digest
@_decision
def release(id: str, digest: str, by: str, database: Database, as_json: bool) -> int:
    """Agree, as a second person, to what the brake holds of exactly that plan."""
    with database.change() as engine:
        done = engine.release(id, digest, by=by)
    return _told(Output(as_json), done)


@click.command()
@_decision
@click.argument("item", type=click.IntRange(min=1))
@click.argument("reaction")
@click.option("--user", metavar="ID", help="With this of the users that come into question.")
def review(
    id: str, item: int, reaction: str, user: Optional[str], by: str, database: Database, as_json: bool
) -> int:
    """Decide what is done about one item of a plan, which has another digest then."""
    with database.change() as engine:
        done = engine.review(id, item, reaction, user=user, by=by)
    return _told(Output(as_json), done)


@click.command()
@_decision
def undo(id: str, by: str, database: Database, as_json: bool) -> int:
    """Plan to put back what a reconciliation or a request changed.

    The plan is committed as any other. What cannot be put back is told first.
    """
    with database.change() as engine:
        found = engine.undo(id, by=by)
    return _told(Output(as_json), found)


def _told(output: Output, found: Reconciliation) -> int:
    """Prints a reconciliation, and gives the exit code that it asks for."""
    if output.json:
        output.emit(found)
    else:
        _show(output, found)
    if found.items.get("held"):
        return Exit.HELD
    wrong = found.faults or found.state == "Failed" or found.verdict == "incomplete" or found.items.get("refused")
    return Exit.FOUND if wrong else Exit.WELL


def _show(output: Output, found: Reconciliation) -> None:
    for note in found.notes:
        output.say(shown(note))
    waits = f", waits for {shown(found.waiting_for)}" if found.waiting_for else ""
    output.say(f"reconciliation {shown(found.id)}: {shown(found.state)}{waits}", style="bold")
    if found.verdict is not None:
        why = "".join(f"; {shown(reason)}" for reason in found.verdict_why)
        output.say(f"{plural(found.collected, 'account')} read, {found.verdict}{why}")
    for fault in found.faults:
        output.say(described(fault.to_dict(), {"app": found.app}), style="red")
    for title, counts in (("situation", found.counts), ("items", found.items)):
        rows = [(name, f"{number:,}") for name, number in counts.items() if number]
        if rows:
            output.say()
            output.table((title, "number"), rows)
    if found.brake:
        output.say()
        output.say("the brake holds what would be taken away", style="bold red")
        output.table(("reason", "number", "of", "message"), [(r.name, r.count, r.of, r.message) for r in found.brake])
    if found.digest is not None:
        output.say()
        output.say(f"digest {found.digest}")
