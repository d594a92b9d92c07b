"""Compares the three apps with what the story says they must hold, and fails on any difference.

    check.py [--steps N] [--app APP …] < targets.json

`targets.json`: {"crm": {"base_url": …, "token": …}, "care": {…}, "tickets": {"path": …}}; it comes by standard input
so that tokens stand neither in a file nor on a command line. The SCIM servers are read over plain HTTP and the ticket
system from its file; nothing here touches rollkeeper.
Exit: 0 where everything is as it must be, 1 with a line per difference, 2 where a target cannot be read.
"""

import argparse
import json
import sqlite3
import sys
from collections import Counter, defaultdict

import expected
from targets import READERS


def differences(app, accounts, hospital):
    """One line for each difference between an app's accounts and the hospital's idea of them."""
    wanted = hospital.accounts[app]
    times = Counter(account[0] for account in accounts)
    logins = defaultdict(list)
    for reference, active, frozen, attributes in accounts:
        login = attributes.get("userName") or attributes.get("login")
        logins[str(login).casefold()].append(login)
        who = hospital.names.get(reference, f"{login} (no person with id {reference})")
        if reference not in wanted:
            yield f"{app}: {who} has an account and should have none"
            continue
        account = wanted[reference]
        if active is not account.active:
            yield f"{app}: {who}: active is {active}, should be {account.active}"
        if frozen is not account.frozen:
            yield f"{app}: {who}: frozen is {frozen}, should be {account.frozen}"
        for name in sorted(attributes.keys() | account.attributes.keys()):
            is_, should = attributes.get(name), account.attributes.get(name)
            if is_ != should:
                yield f"{app}: {who}: {name} is {is_!r}, should be {should!r}"
    for reference, number in times.items():
        if number > 1:
            yield f"{app}: {hospital.names.get(reference, reference)} has {number} accounts"
    for same in logins.values():
        if len(same) > 1:
            yield f"{app}: the login {same[0]} exists {len(same)} times"
    for reference in sorted(wanted.keys() - times.keys()):
        yield f"{app}: {hospital.names[reference]} has no account and should have one"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, help="compare with the first N steps of the story")
    parser.add_argument("--app", action="append", choices=READERS, help="check this app alone; may be repeated")
    arguments = parser.parse_args()
    targets = json.load(sys.stdin)
    hospital = expected.after(arguments.steps)
    wrong, summary = [], []
    for app in arguments.app or READERS:
        try:
            accounts = READERS[app](targets[app])
        except (OSError, sqlite3.Error) as error:
            print(f"{app}: cannot be read: {error}", file=sys.stderr)
            return 2
        wrong += differences(app, accounts, hospital)
        usable = sum(1 for _, active, frozen, _ in accounts if active and not frozen)
        summary.append(f"{app} {len(accounts)} accounts, {usable} usable")
    for line in wrong:
        print(line)
    if wrong:
        print(f"differences: {len(wrong)}")
        return 1
    print("as it should be: " + " · ".join(summary))
    return 0


if __name__ == "__main__":
    sys.exit(main())
