"""``hold``, ``resume``, ``maintenance`` and ``holds``: what is kept back until a person says otherwise."""

from __future__ import annotations

import functools
from typing import Any, Callable, Optional, TypeVar

import click

from ..records import Hold
from .options import Database, as_json, database, person
from .output import Output, shown

__all__ = ["hold", "holds", "maintenance", "resume"]

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _scoped(command: _Command) -> _Command:
    """The options of a command that names an app, a user, both, or a request."""
    options = (
        click.option("--app", metavar="ID", help="This app."),
        click.option("--user", metavar="ID", help="This user; with --app in that app alone."),
        click.option("--request", metavar="ID", help="This request, named alone."),
        person,
        database,
        as_json,
    )
    return functools.reduce(lambda made, option: option(made), reversed(options), command)


@click.command()
@_scoped
@click.option("--reason", required=True, help="Why; the log says so.")
def hold(
    app: Optional[str],
    user: Optional[str],
    request: Optional[str],
    by: str,
    reason: str,
    database: Database,
    as_json: bool,
) -> None:
    """Send nothing of an app, a user or a request until it is resumed.

    Removals of access are held too; they stay open, and the log tells of them.
    """
    with database.change() as engine:
        held = engine.hold(by=by, reason=reason, app=app, user=user, request=request)
    output = Output(as_json)
    if output.json:
        output.emit(held)
    else:
        output.say(f"{_named(held)} is held")


@click.command()
@_scoped
def resume(
    app: Optional[str], user: Optional[str], request: Optional[str], by: str, database: Database, as_json: bool
) -> None:
    """End the hold of exactly that app, user or request. Other holds stay."""
    with database.change() as engine:
        ended = engine.resume(by=by, app=app, user=user, request=request)
    output = Output(as_json)
    if output.json:
        output.emit({} if ended is None else ended)
    else:
        output.say("it was not held" if ended is None else f"{_named(ended)} is no longer held")


@click.command()
@database
@as_json
def holds(database: Database, as_json: bool) -> None:
    """List what is held, the longest held first."""
    output = Output(as_json)
    with database.read() as engine:
        found = engine.holds()
    if output.json:
        for one in found:
            output.emit(one)
        return
    names = ("app", "user", "request", "by", "since", "reason")
    rows = ((one.app, one.user, one.request, one.by, shown(one.to_dict()["held_at"]), one.reason) for one in found)
    output.table(names, rows)


@click.command()
@click.argument("app")
@click.argument("state", type=click.Choice(["on", "off"]))
@person
@database
@as_json
def maintenance(app: str, state: str, by: str, database: Database, as_json: bool) -> None:
    """Send nothing to an app's target while it is in maintenance."""
    with database.change() as engine:
        engine.set_maintenance(app, state == "on", by=by)
    output = Output(as_json)
    if output.json:
        output.emit({"app": app, "maintenance": state == "on"})
    else:
        output.say(f"{shown(app)} is {'in' if state == 'on' else 'not in'} maintenance")


def _named(held: Hold) -> str:
    """What is held, in words."""
    names = (("app", held.app), ("user", held.user), ("request", held.request))
    return ", ".join(f"{kind} {shown(name)}" for kind, name in names if name is not None)
