"""Kills a Python host with SIGKILL while it reconciles, commits and sends, then looks at what became of it.

    reconciliation.py [--seconds N] [--every] [--seed N]

The same work is done again and again from the same file, and is killed: around the n-th page that is read and the n-th
account that is asked for, made, changed or disabled, when the engine has told its n-th log entry, or at random; once, or
in life after life. Then a host goes on until nothing is left to do. It fails where a page was read again that was stored
before, an item was done twice or not at all, a user has two accounts, an account was written to that no item is about, or
the log's chain is broken. In some rounds the reconciliation is taken back instead of gone on with: then nothing may have
changed. --every kills at each of these moments, otherwise at as many as there is time for.
"""

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import datetime, timedelta, timezone
from pathlib import Path

from life import HERE, PATIENCE, Host, TortureFailed, ask

START = datetime(2026, 1, 5, 8, tzinfo=timezone.utc)
LIFE = timedelta(minutes=30)
PAGE = 25
BOUNDARIES = ("before_send", "after_send", "before_settle")
# More items than one transaction does, more accounts than a page has; few enough leavers for the brake.
LINKED, FOUND, DRIFTED, ABSENT, ORPHANED = 30, 85, 6, 6, 4
# A worker is given so many calls at the most; what it was given and has not told is in doubt when it is killed.
GIVEN = 8
MOST_KILLS = 12
LEAST_KILLS = 5


def user(kind, number):
    name = f"{kind}{number}"
    return {"id": name, "username": name, "title": "Nurse", "profile": "Everyone", "active": True}


def account(kind, number, title="Nurse"):
    """An account at the target; its id tells what it is there for."""
    attributes = {"userName": f"{kind}{number}", "title": title}
    return {"id": f"{kind}{number}", "active": True, "attributes": attributes}


def accounts(kind, count, title="Nurse"):
    return [account(kind, number, title) for number in range(count)]


BEFORE = accounts("linked", LINKED) + accounts("drifted", DRIFTED)
AFTER = (
    accounts("linked", LINKED)
    + accounts("drifted", DRIFTED, "Chief")
    + accounts("found", FOUND)
    + accounts("orphan", ORPHANED)
)
USERS = [
    user(kind, number)
    for kind, count in (("linked", LINKED), ("drifted", DRIFTED), ("found", FOUND), ("absent", ABSENT))
    for number in range(count)
]


class Killer:
    """The file from which all begin, and the rounds."""

    def __init__(self, folder, port, chance):
        self._folder, self._port, self._chance = folder, port, chance
        self._filled = folder / "filled.db"
        self._usual = 1.0
        self.kills = Counter()
        self.rounds = Counter()
        self.findings = []

    def fill(self):
        """The first reconciliation, what happens behind the engine's back then, and the first observation of it."""
        ask(self._port, {"do": "begin", "accounts": BEFORE})
        self._live(self._filled, "first", START, users=USERS)
        ask(self._port, {"do": "begin", "accounts": AFTER})
        self.observed = self._live(self._filled, "observe", START + LIFE)["observed"]

    def undisturbed(self):
        """How many questions there are of each kind, and how many log entries; a life without a kill."""
        state = self._begin("undisturbed")
        shown = self._live(state, "work", START + 2 * LIFE)["finished"]
        self._judge("undisturbed", shown, Counter())
        return {do: count for do, count in shown["asked"].items()}, shown["entries"]

    def round(self, name, deaths, cancel=False):
        """Lives that end by these deaths, and one that ends by itself."""
        state = self._begin("round")
        killed, at = Counter(), START + 2 * LIFE
        for die in deaths:
            host, code = self._die(state, at, die)
            at += LIFE
            if "finished" in host.said:
                break
            if code != -9:
                raise TortureFailed(f"{name}: the host was not killed but ended with {code}")
            killed[die.get("do") if die else "random"] += 1
            self.kills[f"{die['at']} {die.get('do', '')}".strip() if die else "random"] += 1
        said = self._live(state, "cancel" if cancel else "work", at)
        self.rounds["cancelled" if cancel else "finished"] += 1
        if cancel:
            self._judge_cancelled(name, said)
        else:
            self._judge(name, said["finished"], killed)

    def _begin(self, name):
        for old in self._folder.glob(f"{name}.db*"):
            old.unlink()
        state = self._folder / f"{name}.db"
        shutil.copy(self._filled, state)
        ask(self._port, {"do": "begin", "accounts": AFTER})
        return state

    def _host(self, state, task, at, die=None, **more):
        told = {"task": task, "at": at.isoformat(), "die": die, "observed": getattr(self, "observed", None), **more}
        return Host([sys.executable, str(HERE / "reconciling.py")], state, self._port, **told)

    def _live(self, state, task, at, **more):
        host = self._host(state, task, at, **more)
        host.listen()
        code = host.wait()
        if code != 0:
            raise TortureFailed(f"a host that nobody killed ended with {code} in `{task}` and said {sorted(host.said)}")
        return host.said

    def _die(self, state, at, die):
        host = self._host(state, "work", at, die)
        host.listen(until="opened")
        started = time.monotonic()
        host.listen(until="finished", seconds=PATIENCE if die else self._chance.uniform(0.0, self._usual))
        if "finished" in host.said:
            self._usual = 0.5 * self._usual + 0.5 * (time.monotonic() - started)
        return host, host.kill()

    def _judge(self, name, shown, killed):
        seen = ask(self._port, {"do": "all"})
        self.findings += [f"{name}: {line}" for line in findings(shown, seen["accounts"], seen["pages"], killed)]

    def _judge_cancelled(self, name, said):
        seen = ask(self._port, {"do": "all"})
        written = [one["id"] for one in seen["accounts"] if one["writes"]]
        told = {
            "accounts are not as they were": not said["same"],
            "it is not cancelled": said["cancelled"] not in ("Cancelled", "Analyzed"),
            f"written to {written}": written,
            "the log is broken": not said["shown"]["whole"],
            "something was done": said["shown"]["done"] or said["shown"]["requests"],
        }
        self.findings += [f"{name}: {line}" for line, is_so in told.items() if is_so]


def expected_items():
    """Situation, reaction, user, account: each once."""
    return Counter(
        [("found", "link", f"found{n}", f"found{n}") for n in range(FOUND)]
        + [("drifted", "update", f"drifted{n}", f"drifted{n}") for n in range(DRIFTED)]
        + [("absent", "create", f"absent{n}", None) for n in range(ABSENT)]
        + [("orphaned", "deactivate", None, f"orphan{n}") for n in range(ORPHANED)]
    )


def findings(shown, at_target, pages, killed):
    """What is wrong after kills by the question at which they fell, a line each."""
    told = []
    whole_pages = len(AFTER) // PAGE + 1
    if [one[0] for one in shown["reconciliations"]] != ["Completed"]:
        told.append(f"the reconciliations are {shown['reconciliations']}")
    if [one[1:] for one in shown["reconciliations"]] != [[whole_pages, len(AFTER), "complete"]]:
        told.append(f"pages and rows are {shown['reconciliations']}")
    # A page is asked for again by who was killed between asking and storing it; by nobody else.
    again = len(pages) - whole_pages
    if sorted(set(pages)) != list(range(0, whole_pages * PAGE, PAGE)) or not 0 <= again <= killed.total():
        told.append(f"pages read: {sorted(pages)}")
    acted = [item for item in shown["items"] if item[2] != "reported"]
    items = Counter((item[0], item[1], item[3], item[4]) for item in acted)
    told += [f"item lost: {item}" for item in expected_items() - items]
    told += [f"item twice or not expected: {item}" for item in items - expected_items()]
    told += [f"item is {item[2]}: {item}" for item in acted if item[2] != "done"]
    if shown["done_twice"] or shown["done"] != len(acted):
        told.append(f"{shown['done']} items done, twice: {shown['done_twice']}")
    # An account that was made after an attempt of which nothing is known is counted once more, by a request of its own.
    counting = [one for one in shown["requests"] if one[0] == "Read"]
    if any(one[1] != "Completed" for one in counting) or len(counting) > GIVEN * killed.total():
        told.append(f"accounts counted: {counting}")
    planned = [one for one in shown["requests"] if one[0] != "Read"]
    requests = Counter((operation, state) for operation, state, _, _ in planned)
    wanted = {"Create": ABSENT, "Update": DRIFTED, "Deactivate": ORPHANED}
    if requests != {(operation, "Completed"): count for operation, count in wanted.items()}:
        told.append(f"requests: {dict(requests)}")
    told += [f"a request of no item: {request}" for request in planned if not request[3]]
    linked = Counter(shown["linked"])
    if len(linked) != LINKED + DRIFTED + FOUND + ABSENT or linked.total() != len(linked):
        told.append(f"{len(linked)} accounts are linked")
    if not shown["whole"]:
        told.append("the log is broken")
    return told + target_findings(at_target, killed)


def target_findings(at_target, killed):
    """What is wrong at the target. Where an answer was never heard, a write may come twice; a create may not."""
    told = []
    made = Counter(one["attributes"]["userName"] for one in at_target if "create" in one["writes"])
    if made != {f"absent{number}": 1 for number in range(ABSENT)}:
        told.append(f"made: {dict(made)}")
    twice = 0
    for one in at_target:
        kind = one["attributes"]["userName"].rstrip("0123456789")
        wanted = {"absent": ["create"], "drifted": ["change"], "orphan": ["deactivate"]}.get(kind, [])
        writes = one["writes"]
        if writes[: len(wanted)] != wanted or set(writes) != set(wanted):
            told.append(f"{one['attributes']['userName']}: writes {writes}")
        twice += len(writes) - len(wanted)
        if one["active"] != (kind != "orphan") or one["attributes"].get("title") != "Nurse" and kind != "orphan":
            told.append(f"{one['id']} is {one}")
    if twice > GIVEN * (killed.total() - killed["list"]):
        told.append(f"{twice} writes came twice")
    return told


def moments(questions, entries):
    """Each moment at which a host can be told to die."""
    around = [
        {"at": boundary, "do": do, "call": call}
        for do, count in sorted(questions.items())
        for call in range(1, count + 1)
        for boundary in BOUNDARIES
    ]
    return around + [{"at": "log", "call": call} for call in range(1, entries + 1)]


def rounds(every, questions, entries, chance):
    """Names, deaths, and whether what is left is taken back."""
    single = moments(questions, entries)
    listed = [die for die in single if die.get("do") == "list"]
    # Each page and each write in turn, one in each life: the second of a life, since the first was not stored before.
    chains = [
        [{"at": boundary, "do": do, "call": 2}] * MOST_KILLS
        for boundary in BOUNDARIES
        for do in ("list", "create", "change", "set_active")
    ]
    chance.shuffle(single)
    if not every:
        # One of each kind; what there is time for.
        single = list({(die["at"], die.get("do")): die for die in single}.values())
        listed, chains = chance.sample(listed, 2), chance.sample(chains, 3)
    plan = [("once", [die], False) for die in single]
    plan += [("cancelled", [die], True) for die in listed]
    plan += [("chain", chain, False) for chain in chains]
    for _ in range(max(4, len(plan) // 10)):
        deaths = [chance.choice([None, chance.choice(single)]) for _ in range(chance.randint(1, MOST_KILLS))]
        plan.append(("at random", deaths, False))
    chance.shuffle(plan)
    return plan


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", action="store_true")
    parser.add_argument("--seconds", type=float, default=None, help="20, and with --every as long as it takes")
    parser.add_argument("--seed", type=int, default=None, help="of the random moments; chosen and printed by default")
    arguments = parser.parse_args()
    limit = arguments.seconds or (float("inf") if arguments.every else 20.0)
    seed = arguments.seed if arguments.seed is not None else random.randrange(2**32)
    print(f"seed {seed}", flush=True)
    started = time.monotonic()
    target = subprocess.Popen([sys.executable, str(HERE / "target.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        port = int(target.stdout.readline())
        with tempfile.TemporaryDirectory(prefix="rollkeeper-reconciliation-") as folder:
            killer = Killer(Path(folder), port, random.Random(seed))
            killer.fill()
            questions, entries = killer.undisturbed()
            for name, deaths, cancel in rounds(arguments.every, questions, entries, random.Random(seed)):
                killer.round(f"{name} {deaths}", deaths, cancel)
                if arguments.every and killer.rounds.total() % 20 == 0:
                    told = f"{killer.rounds.total()} rounds, {killer.kills.total()} kills"
                    print(f"{told}, {len(killer.findings)} findings", *killer.findings[:3], sep="\n  ", flush=True)
                is_over = time.monotonic() - started > limit and killer.kills.total() >= LEAST_KILLS
                if is_over:
                    break
    except TortureFailed as failure:
        print(f"FAILED: {failure}")
        return 1
    finally:
        target.stdin.close()
        target.wait(timeout=10)
    kinds = " · ".join(f"{number} {kind}" for kind, number in sorted(killer.kills.items()))
    print(f"{killer.kills.total()} kills in {time.monotonic() - started:.0f} s: {kinds}")
    print(f"rounds: {dict(killer.rounds)}; {questions} questions and {entries} log entries without a kill")
    print(f"{len(killer.findings)} findings")
    for line in killer.findings[:20]:
        print(f"  {line}")
    if killer.findings:
        print("FAILED: a promise was broken")
    return 1 if killer.findings else 0


if __name__ == "__main__":
    sys.exit(main())
