"""The options that several commands have, and the engine that they open."""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path
from typing import Any, Callable, Optional, TypeVar

import click

from ..engine import Engine

__all__ = ["Database", "as_json", "by", "database", "key_of", "person", "readable", "secrets", "secrets_of"]

_Command = TypeVar("_Command", bound=Callable[..., Any])

readable = click.Path(exists=True, dir_okay=False, readable=True, allow_dash=True)
"""A file to read; ``-`` is standard input."""
_FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, one document a line.")
by = click.option("--by", metavar="NAME", help="Who asks for it; the log says so.")
person = click.option("--by", metavar="NAME", required=True, help="Who decides it; the log says so.")
secrets = click.option(
    "--secrets",
    type=_FILE,
    envvar="ROLLKEEPER_SECRETS",
    show_envvar=True,
    help="A JSON object with the secrets that definitions name.",
)


class Database:
    """Where the database is and how it is unsealed; opens engines on it."""

    def __init__(self, path: str, key_file: Optional[Path], secrets: Optional[Path] = None) -> None:
        self._path, self._key_file, self._secrets = path, key_file, secrets

    @property
    def key(self) -> Optional[bytes]:
        """The key that it is sealed under."""
        return None if self._key_file is None else key_of(self._key_file)

    def create(self) -> Engine:
        """Opens the database, and makes it where there is none."""
        return Engine.open(self._path, key=self.key, secrets=secrets_of(self._secrets))

    def change(self) -> Engine:
        """Opens a database that must be there: a path with a slip must not leave an empty file behind."""
        return self.create() if os.path.exists(self._path) else self.read()

    def read(self) -> Engine:
        """Opens a database that must be there, for reading."""
        return Engine.open(self._path, key=self.key, secrets=secrets_of(self._secrets), read_only=True)


def database(command: _Command) -> _Command:
    """Gives a command the options of a database, as the argument ``database``."""

    @functools.wraps(command)
    def with_database(*arguments: Any, db: Optional[str], key_file: Optional[Path], **rest: Any) -> Any:
        if not db:
            raise click.UsageError("say which database: --db PATH, or ROLLKEEPER_DB in the environment")
        file = rest.pop("secrets", None)
        return command(*arguments, database=Database(db, key_file, file), **rest)

    path = click.option(
        "--db",
        metavar="PATH",
        envvar="ROLLKEEPER_DB",
        show_envvar=True,
        type=click.Path(dir_okay=False),
        help="The database file.",
    )
    key = click.option(
        "--key-file",
        type=_FILE,
        envvar="ROLLKEEPER_KEY_FILE",
        show_envvar=True,
        help="The key of a sealed database: 32 bytes, or 64 hexadecimal digits.",
    )
    return path(key(with_database))  # type: ignore[return-value]


def key_of(path: Path) -> bytes:
    """The key that a file holds."""
    key = path.read_bytes()
    if len(key) == 32:
        return key
    try:
        key = bytes.fromhex(key.decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != 32:
        raise click.UsageError(f"the key file `{path}` does not hold 32 bytes or 64 hexadecimal digits")
    return key


def secrets_of(path: Optional[Path]) -> Optional[dict[str, str]]:
    """The secrets of a file. What is wrong with it is told without showing any of it."""
    if path is None:
        return None
    try:
        found = json.loads(path.read_bytes())
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise click.UsageError(f"the secrets file `{path}` does not hold a JSON object of names with texts")
    return found
