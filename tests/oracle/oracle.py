#!/usr/bin/env python3
"""The oracle: a slow and plain program that says what reconciliation finds, written from `core/docs/reconciliation.md` and
`tests/data/situations.csv` and not from the engine. Standard library only.

    oracle.py DIRECTORY.json

A directory is `{"users": [LINE, …], "accounts": [LINE, …], "links": [LINE, …], "options": {…}}`; a line is one JSON record
as text, since some are broken. The answer is `{"counts": {…}, "findings": [{…}, …], "repeated": n, "unreadable": n}`."""

import json
import re
import sys
from datetime import datetime, timezone
from fractions import Fraction
from pathlib import Path as File

sys.path.insert(0, str(File(__file__).resolve().parent))

from mapping import Unrendered, drift  # noqa: E402
from matching import Matching  # noqa: E402

SITUATIONS = (
    "protected ignored source_gone unqualified drifted confirmed orphaned taken ambiguous found "
    "missing absent unseen out_of_scope"
).split()

RESERVED = {
    "username": str, "profile": str, "manager": str, "active": bool, "frozen": bool,
    "permission_sets": list, "permission_set_groups": list, "valid_from": str, "valid_until": str,
}
SCOPE = re.compile(r"user\.(\w+) == '([^']*)'")


class Unreadable(Exception):
    """A record that cannot be read."""


def record_of(line):
    try:
        record = json.loads(line)
    except ValueError as error:
        raise Unreadable from error
    if not isinstance(record, dict):
        raise Unreadable
    return record


def text_id(record, key):
    value = record.get(key)
    if not isinstance(value, str) or not value:
        raise Unreadable
    return value


def moment(text):
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        raise Unreadable from error
    if found.tzinfo is None:
        raise Unreadable
    return found.astimezone(timezone.utc)


def user_of(line):
    record = record_of(line)
    key = text_id(record, "id")
    if len(key.encode()) > 256 or any(ord(character) < 32 for character in key):
        raise Unreadable
    for name, kind in RESERVED.items():
        value = record.get(name)
        if value is None:
            continue
        if not isinstance(value, kind) or kind is list and not all(isinstance(one, str) for one in value):
            raise Unreadable
        if name.startswith("valid_"):
            moment(value)
    return key, {name: value for name, value in record.items() if value is not None}


def account_of(line):
    """An account as a connector shows it, or any object with `id`."""
    record = record_of(line)
    if "external_id" not in record:
        key = str(record["id"]) if type(record.get("id")) is int else text_id(record, "id")
        account = {"attributes": record, "active": record.get("active"), "frozen": record.get("frozen")}
    else:
        key = text_id(record, "external_id")
        attributes = record.get("attributes", {})
        if not isinstance(attributes, dict):
            raise Unreadable
        account = {"attributes": dict(attributes), "active": record.get("active"), "frozen": record.get("frozen")}
        username = record.get("username")
        if username is not None and not isinstance(username, str):
            raise Unreadable
        if username is not None and "userName" not in attributes:
            account["attributes"]["userName"] = username
    for name, usual in (("active", True), ("frozen", False)):
        if account[name] is None:
            account[name] = usual
        if not isinstance(account[name], bool):
            raise Unreadable
    return key, account


def link_of(line):
    record = record_of(line)
    return text_id(record, "account"), record


class Directory:
    """Everything that is compared, read."""

    def __init__(self, given):
        self.options = given["options"]
        self.now = moment(self.options["now"])
        self.repeated = self.unreadable = 0
        self.users = self.read(given["users"], user_of)
        self.accounts = self.read(given["accounts"], account_of)
        self.links = self.read(given.get("links", []), link_of)
        self.is_whole = self.options.get("complete", True) and not self.repeated and not self.unreadable
        self.matching = Matching(self.options.get("matching", []))
        self.sides = {key: self.matching.sides(user) for key, user in self.users.items()}
        self.protected = set(self.options.get("protected", {}).get("external_ids", []))

    def read(self, lines, of):
        records = {}
        for line in lines:
            try:
                key, record = of(line)
            except Unreadable:
                self.unreadable += 1
                continue
            if key in records and of is account_of:
                self.repeated += 1
            elif key in records:
                self.unreadable += 1
            else:
                records[key] = record
        return records

    def link(self, account):
        """The link of an account; one that is known as deleted has none."""
        link = self.links.get(account)
        return None if link is None or link.get("deleted") else link

    def owner(self, account):
        """The user to whom an account is linked; who has an ignored one counts as linked to it."""
        link = self.link(account)
        if link is None or link.get("state", "Linked") not in ("Linked", "Ignored"):
            return None
        return link.get("user")

    def owned(self, user):
        """The accounts that are linked to a user."""
        return [account for account in self.links if self.owner(account) == user]

    def standing(self, user):
        return standing(self.users[user], self.options, self.now)


def standing(record, options, now):
    """Whether a user is entitled and active, and the codes of what keeps that from being known."""
    if not record.get("active", True):
        return False, []
    if "valid_from" in record and now < moment(record["valid_from"]):
        return False, []
    if "valid_until" in record and now >= moment(record["valid_until"]):
        return False, []
    grants = options.get("assigned_to", {})
    has = record.get("profile") in grants.get("profiles", [])
    for name in ("permission_sets", "permission_set_groups"):
        has = has or any(one in grants.get(name, []) for one in record.get(name, []))
    if not has:
        return False, []
    scope = options.get("scope")
    if scope is None:
        return True, []
    name, value = SCOPE.fullmatch(scope).groups()
    if name not in record:
        return True, ["expression_failed"]
    return record[name] == value, []


def finding(situation, user=None, account=None, rule=None, candidates=(), drifts=(), faults=()):
    return {
        "situation": situation, "user": user, "account": account, "rule": rule,
        "candidates": list(candidates), "drift": list(drifts), "faults": sorted(faults),
    }


def linked(directory, key, user):
    """Rule 3: the account is linked."""
    account, link = directory.accounts[key], directory.link(key)
    if user not in directory.users:
        return finding("source_gone", user, key)
    qualified, faults = directory.standing(user)
    if not qualified:
        return finding("unqualified" if account["active"] else "confirmed", user, key)
    record, drifts = directory.users[user], []
    try:
        drifts += drift(directory.options.get("mapping", []), record, account["attributes"], link.get("last"))
    except Unrendered as fault:
        faults = faults + fault.codes
    drifts += switches(account, record, link)
    differs = any(one["verdict"] != "in_step" for one in drifts)
    return finding("drifted" if differs else "confirmed", user, key, drifts=drifts, faults=faults)


def switches(account, user, link):
    """Drift in `active` and `frozen`."""
    found = []
    frozen = user.get("frozen", False)
    if not account["active"] and not frozen:
        found.append(switch("active", True, link))
    # A target that cannot freeze disables instead.
    lacks_freeze = frozen and account["active"] and not account["frozen"]
    if lacks_freeze or (account["frozen"] and not frozen):
        found.append(switch("frozen", frozen, link))
    return found


def switch(name, wanted, link):
    last = link.get(name)
    verdict = "theirs" if last is wanted else "ours"
    return {"attribute": name, "last": last, "wanted": wanted, "actual": not wanted, "verdict": verdict}


def confidence(thousandths):
    return float(Fraction(thousandths, 1000))


def unlinked(directory, key, matches):
    """Rule 4: the account is not linked."""
    is_certain, candidates = matches[key]
    rule = min((rule for _, _, rule in candidates), default=None) if is_certain else None
    people = [{"user": user, "account": None, "confidence": confidence(sure)} for user, sure, _ in candidates]
    people.sort(key=lambda one: (-one["confidence"], one["user"]))
    if not candidates:
        return finding("orphaned", account=key)
    if len(candidates) > 1 or not is_certain:
        return finding("ambiguous", account=key, rule=rule, candidates=people)
    user = candidates[0][0]
    if directory.owned(user):
        return finding("taken", user, key, rule)
    rivals = [
        {"user": None, "account": other, "confidence": confidence(sure)}
        for other, (_, theirs) in matches.items() if other != key
        for one, sure, _ in theirs if one == user
    ]
    if rivals:
        rivals.sort(key=lambda one: (-one["confidence"], one["account"]))
        return finding("ambiguous", user, key, rule, rivals)
    qualified, faults = directory.standing(user)
    if directory.accounts[key]["active"] and not qualified:
        return finding("unqualified", user, key, rule)
    return finding("found", user, key, rule, faults=faults)


def without_account(directory, user):
    """Rule 5: no account of the listing is the user's or matches."""
    qualified, faults = directory.standing(user)
    owned = directory.owned(user)
    if not owned and not qualified:
        return finding("out_of_scope", user)
    if not directory.is_whole:
        return finding("unseen", user, owned[0] if owned else None, faults=faults)
    if owned:
        return finding("missing", user, owned[0], faults=faults)
    return finding("absent", user, faults=faults)


def reconcile(given):
    """The situation of every account, and of every user without one."""
    directory = Directory(given)
    findings, open_accounts = [], []
    for key in directory.accounts:
        link = directory.links.get(key, {})
        if key in directory.protected:
            findings.append(finding("protected", directory.owner(key), key))
        elif link.get("state") == "Ignored":
            findings.append(finding("ignored", directory.owner(key), key))
        elif directory.owner(key) is not None:
            findings.append(linked(directory, key, directory.owner(key)))
        else:
            open_accounts.append(key)
    matches = {
        key: directory.matching.candidates(directory.accounts[key]["attributes"], directory.sides)
        for key in open_accounts
    }
    findings += [unlinked(directory, key, matches) for key in open_accounts]
    mentioned = {found["user"] for found in findings}
    mentioned |= {one["user"] for found in findings for one in found["candidates"]}
    findings += [without_account(directory, user) for user in directory.users if user not in mentioned]
    counts = dict.fromkeys(SITUATIONS, 0)
    for found in findings:
        counts[found["situation"]] += 1
    return {
        "counts": counts, "findings": findings, "complete": directory.is_whole,
        "repeated": directory.repeated, "unreadable": directory.unreadable,
    }


if __name__ == "__main__":
    print(json.dumps(reconcile(json.loads(File(sys.argv[1]).read_text("utf-8"))), ensure_ascii=False, indent=1))
