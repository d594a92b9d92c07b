"""The base class of connectors written in Python."""

# `NotImplemented` stands where the real answer would, which no annotation can say.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

# `List` and not `list`, which is a method of the class below.
from typing import Any, List, Optional

__all__ = ["Connector"]


def _unsupported() -> Any:
    return NotImplemented


class Connector:
    """A target's face towards the engine.

    Subclass it and write at least :meth:`create`. What is not written is not supported. Methods are ordinary functions
    and may be called from several threads at once. Failures are raised as :class:`rollkeeper.ConnectorError`; after any
    other exception the engine assumes that a write may have happened and that a read did nothing.

    An *account* is a dict ``{"external_id": …, "username": …, "active": …, "frozen": …, "attributes": {…},
    "version": …}`` of which only ``external_id`` is required. A *change* is a dict ``{"op": "add" | "remove" |
    "replace", "path": …, "value": …}``.

    >>> class Notes(Connector):
    ...     def create(self, attributes, idempotency_key):
    ...         return {"external_id": attributes["externalId"], "attributes": attributes}
    >>> Notes().capabilities()["search"]
    False
    """

    def capabilities(self) -> dict[str, Any]:
        """What the target can do, as a dict of ``search``, ``idempotency_key``, ``conditional_write``, ``unique_keys``,
        ``freeze``, ``groups`` and ``changes``; what is left out is false.

        As it stands it tells from the methods that the subclass has.
        """

        def has(*methods: str) -> bool:
            return all(getattr(type(self), method) is not getattr(Connector, method) for method in methods)

        return {
            "search": has("find"),
            "freeze": has("freeze", "unfreeze"),
            "groups": has("list_groups", "change_members"),
            "changes": has("changes"),
        }

    def test(self) -> None:
        """Returns where the target can be reached and accepts the credentials; raises where not. Changes nothing."""
        return _unsupported()

    def schema(self) -> List[dict[str, Any]]:
        """The target's attributes, each a dict with ``path`` and, where known, ``type``, ``multi_valued``,
        ``required``, ``case_exact``, ``read_only`` and ``canonical_values``."""
        return _unsupported()

    def find(self, attribute: str, value: Any) -> List[dict[str, Any]]:
        """The accounts whose ``attribute`` equals ``value``. More than asked for may come back. An answer that is not
        known is an exception, never an empty list."""
        return _unsupported()

    def read(self, external_id: str) -> Optional[dict[str, Any]]:
        """One account, ``None`` where the target says that it does not exist."""
        return _unsupported()

    def create(self, attributes: dict[str, Any], idempotency_key: str) -> dict[str, Any]:
        """Makes an account and gives it. ``attributes`` holds ``externalId``, the user's id. The key is the same in
        every attempt of one request."""
        return _unsupported()

    def update(
        self, external_id: str, changes: List[dict[str, Any]], version: Optional[str]
    ) -> Optional[dict[str, Any]]:
        """Changes an account; gives it as it is afterwards where the target says so. ``version`` is the one last
        seen."""
        return _unsupported()

    def activate(self, external_id: str) -> None:
        """Enables an account. Done twice, it does no harm."""
        return _unsupported()

    def deactivate(self, external_id: str) -> None:
        """Disables an account. Done twice, it does no harm."""
        return _unsupported()

    def freeze(self, external_id: str) -> None:
        """Suspends an account."""
        return _unsupported()

    def unfreeze(self, external_id: str) -> None:
        """Ends a suspension."""
        return _unsupported()

    def delete(self, external_id: str) -> None:
        """Removes an account. One that does not exist counts as removed."""
        return _unsupported()

    def list(self, cursor: Optional[str], filter: Optional[str]) -> dict[str, Any]:
        """One page of all accounts: ``{"accounts": […], "next": cursor or None, "complete": bool}``.

        ``total`` may tell how many accounts the target says that the whole listing has.
        """
        return _unsupported()

    def changes(self, token: Optional[str]) -> dict[str, Any]:
        """The accounts changed since ``token``: ``{"accounts": […], "token": …}``."""
        return _unsupported()

    def list_groups(self, cursor: Optional[str]) -> dict[str, Any]:
        """One page of groups: ``{"groups": [{"id": …, "display_name": …, "members": […]}], "next": cursor or None}``.

        ``members`` are external ids, and left out where they are not shown.
        """
        return _unsupported()

    def change_members(self, group: str, add: List[str], remove: List[str]) -> None:
        """Adds members to a group and removes others, by external id."""
        return _unsupported()
