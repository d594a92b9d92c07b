"""A connector in Python that behaves: accounts in a dict. Tests take it as it is, or break one method of it."""

from __future__ import annotations

import copy
import threading
from typing import Any, Optional

import rollkeeper
from rollkeeper import ConnectorError


def missing(external_id: str) -> ConnectorError:
    """The failure for an account that does not exist."""
    return ConnectorError("rejected", "account_missing", f"there is no account `{external_id}`")


class Directory(rollkeeper.Connector):
    """Accounts in a dict. `userName` is unique."""

    def __init__(self) -> None:
        self.accounts: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        self.lock = threading.Lock()
        self.made = 0

    def capabilities(self) -> dict[str, Any]:
        return {**super().capabilities(), "unique_keys": ["userName"]}

    def test(self) -> None:
        self.calls.append("test")

    def find(self, attribute: str, value: Any) -> list[dict[str, Any]]:
        self.calls.append("find")
        with self.lock:
            found = [one for one in self.accounts.values() if one["attributes"].get(attribute) == value]
            return copy.deepcopy(found)

    def read(self, external_id: str) -> Optional[dict[str, Any]]:
        self.calls.append("read")
        return copy.deepcopy(self.accounts.get(external_id))

    def create(self, attributes: dict[str, Any], idempotency_key: str) -> dict[str, Any]:
        self.calls.append("create")
        with self.lock:
            username = attributes.get("userName")
            for account in self.accounts.values():
                if account["username"] == username:
                    raise ConnectorError("conflict", "conflict", "taken", external_id=account["external_id"])
            self.made += 1
            external_id = f"d-{self.made}"
            self.accounts[external_id] = {
                "external_id": external_id,
                "username": username,
                "active": attributes.get("active", True),
                "attributes": copy.deepcopy(attributes),
            }
            return copy.deepcopy(self.accounts[external_id])

    def update(
        self, external_id: str, changes: list[dict[str, Any]], version: Optional[str]
    ) -> Optional[dict[str, Any]]:
        self.calls.append("update")
        account = self._account(external_id)
        for change in changes:
            *steps, last = change["path"].split(".")
            place = account["attributes"]
            for step in steps:
                place = place.setdefault(step, {})
            if change["op"] == "remove":
                place.pop(last, None)
            else:
                place[last] = change["value"]
        return copy.deepcopy(account)

    def activate(self, external_id: str) -> None:
        self.calls.append("activate")
        self._account(external_id)["active"] = True

    def deactivate(self, external_id: str) -> None:
        self.calls.append("deactivate")
        self._account(external_id)["active"] = False

    def freeze(self, external_id: str) -> None:
        self.calls.append("freeze")
        self._account(external_id)["frozen"] = True

    def unfreeze(self, external_id: str) -> None:
        self.calls.append("unfreeze")
        self._account(external_id)["frozen"] = False

    def delete(self, external_id: str) -> None:
        self.calls.append("delete")
        self.accounts.pop(external_id, None)

    def list(self, cursor: Optional[str], filter: Optional[str]) -> dict[str, Any]:
        self.calls.append("list")
        start, size = int(cursor or 0), 2
        found = copy.deepcopy([*self.accounts.values()])
        more = start + size < len(found)
        return {
            "accounts": found[start : start + size],
            "next": str(start + size) if more else None,
            "complete": not more,
            "total": len(found),
        }

    def _account(self, external_id: str) -> dict[str, Any]:
        account = self.accounts.get(external_id)
        if account is None:
            raise missing(external_id)
        return account
