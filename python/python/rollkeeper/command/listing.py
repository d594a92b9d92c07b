"""``requests``, ``request`` and ``accounts``: what the database holds, as tables."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Callable, Optional, TypeVar

import click

from ..records import Account, Record, Request
from .options import Database, as_json, database
from .output import Output, described, shown, without

__all__ = ["accounts", "limit", "limited", "request", "request_table", "requests"]

_SHOWN = 100

_Record = TypeVar("_Record", bound=Record)
_Command = TypeVar("_Command", bound=Callable[..., Any])

limit = click.option(
    "--limit",
    type=click.IntRange(min=0),
    metavar="N",
    help=f"At most so many; {_SHOWN} in a table, all as JSON, where it is left out.",
)


def limited(output: Output, found: Iterator[_Record], limit: Optional[int]) -> Optional[Sequence[_Record]]:
    """The rows of a table. JSON is printed here instead, as it comes, so that any number fits in memory."""
    if output.json:
        for record in found:
            output.emit(record)
        return None
    table = list(islice(found, _SHOWN if limit is None else limit))
    if limit is None and next(found, None) is not None:
        print(f"rollkeeper: the first {_SHOWN} are shown; --limit shows more", file=sys.stderr)
    return table


@click.command()
@click.option("--app", metavar="ID", help="Of this app.")
@click.option("--user", metavar="ID", help="Of this user.")
@click.option("--state", help="In this state: New, Requested, Completed, Failed, …")
@click.option("--operation", help="Of this operation: Create, Update, Deactivate, …")
@click.option("--waiting-for", metavar="WHAT", help="Waiting for this: approval, retry, schedule, breaker, …")
@click.option("--after", metavar="ID", help="After the request of this id.")
@limit
@database
@as_json
def requests(database: Database, as_json: bool, limit: Optional[int], **filters: Optional[str]) -> None:
    """List requests, the oldest first."""
    output = Output(as_json)
    with database.read() as engine:
        found = limited(output, engine.requests(limit=limit, **filters), limit)
    if found is not None:
        request_table(output, found)


def request_table(output: Output, found: Iterable[Request]) -> None:
    """A table of requests."""
    names = ("request", "app", "user", "operation", "state", "waiting for", "why")
    output.table(names, [_request_row(one) for one in found])


def _request_row(one: Request) -> tuple[Any, ...]:
    why = "; ".join(described(fault.to_dict(), {}) for fault in one.faults) or one.why
    return one.id, one.app, one.user, one.operation, one.state, one.waiting_for, why


@click.command()
@click.argument("id")
@database
@as_json
def request(id: str, database: Database, as_json: bool) -> None:
    """Show one request with its attempts and what was sent last."""
    output = Output(as_json)
    with database.read() as engine:
        found = engine.request(id)
    if as_json:
        output.emit(found)
        return
    values = found.to_dict()
    output.fields(without(values, "faults", "history", "payload"))
    for fault in found.faults:
        output.say(described(fault.to_dict(), {}), style="red")
    output.part("attempts", values.get("history"))
    output.part("payload", values.get("payload"))


@click.command()
@click.option("--app", metavar="ID", help="In this app.")
@click.option("--user", metavar="ID", help="Of this user.")
@click.option("--status", help="With this status: Active, Deactivated, Deleted.")
@click.option("--link-state", help="With this link: Linked, Duplicate, Orphaned, Ignored.")
@limit
@database
@as_json
def accounts(
    app: Optional[str],
    user: Optional[str],
    status: Optional[str],
    link_state: Optional[str],
    limit: Optional[int],
    database: Database,
    as_json: bool,
) -> None:
    """List accounts by app and external id. The table shows no attributes; JSON does."""
    output = Output(as_json)
    with database.read() as engine:
        accounts = engine.accounts(app=app, user=user, status=status, link_state=link_state, limit=limit)
        found = limited(output, accounts, limit)
    if found is not None:
        names = ("app", "account", "username", "user", "status", "link", "updated")
        output.table(names, [_account_row(one) for one in found])


def _account_row(one: Account) -> tuple[Any, ...]:
    status = f"{one.status}, frozen" if one.frozen else one.status
    return one.app, one.external_id, one.username, one.user, status, one.link_state, shown(one.to_dict()["updated_at"])
