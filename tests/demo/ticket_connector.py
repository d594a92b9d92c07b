"""The connector between rollkeeper and the demo's ticket system, as a customer would write it for an own product."""

import rollkeeper

from ticket_system import LoginTaken, NoSuchAgent

# Attribute names on our side of the mapping, and the ticket system's columns.
COLUMNS = {
    "externalId": "reference",
    "login": "login",
    "fullName": "full_name",
    "mail": "mail",
    "team": "team",
    "level": "level",
}
PAGE = 100


class TicketConnector(rollkeeper.Connector):
    """Keeps the agents of one ticket system."""

    def __init__(self, system):
        super().__init__()
        self._system = system

    def capabilities(self):
        return {"search": True, "unique_keys": ["login"], "freeze": True}

    def test(self):
        self._system.agents(limit=1)

    def schema(self):
        return [{"path": path, "type": "string", "required": path == "login"} for path in COLUMNS]

    def find(self, attribute, value):
        if attribute not in COLUMNS:
            raise rollkeeper.ConnectorError("rejected", "unsupported", f"agents cannot be found by `{attribute}`")
        return [_account(agent) for agent in self._system.agents(**{COLUMNS[attribute]: value})]

    def read(self, external_id):
        try:
            return _account(self._system.agent(int(external_id)))
        except NoSuchAgent:
            return None

    def create(self, attributes, idempotency_key):
        try:
            return _account(self._system.add({COLUMNS[name]: value for name, value in attributes.items()}))
        except LoginTaken as error:
            raise rollkeeper.ConnectorError("conflict", "conflict", "another agent has this `login`") from error

    def update(self, external_id, changes, version):
        return self._change(external_id, {COLUMNS[change["path"]]: change.get("value") for change in changes})

    def activate(self, external_id):
        self._change(external_id, {"closed": 0})

    def deactivate(self, external_id):
        self._change(external_id, {"closed": 1})

    def freeze(self, external_id):
        self._change(external_id, {"suspended": 1})

    def unfreeze(self, external_id):
        self._change(external_id, {"suspended": 0})

    def delete(self, external_id):
        self._system.remove(int(external_id))

    def list(self, cursor, filter):
        agents = self._system.agents(after=int(cursor or 0), limit=PAGE)
        full = len(agents) == PAGE
        return {
            "accounts": [_account(agent) for agent in agents],
            "next": str(agents[-1]["number"]) if full else None,
            "complete": not full,
        }

    def _change(self, external_id, columns):
        try:
            return _account(self._system.change(int(external_id), columns))
        except NoSuchAgent as error:
            raise rollkeeper.ConnectorError("rejected", "account_missing", "there is no such agent") from error
        except LoginTaken as error:
            raise rollkeeper.ConnectorError("conflict", "conflict", "another agent has this `login`") from error


def _account(agent):
    """An agent in rollkeeper's words."""
    return {
        "external_id": str(agent["number"]),
        "username": agent["login"],
        "active": not agent["closed"],
        "frozen": bool(agent["suspended"]),
        "attributes": {name: agent[column] for name, column in COLUMNS.items() if agent[column] is not None},
    }
