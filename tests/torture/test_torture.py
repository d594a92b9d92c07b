"""The torture's judgement must see each broken promise, its target must be what it says; each host is tortured a little.

Run: python3 -m unittest discover -s tests/torture
"""

import json
import os
import random
import socket
import subprocess
import sys
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from judge import findings, landed_late, unsettled  # noqa: E402
from life import HOSTS, ask_all  # noqa: E402
from target import LIFE, Accounts, TooLate  # noqa: E402
from torture import one_file, record, verdict  # noqa: E402

ACKNOWLEDGED = {"u1": record(1), "u2": record(2) | {"active": False}}


def request(user, operation, state="Completed", number="r1"):
    """A request as a host shows it."""
    return {"id": number, "user": user, "operation": operation, "state": state}


REQUESTS = [request("u1", "Create"), request("u2", "Create"), request("u2", "Deactivate")]


def account(user, active=True):
    """An account as the target shows it."""
    return {"id": f"a-{user}", "active": active, "attributes": {"externalId": user, "userName": f"user{user[1:]}"}}


ACCOUNTS = [account("u1"), account("u2", active=False)]


class FindingsSeeWhatIsBroken(unittest.TestCase):
    def test_a_kept_promise_has_no_findings(self):
        self.assertEqual(findings(ACKNOWLEDGED, REQUESTS, ACCOUNTS), ([], [], []))

    def test_two_accounts_of_a_user_are_found(self):
        self.assertEqual(findings(ACKNOWLEDGED, REQUESTS, [*ACCOUNTS, account("u1")])[0], ["u1 has 2 accounts"])

    def test_two_accounts_of_a_user_who_was_never_acknowledged_are_found(self):
        self.assertEqual(findings({}, [], [account("u9"), account("u9")])[0], ["u9 has 2 accounts"])

    def test_a_lost_account_is_found(self):
        lost = findings(ACKNOWLEDGED, REQUESTS, ACCOUNTS[1:])[1]
        self.assertEqual(lost, ["u1 was acknowledged and has no account"])

    def test_a_lost_request_is_found(self):
        lost = findings(ACKNOWLEDGED, REQUESTS[1:], ACCOUNTS)[1]
        self.assertEqual(lost, ["u1 was acknowledged and has no completed Create"])

    def test_a_request_that_is_stuck_or_failed_is_found(self):
        for state in ("Requested", "Failed", "New"):
            other = findings(ACKNOWLEDGED, [*REQUESTS[:2], request("u2", "Deactivate", state)], ACCOUNTS)[2]
            self.assertEqual(other, [f"u2: Deactivate ended as {state}"])

    def test_a_leaver_who_is_still_active_is_found(self):
        other = findings(ACKNOWLEDGED, REQUESTS, [account("u1"), account("u2")])[2]
        self.assertEqual(other, ["u2 has left and is still active"])

    def test_a_leave_that_was_never_acknowledged_may_have_happened_or_not(self):
        perhaps = ACKNOWLEDGED | {"u2": record(2) | {"active": None}}
        for active in (True, False):
            self.assertEqual(findings(perhaps, REQUESTS, [account("u1"), account("u2", active)]), ([], [], []))

    def test_an_account_under_another_name_is_found(self):
        renamed = account("u1") | {"attributes": {"externalId": "u1", "userName": "somebody"}}
        other = findings(ACKNOWLEDGED, REQUESTS, [renamed, ACCOUNTS[1]])[2]
        self.assertEqual(other, ["u1 does not have the wanted name"])


class KillsAreCountedWhereTheyFell(unittest.TestCase):
    RECEIVED = [
        {"life": 1, "do": "create", "key": "r1", "user": "u1", "done": 5.0},
        {"life": 2, "do": "create", "key": "r2", "user": "u2", "done": 7.0},
        {"life": 3, "do": "create", "key": "r3"},
        {"life": 4, "do": "set_active", "user": "u1", "done": 9.0},
        {"life": 5, "do": "create", "key": "r5", "user": "u5", "done": 11.0},
    ]

    def test_a_write_that_is_still_open_at_the_next_opening_was_not_settled(self):
        opened = [
            (1, []),
            (2, [request("u1", "Create", "Requested", "r1")]),
            (3, []),
            (4, [request("u3", "Create", "Requested", "r3")]),  # the target dropped it
            (6, [request("u1", "Deactivate", "Requested", "r4")]),
        ]
        self.assertEqual(unsettled(self.RECEIVED, opened), {1, 4})

    def test_a_write_that_took_effect_after_its_sender_had_died_landed_late(self):
        self.assertEqual(landed_late(self.RECEIVED, {1: 4.0, 2: 8.0, 3: 1.0}), 1)


class TheTargetIsTolerant(unittest.TestCase):
    def test_it_makes_the_same_account_twice_and_outlives_a_cut_request(self):
        target = subprocess.Popen(
            [sys.executable, str(HERE / "target.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        with target.stdout:
            port = int(target.stdout.readline())
            self.send(port, b'{"do": "create", "attributes": {"externalId": "u1"}}')  # killed before its line ended
            for _ in range(2):
                self.send(port, b'{"do": "create", "attributes": {"externalId": "u1"}}\n', wait=True)
            self.assertEqual([one["attributes"] for one in ask_all(port)], [{"externalId": "u1"}] * 2)
            target.stdin.close()
            self.assertEqual(target.wait(timeout=10), 0)

    @staticmethod
    def send(port, line, wait=False):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(line)
            if wait:
                json.loads(connection.makefile("rb").readline())


class TheSlowTargetKeepsItsPromise(unittest.TestCase):
    @staticmethod
    def question(age):
        sent = int((time.time() - age) * 1e6)
        return {"do": "create", "attributes": {"externalId": "u1"}, "life": 1, "key": "r1", "sent": sent}

    def test_a_write_that_is_too_old_is_dropped_and_kept_in_mind(self):
        accounts = Accounts()
        late = self.question(2 * LIFE)
        with self.assertRaises(TooLate):
            accounts.answer(late, accounts.receive(late))
        self.assertEqual(accounts.answer({"do": "all"})["accounts"], [])
        received = accounts.answer({"do": "received"})["received"]
        self.assertEqual(received, [{"life": 1, "do": "create", "key": "r1"}])

    def test_a_new_account_is_there_before_it_is_found(self):
        accounts = Accounts()
        accounts.answer(self.question(0), lag=3600.0)
        self.assertEqual(accounts.answer({"do": "find", "attribute": "externalId", "value": "u1"})["accounts"], [])
        self.assertEqual(len(accounts.answer({"do": "all"})["accounts"]), 1)

    def test_a_new_account_without_a_lag_is_found(self):
        accounts = Accounts()
        accounts.answer(self.question(0))
        found = accounts.answer({"do": "find", "attribute": "externalId", "value": "u1"})["accounts"]
        self.assertEqual(len(found), 1)


class EachHostIsKilled(unittest.TestCase):
    """A short run with each host; `make torture KILLS=n` is the long one."""

    def tortured(self, language, kills, look_up):
        if not Path(HOSTS[language][0]).exists():
            if os.environ.get("CI") == "true":
                self.fail(f"there is no host in {language}")
            self.skipTest(f"there is no host in {language}: see tests/torture/build.sh")
        seed = random.randrange(2**32)
        figures = one_file(HOSTS[language], kills, look_up, random.Random(seed))
        print(f"\n{language}, seed {seed}:", *figures.lines(), sep="\n  ")
        return figures

    def test_nothing_is_lost_and_nobody_has_two_accounts(self):
        for language in HOSTS:
            with self.subTest(language):
                figures = self.tortured(language, 40, look_up=True)
                self.assertIsNone(verdict(figures), figures.duplicates + figures.lost + figures.broken + figures.other)

    def test_a_naive_host_makes_duplicates(self):
        for language in HOSTS:
            with self.subTest(language):
                self.assertNotEqual(self.tortured(language, 15, look_up=False).duplicates, [])


if __name__ == "__main__":
    unittest.main()
