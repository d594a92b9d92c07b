"""``credentials``, ``secret set``, ``secret erase`` and ``key rotate``: secrets, what is known of them, and the file's key."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Optional

import click

from .exits import Exit
from .options import Database, as_json, by, database, key_of, secrets
from .output import Output, described, shown

__all__ = ["credentials", "key", "secret"]


@click.command()
@click.argument("app")
@database
@secrets
@as_json
def credentials(app: str, database: Database, as_json: bool) -> int:
    """Tell what is known of an app's credentials, never a secret.

    Ends with 1 where no request could be sent with them now. Nobody is asked.
    """
    output = Output(as_json)
    with database.read() as engine:
        known = engine.credentials(app)
    if as_json:
        output.emit(known)
    else:
        told = known.to_dict()
        output.say(f"{shown(app)}: {known.kind}, {'ready' if known.ready else 'not ready'}")
        if known.fault is not None:
            output.say(described(known.fault.to_dict(), {"app": app}))
        for name in ("issued_at", "age", "token_expires_at", "expires_at"):
            if name in told:
                output.say(f"{name.replace('_', ' ')}: {shown(told[name])}")
        rows = ((one.field, one.source, one.name, "yes" if one.available else "no") for one in known.secrets)
        output.table(("secret", "source", "name", "available"), rows)
    return Exit.WELL if known.ready else Exit.FOUND


@click.group(no_args_is_help=False)
def secret() -> None:
    """The secrets that the database holds for an app."""


@secret.command(name="set")
@click.argument("app")
@click.argument("name")
@by
@database
@as_json
def set_secret(app: str, name: str, by: Optional[str], database: Database, as_json: bool) -> None:
    """Store the secret that is typed or piped in, sealed under the database's key.

    Definitions name it as {"sealed": NAME}. The line feed at the end of what is piped in is no part of it.
    """
    if sys.stdin.isatty():
        value = click.prompt("secret", hide_input=True, err=True)
    else:
        value = sys.stdin.read().removesuffix("\n")
    _change(app, name, value, by, database, Output(as_json), "is set")


@secret.command()
@click.argument("app")
@click.argument("name")
@by
@database
@as_json
def erase(app: str, name: str, by: Optional[str], database: Database, as_json: bool) -> None:
    """Erase a secret."""
    _change(app, name, None, by, database, Output(as_json), "is erased")


def _change(
    app: str, name: str, value: Optional[str], by: Optional[str], database: Database, output: Output, done: str
) -> None:
    with database.create() as engine:
        engine.set_secret(app, name, value, by=by)
    if output.json:
        output.emit({"app": app, "name": name, "set": value is not None})
    else:
        output.say(f"the secret {shown(name)} of {shown(app)} {done}")


@click.group(no_args_is_help=False)
def key() -> None:
    """The key of a sealed database."""


@key.command()
@click.option(
    "--new-key-file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path),
    help="The new key: 32 bytes, or 64 hexadecimal digits.",
)
@by
@database
@as_json
def rotate(new_key_file: Path, by: Optional[str], database: Database, as_json: bool) -> None:
    """Seal the database under another key. Backups that were made before still need the old one.

    Without --key-file, a database that has no key gets one.
    """
    output = Output(as_json)
    with database.change() as engine:
        engine.rotate_key(database.key, key_of(new_key_file), by=by)
    if output.json:
        output.emit({"rotated": True})
    else:
        output.say("the database has another key")
