"""The torture's own judgement must see each broken promise, and its target must not refuse what it should not.

Run: python3 -m unittest discover -s tests/torture
"""

import json
import socket
import subprocess
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from torture import ask_all, findings, record  # noqa: E402

ACKNOWLEDGED = {"u1": record(1), "u2": record(2) | {"active": False}}
REQUESTS = [["u1", "Create", "Completed"], ["u2", "Create", "Completed"], ["u2", "Deactivate", "Completed"]]


def account(user, active=True):
    """An account as the target shows it."""
    return {"id": f"a-{user}", "active": active, "attributes": {"externalId": user}}


ACCOUNTS = [account("u1"), account("u2", active=False)]


class FindingsSeeWhatIsBroken(unittest.TestCase):
    def test_a_kept_promise_has_no_findings(self):
        self.assertEqual(findings(ACKNOWLEDGED, REQUESTS, ACCOUNTS), ([], []))

    def test_two_accounts_of_a_user_are_found(self):
        self.assertEqual(findings(ACKNOWLEDGED, REQUESTS, [*ACCOUNTS, account("u1")])[0], ["u1 has 2 accounts"])

    def test_two_accounts_of_a_user_who_was_never_acknowledged_are_found(self):
        self.assertEqual(findings({}, [], [account("u9"), account("u9")])[0], ["u9 has 2 accounts"])

    def test_a_lost_account_is_found(self):
        self.assertEqual(findings(ACKNOWLEDGED, REQUESTS, ACCOUNTS[1:])[1], ["u1 was acknowledged and has no account"])

    def test_a_lost_request_is_found(self):
        other = findings(ACKNOWLEDGED, REQUESTS[1:], ACCOUNTS)[1]
        self.assertEqual(other, ["u1 was acknowledged and has no completed Create"])

    def test_a_request_that_is_stuck_or_failed_is_found(self):
        for state in ("Requested", "Failed", "New"):
            other = findings(ACKNOWLEDGED, [*REQUESTS[:2], ["u2", "Deactivate", state]], ACCOUNTS)[1]
            self.assertEqual(other, [f"u2: Deactivate ended as {state}"])

    def test_a_leaver_who_is_still_active_is_found(self):
        other = findings(ACKNOWLEDGED, REQUESTS, [account("u1"), account("u2")])[1]
        self.assertEqual(other, ["u2 has left and is still active"])

    def test_a_leave_that_was_never_acknowledged_may_have_happened_or_not(self):
        perhaps = ACKNOWLEDGED | {"u2": record(2) | {"active": None}}
        for active in (True, False):
            self.assertEqual(findings(perhaps, REQUESTS, [account("u1"), account("u2", active)]), ([], []))


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


if __name__ == "__main__":
    unittest.main()
