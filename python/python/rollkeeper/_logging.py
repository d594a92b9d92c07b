"""The log's way into :mod:`logging`: the logger ``rollkeeper`` gets every entry, at level INFO.

``logging`` takes longer to import than all of rollkeeper, so it is left to the program: who has not imported it does not
listen.
"""

from __future__ import annotations

import sys
from typing import Any

_TOLD = ("app", "user", "request", "by")


def is_wanted() -> bool:
    """Whether anybody listens."""
    if "logging" not in sys.modules:
        return False
    import logging  # waits where another thread is about to import it

    return logging.getLogger("rollkeeper").isEnabledFor(logging.INFO)


def forward(entry: dict[str, Any]) -> None:
    """Logs an entry, with its fields as ``extra``. It holds names and outcomes, never attribute values."""
    import logging

    fields = {name: entry.get(name) for name in _TOLD}
    told = " ".join(f"{name}={value}" for name, value in fields.items() if value is not None)
    extra = {"kind": entry["kind"], "sequence": entry["sequence"], "details": entry["details"], **fields}
    logging.getLogger("rollkeeper").info("%s %s", entry["kind"], told, extra=extra)
