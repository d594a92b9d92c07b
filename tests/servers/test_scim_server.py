"""The servers start, go down, come back and never outlive who started them.

Run: .build/servers/bin/python -m unittest discover -s tests/servers
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from scim_server import ScimServer  # noqa: E402

STARTER = """
import sys
sys.path.insert(0, {here!r})
from scim_server import ScimServer
server = ScimServer(relay=True)
server.start()
print(server.process_group, flush=True)
sys.stdin.read()
"""


def users(server, token=None):
    """How many users the server says it has."""
    request = urllib.request.Request(
        f"{server.base_url}/Users?count=1", headers={"Authorization": f"Bearer {token or server.token}"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)["totalResults"]


def add_user(server, name):
    """Creates a user."""
    body = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name}
    request = urllib.request.Request(
        f"{server.base_url}/Users",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {server.token}", "Content-Type": "application/scim+json"},
    )
    urllib.request.urlopen(request, timeout=10).close()


def group_ends(group, seconds=15.0):
    """Whether no process of the group is left soon."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if not living(group):
            return True
        time.sleep(0.02)
    return False


def living(group):
    """The ids of a process group's members, without those that have ended and were not collected yet."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, of, *_ = entry.read_text().rpartition(")")[2].split()
            if int(of) == group and state != "Z":
                found.append(int(entry.parent.name))
    return found


class ServersStartAndEnd(unittest.TestCase):
    def test_each_kind_answers_with_the_token_and_refuses_without(self):
        for options in ({}, {"paging": "cursor"}, {"command": "own"}, {"command": "django"}):
            with self.subTest(**options), ScimServer(**options) as server:
                self.assertEqual(users(server), 0)
                with self.assertRaises(urllib.error.HTTPError) as refused:
                    users(server, token="wrong")
                self.assertEqual(refused.exception.code, 401)
                refused.exception.close()

    def test_down_refuses_connections_and_keeps_the_data(self):
        with ScimServer(relay=True) as server:
            add_user(server, "ana")
            server.down()
            with self.assertRaises(urllib.error.URLError) as refused:
                users(server)
            self.assertIsInstance(refused.exception.reason, ConnectionRefusedError)
            server.up()
            self.assertEqual(users(server), 1)

    def test_a_restart_keeps_the_address_and_loses_the_data(self):
        with ScimServer() as server:
            address, group = server.base_url, server.process_group
            add_user(server, "ana")
            server.restart()
            self.assertEqual((server.base_url, users(server)), (address, 0))
            self.assertEqual(living(group), [])

    def test_nothing_is_left_after_close(self):
        with ScimServer() as server:
            group = server.process_group
            self.assertGreaterEqual(len(living(group)), 1)
        self.assertEqual(living(group), [])

    def test_nothing_is_left_when_the_parent_is_killed(self):
        parent = subprocess.Popen(
            [sys.executable, "-c", STARTER.format(here=str(HERE))], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        with parent.stdin, parent.stdout:
            group = int(parent.stdout.readline())
            self.assertGreaterEqual(len(living(group)), 1)
            os.kill(parent.pid, signal.SIGKILL)
            parent.wait()
            self.assertTrue(group_ends(group), living(group))

    def test_the_command_line_serves_until_its_input_is_closed(self):
        command = subprocess.Popen(
            [sys.executable, str(HERE / "scim_server.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        with command.stdout:
            told = json.loads(command.stdout.readline())
            request = urllib.request.Request(
                told["base_url"] + "/Users", headers={"Authorization": f"Bearer {told['token']}"}
            )
            urllib.request.urlopen(request, timeout=10).close()
            command.stdin.close()
            self.assertEqual(command.wait(timeout=30), 0)
        with self.assertRaises(urllib.error.URLError):
            urllib.request.urlopen(request, timeout=10)


if __name__ == "__main__":
    unittest.main()
