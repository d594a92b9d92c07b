"""How a reconciliation goes: who is told, who may stop it, and what Ctrl-C does to it."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any, Optional

import pytest

import rollkeeper

from .connectors import Directory

PAGES = 200
APP = {"id": "staff", "connector": {"kind": "custom", "name": "staff"}, "create_without_match": True}


class Pages(Directory):
    """A target with many pages of one account."""

    def __init__(self) -> None:
        super().__init__()
        self.read_pages = 0

    def list(self, cursor: Optional[str], filter: Optional[str]) -> dict[str, Any]:
        self.read_pages += 1
        page = int(cursor or 0) + 1
        accounts = [{"external_id": str(page), "active": True, "attributes": {}}]
        return {"accounts": accounts, "complete": page == PAGES, **({"next": str(page)} if page < PAGES else {})}


@pytest.fixture
def target(engine: rollkeeper.Engine) -> Pages:
    target = Pages()
    engine.register_connector("staff", target)
    engine.put_app(APP)
    return target


def test_progress_is_told_of_each_page_and_may_stop_it(engine: rollkeeper.Engine, target: Pages) -> None:
    pages: list[int] = []

    def told(now: rollkeeper.Reconciliation) -> bool:
        with pytest.raises(rollkeeper.CallerError):
            engine.app("staff")
        pages.append(now.pages)
        return now.pages < 3

    stopped = engine.reconcile("staff", by="anna", progress=told)
    assert (stopped.state, pages[-3:]) == ("Collecting", [1, 2, 3])
    done = engine.reconcile("staff", progress=lambda now: pages.append(now.pages))
    assert (done.id, done.state, done.collected, target.read_pages) == (stopped.id, "Analyzed", PAGES, PAGES)
    assert max(pages) == PAGES


def test_what_progress_throws_comes_out_and_the_next_call_goes_on(engine: rollkeeper.Engine, target: Pages) -> None:
    def told(_: rollkeeper.Reconciliation) -> None:
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        engine.reconcile("staff", progress=told)
    assert engine.reconcile("staff").state == "Analyzed"
    assert len(list(engine.reconciliations())) == 1


def test_ctrl_c_ends_it_after_the_page_and_the_next_call_goes_on(engine: rollkeeper.Engine, target: Pages) -> None:
    handled = threading.Event()

    def handler(number: int, frame: object) -> None:
        handled.set()
        raise KeyboardInterrupt

    def told(now: rollkeeper.Reconciliation) -> None:
        if now.pages == 3 and not handled.is_set():
            os.kill(os.getpid(), signal.SIGINT)
            handled.wait()

    before = signal.signal(signal.SIGINT, handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            engine.reconcile("staff", progress=told)
    finally:
        signal.signal(signal.SIGINT, before)
    assert 3 <= target.read_pages < PAGES
    assert engine.reconcile("staff").collected == PAGES
    assert target.read_pages == PAGES
