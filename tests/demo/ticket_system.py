"""The demo's ticket system: a small product with its own words and its own file, which knows nothing of provisioning.

It keeps agents in a SQLite file. Whoever logs in looks there; so do the connector (`ticket_connector.py`) and the
independent check (`check.py`, which reads the file from another process and not through this class).
"""

import contextlib
import sqlite3
import threading

_SCHEMA = """
CREATE TABLE IF NOT EXISTS agents (
    number INTEGER PRIMARY KEY,
    reference TEXT,
    login TEXT NOT NULL UNIQUE COLLATE NOCASE,
    full_name TEXT,
    mail TEXT,
    team TEXT,
    level TEXT,
    closed INTEGER NOT NULL DEFAULT 0,
    suspended INTEGER NOT NULL DEFAULT 0
)
"""


class LoginTaken(Exception):
    """Another agent has this login."""


class NoSuchAgent(Exception):
    """There is no agent with this number."""


class TicketSystem:
    """The agents of the ticket system in the file `path`. May be used from several threads."""

    COLUMNS = ("reference", "login", "full_name", "mail", "team", "level", "closed", "suspended")

    def __init__(self, path):
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._lock = threading.Lock()
        with self._lock:
            self._connection.execute(_SCHEMA)

    def close(self):
        """Closes the file."""
        self._connection.close()

    def add(self, agent):
        """Adds an agent and gives it back with its number. Raises LoginTaken."""
        columns = self._known(agent)
        marks = ", ".join("?" * len(columns))
        try:
            return self._one(
                f"INSERT INTO agents ({', '.join(columns)}) VALUES ({marks}) RETURNING *", list(columns.values())
            )
        except sqlite3.IntegrityError as error:
            raise LoginTaken from error

    def agent(self, number):
        """One agent. Raises NoSuchAgent."""
        return self._one("SELECT * FROM agents WHERE number = ?", [number])

    def agents(self, after=0, limit=-1, **equal):
        """The agents whose columns equal the values given, by number."""
        conditions = "".join(f" AND {column} = ?" for column in self._known(equal))
        query = f"SELECT * FROM agents WHERE number > ?{conditions} ORDER BY number LIMIT ?"
        return self._all(query, [after, *equal.values(), limit])

    def change(self, number, agent):
        """Changes columns of an agent and gives it as it is then. Raises NoSuchAgent or LoginTaken."""
        columns = self._known(agent)
        if not columns:
            return self.agent(number)
        changes = ", ".join(f"{column} = ?" for column in columns)
        try:
            return self._one(f"UPDATE agents SET {changes} WHERE number = ? RETURNING *", [*columns.values(), number])
        except sqlite3.IntegrityError as error:
            raise LoginTaken from error

    def remove(self, number):
        """Removes an agent; one that is not there is no mistake."""
        with contextlib.suppress(NoSuchAgent):
            self._one("DELETE FROM agents WHERE number = ? RETURNING *", [number])

    def _known(self, columns):
        unknown = columns.keys() - set(self.COLUMNS)
        if unknown:
            raise KeyError(f"the ticket system has no column {', '.join(sorted(unknown))}")
        return columns

    def _all(self, query, values):
        with self._lock:
            return [dict(row) for row in self._connection.execute(query, values).fetchall()]

    def _one(self, query, values):
        rows = self._all(query, values)
        if not rows:
            raise NoSuchAgent
        return rows[0]
