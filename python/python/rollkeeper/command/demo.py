"""``demo``: somebody joins, moves and leaves, on two targets in memory. Clock and ids are fixed, so that it always
prints the same."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click

from ..engine import Engine
from ..records import LogVerdict, Request
from ..testing import VirtualClock
from .options import as_json
from .output import Output, plural

__all__ = ["demo"]

_NAMES: list[dict[str, Any]] = [
    {"target": "userName", "source": "username", "required": True},
    {"target": "title", "source": "title"},
    {"target": "displayName", "expression": "user.firstName + ' ' + user.lastName"},
]
_MATCHING = [{"all": [{"user": "username", "account": "userName"}]}]
_APPS: list[dict[str, Any]] = [
    {"id": app, "connector": {"kind": "mock"}, "assigned_to": granted, "mapping": _NAMES, "matching": _MATCHING}
    for app, granted in (("wards", {"profiles": ["Nurses"]}), ("rota", {"permission_sets": ["Planning"]}))
]
_AMELIE: dict[str, Any] = {
    "id": "u1",
    "username": "amelie",
    "firstName": "Amélie",
    "lastName": "Brandt",
    "title": "Nurse",
    "profile": "Nurses",
}


class _Scene(NamedTuple):
    """What changes, and the record that says so."""

    name: str
    text: str
    user: dict[str, Any]


_STORY = [
    _Scene("joiner", "Amélie joins as a nurse", _AMELIE),
    _Scene(
        "mover",
        "She becomes ward manager and plans the rota",
        {**_AMELIE, "title": "Ward manager", "permission_sets": ["Planning"]},
    ),
    _Scene(
        "leaver",
        "She leaves",
        {**_AMELIE, "title": "Ward manager", "permission_sets": ["Planning"], "active": False},
    ),
]


@click.command()
@as_json
def demo(as_json: bool) -> None:
    """Play a story of a joiner, mover and leaver.

    It uses targets in memory and a temporary database: no network, and nothing is left behind.
    """
    output = Output(as_json)
    clock = VirtualClock("2026-03-02T07:00:00Z")
    # On systems where an open file cannot be deleted, the engine has to be closed first.
    with tempfile.TemporaryDirectory() as folder:
        with Engine.open(Path(folder) / "state.db", clock=clock, seed=1) as engine:
            for app in _APPS:
                engine.put_app(app, by="admin")
            for scene in _STORY:
                _tell(output, scene, _play(engine, clock, scene))
            _tell_verdict(output, engine.verify_log())


def _play(engine: Engine, clock: VirtualClock, scene: _Scene) -> dict[str, Any]:
    """Plays a scene and gives what came of it."""
    clock.advance(24 * 3600.0)
    made = [request.id for request in engine.put_user(scene.user, by="hr")]
    engine.run()
    return {
        "requests": [engine.request(id).to_dict() for id in made],
        "accounts": [account.to_dict() for account in engine.accounts(user="u1")],
        "explanations": [engine.explain(app["id"], "u1").to_dict() for app in _APPS],
    }


def _tell(output: Output, scene: _Scene, found: dict[str, Any]) -> None:
    if output.json:
        output.emit({"scene": scene.name, **found})
        return
    output.say(f"{scene.text}.", style="bold")
    output.table(("request", "app", "state", "why"), _requests(found))
    output.say()
    accounts = found["accounts"]
    output.table(
        ("account", "username", "title", "status"),
        [(one["app"], one["username"], one["attributes"].get("title"), one["status"]) for one in accounts],
    )
    for explanation in found["explanations"]:
        output.say(f"{_AMELIE['firstName']} {explanation['summary']}.")
    output.say()


def _requests(found: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    for values in found["requests"]:
        request = Request(values)
        yield request.operation, request.app, request.state, request.why


def _tell_verdict(output: Output, verdict: LogVerdict) -> None:
    if output.json:
        output.emit({"scene": "log", **verdict.to_dict()})
    else:
        whole = "whole" if verdict.whole else "broken"
        output.say(f"The log of it has {plural(verdict.entries, 'entry', 'entries')} and is {whole}.")
