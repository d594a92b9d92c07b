#!/usr/bin/env python3
"""Writes `tests/data/reconciliation/situations.json`: every combination of user, link and account, and what other systems
call them. What is expected stands in the tables below, which were filled in by hand from `core/docs/reconciliation.md`; the
program only spells it out. `--check` compares the file with what would be written."""

import csv
import json
import sys
from pathlib import Path as File

HERE = File(__file__).resolve().parent
DATA = HERE.parent / "data"
OUT = DATA / "reconciliation" / "situations.json"

SOURCES = ["absent", "valid", "not_entitled", "inactive"]

# Link and account, then what is expected where the user u1 is absent, valid, not entitled, inactive. A finding is
# `situation account user`, `-` for none; where u1 matches and nothing links it, `*` (by rule 0); `+a2` names the other account.
TABLE = """
none    none      |                                          | absent - u1                                              | out_of_scope - u1                                        | out_of_scope - u1
none    one       | orphaned a1 -                            | found a1 u1*                                             | unqualified a1 u1*                                       | unqualified a1 u1*
none    several   | orphaned a1 -, orphaned a2 -             | ambiguous a1 u1* +a2, ambiguous a2 u1* +a1               | ambiguous a1 u1* +a2, ambiguous a2 u1* +a1               | ambiguous a1 u1* +a2, ambiguous a2 u1* +a1
none    inactive  | orphaned a1 -                            | found a1 u1*                                             | found a1 u1*                                             | found a1 u1*
none    protected | protected a1 -                           | protected a1 -, absent - u1                              | protected a1 -, out_of_scope - u1                        | protected a1 -, out_of_scope - u1
ours    none      |                                          | missing a1 u1                                            | missing a1 u1                                            | missing a1 u1
ours    one       | source_gone a1 u1                        | confirmed a1 u1                                          | unqualified a1 u1                                        | unqualified a1 u1
ours    several   | source_gone a1 u1, orphaned a2 -         | confirmed a1 u1, taken a2 u1*                            | unqualified a1 u1, taken a2 u1*                          | unqualified a1 u1, taken a2 u1*
ours    inactive  | source_gone a1 u1                        | drifted a1 u1                                            | confirmed a1 u1                                          | confirmed a1 u1
ours    protected | protected a1 u1                          | protected a1 u1                                          | protected a1 u1                                          | protected a1 u1
other's none      | missing a1 u2                            | absent - u1, missing a1 u2                               | out_of_scope - u1, missing a1 u2                         | out_of_scope - u1, missing a1 u2
other's one       | confirmed a1 u2                          | confirmed a1 u2, absent - u1                             | confirmed a1 u2, out_of_scope - u1                       | confirmed a1 u2, out_of_scope - u1
other's several   | confirmed a1 u2, orphaned a2 -           | confirmed a1 u2, found a2 u1*                            | confirmed a1 u2, unqualified a2 u1*                      | confirmed a1 u2, unqualified a2 u1*
other's inactive  | drifted a1 u2                            | drifted a1 u2, absent - u1                               | drifted a1 u2, out_of_scope - u1                         | drifted a1 u2, out_of_scope - u1
other's protected | protected a1 u2                          | protected a1 u2, absent - u1                             | protected a1 u2, out_of_scope - u1                       | protected a1 u2, out_of_scope - u1
known   none      |                                          | missing a1 u1                                            | missing a1 u1                                            | missing a1 u1
known   one       | source_gone a1 u1                        | confirmed a1 u1                                          | unqualified a1 u1                                        | unqualified a1 u1
known   several   | source_gone a1 u1, orphaned a2 -         | confirmed a1 u1, taken a2 u1*                            | unqualified a1 u1, taken a2 u1*                          | unqualified a1 u1, taken a2 u1*
known   inactive  | source_gone a1 u1                        | drifted a1 u1                                            | confirmed a1 u1                                          | confirmed a1 u1
known   protected | protected a1 u1                          | protected a1 u1                                          | protected a1 u1                                          | protected a1 u1
ignored none      |                                          | missing a1 u1                                            | missing a1 u1                                            | missing a1 u1
ignored one       | ignored a1 u1                            | ignored a1 u1                                            | ignored a1 u1                                            | ignored a1 u1
ignored several   | ignored a1 u1, orphaned a2 -             | ignored a1 u1, taken a2 u1*                              | ignored a1 u1, taken a2 u1*                              | ignored a1 u1, taken a2 u1*
ignored inactive  | ignored a1 u1                            | ignored a1 u1                                            | ignored a1 u1                                            | ignored a1 u1
ignored protected | protected a1 u1                          | protected a1 u1                                          | protected a1 u1                                          | protected a1 u1
"""

# The situations of other systems, each as the combination above that it is here. Where theirs is seen from the other side, or
# we tell more situations apart, it says how.
OPENIDM = {
    "CONFIRMED": ("valid", "ours", "one", "confirmed, or drifted where something differs"),
    "FOUND": ("valid", "none", "one", "found"),
    "FOUND_ALREADY_LINKED": ("valid", "ours", "several", "taken: told of the account that is left over"),
    "FOUND_ALREADY_LINKED, seen from the user": ("valid", "other's", "one", "the link decides: the user is absent"),
    "ABSENT": ("valid", "none", "none", "absent"),
    "AMBIGUOUS": ("valid", "none", "several", "ambiguous: told of each of the accounts"),
    "MISSING": ("valid", "ours", "none", "missing"),
    "UNQUALIFIED": ("not_entitled", "ours", "one", "unqualified, while the account is active"),
    "UNQUALIFIED, by its match": ("inactive", "none", "one", "unqualified, while the account is active"),
    "UNQUALIFIED, without a target": ("not_entitled", "ours", "none", "missing: there is nothing to take away"),
    "SOURCE_IGNORED": ("not_entitled", "none", "none", "out_of_scope"),
    "TARGET_IGNORED": ("valid", "ignored", "one", "ignored, or protected"),
    "UNASSIGNED": ("absent", "none", "one", "orphaned"),
    "SOURCE_MISSING": ("absent", "ours", "one", "source_gone"),
    "LINK_ONLY": ("absent", "ours", "none", "nothing is left to find"),
    "ALL_GONE": ("absent", "none", "none", "nothing is left to find"),
}
MIDPOINT = {
    "linked": ("valid", "ours", "one", "confirmed, drifted or unqualified"),
    "unlinked": ("valid", "none", "one", "found, taken or unqualified"),
    "unmatched": ("absent", "none", "one", "orphaned"),
    "disputed, by the accounts": ("valid", "none", "several", "ambiguous"),
    "deleted": ("valid", "ours", "none", "missing"),
    "deleted focus": ("absent", "ours", "one", "source_gone"),
    "protected": ("valid", "ours", "protected", "protected"),
}

OPTIONS = {
    "assigned_to": {"profiles": ["Staff"]},
    "mapping": [{"target": "displayName", "source": "name"}],
    "matching": [{"all": [{"user": "number", "account": "employeeNumber"}]}],
    "now": "2026-03-01T12:00:00Z",
}


def read_table():
    cells = {}
    for line in TABLE.strip().splitlines():
        head, *columns = line.split("|")
        link, target = head.split()
        for source, column in zip(SOURCES, columns, strict=True):
            cells[source, link, target] = [one.split() for one in column.split(",") if one.strip()]
    return cells


def users_of(source, link):
    users = []
    if source != "absent":
        user = {"id": "u1", "number": "1", "name": "Ann", "profile": "Staff"}
        if source == "not_entitled":
            user["profile"] = "Guest"
        if source == "inactive":
            user["active"] = False
        users.append(user)
    if link == "other's":
        users.append({"id": "u2", "number": "2", "name": "Ann", "profile": "Staff"})
    return users


def accounts_of(target):
    names = {"none": [], "several": ["a1", "a2"]}.get(target, ["a1"])
    account = {"attributes": {"displayName": "Ann", "employeeNumber": "1"}}
    if target == "inactive":
        account["active"] = False
    return [{"external_id": name, **account} for name in names]


def links_of(link):
    found = {"account": "a1", "user": "u2" if link == "other's" else "u1", "last": {"displayName": "Ann"}, "active": True}
    more = {"none": None, "known": {"known": True}, "ignored": {"state": "Ignored"}}.get(link, {})
    return [] if more is None else [{**found, **more}]


def finding(words):
    situation, account, user, *others = words
    found = {"situation": situation}
    if account != "-":
        found["account"] = account
    if user != "-":
        found["user"] = user.rstrip("*")
    if user.endswith("*"):
        found["rule"] = 0
    if others:
        found["candidates"] = [{"account": others[0].lstrip("+"), "confidence": 1.0}]
    if situation == "drifted":
        found["drift"] = [{"attribute": "active", "last": True, "wanted": True, "actual": False, "verdict": "theirs"}]
    return found


def case(source, link, target, findings, defaults):
    options = dict(OPTIONS)
    if target == "protected":
        options["protected"] = {"external_ids": ["a1"]}
    found = [finding(words) for words in findings]
    counts = {}
    for one in found:
        counts[one["situation"]] = counts.get(one["situation"], 0) + 1
    return {
        "description": f"user {source}, link {link}, account {target}",
        "source": source, "link": link, "target": target,
        "users": users_of(source, link), "accounts": accounts_of(target), "links": links_of(link),
        "options": options, "findings": found,
        "reactions": [defaults[one["situation"]] for one in found], "totals": {"counts": counts},
    }


def all_cases():
    with open(DATA / "situations.csv", encoding="utf-8", newline="") as file:
        defaults = {row["situation"]: row["default"] for row in csv.DictReader(file)}
    cells = read_table()
    assert len(cells) == 100, len(cells)
    cases = [case(*place, findings, defaults) for place, findings in cells.items()]
    for system, names in (("openidm", OPENIDM), ("midpoint", MIDPOINT)):
        for name, (source, link, target, here) in names.items():
            found = case(source, link, target, cells[source, link, target], defaults)
            found["description"] = f"{name} ({'OpenIDM' if system == 'openidm' else 'midPoint'}): {here}"
            cases.append({**found, system: name})
    return [*cases, disputed(defaults)]


def disputed(defaults):
    """What the table has no place for: several users for one account."""
    found = case("valid", "none", "one", [["ambiguous", "a1", "-"]], defaults)
    found["users"].append({**found["users"][0], "id": "u3"})
    found["findings"][0].update({"rule": 0, "candidates": [{"confidence": 1.0, "user": name} for name in ("u1", "u3")]})
    found["description"] = "disputed (midPoint), AMBIGUOUS (OpenIDM): ambiguous, told of the account that several users match"
    return {**found, "midpoint": "disputed"}


def written():
    lines = [json.dumps(one, ensure_ascii=False, sort_keys=True) for one in all_cases()]
    return "[\n  " + ",\n  ".join(lines) + "\n]\n"


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(0 if OUT.read_text("utf-8") == written() else f"{OUT} is not what {File(__file__).name} writes")
    OUT.write_text(written(), "utf-8")
