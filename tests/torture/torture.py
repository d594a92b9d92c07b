"""Kills a Python host with SIGKILL again and again in the middle of its work, then looks at what became of it.

    torture.py [--kills 200] [--without-look-up] [--seed N]

Each round starts a host on the same file, gives it new users and one leaver, and kills it: at a random moment, before a
send, after a send, or before the settle. The target is another process, survives, and refuses no duplicate. Last, a
host runs to completion undisturbed. It fails where the file does not open, an acknowledged request was lost, a user has
two accounts, or fewer than one kill in ten fell between a send and its settle. With --without-look-up the engine sends
again without looking first, and it fails where that made no duplicate: then the test would show nothing.
"""

import argparse
import itertools
import json
import random
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
KINDS = ["random", "before_send", "after_send", "random", "before_settle"]
BATCH = 5
PATIENCE = 180.0


class TortureFailed(Exception):
    """A promise was broken, or the harness itself could not do its work."""


class Host:
    """One life of the host process."""

    def __init__(self, state, port, program="host.py", **told):
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / program), str(state), str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,  # so that `select` sees every byte that was not read yet
        )
        self._process.stdin.write(json.dumps(told).encode() + b"\n")
        self.said = {}

    def listen(self, *, until=None, seconds=PATIENCE):
        """Reads what it says until it says `until`, ends, or the time is over."""
        limit = time.monotonic() + seconds
        while until is None or until not in self.said:
            readable, _, _ = select.select([self._process.stdout], [], [], max(0.0, limit - time.monotonic()))
            if not readable:
                return
            # A line may be cut by the kill; a whole one was written at once and is there at once.
            line = self._process.stdout.readline()
            if not line.endswith(b"\n"):
                return
            self.said |= json.loads(line)

    def kill(self):
        """Kills it where it has not died by itself, reads its last words and gives its exit code."""
        self._process.kill()
        code = self._process.wait()
        self.listen(seconds=1.0)
        self._process.stdout.close()
        self._process.stdin.close()
        return code

    def wait(self):
        """Waits for its own end."""
        return self._process.wait(timeout=PATIENCE)


class Torture:
    """The rounds and what is known from outside: what was acknowledged, and where the kills fell."""

    def __init__(self, state, port, look_up, chance):
        self._state, self._port, self._look_up, self._chance = state, port, look_up, chance
        self._numbers = itertools.count(1)
        self.acknowledged = {}
        self.kinds = Counter()
        self.seen_unsettled = set()
        self.between = 0
        self._usual = 0.5

    def round(self, kind):
        """One life of the host, ended as `kind` says."""
        users = [record(next(self._numbers)) for _ in range(BATCH)] + self._leaver()
        die = None if kind == "random" else {"at": kind, "call": self._chance.randint(1, BATCH)}
        host = Host(self._state, self._port, users=users, die=die, look_up=self._look_up, finish=False)
        host.listen(until="opened")
        if "opened" not in host.said:
            raise TortureFailed(f"the file did not open, the host ended with {host.kill()}")
        started = time.monotonic()
        if die is None:
            host.listen(until="idle", seconds=self._chance.uniform(0.0, self._usual))
        else:
            host.listen(until="idle")
        if "idle" in host.said:
            self._usual = 0.5 * self._usual + 0.5 * (time.monotonic() - started)
        code = host.kill()
        if code != -9:
            raise TortureFailed(f"the host was not killed but ended with {code}")
        if "idle" not in host.said:
            self.kinds[kind] += 1
        self._note(host, users)

    def finish(self):
        """An undisturbed life, to the end of all work; gives the requests as the file has them."""
        host = Host(self._state, self._port, users=[], die=None, look_up=self._look_up, finish=True)
        host.listen()
        code = host.wait()
        if code != 0 or "finished" not in host.said:
            raise TortureFailed(f"the last run ended with {code} and said {sorted(host.said)}")
        self._note(host, [])
        return host.said["finished"]

    def _leaver(self):
        """Somebody who has come and now leaves."""
        staying = [user for user in self.acknowledged.values() if user["active"]]
        return [self._chance.choice(staying) | {"active": False}] if len(staying) > BATCH else []

    def _note(self, host, users):
        new = set(host.said["sent_and_not_settled"]) - self.seen_unsettled
        self.seen_unsettled |= new
        self.between += bool(new)
        if "acknowledged" in host.said:
            self.acknowledged |= {user["id"]: user for user in users}
        else:
            # Whether that transaction was committed nobody can know; a leaver in it may have left or not.
            for user in users:
                if user["id"] in self.acknowledged:
                    self.acknowledged[user["id"]] = user | {"active": None}


def record(number):
    """A new user."""
    return {"id": f"u{number}", "username": f"user{number}", "profile": "Everyone", "active": True}


def findings(acknowledged, requests, accounts):
    """What is wrong: (duplicates, everything else), a line each."""
    owners = Counter(account["attributes"].get("externalId") for account in accounts)
    duplicates = [f"{user} has {number} accounts" for user, number in sorted(owners.items()) if number > 1]
    active = {account["attributes"].get("externalId"): account["active"] for account in accounts}
    created = {user for user, operation, state in requests if operation == "Create" and state == "Completed"}
    # Who left before the account was made needs none: the Create is taken back, or, where it may have been sent, the
    # account is looked for, not found and not made. Then there is nothing to deactivate. Nobody else is spared.
    left = {user for user, wanted in acknowledged.items() if wanted["active"] is not True}
    spared = {user for user in left if user not in active and user not in created}
    harmless = {("Create", "Cancelled"), ("Create", "Failed"), ("Deactivate", "Cancelled")}
    other = [
        f"{user}: {operation} ended as {state}"
        for user, operation, state in requests
        if state != "Completed" and not (user in spared and (operation, state) in harmless)
        # A leaver's Create that was taken back may stand before one that was made after all.
        and not (user in left and (operation, state) == ("Create", "Cancelled"))
    ]
    for user, wanted in acknowledged.items():
        if user in spared:
            continue
        if user not in created:
            other.append(f"{user} was acknowledged and has no completed Create")
        if user not in active:
            other.append(f"{user} was acknowledged and has no account")
        elif owners[user] == 1 and wanted["active"] not in (None, active[user]):
            other.append(f"{user} has left and is still active" if active[user] else f"{user} is disabled")
    return duplicates, other


def ask(port, question):
    """What the target answers, asked by ourselves."""
    with socket.create_connection(("127.0.0.1", port)) as connection, connection.makefile("rwb") as lines:
        lines.write(json.dumps(question).encode() + b"\n")
        lines.flush()
        return json.loads(lines.readline())


def ask_all(port):
    """Every account of the target."""
    return ask(port, {"do": "all"})["accounts"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--without-look-up", action="store_true")
    parser.add_argument("--seed", type=int, default=None, help="of the random moments; chosen and printed by default")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.randrange(2**32)
    print(f"seed {seed}", flush=True)
    started = time.monotonic()
    target = subprocess.Popen([sys.executable, str(HERE / "target.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        port = int(target.stdout.readline())
        with tempfile.TemporaryDirectory(prefix="rollkeeper-torture-") as folder:
            torture = Torture(Path(folder) / "state.db", port, not arguments.without_look_up, random.Random(seed))
            kinds = itertools.cycle(KINDS)
            while torture.kinds.total() < arguments.kills:
                torture.round(next(kinds))
            requests = torture.finish()
            duplicates, other = findings(torture.acknowledged, requests, ask_all(port))
    except TortureFailed as failure:
        print(f"FAILED: {failure}")
        return 1
    finally:
        target.stdin.close()
        target.wait(timeout=10)
    kinds = " · ".join(f"{number} {kind}" for kind, number in sorted(torture.kinds.items()))
    print(f"{torture.kinds.total()} kills in {time.monotonic() - started:.0f} s: {kinds}")
    print(f"{torture.between} kills between a send and its settle; {len(torture.acknowledged)} users acknowledged")
    print(f"{len(duplicates)} users with two accounts, {len(other)} other findings")
    for line in (duplicates + other)[:20]:
        print(f"  {line}")
    return verdict(arguments, torture, duplicates, other)


def verdict(arguments, torture, duplicates, other):
    """The exit code, and in words why it is not 0."""
    if torture.between < arguments.kills // 10:
        print("FAILED: too few kills fell between a send and its settle")
        return 1
    if arguments.without_look_up:
        if not duplicates:
            print("FAILED: without the look-up there should be duplicates, or this test shows nothing")
        return 0 if duplicates else 1
    if duplicates or other:
        print("FAILED: a promise was broken")
    return 1 if duplicates or other else 0


if __name__ == "__main__":
    sys.exit(main())
