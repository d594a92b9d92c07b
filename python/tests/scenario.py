"""Plays a scenario: a whole story as data, from `tests/data/scenarios/`. The runners of all languages do the same steps
and must give the same bytes. Every scenario runs in memory, with a seed, a clock that moves only when told to, and one
worker."""

from __future__ import annotations

import json
from typing import Any, Optional

import rollkeeper
from rollkeeper.records import Record
from rollkeeper.testing import VirtualClock

Dump = dict[str, Any]
"""What a scenario left behind: records, and what the mock targets saw."""


def play(scenario: dict[str, Any]) -> Dump:
    """Plays a scenario; a step that does not do what it should is an ``AssertionError``."""
    clock = VirtualClock(scenario["start"])
    alerts: list[Record] = []
    with rollkeeper.Engine.open(None, key=_key(scenario.get("key")), seed=scenario["seed"], clock=clock, alerts=alerts.append) as engine:
        stage = _Stage(engine, clock, alerts)
        for app in scenario["apps"]:
            engine.put_app(app)
        for index, step in enumerate(scenario["steps"]):
            raised = stage.perform(dict(step))
            code = None if raised is None else raised.code
            assert code == step.get("error"), f"step {index}: {raised or 'no error'}"
        return stage.dump()


def _key(byte: Optional[int]) -> Optional[bytes]:
    """Scenarios write a key as the byte of which it is made, 32 times."""
    return None if byte is None else bytes([byte]) * 32


def golden(dump: Dump) -> str:
    """The golden bytes: canonical JSON and a line feed. Records write themselves, so that their own JSON is compared."""
    return _canonical(dump) + "\n"


def _canonical(value: Any) -> str:
    if isinstance(value, Record):
        return value.to_json()
    if isinstance(value, list):
        return f"[{','.join(map(_canonical, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{_canonical(key)}:{_canonical(value[key])}' for key in sorted(value))}}}"
    return json.dumps(value, ensure_ascii=False)


class _Stage:
    """The engine and what is noted while it plays. Each step is a method; its name is the step's."""

    def __init__(self, engine: rollkeeper.Engine, clock: VirtualClock, alerts: list[Record]) -> None:
        self.engine = engine
        self.clock = clock
        self.alerts = alerts
        self.answers: list[Optional[Record]] = []

    def perform(self, step: dict[str, Any]) -> Optional[rollkeeper.Error]:
        """Does one step and gives the error that it ended with."""
        by = step.pop("by", None)
        step.pop("error", None)
        ((verb, argument),) = step.items()
        try:
            getattr(self, f"do_{verb}")(argument, by)
        except rollkeeper.Error as error:
            return error
        return None

    def do_put_app(self, app: dict[str, Any], by: Optional[str]) -> None:
        self.engine.put_app(app, by=by)

    def do_delete_app(self, id: str, by: Optional[str]) -> None:
        self.engine.delete_app(id, by=by)

    def do_put_user(self, user: dict[str, Any], by: Optional[str]) -> None:
        self.engine.put_user(user, by=by)

    def do_put_users(self, users: list[dict[str, Any]], by: Optional[str]) -> None:
        self.answers.append(self.engine.put_users(users, by=by))

    def do_put_users_snapshot(self, users: list[dict[str, Any]], by: Optional[str]) -> None:
        # What is no record can stand in JSON text alone.
        given = users if all(isinstance(user, dict) for user in users) else json.dumps(users)
        self.answers.append(self.engine.put_users(given, snapshot=True, by=by))

    def do_delete_user(self, id: str, by: Optional[str]) -> None:
        self.engine.delete_user(id, by=by)

    def do_submit(self, submit: dict[str, Any], by: Optional[str]) -> None:
        self.engine.submit(**submit, by=by)

    def do_cancel(self, nth: dict[str, Any], by: Optional[str]) -> None:
        self.engine.cancel(self.nth(nth), by=by)

    def do_approve(self, nth: dict[str, Any], by: Optional[str]) -> None:
        self.engine.approve(self.nth(nth), by=by or "operator", comment=nth.get("note"))

    def do_deny(self, nth: dict[str, Any], by: Optional[str]) -> None:
        self.engine.deny(self.nth(nth), by=by or "operator", comment=nth.get("note"))

    def do_retry(self, nth: dict[str, Any], by: Optional[str]) -> None:
        self.engine.retry(self.nth(nth), by=by or "operator")

    def do_complete_manually(self, nth: dict[str, Any], by: Optional[str]) -> None:
        note, external_id = nth.get("note", ""), nth.get("external_id")
        self.engine.complete_manually(self.nth(nth), by=by or "operator", note=note, external_id=external_id)

    def do_hold(self, held: dict[str, Any], by: Optional[str]) -> None:
        hold = self.engine.hold(by=by or "operator", reason=held.get("reason", ""), **self.scope(held))
        self.answers.append(hold)

    def do_resume(self, held: dict[str, Any], by: Optional[str]) -> None:
        self.answers.append(self.engine.resume(by=by or "operator", **self.scope(held)))

    def do_holds(self, _: dict[str, Any], by: Optional[str]) -> None:
        self.answers.extend(self.engine.holds())

    def do_maintenance(self, asked: dict[str, Any], by: Optional[str]) -> None:
        self.engine.set_maintenance(asked["app"], asked["on"], by=by or "operator")

    def do_set_secret(self, asked: dict[str, Any], by: Optional[str]) -> None:
        self.engine.set_secret(asked["app"], asked["name"], asked.get("value"), by=by)

    def do_credentials(self, app: str, by: Optional[str]) -> None:
        self.answers.append(self.engine.credentials(app))

    def do_rotate_key(self, keys: dict[str, Any], by: Optional[str]) -> None:
        new = _key(keys["new"])
        assert new is not None
        self.engine.rotate_key(_key(keys.get("old")), new, by=by)

    def do_requests(self, wanted: dict[str, Any], by: Optional[str]) -> None:
        self.answers.extend(self.engine.requests(**wanted))

    def scope(self, held: dict[str, Any]) -> dict[str, Any]:
        scope = {name: held[name] for name in ("app", "user") if name in held}
        return scope | ({"request": self.nth({"nth": held["request"]})} if "request" in held else {})

    def do_advance(self, period: str, by: Optional[str]) -> None:
        self.clock.advance(period)

    def do_run(self, options: dict[str, Any], by: Optional[str]) -> None:
        self.engine.run(workers=1)

    def do_script(self, script: dict[str, Any], by: Optional[str]) -> None:
        self.engine.mock_target(script["app"]).script(script["faults"])

    def do_set_schema(self, schema: dict[str, Any], by: Optional[str]) -> None:
        self.engine.mock_target(schema["app"]).set_schema(schema["attributes"])

    def do_discover(self, app: str, by: Optional[str]) -> None:
        self.answers.append(self.engine.discover(app))

    def do_probe(self, asked: dict[str, Any], by: Optional[str]) -> None:
        self.answers.append(self.engine.probe(asked["app"], sandbox=asked.get("sandbox", False), by=by))

    def do_suggest_mapping(self, app: str, by: Optional[str]) -> None:
        self.answers.append(self.engine.suggest_mapping(app))

    def do_validate_app(self, app: dict[str, Any], by: Optional[str]) -> None:
        self.answers.append(self.engine.validate_app(app))

    def do_alerts(self, wanted: bool, by: Optional[str]) -> None:
        self.answers.extend(self.alerts)
        self.alerts.clear()

    def do_metrics(self, wanted: bool, by: Optional[str]) -> None:
        self.answers.append(self.engine.metrics())

    def do_explain(self, pair: dict[str, str], by: Optional[str]) -> None:
        self.answers.append(self.engine.explain(pair["app"], pair["user"]))

    def do_preview(self, pair: dict[str, Any], by: Optional[str]) -> None:
        self.answers.append(self.engine.preview(pair["app"], pair["user"]))

    def do_impact(self, given: dict[str, Any], by: Optional[str]) -> None:
        impact = self.engine.impact(given["app"], **given.get("options", {}))
        self.answers.extend(impact)
        self.answers.append(impact.summary)

    def do_put_account(self, put: dict[str, Any], by: Optional[str]) -> None:
        self.engine.mock_target(put["app"]).put_account(put["account"])

    def do_remove_account(self, remove: dict[str, str], by: Optional[str]) -> None:
        self.engine.mock_target(remove["app"]).remove_account(remove["external_id"])

    def do_reconcile(self, app: str, by: Optional[str]) -> None:
        self.answers.append(self.engine.reconcile(app, by=by))

    def do_stage_accounts(self, staged: dict[str, Any], by: Optional[str]) -> None:
        made = self.engine.stage_accounts(staged["app"], staged["accounts"], complete=staged["complete"], by=by)
        self.answers.append(made)

    def do_reconciliation(self, nth: dict[str, Any], by: Optional[str]) -> None:
        self.answers.append(self.engine.reconciliation(self.nth_reconciliation(nth).id))

    def do_reconciliations(self, filter: dict[str, Any], by: Optional[str]) -> None:
        self.answers.extend(self.engine.reconciliations(**filter))

    def do_plan(self, plan: dict[str, Any], by: Optional[str]) -> None:
        self.answers.extend(self.engine.plan(self.nth_reconciliation(plan).id, **plan.get("filter", {})))

    def do_commit(self, nth: dict[str, Any], by: Optional[str]) -> None:
        found = self.nth_reconciliation(nth)
        self.answers.append(self.engine.commit(found.id, nth.get("digest") or found.digest or "", by=by or "operator"))

    def do_release(self, nth: dict[str, Any], by: Optional[str]) -> None:
        found = self.nth_reconciliation(nth)
        self.answers.append(self.engine.release(found.id, nth.get("digest") or found.digest or "", by=by or "operator"))

    def do_review(self, nth: dict[str, Any], by: Optional[str]) -> None:
        id, decision = self.nth_reconciliation(nth).id, nth["decision"]
        self.answers.append(self.engine.review(id, nth["item"], **decision, by=by or "operator"))

    def do_undo(self, nth: dict[str, Any], by: Optional[str]) -> None:
        id = self.nth({"nth": nth["request"]}) if "request" in nth else self.nth_reconciliation(nth).id
        self.answers.append(self.engine.undo(id, by=by or "operator"))

    def nth_reconciliation(self, nth: dict[str, Any]) -> rollkeeper.Reconciliation:
        """The reconciliation at a place."""
        place: int = nth["nth"]
        return list(self.engine.reconciliations())[place]

    def nth(self, nth: dict[str, Any]) -> str:
        """The id of the request at a place."""
        place: int = nth["nth"]
        return list(self.engine.requests())[place].id

    def dump(self) -> Dump:
        """All that can be seen from outside."""
        engine = self.engine
        return {
            "accounts": list(engine.accounts()),
            "answers": self.answers,
            "calls": {app["id"]: engine.mock_target(app["id"]).calls for app in engine.apps()},
            "log": list(engine.log()),
            "requests": [engine.request(request.id) for request in engine.requests()],
        }
