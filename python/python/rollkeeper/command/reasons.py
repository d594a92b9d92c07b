"""``preview`` and ``explain``: what would be sent for a user, and why they have what they have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from .exits import Exit
from .listing import request_table
from .options import Database, as_json, database
from .output import Output, described, shown, without

__all__ = ["explain", "preview"]

_KNOWN = ("app", "user", "operations", "attributes", "rules", "faults", "create", "update")


@click.command()
@click.argument("app")
@click.argument("user")
@database
@as_json
def preview(app: str, user: str, database: Database, as_json: bool) -> int:
    """Show what would be sent for a user.

    Shows how each value comes about, rule by rule. Nothing is sent. Ends with 1 where something is wrong: then nothing
    would be sent.
    """
    output = Output(as_json)
    with database.read() as engine:
        found = engine.preview(app, user).to_dict()
    if as_json:
        output.emit(found)
    else:
        _show(output, found)
    return Exit.FOUND if found["faults"] else Exit.WELL


def _show(output: Output, found: dict[str, Any]) -> None:
    output.say(f"user {shown(found['user'])} in app {shown(found['app'])}", style="bold")
    for fault in found["faults"]:
        output.say(described(fault, {}), style="red")
    if not found["operations"]:
        output.say("nothing to be sent")
    for operation in found["operations"]:
        would = "cannot be sent" if found["faults"] else "would be sent"
        output.say(f"{operation['operation']} {would}: {shown(operation['why'])}")
        output.part("payload", operation.get("payload"))
    rules = found["rules"]
    if isinstance(rules, list):
        output.say()
        output.say("rules", style="bold")
        output.table(("target", "kind", "inputs", "result", "note", "more"), map(_rule, rules))
    for kind in ("create", "update"):
        _requests(output, kind, found[kind]["requests"])
        for fault in found[kind]["faults"]:
            if fault not in found["faults"]:
                output.say(f"{kind}: {described(fault, {})}", style="red")
    for title, value in without(found, *_KNOWN).items():
        output.part(title, value)


def _requests(output: Output, kind: str, requests: list[dict[str, Any]]) -> None:
    """What would be sent if the account were made, or brought up to date, now."""
    if requests:
        output.say()
        output.say(f"what {kind} would send", style="bold")
    for one in requests:
        if "method" in one:
            output.say(f"{shown(one['method'])} {shown(one['path'])}  {shown(one['body'])}")
        else:
            output.say(f"{shown(one['call'])}  {shown(one['arguments'])}")


def _rule(rule: Mapping[str, Any]) -> tuple[Any, ...]:
    inputs = ", ".join(f"{shown(name)}={_json(value)}" for name, value in rule.get("inputs", {}).items())
    note = ""
    if rule.get("sensitive"):
        note = "sensitive: not shown"
    elif rule.get("skipped") is not None:
        note = f"skipped: {shown(rule['skipped'])}"
    elif rule.get("fault") is not None:
        note = described(rule["fault"], {})
    more = without(rule, "rule", "target", "kind", "inputs", "value", "skipped", "fault", "sensitive")
    result = _json(rule["value"]) if rule.get("value") is not None else ""
    return rule.get("target"), rule.get("kind"), inputs, result, note, more or None


def _json(value: Any) -> str:
    """A value as JSON, so that the text `1` and the number differ."""
    if value is None:
        return "null"
    return f'"{shown(value)}"' if isinstance(value, str) else shown(value)


@click.command()
@click.argument("app")
@click.argument("user")
@database
@as_json
def explain(app: str, user: str, database: Database, as_json: bool) -> None:
    """Tell why a user has what they have in an app."""
    output = Output(as_json)
    with database.read() as engine:
        explanation = engine.explain(app, user)
    if as_json:
        output.emit(explanation)
        return
    output.say(f"{shown(user)} {shown(explanation.summary)}")
    output.say()
    output.table(("step", "result", "text"), [(one.step, one.result, one.text) for one in explanation.steps])
    if explanation.account is not None:
        one = explanation.account
        output.part("account", {"external_id": one.external_id, "status": one.status, "link": one.link_state})
    output.part("matched", explanation.matched)
    if explanation.not_kept:
        output.say()
        output.say(f"not kept by the target: {', '.join(map(shown, explanation.not_kept))}")
    learnt = {f"{name} (by {explanation.learnt_by.get(name, 'use')})": value for name, value in explanation.learnt.items()}
    output.part("learnt of the target", learnt or None)
    if explanation.requests:
        output.say()
        request_table(output, explanation.requests)
