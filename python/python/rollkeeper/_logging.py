"""The log's way into :mod:`logging`: the logger ``rollkeeper`` gets every entry, at level INFO."""

from __future__ import annotations

import logging
from typing import Any

logger = logging.getLogger("rollkeeper")
_TOLD = ("app", "user", "request", "by")


def is_wanted() -> bool:
    """Whether anybody listens."""
    return logger.isEnabledFor(logging.INFO)


def forward(entry: dict[str, Any]) -> None:
    """Logs an entry, with its fields as ``extra``. It holds names and outcomes, never attribute values."""
    fields = {name: entry.get(name) for name in _TOLD}
    told = " ".join(f"{name}={value}" for name, value in fields.items() if value is not None)
    extra = {"kind": entry["kind"], "sequence": entry["sequence"], "details": entry["details"], **fields}
    logger.info("%s %s", entry["kind"], told, extra=extra)
